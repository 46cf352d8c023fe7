// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_mix
#include <comodal/data/mix.hpp>

#include <boost/test/unit_test.hpp>

#include <set>

namespace comodal::tests {
namespace {

const extent3 patch{6, 9, 12};

// Image values that name their batch, sample, modality and voxel.
float value(int batch, index n, index m, std::size_t v) {
  return static_cast<float>(100000 * batch + 10000 * n + 3000 * m) + static_cast<float>(v);
}

crop_batch make_batch(int number, bool known) {
  crop_batch b;
  b.resize(2, 3, patch, true, known);
  for (index n = 0; n < 2; ++n)
    for (index m = 0; m < 3; ++m) {
      b.presence(n)[static_cast<std::size_t>(m)] = 1;
      for (std::size_t v = 0; v < b.image(n, m).size(); ++v) b.image(n, m)[v] = value(number, n, m, v);
    }
  for (std::size_t v = 0; v < b.labels.size(); ++v) b.labels[v] = known ? 0 : static_cast<std::uint8_t>(v % 4);
  std::fill(b.known.begin(), b.known.end(), std::uint8_t{0});
  return b;
}

void remove_modality(crop_batch& b, index n, index m) {
  b.presence(n)[static_cast<std::size_t>(m)] = 0;
  std::fill(b.image(n, m).begin(), b.image(n, m).end(), 0.f);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_region_is_two_thirds_of_the_patch_anywhere) {
  std::array<std::set<index>, 3> first;
  int complements = 0;
  for (std::uint32_t i = 0; i < 400; ++i) {
    random_stream random(1, random_purpose::test, i);
    const mix_region r = draw_mix_region(patch, 2.0 / 3, 0.5, random);
    BOOST_REQUIRE((r.size == extent3{4, 6, 8}));
    for (std::size_t a = 0; a < 3; ++a) first[a].insert(r.first[a]);
    complements += r.complement;
  }
  for (std::size_t a = 0; a < 3; ++a) {
    BOOST_TEST(*first[a].begin() == 0);
    BOOST_TEST(*first[a].rbegin() == patch[a] / 3);
  }
  BOOST_TEST(std::abs(complements - 200) < 50);
  random_stream random(1, random_purpose::test);
  BOOST_TEST((draw_mix_region({1, 2, 3}, 0.01, 0, random).size == extent3{1, 1, 1}));
}

BOOST_AUTO_TEST_CASE(the_region_comes_from_the_labelled_crop_with_its_labels) {
  for (const bool complement : {false, true}) {
    crop_batch target = make_batch(1, true);
    const crop_batch source = make_batch(2, false), before = target;
    const mix_region region{{1, 2, 3}, {4, 6, 8}, complement};
    BOOST_TEST(mix_crop(target, 1, source, 0, region));
    std::size_t v = 0, wrong = 0;
    index replaced = 0;
    for (index d = 0; d < 6; ++d)
      for (index h = 0; h < 9; ++h)
        for (index w = 0; w < 12; ++w, ++v) {
          const bool box = d >= 1 && d < 5 && h >= 2 && h < 8 && w >= 3 && w < 11, mixed = box != complement;
          replaced += mixed;
          for (index m = 0; m < 3; ++m)
            wrong += target.image(1, m)[v] != (mixed ? value(2, 0, m, v) : value(1, 1, m, v));
          wrong += target.known_label(1)[v] != (mixed ? 1 : 0);
          wrong += target.label(1)[v] != (mixed ? source.label(0)[v] : 0);
        }
    BOOST_TEST(wrong == 0u);
    BOOST_TEST(replaced == (complement ? 648 - 192 : 192));
    // The other sample is as it was.
    for (index m = 0; m < 3; ++m)
      BOOST_TEST(std::equal(target.image(0, m).begin(), target.image(0, m).end(), before.image(0, m).begin()));
    BOOST_TEST(std::equal(target.known_label(0).begin(), target.known_label(0).end(), before.known_label(0).begin()));
  }
}

BOOST_AUTO_TEST_CASE(presence_is_the_intersection) {
  crop_batch target = make_batch(1, true), source = make_batch(2, false);
  remove_modality(target, 0, 0);
  remove_modality(source, 1, 2);
  BOOST_TEST(mix_crop(target, 0, source, 1, {{0, 0, 0}, {4, 6, 8}, false}));
  BOOST_TEST(target.presence(0)[0] == 0.f);
  BOOST_TEST(target.presence(0)[1] == 1.f);
  BOOST_TEST(target.presence(0)[2] == 0.f);
  for (const index m : {0, 2})
    for (const float v : target.image(0, m)) BOOST_REQUIRE(v == 0.f);
  BOOST_TEST(target.image(0, 1)[0] == value(2, 1, 1, 0));
  BOOST_TEST(target.image(0, 1)[647] == value(1, 0, 1, 647));
}

BOOST_AUTO_TEST_CASE(crops_that_are_annotated_in_part_are_passed_over) {
  for (const auto& [annotated, from] : {std::pair{std::vector<float>{1, 1, 1, 0}, 0}, {{1, 0, 1, 1}, 1}}) {
    crop_batch target = make_batch(1, true), source = make_batch(2, false);
    source.annotated = annotated;
    for (const index t : {0, 1}) {
      BOOST_TEST(mix_crop(target, 0, source, t, {{0, 0, 0}, {4, 6, 8}, false}));
      BOOST_TEST(target.image(0, 1)[0] == value(2, from, 1, 0));
    }
  }
  crop_batch target = make_batch(1, true), source = make_batch(2, false);
  source.annotated = {1, 0, 1, 0};
  const crop_batch before = target;
  BOOST_TEST(!mix_crop(target, 0, source, 1, {{0, 0, 0}, {4, 6, 8}, false}));
  BOOST_TEST((target.images == before.images));
  BOOST_TEST((target.known == before.known));
}

BOOST_AUTO_TEST_CASE(no_common_modality_no_mix) {
  crop_batch target = make_batch(1, true), source = make_batch(2, false);
  remove_modality(target, 0, 0);
  remove_modality(source, 0, 1);
  remove_modality(source, 0, 2);
  const crop_batch before = target;
  BOOST_TEST(!mix_crop(target, 0, source, 0, {{0, 0, 0}, {4, 6, 8}, false}));
  BOOST_TEST((target.images == before.images));
  BOOST_TEST((target.present == before.present));
  BOOST_TEST((target.known == before.known));
  BOOST_TEST((target.labels == before.labels));
}

}  // namespace comodal::tests
