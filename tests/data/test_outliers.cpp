// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_outliers
#include <comodal/data/case_data.hpp>
#include <comodal/data/outliers.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <limits>

namespace comodal::tests {
namespace {

// What the values become, and whether anything was said.
std::vector<outlying_voxels> cleaned(image_volume& v, const auto& change) {
  change(v);
  return replace_outliers(v);
}

std::array<float, 2> range_of(const image_volume& v) {
  const auto [low, high] = std::minmax_element(v.values.begin(), v.values.end());
  return {*low, *high};
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_ordinary_image_stays_as_it_is) {
  for (std::uint32_t key = 1; key < 20; ++key) {
    image_volume v = test::image(key), before = v;
    BOOST_TEST(replace_outliers(v).empty());
    BOOST_CHECK(v.values == before.values);
  }
}

BOOST_AUTO_TEST_CASE(one_voxel_far_below_or_above_is_replaced_and_named) {
  const auto ordinary = range_of(test::image(1));
  for (const float value : {-2000.f, -32768.f, -1e6f, -3e38f, 5000.f, 65535.f, 1e9f, 3e38f}) {
    image_volume v = test::image(1);
    const auto found = cleaned(v, [&](auto& w) { w.at(3, 2, 1) = value; });
    BOOST_REQUIRE_EQUAL(found.size(), 1);
    BOOST_TEST(found[0].count == 1u);
    BOOST_TEST(found[0].value == value);
    BOOST_CHECK((found[0].first == std::array<index, 3>{3, 2, 1}));
    BOOST_CHECK(range_of(v)[0] >= ordinary[0] && range_of(v)[1] <= ordinary[1]);
    BOOST_TEST(v.at(3, 2, 1) == (value < 0 ? range_of(v)[0] : range_of(v)[1]));
    const std::string words = describe(found[0]);
    BOOST_TEST(words.find("holds 1 voxel far outside the range of the others") == 0u, words);
    BOOST_TEST(words.find("at voxel (3, 2, 1)") != std::string::npos, words);
  }
}

BOOST_AUTO_TEST_CASE(rims_of_one_value_become_background) {
  for (const float value : {-2000.f, -1024.f, 4095.f, 65535.f}) {
    image_volume v = test::image(1);
    const auto ordinary = v;
    const auto found = cleaned(v, [&](auto& w) {
      for (index k = 0; k < 12; ++k)
        for (index j = 0; j < 18; ++j)
          for (index i = 0; i < 20; ++i)
            if (i < 4 || i > 15 || j < 4 || j > 13) w.at(i, j, k) = value;  // most of the voxels
    });
    BOOST_REQUIRE_EQUAL(found.size(), 1);
    BOOST_TEST(found[0].count > v.values.size() / 2);
    BOOST_TEST(v.at(0, 0, 0) <= 20.f);  // the noise of the background
    BOOST_TEST(v.at(10, 9, 6) == ordinary.at(10, 9, 6));
  }
}

BOOST_AUTO_TEST_CASE(both_ends_and_wrapped_numbers_are_found) {
  image_volume v = test::image(1);
  const auto found = cleaned(v, [](auto& w) {
    w.at(0, 0, 0) = -32768;
    w.at(1, 0, 0) = 1e6f;
    w.at(2, 0, 0) = 2e6f;
  });
  BOOST_TEST(found.size() >= 2u);
  BOOST_TEST(range_of(v)[0] >= 0.f);
  BOOST_TEST(range_of(v)[1] < 1000.f);
  image_volume wrapped = test::image(2);  // a lesion of many different values, 65536 too small
  const auto of = cleaned(wrapped, [](auto& w) {
    for (index i = 8; i < 12; ++i)
      for (index j = 8; j < 12; ++j) w.at(i, j, 6) -= 65536;
  });
  BOOST_REQUIRE_EQUAL(of.size(), 1);
  BOOST_TEST(of[0].count == 16u);
  BOOST_TEST(range_of(wrapped)[0] >= 0.f);
}

BOOST_AUTO_TEST_CASE(what_is_no_outlier_stays) {
  const auto untouched = [](const auto& change) {
    image_volume v = test::image(1);
    change(v);
    const auto before = v.values;
    BOOST_TEST(replace_outliers(v).empty());
    BOOST_CHECK(v.values == before);
  };
  untouched([](auto& v) {  // skull-stripped, of little contrast
    for (float& x : v.values) x = x < 100 ? 0 : 900 + x / 10;
  });
  untouched([](auto& v) {  // a bright lesion
    for (index i = 8; i < 12; ++i)
      for (index j = 8; j < 12; ++j) v.at(i, j, 6) = 5000 + static_cast<float>(i + j);
  });
  untouched([](auto& v) {  // a lesion cut off at the largest number, inside the grid
    for (index i = 8; i < 12; ++i)
      for (index j = 8; j < 12; ++j) v.at(i, j, 6) = 4095;
  });
  untouched([](auto& v) {  // a label map as a channel
    for (float& x : v.values) x = x < 100 ? 0 : x < 480 ? 1 : 4;
    v.at(0, 0, 0) = 4;
  });
  untouched([](auto& v) {  // a map that is 0 but for a few voxels
    std::fill(v.values.begin(), v.values.end(), 0.f);
    for (index i = 3; i < 6; ++i) v.at(i, 3, 3) = static_cast<float>(100 + i);
  });
  untouched([](auto& v) {  // CT: air, tissue, metal
    for (float& x : v.values) x = x < 100 ? -1024 : x - 460;
    for (index i = 0; i < 20; ++i) v.at(i, 9, 6) = static_cast<float>(100 * i);  // bone
    v.at(10, 9, 7) = 3071;
  });
  untouched([](auto& v) { std::fill(v.values.begin(), v.values.end(), 7.f); });
  untouched([](auto& v) { v.values.clear(); });
  untouched([](auto& v) {
    for (float& x : v.values) x *= 1e-12f;
  });
  untouched([](auto& v) {
    for (float& x : v.values) x += 1e7f;
  });
}

// Before, one such voxel changed the head mask, the box and the normalisation of all modalities.
BOOST_AUTO_TEST_CASE(one_voxel_changes_no_box_and_no_normalisation) {
  const test::folder folder("outliers");
  const image_volume clean = test::image(1), other = test::image(2);
  write_nifti(folder / "clean.nii", clean);
  write_nifti(folder / "other.nii", other);
  const case_data expected = prepare_case(unlabelled_case{{"x", {folder / "clean.nii", folder / "other.nii"}}}, {});
  BOOST_TEST(expected.warnings.empty());
  for (const float value : {-32768.f, -3e38f, 1e30f}) {
    image_volume v = clean;
    v.at(0, 0, 0) = value;
    write_nifti(folder / "wild.nii", v);
    const case_data one = prepare_case(unlabelled_case{{"x", {folder / "wild.nii", folder / "other.nii"}}}, {});
    BOOST_REQUIRE_EQUAL(one.warnings.size(), 1);
    BOOST_TEST(one.warnings[0].file.filename().string() == "wild.nii");
    BOOST_CHECK(one.preparation.prepared().size == expected.preparation.prepared().size);
    if (value < 0) BOOST_CHECK(one.images[1].values == expected.images[1].values);
    double most = 0;
    for (std::size_t i = 0; i < one.images[0].values.size(); ++i)
      most = std::max(most, static_cast<double>(std::abs(one.images[0].values[i] - expected.images[0].values[i])));
    BOOST_TEST(most < (value < 0 ? 0.05 : 0.2));  // the brightest of the others is a speck in the head mask
  }
}

BOOST_AUTO_TEST_CASE(parts_apart_from_the_body_are_kept_or_named) {
  const test::folder folder("apart");
  image_volume v{{{40, 18, 12}, {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 2, 0}}}}, {}};
  const image_volume body = test::image(1);
  v.values.assign(40 * 18 * 12, 5);
  for (index k = 0; k < 12; ++k)
    for (index j = 0; j < 18; ++j)
      for (index i = 0; i < 20; ++i) v.at(i, j, k) = body.at(i, j, k);
  const auto with_block = [&](index width) {
    image_volume w = v;
    for (index k = 5; k < 5 + width; ++k)
      for (index j = 8; j < 8 + width; ++j)
        for (index i = 34; i < 34 + width; ++i) w.at(i, j, k) = 500;
    write_nifti(folder / "x.nii", w);
    prepare_options options;
    options.margin = 0;
    return prepare_case(unlabelled_case{{"x", {folder / "x.nii"}}}, options);
  };
  const case_data kept = with_block(4);  // a tenth of the body
  BOOST_TEST(kept.preparation.prepared().size[0] > 30);
  BOOST_TEST(kept.warnings.empty());
  const case_data lost = with_block(2);  // a hundredth
  BOOST_TEST(lost.preparation.prepared().size[0] < 30);
  BOOST_REQUIRE_EQUAL(lost.warnings.size(), 1);
  BOOST_TEST(lost.warnings[0].reason.find("8 voxels (0.016 ml), about voxel (34, 8, 5)") != std::string::npos,
             lost.warnings[0].reason);
}

}  // namespace comodal::tests
