// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_normalise
#include <comodal/data/normalise.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <fstream>

namespace comodal::tests {
namespace {

image_volume line(std::vector<float> values) {
  return {{{static_cast<index>(values.size()), 1, 1}, {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}}}, std::move(values)};
}

label_volume all_of(const image_volume& v) { return {v.geometry, std::vector<std::uint8_t>(v.values.size(), 1)}; }

}  // namespace

BOOST_AUTO_TEST_CASE(names_go_both_ways) {
  const auto names = normalisation_registry::built_in();
  for (const auto& kind : {normalisation::head, normalisation::nonzero, normalisation::ct, normalisation::pet,
                           normalisation::zscore, normalisation::none})
    BOOST_CHECK(names.at(kind.name) == kind);
  BOOST_CHECK_EXCEPTION(static_cast<void>(names.at("hed")), config_error,
                        test::says("data.normalise = 'hed': this program has no normalisation of that name; did you "
                                   "mean 'head'? It has: head, nonzero, ct, pet, zscore, none"));
}

BOOST_AUTO_TEST_CASE(a_normalisation_of_ones_own_has_a_name) {
  auto names = normalisation_registry::built_in();
  names.add({.name = "halves", .scaling = [](const image_volume&, const label_volume&, const ct_statistics&) {
               intensity_scaling s;
               s.scale = 2;
               return s;
             }});
  auto v = line({4, 6});
  normalise(v, all_of(v), names.at("halves"));
  BOOST_TEST((v.values == std::vector<float>{2, 3}));
  BOOST_CHECK_EXCEPTION(names.add(names.at("halves")), config_error,
                        test::says("registry: there is a normalisation 'halves' already; choose another name"));
}

BOOST_AUTO_TEST_CASE(pet_keeps_the_uptake_of_lesions) {
  // Inside the body: 1, 1, 3, 3, so that the mean is 2 and the deviation 1; a lesion of 12 outside the mask.
  auto v = line({1, 1, 3, 3, 12, -0.5f});
  label_volume body{v.geometry, {1, 1, 1, 1, 0, 0}};
  normalise(v, body, normalisation::pet);
  BOOST_TEST((v.values == std::vector<float>{-1, -1, 1, 1, 10, -2}));  // nothing is clipped above, and at 0 below
  auto w = line({2, 4, 6, 8});
  normalise(w, {w.geometry, {1, 0, 0, 0}}, normalisation::zscore);  // over all voxels: mean 5, variance 5
  BOOST_TEST(std::abs(w.values[3] - 3 / std::sqrt(5.0)) < 1e-6);
  BOOST_TEST(std::abs(w.values[0] + 3 / std::sqrt(5.0)) < 1e-6);
}

BOOST_AUTO_TEST_CASE(quantiles_are_numpys) {
  const auto golden = nlohmann::json::parse(std::ifstream(COMODAL_TEST_DATA "/morphology/morphology.json"));
  auto values = golden["values"].get<std::vector<float>>();
  for (const auto& [q, expected] : golden["quantiles"].items())
    BOOST_CHECK_CLOSE(quantile(values, std::stod(q)), expected.get<double>(), 1e-9);
  const auto [mean, deviation] = mean_and_deviation(values);
  BOOST_CHECK_CLOSE(mean, golden["mean"].get<double>(), 1e-9);
  BOOST_CHECK_CLOSE(deviation, golden["deviation"].get<double>(), 1e-9);
}

BOOST_AUTO_TEST_CASE(head_uses_the_quantiles_inside_the_mask) {
  // Inside: 0 to 200, so the median is 100, the quartiles 50 and 150, the 99.5 % point 199. Outside: -40 and 1000.
  std::vector<float> values;
  for (int i = 0; i <= 200; ++i) values.push_back(static_cast<float>(i));
  values.push_back(-40);
  values.push_back(1000);
  image_volume v = line(values);
  label_volume mask = all_of(v);
  mask.values[201] = mask.values[202] = 0;
  normalise(v, mask, normalisation::head);
  const float scale = 100 / 1.35f;
  BOOST_CHECK_SMALL(v.values[100], 1e-6f);
  BOOST_CHECK_CLOSE(v.values[0], -100 / scale, 1e-4f);
  BOOST_CHECK_CLOSE(v.values[199], 99 / scale, 1e-4f);
  BOOST_CHECK_CLOSE(v.values[200], 99 / scale, 1e-4f);    // clipped
  BOOST_CHECK_CLOSE(v.values[201], -140 / scale, 1e-4f);  // background keeps its place
  BOOST_CHECK_CLOSE(v.values[202], 99 / scale, 1e-4f);
}

BOOST_AUTO_TEST_CASE(head_does_not_depend_on_the_unit) {
  image_volume a = test::image(3), b = a;
  for (float& v : b.values) v = 8 * v + 64;
  const label_volume mask = head_mask({a});
  normalise(a, mask, normalisation::head);
  normalise(b, mask, normalisation::head);
  for (std::size_t i = 0; i < a.values.size(); ++i) BOOST_REQUIRE_SMALL(a.values[i] - b.values[i], 1e-4f);
}

