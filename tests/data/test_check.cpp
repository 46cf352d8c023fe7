// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_check
#include <comodal/data/case_data.hpp>
#include <comodal/data/check.hpp>
#include <comodal/data/nnunet_raw.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>

#include <omp.h>

namespace comodal::tests {
namespace {

// A folder with one fault of each kind.
void make_broken(const std::filesystem::path& root) {
  test::make_nnunet_raw(root);
  const byte_buffer whole = read_file(root / "imagesTr/a_0000.nii.gz");
  write_file(root / "imagesTr/a_0000.nii.gz", {whole.data(), whole.size() / 2});
  image_volume turned = test::image(9);
  turned.geometry.affine[0] = {1, 0, 0, 9};
  write_nifti(root / "imagesTr/b_0001.nii.gz", turned);
  write_nifti(root / "labelsTr/b.nii.gz", test::label(7));
  image_volume bad = test::image(10);
  bad.values[5] = bad.values[6] = std::nanf("");
  bad.values[7] = INFINITY;
  write_nifti(root / "imagesTr/c_0000.nii.gz", bad);
  image_volume flat = test::image(11);
  std::fill(flat.values.begin(), flat.values.end(), 3.0f);
  write_nifti(root / "imagesTr/c_0001.nii.gz", flat);
  label_volume shifted = test::label(0);
  shifted.geometry.affine[2][3] += 1;
  write_nifti(root / "labelsTr/c.nii.gz", shifted);
  test::write_text(root / "labelsTr/z.nii.gz", "");
  test::write_text(root / "imagesTs/e_0001.nii.gz", "<html>not found</html>");
}

std::string lines(const std::vector<finding>& findings) {
  std::string out;
  for (const finding& f : findings) out += to_line(f) + "\n";
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_sound_folder_has_no_findings) {
  const test::folder folder("check-sound");
  test::make_nnunet_raw(folder.path());
  BOOST_CHECK_EQUAL(lines(check_cohort(nnunet_raw_reader{folder.path()}, folder.path())), "");
}

BOOST_AUTO_TEST_CASE(everything_is_reported_in_one_run) {
  const test::folder folder("check-broken");
  make_broken(folder.path());
  const auto findings = check_cohort(nnunet_raw_reader{folder.path()}, folder.path());
  const auto in = [&](const char* name) { return (folder / name).string(); };
  const std::string found = lines(findings);
  BOOST_TEST_MESSAGE(found);
  const std::vector<std::string> expected{
      "warning: " + in("dataset.json") + ": \"numTraining\" is 3, but labelsTr holds 4 labels",
      "error: " + in("labelsTr/z.nii.gz") +
          ": is a label without images: imagesTr holds no z_0000.nii.gz or other modality of it",
      "error: " + in("imagesTr/a_0000.nii.gz") + ": damaged gzip file, it ends early (",
      "error: " + in("imagesTr/b_0001.nii.gz") +
          ": is on another grid than b_0000.nii.gz: orientation RAS, expected LAS",
      "error: " + in("labelsTr/b.nii.gz") + ": holds label 7 in 18 voxels; declared are 0, 1, 2, 3, 4",
      "error: " + in("imagesTr/c_0000.nii.gz") + ": holds 2 NaN and 1 infinite values among 4320 voxels",
      "warning: " + in("imagesTr/c_0001.nii.gz") + ": is constant: every voxel is 3",
      "error: " + in("labelsTr/c.nii.gz") +
          ": is on another grid than c_0000.nii.gz: origin (9, -5, 5) mm, expected (9, -5, 4) mm",
      "warning: " + in("labelsTr/c.nii.gz") + ": is empty: every voxel is background",
      "error: " + in("imagesTs/e_0001.nii.gz") + ": is a web page, not a gzip file",
  };
  BOOST_REQUIRE_EQUAL(findings.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    BOOST_CHECK_MESSAGE(to_line(findings[i]).starts_with(expected[i]),
                        "expected " << expected[i] << "\nfound    " << to_line(findings[i]));
}

BOOST_AUTO_TEST_CASE(the_order_does_not_depend_on_threads) {
  const test::folder folder("check-threads");
  make_broken(folder.path());
  const cohort c = read_nnunet_raw(folder.path());
  std::vector<std::string> found;
  for (const int threads : {1, 2, 5}) {
    omp_set_num_threads(threads);
    found.push_back(lines(check_cohort(c)));
  }
  BOOST_CHECK_EQUAL(found[0], found[1]);
  BOOST_CHECK_EQUAL(found[0], found[2]);
}

BOOST_AUTO_TEST_CASE(preparation_refuses_with_the_same_words) {
  const test::folder folder("check-refusal");
  make_broken(folder.path());
  const cohort c = read_nnunet_raw(folder.path());
  std::string expected;
  for (const finding& f : check_cohort(c))
    if (f.severity == finding::level::error && f.file.parent_path().filename() != "imagesTs" &&
        f.file.filename() != "z.nii.gz")
      expected += (expected.empty() ? "" : "\n") + to_words(f);
  prepare_options options;
  options.labels = c.labels;
  BOOST_CHECK_EXCEPTION(static_cast<void>(prepare_cases(c.labelled, options)), io_error,
                        [&](const io_error& e) { return e.what() == expected; });
}

BOOST_AUTO_TEST_CASE(labels_of_unlabelled_cases_are_not_opened) {
  const test::folder folder("check-unlabelled");
  test::make_nnunet_raw(folder.path());
  test::write_text(folder / "labelsTr/a.nii.gz", "garbage");
  test::write_text(folder / "labelsTr/c.nii.gz", "garbage");
  BOOST_CHECK(check_cohort(read_nnunet_raw(folder.path(), {.labelled = {{"b"}}})).empty());
  BOOST_CHECK_EQUAL(check_cohort(read_nnunet_raw(folder.path())).size(), 2);
}

// A header in metres, or with the thickness of the whole stack, is taken as it stands: masks would have no volume.
BOOST_AUTO_TEST_CASE(grids_that_are_hard_to_believe_are_told_once) {
  const test::folder folder("check-doubt");
  test::make_nnunet_raw(folder.path());
  const auto in_metres = [&](const std::filesystem::path& file, auto volume) {
    for (auto& row : volume.geometry.affine)
      for (double& v : row) v /= 1000;
    write_nifti(file, volume);
  };
  for (const char* id : {"a", "b"}) {
    for (const char* number : {"_0000", "_0001"}) {
      const auto file = folder / "imagesTr" / (text(id, number, ".nii.gz"));
      if (std::filesystem::exists(file)) in_metres(file, read_nifti(file));
    }
    const auto label = folder / "labelsTr" / text(id, ".nii.gz");
    in_metres(label, read_nifti_labels(label));
  }
  const auto findings = check_cohort(read_nnunet_raw(folder.path()));
  BOOST_REQUIRE_EQUAL(findings.size(), 1);
  BOOST_TEST(to_line(findings[0]).starts_with("warning: "));
  BOOST_TEST(findings[0].reason.find("voxels of 0.001 x 0.001 x 0.002 mm along i, j, k, expected 0.05 to 25 mm") !=
             std::string::npos);
  BOOST_TEST(findings[0].reason.ends_with(" (1 further case such, too)"));

  geometry wide{{512, 512, 600}, {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 6, 0}}}};
  BOOST_TEST(doubt_of(wide).find("expected at most 3000 mm in all") != std::string::npos);
  wide.affine[2][2] = 5;
  BOOST_TEST(doubt_of(wide).empty());
}

BOOST_AUTO_TEST_CASE(the_odd_one_out_is_named) {
  const test::folder folder("check-odd");
  std::vector<image_source> files;
  for (const char* name : {"x_0000.nii", "x_0001.nii", "x_0002.nii"}) {
    image_volume v = test::image(1);
    if (files.empty()) v.geometry.affine[2][2] = 3;
    write_nifti(folder / name, v);
    files.push_back(folder / name);
  }
  const auto findings = load_images({"x", files}).findings;
  BOOST_REQUIRE_EQUAL(findings.size(), 1);
  BOOST_CHECK_EQUAL(findings[0].file.filename().string(), "x_0000.nii");
  BOOST_CHECK_EQUAL(findings[0].reason,
                    "is on another grid than x_0001.nii: spacing 1 x 1 x 3 mm, expected 1 x 1 x 2 mm; "
                    "name the modality whose grid all are resampled to (data.resample_to, or --resample-to of check)");
  const auto resampled = load_images({"x", files}, 2);
  BOOST_TEST(resampled.findings.empty());
  BOOST_TEST(resampled.reference.filename().string() == "x_0002.nii");
  for (const auto& image : resampled.images) BOOST_TEST(grid_difference(image.geometry, resampled.grid).empty());
  BOOST_TEST(grid_difference(resampled.header.grid, resampled.grid).empty());
}

// Resampling would turn the image of another patient into a constant one, and nobody would know.
BOOST_AUTO_TEST_CASE(images_that_lie_elsewhere_are_not_resampled_in_silence) {
  const test::folder folder("elsewhere");
  const affine3x4 here{{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
  const auto shifted = [&](double mm) {
    affine3x4 there = here;
    there[0][3] = mm;
    return there;
  };
  write_nifti(folder / "here.nii", test::image(1, here));
  write_nifti(folder / "beside.nii", test::image(2, shifted(12)));
  write_nifti(folder / "far.nii", test::image(3, shifted(100)));
  const auto findings =
      load_images({"x", {folder / "here.nii", folder / "beside.nii", folder / "far.nii"}}, 0).findings;
  BOOST_REQUIRE_EQUAL(findings.size(), 2);
  BOOST_TEST(to_line(findings[0]) == "warning: " + (folder / "beside.nii").string() +
                                         ": shows 40 % of the grid of here.nii; look whether both are of one patient "
                                         "and one visit");
  BOOST_TEST(to_line(findings[1]).starts_with("error: " + (folder / "far.nii").string() + ": shows 0 % of the grid"));
  // A file without codes says nothing of the patient.
  write_nifti(folder / "coarse.nii", test::image(4, {{{2, 0, 0, 0}, {0, 2, 0, 0}, {0, 0, 2, 0}}}));
  auto bytes = read_file(folder / "coarse.nii");
  bytes[252] = bytes[253] = bytes[254] = bytes[255] = 0;  // qform_code, sform_code
  write_file(folder / "nowhere.nii", bytes);
  const auto unplaced = load_images({"x", {folder / "here.nii", folder / "nowhere.nii"}}, 0).findings;
  BOOST_TEST(std::any_of(unplaced.begin(), unplaced.end(), [](const finding& one) {
    return one.severity == finding::level::error &&
           one.reason.find("nobody knows where it lies in the patient") != std::string::npos;
  }));
}

BOOST_AUTO_TEST_CASE(doubtful_headers_are_warnings) {
  const std::filesystem::path golden = COMODAL_TEST_DATA "/nifti";
  const auto conflict = load_images({"x", {golden / "both.nii.gz"}}).findings;
  BOOST_REQUIRE_EQUAL(conflict.size(), 1);
  BOOST_CHECK(conflict[0].severity == finding::level::warning);
  BOOST_CHECK(conflict[0].reason.starts_with(
      "its qform and sform disagree (qform: spacing 0.9 x 1.1 x 4 mm, expected 1.5 x 2 x 3 mm"));
  const auto neither = load_images({"x", {golden / "neither.nii.gz"}}).findings;
  BOOST_REQUIRE_EQUAL(neither.size(), 1);
  BOOST_CHECK(neither[0].reason.starts_with("has neither qform nor sform"));
}

BOOST_AUTO_TEST_CASE(a_case_without_modality_and_a_folder_that_is_none) {
  const auto nothing = load_images({"x", {"", ""}}).findings;
  BOOST_REQUIRE_EQUAL(nothing.size(), 1);
  BOOST_CHECK_EQUAL(to_line(nothing[0]), "error: x: the case has no modality at all");
  const auto missing = check_cohort(nnunet_raw_reader{"does-not-exist"}, "does-not-exist");
  BOOST_REQUIRE_EQUAL(missing.size(), 1);
  BOOST_CHECK(to_line(missing[0]).starts_with("error: does-not-exist"));
}

}  // namespace comodal::tests
