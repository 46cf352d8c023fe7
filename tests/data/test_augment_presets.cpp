// SPDX-License-Identifier: Apache-2.0
// Sets of augmentation by name: their numbers, and what they do to batches.
#define BOOST_TEST_MODULE data_augment_presets
#include <comodal/data/augment_presets.hpp>
#include <comodal/data/batch_maker.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <deque>
#include <map>
#include <set>
#include <thread>

namespace comodal::tests {
namespace {

// Two labelled and two unlabelled cases of three modalities; the second of each lacks one. Labels are a pattern.
struct cohort {
  std::deque<image_volume> images;
  std::deque<label_volume> labels;
  std::vector<labelled_training_case> labelled;
  std::vector<unlabelled_training_case> unlabelled;

  cohort() {
    for (std::uint32_t i = 0; i < 4; ++i) {
      std::vector<volume_view> views;
      for (std::uint32_t m = 0; m < 3; ++m) {
        image_volume& v = images.emplace_back();
        v.geometry.size = {22, 18, 14};
        random_stream random(1, random_purpose::test, 3 * i + m);
        for (index n = 0; n < v.geometry.voxels(); ++n) v.values.push_back(static_cast<float>(random.normal(0.2, 1)));
        views.push_back(&v);
      }
      if (i % 2 == 1) views[1] = {};
      if (i >= 2) {
        unlabelled.push_back({text("u", i), views});
        continue;
      }
      label_volume& l = labels.emplace_back();
      l.geometry.size = {22, 18, 14};
      for (index n = 0; n < l.geometry.voxels(); ++n) l.values.push_back(static_cast<std::uint8_t>(n / 7 % 3));
      labelled.push_back({text("l", i), views, &l});
    }
  }
};

constexpr extent3 patch{8, 12, 12};

batch_maker<> maker_of(const batch_options& o, const cohort& c) { return {o, c.labelled, c.unlabelled, 3}; }

/// Without what hides modalities or mixes crops.
batch_options without_dropout(batch_options o) {
  o.modality_dropout = 0;
  o.mix = mix_mode::none;
  return o;
}

std::map<std::string, std::string> shown(batch_options o) {
  std::map<std::string, std::string> all;
  visit_batch_options(o, [&](std::string_view name, const auto& value, auto) {
    using type = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_enum_v<type>)
      all[std::string(name)] = text(static_cast<int>(value));
    else if constexpr (std::is_arithmetic_v<type>)
      all[std::string(name)] = text(value);
    else
      for (const auto& one : value) all[std::string(name)] += text(one, ' ');
  });
  return all;
}

bool same(const crop_batch& a, const crop_batch& b) {
  return a.images == b.images && a.labels == b.labels && a.present == b.present;
}

}  // namespace

BOOST_AUTO_TEST_CASE(comodal_is_the_default) {
  batch_options o;
  o.patch_size = patch;
  BOOST_TEST((shown(augment_preset("comodal", patch)) == shown(o)));
}

BOOST_AUTO_TEST_CASE(an_unknown_name_is_refused_with_the_nearest) {
  BOOST_CHECK_EXCEPTION((void)augment_preset("nnunett", patch), config_error,
                        test::says("augment.preset = 'nnunett': this program has no set of augmentation of that name; "
                                   "did you mean 'nnunet'? It has: comodal, nnunet, none"));
}

BOOST_AUTO_TEST_CASE(presets_change_the_table_augment_alone) {
  const auto defaults = shown(augment_preset("comodal", patch));
  for (const std::string name : {"nnunet", "none"}) {
    BOOST_CHECK_NO_THROW(check(augment_preset(name, patch)));
    for (const auto& [key, value] : shown(augment_preset(name, patch))) {
      const bool of_methods = key == "augment.modality_dropout" || key.starts_with("augment.mix");
      const bool weak = key.starts_with("augment.weak_") && name == "nnunet";
      if (!key.starts_with("augment.") || of_methods || weak) BOOST_TEST(value == defaults.at(key), key);
    }
  }
}