BOOST_AUTO_TEST_CASE(nonzero_keeps_zeros) {
  image_volume v = line({0, 2, 4, 0, 6});
  normalise(v, all_of(v), normalisation::nonzero);
  const float z = 2 / std::sqrt(8.0f / 3);
  BOOST_CHECK_EQUAL(v.values[0], 0);
  BOOST_CHECK_CLOSE(v.values[1], -z, 1e-4f);
  BOOST_CHECK_EQUAL(v.values[2], 0);
  BOOST_CHECK_EQUAL(v.values[3], 0);
  BOOST_CHECK_CLOSE(v.values[4], z, 1e-4f);
}

BOOST_AUTO_TEST_CASE(ct_clips_and_scales) {
  image_volume v = line({-2000, -50, 30, 900});
  normalise(v, all_of(v), normalisation::ct, {-100, 200, 10, 40});
  BOOST_CHECK_CLOSE(v.values[0], -2.75f, 1e-4f);
  BOOST_CHECK_CLOSE(v.values[1], -1.5f, 1e-4f);
  BOOST_CHECK_CLOSE(v.values[2], 0.5f, 1e-4f);
  BOOST_CHECK_CLOSE(v.values[3], 4.75f, 1e-4f);
}

BOOST_AUTO_TEST_CASE(constant_images_stay_finite) {
  for (const auto& kind : {normalisation::head, normalisation::nonzero, normalisation::none})
    for (const float value : {0.0f, 5.0f}) {
      image_volume v = line({value, value, value});
      normalise(v, head_mask({v}), kind);
      BOOST_CHECK_EQUAL(v.values[1], kind == normalisation::none ? value : 0);
    }
  // Two values inside the head, quartiles equal: the deviation takes the place of the quartiles' distance.
  image_volume v = line({1, 1, 1, 1, 1, 1, 1, 9});
  normalise(v, all_of(v), normalisation::head);
  BOOST_CHECK(std::isfinite(v.values[7]) && v.values[7] > 1);
}

BOOST_AUTO_TEST_CASE(head_mask_finds_the_head) {
  const image_volume v = test::image(1);
  const label_volume mask = head_mask({v, {}});
  std::size_t wrong = 0, inside = 0;
  for (index k = 0; k < 12; ++k)
    for (index j = 0; j < 18; ++j)
      for (index i = 0; i < 20; ++i) {
        const double x = (static_cast<double>(i) - 10) / 6, y = (static_cast<double>(j) - 9) / 6,
                     z = (static_cast<double>(k) - 6) / 4;
        const bool head = x * x + y * y + z * z < 1;
        inside += head;
        wrong += head != (mask.at(i, j, k) != 0);
      }
  BOOST_TEST_MESSAGE(wrong << " of " << inside);
  BOOST_CHECK_LT(wrong, inside / 10);  // closing fills a few corners of the digital ellipsoid
  BOOST_CHECK_THROW(static_cast<void>(head_mask({{}, {}})), shape_error);
}

BOOST_AUTO_TEST_CASE(head_mask_is_the_union_and_filled) {
  image_volume left = test::image(1), right = left;
  for (index k = 0; k < 12; ++k)
    for (index j = 0; j < 18; ++j)
      for (index i = 0; i < 20; ++i) (i < 10 ? right : left).at(i, j, k) = 1;
  // A dark cavity inside, in both.
  left.at(8, 9, 6) = right.at(12, 9, 6) = 1;
  const label_volume mask = head_mask({left, right});
  BOOST_CHECK_EQUAL(mask.at(6, 9, 6), 1);
  BOOST_CHECK_EQUAL(mask.at(14, 9, 6), 1);
  BOOST_CHECK_EQUAL(mask.at(8, 9, 6), 1);
  BOOST_CHECK_EQUAL(mask.at(12, 9, 6), 1);
  BOOST_CHECK_EQUAL(mask.at(0, 0, 0), 0);
}

BOOST_AUTO_TEST_CASE(images_that_were_normalised_before_are_recognised) {
  const image_volume plain = test::image(1);
  image_volume stripped = plain, scored = plain;
  for (std::size_t i = 0; i < plain.values.size(); ++i) {
    const bool brain = plain.values[i] > 100;
    stripped.values[i] = brain ? plain.values[i] : 0;
    scored.values[i] = brain ? (plain.values[i] - 500) / 60 : 0;
  }
  const label_volume all = all_of(plain);
  BOOST_CHECK(normalised_before(scored, head_mask({scored})));
  BOOST_CHECK(!normalised_before(plain, head_mask({plain})));
  BOOST_CHECK(!normalised_before(stripped, head_mask({stripped})));
  BOOST_CHECK(!normalised_before(stripped, all));  // a smaller field of view: zeros, but nothing below
  BOOST_CHECK(normalised_before(scored, all));
}

BOOST_AUTO_TEST_CASE(nonzero_mask_is_the_union) {
  const image_volume a = line({0, 1, 0, 0}), b = line({0, 0, -2, 0});
  BOOST_CHECK((nonzero_mask({a, {}, b}).values == std::vector<std::uint8_t>{0, 1, 1, 0}));
}

}  // namespace comodal::tests
