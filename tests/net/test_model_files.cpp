// SPDX-License-Identifier: Apache-2.0
// Model files that commit 9e21811 wrote give the masks that its `comodal predict` wrote: the same voxels on the same
// grid.
#define BOOST_TEST_MODULE net_model_files
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>

#include <comodal/data/nifti_write.hpp>
#include <comodal/data/nnunet_raw.hpp>
#include <comodal/infer/predict_case.hpp>
#include <comodal/model/make_network.hpp>

#include <nn/support.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace comodal::tests::net {
namespace {

using B = mixed_backend;

const std::filesystem::path reference = std::filesystem::path(COMODAL_TEST_DATA) / "net";

const std::vector<std::string> models{"strides", "bf16", "regions"}, engines{"", "host"};

model_plan plan_of_model(const std::string& model) {
  const auto file = reference / model / "model.safetensors";
  return plan_of(read_model_file(file), file);
}

/// How many voxels of a mask may have another label: none in fp32. In bf16, engines that round at different places
/// disagree where two classes are equally probable; tests/reference/net/README.txt says in how many voxels.
std::size_t voxels_that_may_differ(const model_plan& plan) { return plan.network.precision == "bf16" ? 16 : 0; }

/// The cases of the folder `images`, as `comodal predict` lists them.
std::vector<case_files> cases_of(const model_plan& plan) {
  std::vector<finding> findings;
  auto cases = read_nnunet_images(reference / "images", plan.modalities.size(), ".nii.gz", findings);
  BOOST_TEST(findings.empty());
  return cases;
}

/// What `comodal predict` does for one case: the fused label map on the grid of the case's own files.
label_volume predicted(const std::string& model, const case_data& one, const std::string& engine) {
  const auto file = reference / model / "model.safetensors";
  const auto content = read_model_file(file);
  const model_plan plan = plan_of(content, file);
  context<B> ctx;
  ctx.choose_engine(engine);
  tape<B> home(ctx);
  const auto network =
      make_network<B>(home, plan.network, static_cast<index>(plan.modalities.size()), plan.channels(), plan.seed);
  load_parameters(network.parameters(), plan.predictors.at(0) + "/", content);
  const auto outputs = predict_case<B>(
      home, plan, one, {true, false, false}, {plan.patch_size, 0.5, {}},
      [&](const auto& volumes, const auto& present, auto which) { return network.forward(volumes, present, which); });
  BOOST_TEST_REQUIRE(outputs.size() == 1u);
  return restore(outputs[0].labels, one.preparation);
}

/// The affine and sizes are equal to the last bit.
void compare_grids(const geometry& found, const geometry& golden) {
  BOOST_TEST(found.size == golden.size, boost::test_tools::per_element());
  for (std::size_t r = 0; r < 3; ++r) BOOST_TEST(found.affine[r] == golden.affine[r], boost::test_tools::per_element());
}

/// Voxels of each label value 0 to 3.
std::array<std::ptrdiff_t, 4> counts_of(const label_volume& mask) {
  std::array<std::ptrdiff_t, 4> counts{};
  for (int v = 0; v < 4; ++v)
    counts[static_cast<std::size_t>(v)] =
        std::count(mask.values.begin(), mask.values.end(), static_cast<std::uint8_t>(v));
  return counts;
}

}  // namespace

