// SPDX-License-Identifier: Apache-2.0
// One case, from files and from memory, is segmented as `predict` does it, in several threads at once too.
#define BOOST_TEST_MODULE app_segment
#include <boost/test/unit_test.hpp>

#include <comodal/app/predict.hpp>
#include <comodal/app/segment.hpp>
#include <comodal/data/phantom.hpp>

#include <nn/support.hpp>

#include <algorithm>
#include <filesystem>
#include <locale>
#include <thread>
#include <utility>

namespace comodal::tests {

using B = mixed_backend;
namespace fs = std::filesystem;

// One test case, and a model of random weights that asks for post-processing.
struct job {
  temporary_folder work;
  const fs::path model = work / "model.safetensors", images = work / "cohort/imagesTs";

  job() {
    phantom_options heads;
    heads.grid = {32, 32, 16};
    heads.spacing = {5, 5, 9};
    heads.labelled = 1;
    heads.unlabelled = 0;
    heads.test = 1;
    heads.missing = 0;
    write_phantom_cohort(work / "cohort", heads, 3);
    write_model(model, {{.name = "core", .smallest = 3.0}});
  }
  static void write_model(const fs::path& file, const std::vector<postprocessing_rule>& rules) {
    model_plan plan;
    plan.modalities = {"FLAIR", "T1", "T1ce", "T2"};
    plan.labels = {{"background", {0}}, {"oedema", {1}}, {"core", {2}}, {"rim", {3}}};
    plan.network.stream_channels = {2, 4};
    plan.network.fused_channels = {4, 8};
    plan.patch_size = {8, 16, 16};
    plan.method = "none";
    plan.predictors = {"ema"};
    plan.postprocess = rules;
    context<B> ctx;
    tape<B> home(ctx);
    safetensors_file content;
    write_plan(plan, content);
    save_parameters(make_network<B>(home, plan.network, 4, 4, 3).parameters(), "ema/", content);
    write_checked_safetensors(file, content);
  }

  [[nodiscard]] fs::path image(int m) const { return images / text("phantom_5000_000", m, ".nii.gz"); }
  // T1ce (2) is absent.
  [[nodiscard]] case_files from_files() const { return {"one", {image(0), image(1), image_source(), image(3)}}; }
  [[nodiscard]] case_files from_memory() const {
    case_files files{"one", {}};
    for (int m = 0; m < 4; ++m) files.images.push_back(m == 2 ? volume_view() : volume_view(read_nifti(image(m))));
    return files;
  }
  [[nodiscard]] label_volume predicted(bool raw) const {
    const fs::path folder = work / (raw ? "raw" : "masks");
    fs::remove(image(2));
    app::predict_request request{model, images, folder};
    request.raw = raw;
    BOOST_TEST_REQUIRE(app::predict<B>(request).failures.empty());
    return read_nifti_labels(folder / "phantom_5000.nii.gz");
  }
};

BOOST_FIXTURE_TEST_CASE(files_and_memory_give_the_mask_of_predict, job) {
  const label_volume expected = predicted(false);
  BOOST_TEST((expected.values != predicted(true).values),
             "the post-processing changes nothing, and would not be missed");
  app::segmenter<B> segment(model);
  for (const auto& files : {from_files(), from_memory()}) {
    const auto made = app::segment_case(segment, files);
    BOOST_TEST((made.mask.values == expected.values));
    BOOST_TEST(grid_difference(made.mask.geometry, expected.geometry, 1e-6) == "");
    BOOST_TEST(made.warnings.empty());
  }
  const auto made = app::segment_case(segment, from_files());
  write_nifti_labels(work / "own.nii.gz", made.mask, made.header);
  BOOST_TEST((read_file(work / "own.nii.gz") == read_file(work / "masks/phantom_5000.nii.gz")));
}

BOOST_FIXTURE_TEST_CASE(threads_with_segmenters_of_their_own, job) {
  app::segmenter<B> first(model);
  const auto expected = app::segment_case(first, from_memory()).mask.values;
  std::vector<std::vector<std::uint8_t>> got(4);
  std::vector<std::thread> threads;
  for (auto& mask : got)
    threads.emplace_back([&] {
      const host_threads_scope one(1);
      app::segmenter<B> segment(model);
      for (int again = 0; again < 3; ++again) mask = app::segment_case(segment, from_memory()).mask.values;
    });
  for (auto& thread : threads) thread.join();
  for (const auto& mask : got) BOOST_TEST((mask == expected));
}

// A program that writes "1.234,5" reads the same models.
BOOST_FIXTURE_TEST_CASE(the_locale_of_the_program_changes_nothing, job) {
  struct punctuation : std::numpunct<char> {
    char do_thousands_sep() const override { return '.'; }
    char do_decimal_point() const override { return ','; }
    std::string do_grouping() const override { return "\1"; }
  };
  app::segmenter<B> before(model);
  const auto expected = app::segment_case(before, from_files()).mask.values;
  const std::locale old = std::locale::global(std::locale(std::locale(), new punctuation));
  app::segmenter<B> segment(model);
  const auto made = app::segment_case(segment, from_files());
  std::locale::global(old);
  BOOST_TEST((made.mask.values == expected));
  BOOST_TEST((segment.checksums() == before.checksums()));
}

BOOST_FIXTURE_TEST_CASE(what_is_wrong_is_one_line, job) {
  app::segmenter<B> segment(model);
  BOOST_CHECK_EXCEPTION((void)app::segment_case(segment, {"one", {image(0), image(1)}}), config_error,
                        says("segment_case: case one has 2 images, expected 4 (FLAIR, T1, T1ce, T2); give an empty one "
                             "for an absent modality"));
  BOOST_CHECK_EXCEPTION((void)app::segment_case(segment, {"one", std::vector<image_source>(4)}), io_error,
                        says("one: the case has no modality at all"));
  case_files turned = from_memory();
  geometry grid = turned.images[1].memory.grid();
  grid.affine[0][0] *= -1;
  turned.images[1].memory = turned.images[1].memory.with_grid(grid);
  BOOST_CHECK_EXCEPTION((void)app::segment_case(segment, turned), io_error,
                        says("case one, modality 1 in memory: is on another grid than case one, modality 0 in memory"));
  case_files flat{"one", {}};
  for (int m = 0; m < 2; ++m) {
    image_volume same = read_nifti(image(0));
    std::fill(same.values.begin(), same.values.end(), 7.f);
    flat.images.push_back(volume_view(std::move(same)));
  }
  flat.images.resize(4);
  BOOST_CHECK_EXCEPTION((void)app::segment_case(segment, flat), io_error,
                        says("one: every image of the case is constant after it was normalised"));
  // After an error the segmenter is as before.
  BOOST_TEST(app::segment_case(segment, from_memory()).mask.values.size() == std::size_t(32 * 32 * 16));
}

}  // namespace comodal::tests
