// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE report_still_pictures
#include <boost/test/unit_test.hpp>

#include <comodal/report/still_pictures.hpp>

#include <report/markup.hpp>
#include <report/png_reader.hpp>
#include <report/scene.hpp>

using namespace comodal;

namespace {

shown_case ready() {
  shown_case c = tests::scene().as_case();
  prepare_to_show(c);
  return c;
}

std::string between(const std::string& words, const std::string& before, const std::string& after) {
  const std::size_t at = words.find(before);
  BOOST_REQUIRE(at != std::string::npos);
  const std::size_t first = at + before.size();
  return words.substr(first, words.find(after, first) - first);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_row_shows_image_truth_method_and_errors) {
  const shown_case c = ready();
  still_painter paint(c, "case-1");
  BOOST_TEST(paint.base() == "FLAIR");
  const std::string row = paint.row(slice_plane::axial);
  BOOST_TEST(tests::malformed(row) == "");
  BOOST_TEST(tests::count(row, "<figure>") == 4u);
  BOOST_TEST(tests::count(row, "role=\"img\"") == 4u);
  BOOST_TEST(row.find("Axial slice 6 of 8 from the bottom") != std::string::npos);
  BOOST_TEST(row.find("<figcaption>ours, Dice 0.500</figcaption>") != std::string::npos);
  // 3 x 3 voxels, one further to the left of the patient: three missed, three false; no voxel of class 2 in slice 6.
  BOOST_TEST(row.find("on FLAIR, in this slice 3 voxels are false, 3 missed, 0 of another class.") !=
             std::string::npos);
  BOOST_TEST(row.find("core 9, rim &amp; &lt;b&gt; 0 voxels in this slice") != std::string::npos);
}

// The lesion is at voxels 8 to 10 of 12 to the right, 6 to 8 of 10 to the front, 5 and 6 of 8 up.
BOOST_AUTO_TEST_CASE(masks_and_letters_are_on_the_sides_of_the_patient) {
  const shown_case c = ready();
  still_painter paint(c, "k");
  const auto truth_path = [&](slice_plane plane) {
    const std::string row = paint.row(plane);
    return between(row.substr(row.find("truth</title>")), "class=\"area k0\" d=\"", "\"");
  };
  BOOST_TEST(truth_path(slice_plane::axial) == "M1 1h3v3h-3v-3z");     // near R and A
  BOOST_TEST(truth_path(slice_plane::coronal).starts_with("M1 1h"));   // near R and S
  BOOST_TEST(truth_path(slice_plane::sagittal).starts_with("M1 1h"));  // near A and S
  const std::string axial = paint.row(slice_plane::axial);
  BOOST_TEST(axial.find("viewBox=\"0 0 12.000 20.000\"") != std::string::npos);  // mm
  BOOST_TEST(axial.find("<g transform=\"scale(1.000 2.000)\">") != std::string::npos);
  BOOST_TEST(axial.find("text-anchor=\"start\" x=\"0.375\" y=\"10.525\">R<") != std::string::npos);
  BOOST_TEST(axial.find("text-anchor=\"end\" x=\"11.625\" y=\"10.525\">L<") != std::string::npos);
  BOOST_TEST(axial.find("y=\"1.500\">A<") != std::string::npos);
  BOOST_TEST(axial.find(">P<") != std::string::npos);
  const std::string sagittal = paint.row(slice_plane::sagittal);
  BOOST_TEST(sagittal.find("viewBox=\"0 0 20.000 32.000\"") != std::string::npos);
  BOOST_TEST(sagittal.find("text-anchor=\"start\"") < sagittal.find(">A<"));
}

BOOST_AUTO_TEST_CASE(the_grey_picture_lies_under_the_mask) {
  const shown_case c = ready();
  still_painter paint(c, "k");
  static_cast<void>(paint.row(slice_plane::axial));
  static_cast<void>(paint.row(slice_plane::axial));
  const std::string kept = paint.definitions();
  BOOST_TEST(tests::count(kept, "<image") == 1u);  // once, though four panels twice use it
  BOOST_TEST(kept.find("id=\"k-axial-1\"") != std::string::npos);
  const auto grey = tests::read_address(between(kept, "href=\"", "\""));
  BOOST_TEST(grey.width == 12);
  BOOST_TEST(grey.height == 10);
  for (comodal::index y = 0; y < 10; ++y)
    for (comodal::index x = 0; x < 12; ++x) {
      const bool lesion = x >= 1 && x < 4 && y >= 1 && y < 4;
      const int value = grey.pixels[static_cast<std::size_t>(y * 12 + x)];
      BOOST_TEST((lesion ? value > 240 : value < 10), x << " " << y << " " << value);
    }
}

BOOST_AUTO_TEST_CASE(other_outputs_and_maps) {
  const shown_case c = ready();
  still_painter paint(c, "k");
  const std::string more = paint.outputs(c.methods[0]);
  BOOST_TEST(tests::malformed(more) == "");
  BOOST_TEST(tests::count(more, "<figure>") == 2u);
  BOOST_TEST(more.find("branch T1: on T1, core 9") != std::string::npos);  // on its own modality
  BOOST_TEST(more.find("uncertainty: from 0 (black) to 904.000 (pale), at most 904.000 in this slice") !=
             std::string::npos);
  const std::string all = paint.modalities();
  BOOST_TEST(all.find("<figcaption>T1</figcaption>") != std::string::npos);
  BOOST_TEST(all.find("missing</div><figcaption>T2</figcaption>") != std::string::npos);
  BOOST_TEST(paint.outputs({"none", {{"fused", *c.truth}}}).empty());
}

BOOST_AUTO_TEST_CASE(names_are_escaped) {
  shown_case c = ready();
  c.case_id = "</script><b>&\"";
  c.methods[0].name = "<u>";
  c.images[1].name = "<T2>";
  still_painter paint(c, "k");
  const std::string row = paint.row(slice_plane::coronal) + paint.modalities() + paint.outputs(c.methods[0]);
  BOOST_TEST(tests::malformed(row) == "");
  BOOST_TEST(row.find("<b>") == std::string::npos);
  BOOST_TEST(row.find("<u>") == std::string::npos);
  BOOST_TEST(row.find("&lt;/script&gt;&lt;b&gt;&amp;&quot;") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(without_truth_no_picture_compares) {
  shown_case c = tests::scene().as_case();
  c.truth.reset();
  c.methods[0].dice = std::nan("");
  prepare_to_show(c);
  still_painter paint(c, "k");
  const std::string row = paint.row(slice_plane::axial);
  BOOST_TEST(tests::malformed(row) == "");
  BOOST_TEST(tests::count(row, "<figure>") == 2u);
  BOOST_TEST(row.find("--n: 4") != std::string::npos);  // as large as with a truth
  BOOST_TEST(row.find("<figcaption>ours</figcaption>") != std::string::npos);
  BOOST_TEST(row.find("core 9") != std::string::npos);
  const std::string all = row + paint.modalities() + paint.outputs(c.methods[0]);
  for (const char* words : {"truth", "error", "missed", "false"})
    BOOST_TEST(all.find(words) == std::string::npos, words);
  BOOST_TEST(all.find("with the outlines of the mask of ours: core 9") != std::string::npos);
  BOOST_TEST(tests::count(all, "class=\"outline k0\"") == 2u);  // on each of two images
}