BOOST_AUTO_TEST_CASE(nnunet_turns_flat_patches_in_their_plane) {
  const auto cube = augment_preset("nnunet", {32, 96, 96});  // three times as long is not flat yet
  BOOST_TEST((cube.rotation_degrees == std::array<double, 3>{30, 30, 30}));
  BOOST_TEST((cube.resampled_axes == std::array<bool, 3>{true, true, true}));
  const auto slices = augment_preset("nnunet", {24, 96, 96});
  BOOST_TEST((slices.rotation_degrees == std::array<double, 3>{180, 0, 0}));
  BOOST_TEST((slices.resampled_axes == std::array<bool, 3>{false, true, true}));
  const auto sagittal = augment_preset("nnunet", {96, 96, 24});
  BOOST_TEST((sagittal.rotation_degrees == std::array<double, 3>{0, 0, 180}));
  BOOST_TEST((sagittal.resampled_axes == std::array<bool, 3>{true, true, false}));
}

BOOST_AUTO_TEST_CASE(scaling_leaves_the_axes_that_are_not_resampled) {
  auto o = augment_preset("nnunet", {4, 24, 24});
  o.mirror_chance = o.rotation_chance = 0;
  o.scale_chance = 1;
  bool smaller = false, larger = false;
  for (std::uint32_t i = 0; i < 50; ++i) {
    random_stream random(1, random_purpose::test, i);
    const crop_map map = draw_crop_map(o, {0, 0, 0}, {1, 1, 1}, random);
    BOOST_TEST(map.matrix[0][0] == 1);
    BOOST_TEST(map.matrix[1][1] == map.matrix[2][2]);
    BOOST_TEST(map.matrix[1][1] >= 0.7 - 1e-12);  // what is shown is 0.7 to 1.4 times the patch
    BOOST_TEST(map.matrix[1][1] <= 1.4 + 1e-12);
    smaller |= map.matrix[1][1] > 1.1;
    larger |= map.matrix[1][1] < 0.9;
  }
  BOOST_TEST(smaller);
  BOOST_TEST(larger);
}

BOOST_AUTO_TEST_CASE(none_copies_voxels) {
  const cohort c;
  const auto maker = maker_of(without_dropout(augment_preset("none", patch)), c);
  for (std::uint32_t step = 0; step < 5; ++step) {
    const auto b = maker.make(step);
    BOOST_TEST((b.weak.images == b.strong.images));
    for (index n = 0; n < b.labelled.samples; ++n) {
      const auto& image = c.labelled[b.labelled.cases[static_cast<std::size_t>(n)]].images[0].values<float>();
      const std::set<float> known(image.begin(), image.end());
      for (const float v : b.labelled.image(n, 0)) BOOST_REQUIRE(known.contains(v));
    }
  }
}

BOOST_AUTO_TEST_CASE(intensities_of_nnunet_leave_geometry_labels_and_absent_modalities_alone) {
  const cohort c;
  const auto full = without_dropout(augment_preset("nnunet", patch));
  auto plain = full;
  plain.noise_chance = plain.blur_chance = plain.brightness_chance = plain.contrast_chance = 0;
  plain.low_resolution_chance = plain.inverted_gamma_chance = plain.retained_gamma_chance = 0;
  auto intense = full;  // every crop is changed in every way
  intense.noise_chance = intense.blur_chance = intense.brightness_chance = intense.contrast_chance = 1;
  intense.low_resolution_chance = intense.inverted_gamma_chance = intense.retained_gamma_chance = 1;
  intense.blur_share = intense.low_resolution_share = 1;
  const auto a = maker_of(plain, c), b = maker_of(intense, c);
  for (std::uint32_t step = 0; step < 12; ++step) {
    const auto before = a.make(step), after = b.make(step);
    BOOST_TEST((before.labelled.labels == after.labelled.labels));
    BOOST_TEST(same(before.weak, after.weak));  // weak views stay weak
    for (const auto& [was, now] : {std::pair{&before.labelled, &after.labelled}, {&before.strong, &after.strong}})
      for (index n = 0; n < now->samples; ++n)
        for (index m = 0; m < 3; ++m) {
          const bool present = now->presence(n)[static_cast<std::size_t>(m)] != 0;
          std::size_t changed = 0;
          for (std::size_t v = 0; v < now->image(n, m).size(); ++v) {
            BOOST_REQUIRE(std::isfinite(now->image(n, m)[v]));
            changed += now->image(n, m)[v] != was->image(n, m)[v];
            if (!present) BOOST_REQUIRE(now->image(n, m)[v] == 0);
          }
          BOOST_TEST((changed > 0) == present);
        }
  }
}

