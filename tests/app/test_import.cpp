// SPDX-License-Identifier: Apache-2.0
// nnU-Net folders of links to data sets of other layouts.
#define BOOST_TEST_MODULE app_import
#include <comodal/app/check.hpp>
#include <comodal/app/import.hpp>

#include "data/files.hpp"

#include <boost/test/unit_test.hpp>

namespace comodal::tests {
namespace {

// A 4-D file of two volumes.
void write_joined(const std::filesystem::path& path, const image_volume& first, const image_volume& second) {
  byte_buffer bytes = nifti_file_bytes(first, make_nifti_header(first.geometry), "joined");
  bytes[40] = 4, bytes[48] = 2;  // dim[0], dim[4]
  const auto* values = reinterpret_cast<const unsigned char*>(second.values.data());
  bytes.insert(bytes.end(), values, values + second.values.size() * sizeof(float));
  std::filesystem::create_directories(path.parent_path());
  write_file(path, gzip(bytes));
}

}  // namespace

BOOST_AUTO_TEST_CASE(files_are_linked_and_labels_keep_their_values) {
  const test::folder root("import-links");
  for (const char* id : {"a", "b"}) {
    std::filesystem::create_directories(root / "in" / id);
    write_nifti(root / "in" / id / "t1.nii.gz", test::image(1));
    write_nifti(root / "in" / id / "t2.nii.gz", test::image(2));
  }
  write_nifti(root / "in/a/seg.nii.gz", test::label(1));
  const app::import_request request{
      root / "in", root / "out", {.images = {"T1=t1*", "T2=t2*"}, .label = "seg*", .classes = {"core=1"}}};
  const auto summary = app::import_data(request);
  BOOST_TEST(summary.training == 2);
  BOOST_TEST(summary.labelled == 1);
  BOOST_TEST(summary.links == 5);
  BOOST_TEST(summary.written == 0);
  BOOST_TEST(summary.changes.empty());
  BOOST_TEST(std::filesystem::is_symlink(root / "out/imagesTr/a_0001.nii.gz"));
  BOOST_TEST((read_nifti(root / "out/imagesTr/b_0001.nii.gz").values == test::image(2).values));
  BOOST_TEST(app::check_data(root / "out").empty());
  const auto lines = app::describe_data(root / "out", reader_registry::built_in());
  BOOST_TEST(lines.at(0).ends_with(": nnunet-raw, 2 training cases, 1 of them labelled, 0 test cases"));
  BOOST_TEST(lines.at(1).ends_with("T1 (2), T2 (2)"));
  BOOST_TEST(lines.at(2) == "classes: background 0, core 1");
  BOOST_CHECK_EXCEPTION((void)app::import_data(request), config_error, test::says("is not empty; name a new folder"));
}

BOOST_AUTO_TEST_CASE(gaps_and_volumes_of_one_file_are_written_anew) {
  const test::folder root("import-written");
  const affine3x4 odd{{{0, 0, 2, -3}, {-1, 0.1, 0, 4}, {0.1, -1, 0, 5}}};
  write_joined(root / "in/imagesTr/x.nii.gz", test::image(1, odd), test::image(2, odd));
  write_joined(root / "in/imagesTs/y.nii.gz", test::image(3, odd), test::image(4, odd));
  std::filesystem::create_directories(root / "in/labelsTr");
  write_nifti(root / "in/labelsTr/x.nii.gz", test::label(4, odd));
  test::write_text(root / "in/dataset.json", R"({"modality": {"0": "FLAIR", "1": "T1w"},
    "labels": {"0": "background", "1": "core", "4": "rim"}, "test": ["imagesTs/y.nii.gz"],
    "training": [{"image": "imagesTr/x.nii.gz", "label": "labelsTr/x.nii.gz"}]})");
  BOOST_TEST(app::check_data(root / "in").empty());
  const auto summary = app::import_data({root / "in", root / "out"});
  BOOST_TEST(summary.links == 0);
  BOOST_TEST(summary.written == 5);
  BOOST_TEST(summary.test == 1);
  BOOST_REQUIRE_EQUAL(summary.changes.size(), 1);
  BOOST_TEST(summary.changes[0].starts_with("label 4 is written as 2"));
  BOOST_TEST(app::check_data(root / "out").empty());
  // Voxels stay where they are in the patient.
  const auto image = read_nifti(root / "out/imagesTr/x_0001.nii.gz");
  BOOST_TEST((image.values == test::image(2, odd).values));
  BOOST_TEST(grid_difference(image.geometry, test::image(2, odd).geometry) == "");
  const auto label = read_nifti_labels(root / "out/labelsTr/x.nii.gz");
  const auto truth = test::label(2, odd);
  BOOST_TEST((label.values == truth.values));
  BOOST_TEST(grid_difference(label.geometry, truth.geometry) == "");
  const cohort_listing c = reader_registry::built_in().list(root / "out");
  BOOST_TEST((c.labels == std::vector<label_class>{{"background", {0}}, {"core", {1}}, {"rim", {2}}}));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_imported_leaves_no_folder) {
  const test::folder root("import-refused");
  test::write_text(root / "cases.csv", "case,t1,label\na,a.nii.gz,b.nii.gz\n");
  const auto refused = [&](const layout_options& layout, const std::string& words) {
    BOOST_CHECK_EXCEPTION((void)app::import_data({root / "cases.csv", root / "out", layout}), error, test::says(words));
    BOOST_TEST(!std::filesystem::exists(root / "out"));
  };
  refused({}, "says nothing of its label values; name the classes with --classes");
  refused({.classes = {"core=1"}}, "a.nii.gz: there is no such file\n");
}

}  // namespace comodal::tests