BOOST_AUTO_TEST_CASE(plans_are_read_as_they_were_written) {
  using strides = std::vector<std::vector<index>>;
  const model_plan a = plan_of_model("strides"), b = plan_of_model("bf16"), c = plan_of_model("regions");
  for (const model_plan& plan : {a, b, c}) {
    BOOST_TEST((plan.modalities == std::vector<std::string>{"FLAIR", "T1", "T1ce", "T2"}));
    BOOST_TEST((plan.network.stream_channels == std::vector<index>{2, 4}));
    BOOST_TEST((plan.network.fused_channels == std::vector<index>{4, 6}));
    BOOST_TEST((plan.patch_size == extent3{8, 16, 16}));
    BOOST_TEST((plan.spacing == std::array<double, 3>{5, 5, 9}));
    BOOST_TEST(plan.network.fusion == "gated");
    BOOST_TEST(plan.method == "supervised");
    BOOST_TEST(plan.steps == 300u);
    BOOST_TEST(plan.prepare.margin == 4);
    BOOST_TEST((plan.prepare.normalise == std::vector<normalisation>{normalisation::head}));
  }
  BOOST_TEST((a.network.strides == strides{{2, 2, 1}}));
  BOOST_TEST((b.network.strides == strides{{2, 2, 2}}));
  BOOST_TEST((c.network.strides == strides{{2, 2, 1}}));
  BOOST_TEST(a.network.precision == "fp32");
  BOOST_TEST(b.network.precision == "bf16");
  BOOST_TEST((a.labels == std::vector<label_class>{
                              {"background", {0}}, {"necrotic core", {1}}, {"oedema", {2}}, {"enhancing rim", {3}}}));
  BOOST_TEST((c.labels ==
              std::vector<label_class>{
                  {"background", {0}}, {"whole tumour", {1, 2, 3}}, {"tumour core", {1, 3}}, {"enhancing rim", {3}}}));
  BOOST_TEST(a.region_order.empty());
  BOOST_TEST((c.region_order == std::vector<int>{2, 1, 3}));
  BOOST_TEST(c.channels() == 3);
}

BOOST_AUTO_TEST_CASE(cases_cover_an_absent_modality_an_oblique_grid_and_a_flipped_one) {
  const auto cases = cases_of(plan_of_model("strides"));
  BOOST_TEST_REQUIRE(cases.size() == 3u);
  BOOST_TEST(!cases[0].present(0));
  const geometry oblique = prepare_case(cases[1], {}).preparation.original(),
                 flipped = prepare_case(cases[2], {}).preparation.original();
  BOOST_TEST(std::abs(oblique.affine[0][1]) > 0.5);
  BOOST_TEST(orientation_code(oblique) == "RAS");
  BOOST_TEST(orientation_code(flipped) == "LPS");
}

BOOST_DATA_TEST_CASE(masks_are_those_of_the_golden_files,
                     boost::unit_test::data::make(models) * boost::unit_test::data::make(engines), model, engine) {
  const model_plan plan = plan_of_model(model);
  for (const case_files& files : cases_of(plan)) {
    BOOST_TEST_CONTEXT(files.id) {
      const auto golden_file = reference / model / (files.id + ".nii.gz");
      const label_volume golden = read_nifti_labels(golden_file);
      const auto counts = counts_of(golden);
      for (const auto voxels : counts) BOOST_TEST(voxels > 20);

      const case_data one = prepare_case(files, plan.prepare);
      const label_volume found = predicted(model, one, engine);
      compare_grids(found.geometry, golden.geometry);
      BOOST_TEST_REQUIRE(found.values.size() == golden.values.size());
      std::size_t other = 0;
      for (std::size_t i = 0; i < found.values.size(); ++i) other += found.values[i] != golden.values[i];
      BOOST_TEST_MESSAGE(model << ' ' << engine << ' ' << files.id << ": " << other << " voxels differ");
      BOOST_TEST(other <= voxels_that_may_differ(plan), other << " of " << found.values.size()
                                                              << " voxels have another label than in "
                                                              << golden_file.filename().string());

      // The file as a user gets it: codes, affines and voxel sizes of the header.
      const temporary_folder folder;
      write_nifti_labels(folder / "mask.nii.gz", found, one.header);
      const nifti_header written = read_nifti_header(folder / "mask.nii.gz"), expected = read_nifti_header(golden_file);
      compare_grids(written.grid, expected.grid);
      BOOST_TEST(written.datatype == expected.datatype);
      BOOST_TEST(written.qform_code == expected.qform_code);
      BOOST_TEST(written.sform_code == expected.sform_code);
      const auto &raw = std::get<nifti_1_header>(written.raw), &golden_raw = std::get<nifti_1_header>(expected.raw);
      BOOST_TEST(raw.pixdim == golden_raw.pixdim, boost::test_tools::per_element());
      BOOST_TEST(raw.xyzt_units == golden_raw.xyzt_units);
      BOOST_TEST(raw.quatern_b == golden_raw.quatern_b);
      BOOST_TEST(raw.quatern_c == golden_raw.quatern_c);
      BOOST_TEST(raw.quatern_d == golden_raw.quatern_d);
    }
  }
}

}  // namespace comodal::tests::net
