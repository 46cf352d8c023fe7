// SPDX-License-Identifier: Apache-2.0
// Cases whose images and labels come from files, from volumes of one 4-D file, and from memory: the same case.
#define BOOST_TEST_MODULE data_image_source
#include <comodal/data/case_data.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>

namespace comodal::tests {
namespace {

// Stored as (front to back, down to up reversed, left), and a little sheared: nothing is where RAS has it.
const affine3x4 odd{{{0, 0, 2, -3}, {-1, 0.1, 0, 4}, {0.1, -1, 0, 5}}};

// A 4-D file of the volumes.
byte_buffer joined(const std::vector<image_volume>& volumes) {
  byte_buffer bytes = nifti_file_bytes(volumes[0], make_nifti_header(volumes[0].geometry), "joined");
  bytes[40] = 4, bytes[48] = static_cast<unsigned char>(volumes.size());  // dim[0], dim[4]
  for (std::size_t v = 1; v < volumes.size(); ++v) {
    const auto* first = reinterpret_cast<const unsigned char*>(volumes[v].values.data());
    bytes.insert(bytes.end(), first, first + volumes[v].values.size() * sizeof(float));
  }
  return bytes;
}

void check_same(const labelled_case_data& a, const labelled_case_data& b) {
  BOOST_TEST((a.data.present == b.data.present));
  BOOST_REQUIRE_EQUAL(a.data.images.size(), b.data.images.size());
  for (std::size_t m = 0; m < a.data.images.size(); ++m) {
    BOOST_TEST((a.data.images[m].values == b.data.images[m].values));
    BOOST_TEST((a.data.images[m].geometry.affine == b.data.images[m].geometry.affine));
  }
  BOOST_TEST((a.label.values == b.label.values));
}

}  // namespace

BOOST_AUTO_TEST_CASE(files_volumes_and_memory_give_the_same_case) {
  const test::folder folder("source");
  const std::vector<image_volume> images{test::image(1, odd), test::image(2, odd)};
  const label_volume label = test::label(3, odd);
  write_nifti(folder / "0.nii.gz", images[0]);
  write_nifti(folder / "1.nii.gz", images[1]);
  write_nifti(folder / "label.nii.gz", label);
  write_file(folder / "both.nii.gz", gzip(joined(images)));
  const image_volume stored = read_nifti(folder / "0.nii.gz");  // the affine as a file holds it, in float
  const auto in_memory = [&](const auto& v) { return image_source(volume_view(v).with_grid(stored.geometry)); };

  const auto files =
      prepare_case(labelled_case{{"x", {folder / "0.nii.gz", folder / "1.nii.gz"}}, folder / "label.nii.gz"}, {});
  const auto both = folder / "both.nii.gz";
  check_same(files, prepare_case(labelled_case{{"x", {{both, 0}, {both, 1}}}, folder / "label.nii.gz"}, {}));
  check_same(files,
             prepare_case(labelled_case{{"x", {in_memory(images[0]), in_memory(images[1])}}, in_memory(label)}, {}));
  const auto turned = prepare_case(labelled_case{{"x", {{both, 1}, {both, 0}}}, in_memory(label)}, {});
  BOOST_TEST((turned.data.images[0].values == files.data.images[1].values));
  // A result of a case from a 4-D file is one volume on its grid.
  write_nifti_labels(folder / "mask.nii", restore(turned.label, turned.data.preparation), turned.data.header);
  BOOST_TEST((read_nifti_labels(folder / "mask.nii").values == label.values));
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_a_source_is_said_with_its_name) {
  const test::folder folder("source-wrong");
  const std::vector<image_volume> images{test::image(1), test::image(2)};
  write_file(folder / "both.nii", joined(images));
  const auto path = folder / "both.nii";
  const auto says_of = [](const case_files& files, const std::vector<std::string>& lines) {
    const auto found = load_images(files).findings;
    BOOST_REQUIRE_EQUAL(found.size(), lines.size());
    for (std::size_t i = 0; i < lines.size(); ++i)
      BOOST_TEST(to_line(found[i]).starts_with(lines[i]), to_line(found[i]) << " is not " << lines[i]);
  };
  says_of({"x", {path}}, {text("error: ", path.string(), ": holds 2 volumes in one file, expected one")});
  says_of({"x", {{path, 2}, {path, 0}}},
          {text("error: ", path.string(), " (volume 2): has no volume 2; its volumes are 0 to 1")});
  image_volume broken = images[1], flat = images[1], shifted = images[1], mirrored = images[1];
  broken.values[7] = std::nanf("");
  std::fill(flat.values.begin(), flat.values.end(), 3.f);
  shifted.geometry.affine[0][3] += 0.5;
  mirrored.geometry.affine[0][0] *= -1;
  says_of({"x", {volume_view(images[0]), volume_view(broken)}},
          {"error: case x, modality 1 in memory: holds 1 NaN and 0 infinite values"});
  says_of({"x", {volume_view(images[0]), volume_view(flat)}},
          {"warning: case x, modality 1 in memory: is constant: every voxel is 3"});
  says_of({"x", {volume_view(images[0]), volume_view(shifted)}},
          {"error: case x, modality 1 in memory: is on another grid than case x, modality 0 in memory: origin ("});
  says_of(
      {"x", {volume_view(images[0]), volume_view(mirrored)}},
      {"error: case x, modality 1 in memory: is on another grid than case x, modality 0 in memory: orientation RAS, "
       "expected LAS"});
  says_of({"x", {image_source(), volume_view()}}, {"error: x: the case has no modality at all"});

  loaded_images loaded = load_images({"x", {volume_view(images[0])}});
  image_volume half = images[0];
  std::fill(half.values.begin(), half.values.end(), 0.f);
  half.values[3] = 0.5f;
  static_cast<void>(load_label({{"x", {volume_view(images[0])}}, volume_view(half)}, {}, loaded));
  BOOST_REQUIRE_EQUAL(loaded.findings.size(), 1);
  BOOST_TEST(
      to_line(loaded.findings[0]).starts_with("error: case x, label in memory: label value 0.5 at voxel (3, 0, 0)"));
}

}  // namespace comodal::tests
