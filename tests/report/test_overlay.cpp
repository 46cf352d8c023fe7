// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE report_overlay
#include <boost/test/unit_test.hpp>

#include <comodal/report/overlay.hpp>

#include <cstdlib>
#include <limits>

using namespace comodal;

namespace {

// A head with two lesions: an ellipse of tissue, class 1 in the patient's right front, class 2 around it.
struct scene {
  image_volume t1, flair;
  label_volume truth, prediction;

  explicit scene(std::array<comodal::index, 3> size = {48, 40, 12}, std::array<double, 3> spacing = {1, 1.5, 4}) {
    geometry g{size, {}};
    for (std::size_t a = 0; a < 3; ++a) g.affine[a] = {0, 0, 0, 0}, g.affine[a][a] = spacing[a];
    const auto n = static_cast<std::size_t>(g.voxels());
    t1 = flair = {g, std::vector<float>(n)};
    truth = prediction = {g, std::vector<std::uint8_t>(n)};
    for (comodal::index k = 0; k < size[2]; ++k)
      for (comodal::index j = 0; j < size[1]; ++j)
        for (comodal::index i = 0; i < size[0]; ++i) {
          const double x = (static_cast<double>(i) + 0.5) / static_cast<double>(size[0]),
                       y = (static_cast<double>(j) + 0.5) / static_cast<double>(size[1]),
                       z = (static_cast<double>(k) + 0.5) / static_cast<double>(size[2]);
          const auto inside = [&](double cx, double cy, double r, double dx) {
            return std::hypot(x - cx - dx, y - cy, 0.5 * (z - 0.5)) < r;
          };
          const bool head = std::hypot(x - 0.5, y - 0.5) < 0.42;
          t1.at(i, j, k) = head ? static_cast<float>(500 + 200 * std::cos(20 * x) * std::cos(16 * y)) : 5.0f;
          truth.at(i, j, k) = inside(0.7, 0.65, 0.07, 0) ? 1 : inside(0.7, 0.65, 0.13, 0) ? 2 : 0;
          prediction.at(i, j, k) = inside(0.7, 0.65, 0.06, -0.03) ? 1 : inside(0.7, 0.65, 0.13, -0.03) ? 2 : 0;
          flair.at(i, j, k) = head ? 300.0f + 400.0f * static_cast<float>(truth.at(i, j, k) != 0) : 0.0f;
        }
  }
  [[nodiscard]] overlay_case as_case() const {
    return {"patient_07",
            {{"T1", &t1}, {"FLAIR", &flair}, {"T2", nullptr}},
            &truth,
            &prediction,
            {{"background", {0}}, {"core", {1}}, {"oedema", {2}}}};
  }
};

struct spot {
  double x = 0, y = 0;
  comodal::index pixels = 0;
};

// Centre of the pixels of one colour in a part of a picture, in shares of that part.
spot find(const picture& p, rgb colour, comodal::index left, comodal::index top, comodal::index width,
          comodal::index height) {
  spot s;
  for (comodal::index y = top; y < top + height; ++y)
    for (comodal::index x = left; x < left + width; ++x)
      if (p.at(x, y) == colour) {
        s.x += (static_cast<double>(x - left) + 0.5) / static_cast<double>(width);
        s.y += (static_cast<double>(y - top) + 0.5) / static_cast<double>(height);
        ++s.pixels;
      }
  s.x /= static_cast<double>(s.pixels);
  s.y /= static_cast<double>(s.pixels);
  return s;
}

}  // namespace

BOOST_AUTO_TEST_CASE(radiological_display_whatever_the_stored_orientation) {
  // The lesion is at 0.7 of RAS x (the patient's right) and 0.65 of y (the front): on the left and in the upper half of
  // the picture.
  const scene s;
  for (int flips = 0; flips < 8; ++flips) {
    label_volume v = s.truth;
    for (std::size_t a = 0; a < 3; ++a)
      if (flips >> a & 1) v.geometry.affine[a][a] *= -1;
    for (comodal::index k = 0; k < 12; ++k)
      for (comodal::index j = 0; j < 40; ++j)
        for (comodal::index i = 0; i < 48; ++i)
          v.at(i, j, k) = s.truth.at(flips & 1 ? 47 - i : i, flips & 2 ? 39 - j : j, flips & 4 ? 11 - k : k);
    const slice_view view(v.geometry, 240);
    BOOST_TEST(view.width() == 192);  // 48 mm x 60 mm
    BOOST_TEST(view.height() == 240);
    BOOST_TEST(view.slices() == 12);
    picture p(view.width(), view.height());
    detail::draw_contours(p, view, v, 6);
    const spot lesion = find(p, class_colour(2), 0, 0, view.width(), view.height());
    BOOST_TEST(lesion.pixels > 100);
    BOOST_TEST(std::abs(lesion.x - 0.3) < 0.02, flips << ": " << lesion.x);
    BOOST_TEST(std::abs(lesion.y - 0.35) < 0.02, flips << ": " << lesion.y);
  }
}

BOOST_AUTO_TEST_CASE(axial_slices_of_a_sagittal_volume) {
  // Stored as (y, z, x): axial slices run along the second voxel axis.
  geometry g{{20, 6, 10}, {{{0, 0, 2, 0}, {1, 0, 0, 0}, {0, 5, 0, 0}}}};
  label_volume v{g, std::vector<std::uint8_t>(1200)};
  v.at(15, 4, 8) = 1;
  const slice_view view(g, 100);
  BOOST_TEST(view.slices() == 6);
  BOOST_TEST(view.width() == 100);
  BOOST_TEST(view.height() == 100);
  std::vector<comodal::index> counts;
  view.count_labels(v, counts);
  BOOST_TEST(counts == (std::vector<comodal::index>{0, 0, 0, 0, 1, 0}), boost::test_tools::per_element());
  BOOST_TEST(view.nearest(v, 15, 22, 4) ==
             1);  // x = 8 of 10 to the right: pixels 10 to 19; y = 15 of 20 to the front: 20 to 24
  BOOST_TEST(view.nearest(v, 15, 26, 4) == 0);
  BOOST_TEST(view.nearest(v, 25, 22, 4) == 0);
  BOOST_TEST(view.nearest(v, 15, 22, 3) == 0);
}

