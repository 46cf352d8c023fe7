// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_batch_maker
#include <comodal/data/batch_maker.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstring>
#include <deque>
#include <set>

namespace comodal::tests {
namespace {

// Labels are 1 + a pattern of the place in a blob, and the value of modality 0 tells the case and the place of each
// voxel.
struct cohort {
  std::deque<image_volume> images;
  std::deque<label_volume> labels;
  std::vector<labelled_training_case> labelled;
  std::vector<unlabelled_training_case> unlabelled;

  std::vector<volume_view> add_images(int number, const std::array<index, 3>& size, int modalities) {
    std::vector<volume_view> result;
    for (int m = 0; m < modalities; ++m) {
      image_volume& v = images.emplace_back();
      v.geometry.size = size;
      for (index i = 0; i < v.geometry.voxels(); ++i)
        v.values.push_back(static_cast<float>(i % 4096) / 1024 + static_cast<float>(number) * 0.001f +
                           static_cast<float>(m));
      result.push_back(&v);
    }
    return result;
  }
  void add_labelled(int number, const std::array<index, 3>& size, int modalities = 3) {
    labelled.push_back({text("l", number), add_images(number, size, modalities), nullptr});
    label_volume& l = labels.emplace_back();
    l.geometry.size = size;
    l.values.assign(static_cast<std::size_t>(l.geometry.voxels()), 0);
    for (index k = size[2] / 2; k < size[2] / 2 + 2; ++k)
      for (index j = 2; j < 5; ++j)
        for (index i = 1; i < 5; ++i) l.at(i, j, k) = static_cast<std::uint8_t>(1 + (i + j) % 2);
    labelled.back().label = &l;
  }
  void add_unlabelled(int number, const std::array<index, 3>& size, int modalities = 3) {
    unlabelled.push_back({text("u", number), add_images(number, size, modalities)});
  }
};

cohort small_cohort() {
  cohort c;
  c.add_labelled(1, {20, 18, 12});
  c.add_labelled(2, {16, 22, 10});
  c.add_labelled(3, {24, 16, 6});
  for (int i = 0; i < 4; ++i) c.add_unlabelled(10 + i, {20 + i, 18, 12});
  c.unlabelled[2].images[1] = nullptr;
  return c;
}

batch_options small_options() {
  batch_options o;
  o.patch_size = {8, 12, 14};
  return o;
}

bool same(const crop_batch& a, const crop_batch& b) {
  const auto bytes = [](const auto& x, const auto& y) {
    return x.size() == y.size() && (x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof x[0]) == 0);
  };
  bool equal = a.images.size() == b.images.size() && bytes(a.present, b.present) && bytes(a.labels, b.labels) &&
               bytes(a.known, b.known) && bytes(a.cases, b.cases);
  for (std::size_t m = 0; equal && m < a.images.size(); ++m) equal = bytes(a.images[m], b.images[m]);
  return equal;
}
bool same(const step_batch& a, const step_batch& b) {
  return a.step == b.step && same(a.labelled, b.labelled) && same(a.weak, b.weak) && same(a.strong, b.strong);
}

// A maker whose views do not change intensities.
using plain_maker = batch_maker<transform_chain<>, transform_chain<>>;
plain_maker make_plain(const batch_options& o, const cohort& c, std::uint64_t seed = 1) {
  return {o, c.labelled, c.unlabelled, seed, transform_chain<>(), transform_chain<>()};
}

void check_invariants(const crop_batch& b) {
  for (index n = 0; n < b.samples; ++n) {
    float any = 0;
    for (index m = 0; m < b.modalities; ++m) {
      const float present = b.presence(n)[static_cast<std::size_t>(m)];
      any += present;
      BOOST_REQUIRE(present == 0 || present == 1);
      for (const float v : b.image(n, m)) {
        BOOST_REQUIRE(std::isfinite(v));
        if (present == 0) BOOST_REQUIRE(v == 0);
      }
    }
    BOOST_REQUIRE(any > 0);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(shapes_presence_and_finite_values) {
  const cohort c = small_cohort();
  const batch_maker maker(small_options(), c.labelled, c.unlabelled, 1);
  BOOST_TEST(maker.modalities() == 3);
  bool dropped = false, mixed = false;
  for (std::uint32_t step = 0; step < 40; ++step) {
    const step_batch b = maker.make(step);
    BOOST_TEST(b.step == step);
    const std::size_t voxels = 2 * 8 * 12 * 14;
    for (const crop_batch* crops : {&b.labelled, &b.weak, &b.strong}) {
      BOOST_REQUIRE((crops->size == extent3{8, 12, 14}));
      BOOST_REQUIRE(crops->images.size() == 3u);
      for (const auto& image : crops->images) BOOST_REQUIRE(image.size() == voxels);
      check_invariants(*crops);
    }
    BOOST_TEST(b.labelled.labels.size() == voxels);
    BOOST_TEST(b.labelled.known.empty());
    BOOST_TEST(b.weak.labels.empty());
    BOOST_TEST(b.weak.known.empty());
    BOOST_TEST(b.strong.labels.size() == voxels);
    BOOST_TEST(b.strong.known.size() == voxels);
    BOOST_TEST(b.weak.cases[0] != b.weak.cases[1]);
    BOOST_TEST((b.weak.cases == b.strong.cases));
    for (index n = 0; n < 2; ++n)
      for (std::size_t m = 0; m < 3; ++m) {
        // As recorded in the weak view; never more than that in the strong one.
        const bool has = !c.unlabelled[b.weak.cases[static_cast<std::size_t>(n)]].images[m].empty();
        BOOST_TEST(b.weak.presence(n)[m] == (has ? 1.f : 0.f));
        BOOST_TEST(b.strong.presence(n)[m] <= b.weak.presence(n)[m]);
        dropped = dropped || b.strong.presence(n)[m] < b.weak.presence(n)[m];
      }
    for (std::size_t v = 0; v < voxels; ++v)
      if (b.strong.known[v])
        mixed = true;
      else
        BOOST_REQUIRE(b.strong.labels[v] == 0);
  }
  BOOST_TEST(dropped);
  BOOST_TEST(mixed);
}

BOOST_AUTO_TEST_CASE(a_batch_depends_on_the_seed_and_the_step_alone) {
  const cohort c = small_cohort();
  const batch_maker a(small_options(), c.labelled, c.unlabelled, 7), b(small_options(), c.labelled, c.unlabelled, 7);
  const batch_maker other(small_options(), c.labelled, c.unlabelled, 8);
  step_batch reused;
  for (const std::uint32_t step : {5u, 0u, 1000000u, 5u}) {
    a.make(step, reused);
    BOOST_TEST(same(reused, b.make(step)));
    BOOST_TEST(!same(reused, other.make(step)));
    BOOST_TEST(!same(reused, a.make(step + 1)));
  }
}

BOOST_AUTO_TEST_CASE(labels_of_other_cases_do_not_matter) {
  cohort c = small_cohort();
  batch_options o = small_options();
  const batch_maker maker(o, c.labelled, c.unlabelled, 7);
  std::vector<step_batch> before;
  for (std::uint32_t step = 0; step < 6; ++step) before.push_back(maker.make(step));
  // Garbage in the labels of the third case changes only crops of the third case, and what is mixed from them.
  for (auto& v : c.labels[2].values) v = static_cast<std::uint8_t>(v * 31 + 5);
  const batch_maker again(o, c.labelled, c.unlabelled, 7);
  int compared = 0;
  for (std::uint32_t step = 0; step < 6; ++step) {
    const step_batch after = again.make(step);
    BOOST_TEST(same(after.weak, before[step].weak));
    for (index n = 0; n < 2; ++n) {
      if (after.labelled.cases[static_cast<std::size_t>(n)] == 2) continue;
      ++compared;
      BOOST_TEST(std::memcmp(after.labelled.label(n).data(), before[step].labelled.label(n).data(),
                             after.labelled.label(n).size()) == 0);
      for (index m = 0; m < 3; ++m)
        for (const auto& [x, y] :
             {std::pair{&after.labelled, &before[step].labelled}, {&after.strong, &before[step].strong}})
          BOOST_TEST(std::memcmp(x->image(n, m).data(), y->image(n, m).data(), x->image(n, m).size_bytes()) == 0);
    }
  }
  BOOST_TEST(compared > 4);
}

BOOST_AUTO_TEST_CASE(weak_and_strong_views_show_the_same_voxels) {
  const cohort c = small_cohort();
  const plain_maker maker = make_plain(small_options(), c);
  std::size_t compared = 0, mixed = 0;
  for (std::uint32_t step = 0; step < 20; ++step) {
    const step_batch b = maker.make(step);
    for (index n = 0; n < 2; ++n)
      for (index m = 0; m < 3; ++m) {
        if (b.strong.presence(n)[static_cast<std::size_t>(m)] == 0) continue;
        const auto weak = b.weak.image(n, m), strong = b.strong.image(n, m), source = b.labelled.image(n, m);
        for (std::size_t v = 0; v < weak.size(); ++v) {
          const bool known = b.strong.known_label(n)[v] != 0;
          BOOST_REQUIRE(strong[v] == (known ? source[v] : weak[v]));
          BOOST_REQUIRE(b.strong.label(n)[v] == (known ? b.labelled.label(n)[v] : 0));
          (known ? mixed : compared)++;
        }
      }
  }
  BOOST_TEST(compared > 1000u);
  BOOST_TEST(mixed > 1000u);
}

BOOST_AUTO_TEST_CASE(mixed_regions_are_boxes_or_complements_and_can_be_off) {
  const cohort c = small_cohort();
  batch_options o = small_options();
  o.modality_dropout = 0;
  const plain_maker maker = make_plain(o, c);
  const std::ptrdiff_t box = 5 * 8 * 9, all = 8 * 12 * 14;
  int boxes = 0, complements = 0;
  for (std::uint32_t step = 0; step < 30; ++step) {
    const step_batch b = maker.make(step);
    for (index n = 0; n < 2; ++n) {
      const auto known = b.strong.known_label(n);
      const auto count = std::count(known.begin(), known.end(), 1);
      boxes += count == box;
      complements += count == all - box;
    }
  }
  BOOST_TEST(boxes + complements == 60);
  BOOST_TEST(boxes > 15);
  BOOST_TEST(complements > 15);
  o.mix = mix_mode::none;
  const step_batch b = make_plain(o, c).make(3);
  BOOST_TEST(b.strong.known.empty());
  BOOST_TEST(b.strong.labels.empty());
  BOOST_TEST((b.strong.images == b.weak.images));
}

BOOST_AUTO_TEST_CASE(each_view_has_its_own_intensities_and_dropout) {
  struct add {
    float value;
    void operator()(std::span<float> crop, const extent3&, random_stream&) const {
      for (float& v : crop) v += value;
    }
  };
  const cohort c = small_cohort();
  batch_options o = small_options();
  o.mix = mix_mode::none;
  o.modality_dropout = 0.5;
  const plain_maker plain = make_plain(o, c);
  const batch_maker<add, add> maker(o, c.labelled, c.unlabelled, 1, add{1000}, add{2000});
  std::array<int, 3> dropped{};
  const auto check_added = [&](const crop_batch& changed, const crop_batch& original, float value, int& missing) {
    for (index n = 0; n < 2; ++n)
      for (index m = 0; m < 3; ++m) {
        const bool present = changed.presence(n)[static_cast<std::size_t>(m)] != 0;
        missing += !present;
        for (std::size_t v = 0; v < changed.image(n, m).size(); ++v)
          BOOST_REQUIRE(changed.image(n, m)[v] == (present ? original.image(n, m)[v] + value : 0));
      }
  };
  for (std::uint32_t step = 0; step < 10; ++step) {
    const step_batch a = maker.make(step), b = plain.make(step);
    check_added(a.labelled, b.labelled, 2000, dropped[0]);
    check_added(a.weak, b.weak, 1000, dropped[1]);
    check_added(a.strong, b.strong, 2000, dropped[2]);
  }
  // The one absent modality of the third unlabelled case is all that the weak view lacks.
  BOOST_TEST(dropped[0] > 5);
  BOOST_TEST(dropped[2] > dropped[1] + 5);
}

BOOST_AUTO_TEST_CASE(centred_crops_contain_their_class) {
  cohort c;
  c.add_labelled(1, {40, 36, 30});
  c.add_unlabelled(2, {30, 30, 20});
  batch_options o = small_options();
  o.unlabelled = 0;
  o.patch_size = {10, 12, 12};
  const batch_maker maker(o, c.labelled, c.unlabelled, 3);
  int with = 0;
  for (std::uint32_t step = 0; step < 60; ++step) {
    const step_batch b = maker.make(step);
    const auto has = [&](index n) {
      const auto l = b.labelled.label(n);
      return std::any_of(l.begin(), l.end(), [](auto v) { return v != 0; });
    };
    BOOST_TEST(has(1));
    with += has(0);
    BOOST_TEST(b.weak.samples == 0);
    BOOST_TEST(b.strong.present.empty());
  }
  BOOST_TEST(with < 50);
}

BOOST_AUTO_TEST_CASE(labels_follow_their_voxels) {
  // An image that equals its label: without interpolation the crops agree everywhere but in the padding.
  cohort c;
  c.add_labelled(1, {20, 18, 12}, 1);
  for (std::size_t v = 0; v < c.images[0].values.size(); ++v)
    c.images[0].values[v] = static_cast<float>(c.labels[0].values[v]);
  batch_options o = small_options();
  o.unlabelled = 0;
  o.foreground = 1;
  o.mirror = {true, true, true};
  o.rotation_chance = o.scale_chance = 0;
  const plain_maker exact = make_plain(o, c);
  o.rotation_chance = o.scale_chance = 1;
  o.rotation_degrees = {90, 90, 90};
  const plain_maker turned = make_plain(o, c);
  for (std::uint32_t step = 0; step < 10; ++step) {
    const step_batch a = exact.make(step);
    for (std::size_t v = 0; v < a.labelled.labels.size(); ++v)
      BOOST_REQUIRE(a.labelled.images[0][v] == a.labelled.labels[v]);
    const step_batch b = turned.make(step);
    for (std::size_t v = 0; v < b.labelled.labels.size(); ++v) {
      // A label is that of one of the eight neighbours.
      if (b.labelled.images[0][v] == 0) BOOST_REQUIRE(b.labelled.labels[v] == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(small_cases_are_padded_with_the_minimum) {
  cohort c;
  c.add_labelled(1, {6, 5, 4}, 2);
  c.add_unlabelled(2, {6, 5, 4}, 2);
  for (auto& image : c.images)
    for (float& v : image.values) v -= 7;
  batch_options o = small_options();
  o.unlabelled = 1;
  o.modality_dropout = 0;
  o.mix = mix_mode::none;
  o.rotation_chance = o.scale_chance = 0;
  const step_batch b = make_plain(o, c).make(0);
  for (index n = 0; n < 2; ++n)
    for (index m = 0; m < 2; ++m) {
      const auto image = b.labelled.image(n, m);
      const auto values = c.labelled[0].images[static_cast<std::size_t>(m)].values<float>();
      const float minimum = *std::min_element(values.begin(), values.end());
      BOOST_TEST(std::count(image.begin(), image.end(), minimum) == 8 * 12 * 14 - 6 * 5 * 4 + 1);
    }
  const auto l = b.labelled.label(0);
  BOOST_TEST(std::count(l.begin(), l.end(), 0) == 8 * 12 * 14 - 2 * 3 * 4);
  const auto w = b.weak.image(0, 1);
  BOOST_TEST(*std::min_element(w.begin(), w.end()) == -7.f + 1.002f, boost::test_tools::tolerance(1e-5f));
}

BOOST_AUTO_TEST_CASE(a_guide_centres_crops_of_its_case) {
  cohort c;
  c.add_labelled(1, {20, 18, 12}, 1);
  for (int i = 0; i < 2; ++i) c.add_unlabelled(2 + i, {64, 48, 40}, 1);
  // One voxel of the image is marked; the mask is four times coarser.
  label_volume mask;
  mask.geometry.size = {16, 12, 10};
  mask.values.assign(16 * 12 * 10, 0);
  mask.at(13, 2, 7) = 1;
  for (auto& image : c.images) std::fill(image.values.begin(), image.values.end(), 0.f);
  for (index k = 28; k < 32; ++k)
    for (index j = 8; j < 12; ++j)
      for (index i = 52; i < 56; ++i)
        for (std::size_t u : {1u, 2u}) c.images[u].at(i, j, k) = 1;
  batch_options o = small_options();
  o.mix = mix_mode::none;
  o.rotation_chance = o.scale_chance = 0;
  const auto count_hits = [](const plain_maker& maker, index n) {
    int hits = 0;
    for (std::uint32_t step = 0; step < 60; ++step) {
      const step_batch b = maker.make(step);
      const auto image = b.weak.image(n, 0);
      hits += *std::max_element(image.begin(), image.end()) > 0;
    }
    return hits;
  };
  plain_maker maker = make_plain(o, c);
  const int unguided = count_hits(maker, 1);
  maker.set_guide(0, mask);
  maker.set_guide(1, mask);
  BOOST_TEST(count_hits(maker, 1) == unguided);  // the option is off
  o.centre = unlabelled_sampling::teacher;
  plain_maker guided = make_plain(o, c);
  BOOST_TEST(count_hits(guided, 1) == unguided);  // no mask yet
  guided.set_guide(0, mask);
  guided.set_guide(1, mask);
  BOOST_TEST(count_hits(guided, 1) == 60);
  BOOST_TEST(count_hits(guided, 0) < 30);
  mask.values.assign(mask.values.size(), 0);
  guided.set_guide(0, mask);
  guided.set_guide(1, mask);
  BOOST_TEST(count_hits(guided, 1) == unguided);
  BOOST_CHECK_THROW(guided.set_guide(2, mask), config_error);
  mask.geometry.size = {65, 1, 1};
  mask.values.assign(65, 0);
  BOOST_CHECK_THROW(guided.set_guide(0, mask), geometry_error);
}

BOOST_AUTO_TEST_CASE(senseless_cases_are_refused) {
  const batch_options o = small_options();
  {
    const cohort c = small_cohort();
    BOOST_CHECK_THROW(batch_maker(o, {}, c.unlabelled, 1), config_error);
    BOOST_CHECK_THROW(batch_maker(o, c.labelled, {c.unlabelled[0]}, 1), config_error);
    auto cases = c.labelled;
    cases[1].label = nullptr;
    BOOST_CHECK_THROW(batch_maker(o, cases, c.unlabelled, 1), config_error);
    cases = c.labelled;
    cases[1].label = cases[0].label;
    BOOST_CHECK_THROW(batch_maker(o, cases, c.unlabelled, 1), geometry_error);
    cases = c.labelled;
    cases[1].images[2] = cases[0].images[2];
    BOOST_CHECK_THROW(batch_maker(o, cases, c.unlabelled, 1), geometry_error);
    cases = c.labelled;
    cases[1].images.pop_back();
    BOOST_CHECK_THROW(batch_maker(o, cases, c.unlabelled, 1), config_error);
    auto empty = c.unlabelled;
    empty[0].images = {nullptr, nullptr, nullptr};
    BOOST_CHECK_THROW(batch_maker(o, c.labelled, empty, 1), config_error);
    const auto& grid = c.labels[0].geometry;
    cases = c.labelled;
    cases[0].images[0] = volume<std::int16_t>{grid, std::vector<std::int16_t>(c.labels[0].values.size())};
    BOOST_CHECK_EXCEPTION(batch_maker(o, cases, c.unlabelled, 1), config_error,
                          test::says("holds int16, expected float32"));
    cases = c.labelled;
    cases[0].label = image_volume{grid, std::vector<float>(c.labels[0].values.size())};
    BOOST_CHECK_EXCEPTION(batch_maker(o, cases, c.unlabelled, 1), config_error,
                          test::says("holds float32, expected uint8"));
  }
}

BOOST_AUTO_TEST_CASE(cases_may_own_their_volumes) {
  const cohort c = small_cohort();
  auto labelled = c.labelled;
  auto unlabelled = c.unlabelled;
  const auto own = [](volume_view& view) {
    if (view) view = image_volume(to_image(view));
  };
  for (auto& one : labelled) {
    for (auto& image : one.images) own(image);
    one.label = to_labels(one.label, "label");
  }
  for (auto& one : unlabelled)
    for (auto& image : one.images) own(image);
  const batch_options o = small_options();
  BOOST_TEST(
      same(batch_maker(o, c.labelled, c.unlabelled, 1).make(3), batch_maker(o, labelled, unlabelled, 1).make(3)));
}

BOOST_AUTO_TEST_CASE(processes_share_the_crops_of_a_step) {
  const cohort c = small_cohort();
  batch_options options;
  options.patch_size = {4, 8, 8};
  options.mix = mix_mode::none;
  options.labelled = 4;
  options.unlabelled = 4;
  const batch_maker<> whole(options, c.labelled, c.unlabelled, 7);
  options.labelled = options.unlabelled = 2;
  for (const std::uint32_t step : {0u, 1u, 5u}) {
    const step_batch all = whole.make(step);
    for (index rank = 0; rank < 2; ++rank) {
      batch_maker<> part(options, c.labelled, c.unlabelled, 7);
      part.set_share(rank, 2);
      const step_batch own = part.make(step);
      const auto same = [&](const crop_batch& a, const crop_batch& b) {
        for (index n = 0; n < 2; ++n) {
          BOOST_TEST(a.cases[static_cast<std::size_t>(n)] == b.cases[static_cast<std::size_t>(2 * rank + n)]);
          for (index m = 0; m < 3; ++m) {
            const auto x = a.image(n, m), y = b.image(2 * rank + n, m);
            BOOST_TEST(std::equal(x.begin(), x.end(), y.begin(), y.end()));
          }
        }
      };
      same(own.labelled, all.labelled);
      same(own.weak, all.weak);
      same(own.strong, all.strong);
    }
  }
  batch_maker<> part(options, c.labelled, c.unlabelled, 7);
  BOOST_CHECK_EXCEPTION(part.set_share(2, 2), config_error, test::says("batch_maker: rank 2 of 2, expected"));
  BOOST_CHECK_EXCEPTION(part.set_share(0, 3), config_error,
                        test::says("batch.unlabelled = 2 in 3 processes: crops of a step are from different cases, and "
                                   "there are 4 unlabelled cases"));
}

}  // namespace comodal::tests