BOOST_AUTO_TEST_CASE(chances_of_nnunet_are_those_of_crops_and_shares_those_of_modalities) {
  // One kind of change at a time, on crops of two present modalities at least; 600 crops.
  const cohort c;
  struct kind {
    std::string name;
    double batch_options::* chance;
    double crop, modality;
  };
  const std::vector<kind> kinds{{"noise", &batch_options::noise_chance, 0.1, 1},
                                {"blur", &batch_options::blur_chance, 0.2, 0.5},
                                {"brightness", &batch_options::brightness_chance, 0.15, 1},
                                {"contrast", &batch_options::contrast_chance, 0.15, 1},
                                {"low resolution", &batch_options::low_resolution_chance, 0.25, 0.5},
                                {"inverted gamma", &batch_options::inverted_gamma_chance, 0.1, 1},
                                {"gamma", &batch_options::retained_gamma_chance, 0.3, 1}};
  for (const auto& k : kinds) {
    auto o = without_dropout(augment_preset("nnunet", patch));
    o.mirror_chance = o.rotation_chance = o.scale_chance = 0;
    o.low_resolution = {0.5, 0.8};  // near 1, no voxel may go
    BOOST_TEST((o.*(k.chance) == k.crop));
    for (const auto& other : kinds)
      if (other.chance != k.chance) o.*(other.chance) = 0;
    auto off = o;
    off.*(k.chance) = 0;
    const auto maker = maker_of(o, c), plain = maker_of(off, c);
    int crops = 0, crops_changed = 0, images = 0, images_changed = 0;
    for (std::uint32_t step = 0; step < 300; ++step) {
      const auto a = maker.make(step).labelled, b = plain.make(step).labelled;
      for (index n = 0; n < a.samples; ++n) {
        int present = 0, changed = 0;
        for (index m = 0; m < 3; ++m) {
          if (a.presence(n)[static_cast<std::size_t>(m)] == 0) continue;
          ++present;
          changed += !std::equal(a.image(n, m).begin(), a.image(n, m).end(), b.image(n, m).begin());
        }
        if (k.modality == 1) BOOST_REQUIRE_MESSAGE(changed == 0 || changed == present, k.name);
        ++crops;
        crops_changed += changed > 0;
        images += present;
        images_changed += changed;
      }
    }
    // Five standard deviations; images of a crop count as one where they go together.
    const auto near = [&](int found, int of, double chance, int independent) {
      BOOST_TEST(std::abs(found - of * chance) < 5 * of * std::sqrt(chance * (1 - chance) / independent),
                 k.name << ": " << found << " of " << of << ", expected " << of * chance);
    };
    near(images_changed, images, k.crop * k.modality, crops);
    if (k.modality == 1) near(crops_changed, crops, k.crop, crops);
  }
}

BOOST_AUTO_TEST_CASE(batches_are_the_same_whoever_makes_them) {
  const cohort c;
  const auto maker = maker_of(augment_preset("nnunet", patch), c);
  std::vector<step_batch> here(6), there(6);
  for (std::uint32_t step = 0; step < 6; ++step) here[step] = maker.make(step);
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      for (std::uint32_t step = t; step < 6; step += 3) maker.make(5 - step, there[5 - step]);
    });
  for (auto& one : threads) one.join();
  for (std::size_t step = 0; step < 6; ++step) {
    BOOST_TEST(same(here[step].labelled, there[step].labelled));
    BOOST_TEST(same(here[step].weak, there[step].weak));
    BOOST_TEST(same(here[step].strong, there[step].strong));
  }
}

}  // namespace comodal::tests