BOOST_AUTO_TEST_CASE(slices_are_the_fullest_and_spread_over_the_lesion) {
  using list = std::vector<comodal::index>;
  const list counts{0, 0, 3, 5, 9, 30, 9, 9, 2, 0};
  BOOST_TEST(choose_slices(counts, 1) == list{5}, boost::test_tools::per_element());
  BOOST_TEST(choose_slices(counts, 3) == (list{3, 5, 6}), boost::test_tools::per_element());
  BOOST_TEST(choose_slices(list{0, 0, 7, 0}, 3) == list{2}, boost::test_tools::per_element());
  BOOST_TEST(choose_slices(list(9), 3) == (list{2, 4, 6}), boost::test_tools::per_element());
  BOOST_TEST(choose_slices(list(1), 4) == list{0}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(grey_window_clips_outliers_and_ignores_what_is_not_finite) {
  image_volume v{{{100, 10, 1}, {}}, std::vector<float>(1000)};
  for (std::size_t i = 0; i < 1000; ++i) v.values[i] = static_cast<float>(i);
  v.values[999] = 1e6f;
  v.values[0] = std::numeric_limits<float>::quiet_NaN();
  v.values[1] = std::numeric_limits<float>::infinity();
  const grey_window w = window_of(v);
  BOOST_TEST(std::abs(w.low - 11.97) < 1e-9);
  BOOST_TEST(std::abs(w.high - 994.015) < 1e-6);
  BOOST_TEST(int{w(-5)} == 0);
  BOOST_TEST(int{w(1e6)} == 255);
  BOOST_TEST(int{w(std::nan(""))} == 0);
  v.values.assign(1000, 3.0f);
  BOOST_TEST(std::isfinite(window_of(v).high));
  BOOST_TEST(window_of(v).high > window_of(v).low);
  v.values.assign(1000, std::numeric_limits<float>::quiet_NaN());
  BOOST_TEST(int{window_of(v)(0)} == 0);
}

BOOST_AUTO_TEST_CASE(a_montage_shows_truth_prediction_and_difference) {
  const scene s;
  const auto figures = draw_overlay(s.as_case(), {.slices = 3, .panel_pixels = 200});
  BOOST_TEST(figures.size() == 3u);
  for (const overlay_figure& f : figures) {
    BOOST_TEST(f.caption.find("patient_07") != std::string::npos);
    BOOST_TEST(f.caption.find("Radiological") != std::string::npos);
    BOOST_TEST(f.image.width() > 3 * 160);
    BOOST_TEST(f.image.height() > 3 * 200);
  }
  if (const char* folder = std::getenv("COMODAL_TEST_PICTURES"))
    write_png(std::filesystem::path(folder) / "overlay.png", figures[1].image);
  // Panels: label column, then 160 x 200 pixels with gaps of 6. The prediction lies 0.03 further to the patient's left,
  // so its missed part is on the left of the lesion and its false part on the right of it.
  const picture& p = figures[1].image;
  const comodal::index left = std::max(text_width("prediction"), text_width("difference")) + 12,
                       top = 6 + text_height() + 6;
  const spot truth = find(p, class_colour(2), left, top, 160, 200),
             found = find(p, class_colour(2), left, top + 206, 160, 200);
  BOOST_TEST(truth.pixels > 50);
  BOOST_TEST(std::abs(truth.x - 0.3) < 0.02);
  BOOST_TEST(std::abs(found.x - 0.33) < 0.02);
  BOOST_TEST(find(p, class_colour(1), left + 166, top, 160, 200).pixels > 20);
  // Under the tints FLAIR is white in the lesion: (255 + 2 colour) / 3.
  spot missed = find(p, {85, 161, 203}, left + 166, top + 412, 160, 200);
  BOOST_TEST(missed.pixels > 10);
  BOOST_TEST(missed.x < truth.x);
}

BOOST_AUTO_TEST_CASE(parts_may_be_missing) {
  const scene s;
  overlay_case c = s.as_case();
  c.truth = nullptr;
  const auto prediction_only = draw_overlay(c);
  BOOST_TEST(prediction_only.size() == 3u);
  c.prediction = nullptr;
  const auto image_only = draw_overlay(c);
  BOOST_TEST(image_only.size() == 3u);
  BOOST_TEST(image_only[0].image.height() < prediction_only[0].image.height());
  c.images = {{"T1", nullptr}};
  BOOST_CHECK_THROW(draw_overlay(c), config_error);
  c = s.as_case();
  c.images.clear();
  BOOST_CHECK_THROW(draw_overlay(c), config_error);
}

BOOST_AUTO_TEST_CASE(volumes_of_different_sizes_are_an_error) {
  const scene s, other({32, 40, 12});
  overlay_case c = s.as_case();
  c.prediction = &other.prediction;
  BOOST_CHECK_THROW(draw_overlay(c), geometry_error);
}

BOOST_AUTO_TEST_CASE(neighbouring_classes_have_different_colours) {
  for (int a = 1; a <= 7; ++a)
    for (int b = 1; b < a; ++b)
      BOOST_TEST((class_colour(static_cast<std::uint8_t>(a)) != class_colour(static_cast<std::uint8_t>(b))));
}
