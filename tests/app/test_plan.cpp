// SPDX-License-Identifier: Apache-2.0
// Experiment files that `plan` writes for data sets.
#define BOOST_TEST_MODULE app_plan
#include <comodal/app/plan.hpp>

#include "data/files.hpp"

#include <boost/test/unit_test.hpp>

#include <sstream>

namespace comodal::tests {
namespace {

using B = mixed_backend;
const auto names = registry<B>::built_in();

app::experiment read_back(const std::filesystem::path& file) { return app::read_experiment<B>(file, {}, names); }

std::string content(const std::filesystem::path& file) {
  const auto bytes = read_file(file);
  return {bytes.begin(), bytes.end()};
}

// Isotropic voxels of `mm`.
affine3x4 cube(double mm) { return {{{mm, 0, 0, 0}, {0, mm, 0, 0}, {0, 0, mm, 0}}}; }

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_written_can_be_trained_with) {
  const test::folder root("plan");
  test::make_nnunet_raw(root / "data");
  const auto summary = app::plan<B>({root / "data", root / "experiment.toml"}, names);
  const app::experiment e = read_back(root / "experiment.toml");
  BOOST_TEST(e.folder == (root / "data").string());
  BOOST_TEST((e.normalise == std::vector<std::string>{"head", "head"}));
  BOOST_TEST((e.spacing == std::array<double, 3>{0, 0, 0}));  // all cases have the same
  BOOST_TEST(e.resample_to.empty());
  // Small volumes: the patch is the whole median case, enlarged to a multiple of the strides.
  const auto stride = e.network.total_stride();
  for (std::size_t a = 0; a < 3; ++a) {
    BOOST_TEST(e.batch.patch_size[a] % stride[a] == 0);
    BOOST_TEST(static_cast<double>(e.batch.patch_size[a]) >= summary.median[a]);
  }
  BOOST_TEST(e.batch.unlabelled == 1);  // there is one unlabelled case
  BOOST_TEST(e.method.name == "contrastive_mutual_learning");
  BOOST_TEST(e.network.stream_channels.size() == summary.patch.topology.stages());
  BOOST_TEST(content(root / "experiment.toml") == summary.content);
  BOOST_TEST(summary.content.starts_with("# Written by `comodal plan` for 3 labelled and 1 unlabelled cases."));
  // The same cohort, the same file.
  BOOST_TEST(app::plan<B>({root / "data", root / "again.toml"}, names).content == summary.content);
  BOOST_CHECK_EXCEPTION((app::plan<B>({root / "data", root / "again.toml"}, names)), config_error,
                        test::says("exists already; name a new file"));
  BOOST_CHECK_EXCEPTION((app::plan<B>({root / "data", root / "c.toml", {}, 0}, names)), config_error,
                        test::says("expected more than 0"));
}

BOOST_AUTO_TEST_CASE(voxel_sizes_and_names_decide) {
  const test::folder root("plan-spacing");
  for (const auto& [id, mm] : {std::pair{"a", 1.0}, {"b", 2.0}, {"c", 2.0}}) {
    std::filesystem::create_directories(root / "data" / id);
    auto ct = test::image(1, cube(mm)), pet = test::image(2, cube(mm)), stripped = test::image(3, cube(mm));
    for (float& v : stripped.values) v = v < 100 ? 0 : v;
    write_nifti(root / "data" / id / "ct.nii.gz", ct);
    write_nifti(root / "data" / id / "pet.nii.gz", pet);
    write_nifti(root / "data" / id / "mr.nii.gz", stripped);
    write_nifti(root / "data" / id / "seg.nii.gz", test::label(4, cube(mm)));
  }
  layout_options layout;
  layout.images = {"CT=ct.nii.gz", "pet=pet.nii.gz", "T1=mr.nii.gz"};
  layout.label = "seg.nii.gz";
  layout.classes = {"tumour=4"};
  const auto summary = app::plan<B>({root / "data", root / "e.toml", layout}, names);
  const app::experiment e = read_back(root / "e.toml");
  BOOST_TEST((e.normalise == std::vector<std::string>{"ct", "pet", "nonzero"}));
  BOOST_TEST((e.spacing == std::array<double, 3>{2, 2, 2}));
  BOOST_TEST((e.layout.images == layout.images));
  BOOST_TEST((e.layout.classes == layout.classes));
  BOOST_TEST(e.layout.label == "seg.nii.gz");
  BOOST_TEST(e.method.name == "supervised");  // every case has a label
  BOOST_TEST(e.batch.unlabelled == 0);
  BOOST_TEST(summary.fingerprint.cases.size() == 3);
}

BOOST_AUTO_TEST_CASE(modalities_on_other_grids_are_resampled_to_that_of_the_labels) {
  const test::folder root("plan-grids");
  std::filesystem::create_directories(root / "data/a");
  write_nifti(root / "data/a/flair.nii.gz", test::image(1, cube(1)));
  write_nifti(root / "data/a/dwi.nii.gz", test::image(2, cube(2)));
  write_nifti(root / "data/a/seg.nii.gz", test::label(1, cube(2)));
  layout_options layout;
  layout.images = {"flair=flair*", "dwi=dwi*"};
  layout.label = "seg*";
  layout.classes = {"lesion=1"};
  (void)app::plan<B>({root / "data", root / "e.toml", layout}, names);
  BOOST_TEST(read_back(root / "e.toml").resample_to == "dwi");
}

BOOST_AUTO_TEST_CASE(the_memory_model_is_what_was_measured) {
  const auto bytes = [](const extent3& patch, index modalities) {
    network_topology t;
    t.patch = patch;
    t.strides = {{2, 2, 2}, {2, 2, 2}, {2, 2, 2}};
    t.kernel_size.assign(4, {3, 3, 3});
    return 4 * bytes_per_crop(t, modalities) / (1 << 30);
  };
  // `comodal benchmark --modalities M --batch.patch_size ...`: tensor pool in GiB
  // (bench/history/2026-11-29-memory-model.md).
  for (const auto& [patch, modalities, measured] : {std::tuple{extent3{32, 64, 64}, index{1}, 0.59},
                                                    {extent3{32, 64, 64}, index{2}, 0.83},
                                                    {extent3{32, 64, 64}, index{3}, 1.07},
                                                    {extent3{64, 64, 64}, index{2}, 1.63},
                                                    {extent3{64, 64, 64}, index{4}, 2.57}})
    BOOST_TEST(std::abs(bytes(patch, modalities) / measured - 1) < 0.04);
}

}  // namespace comodal::tests
