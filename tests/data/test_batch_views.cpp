// SPDX-License-Identifier: Apache-2.0
// What a batch holds when a method asks for other views than the usual ones.
#define BOOST_TEST_MODULE data_batch_views
#include <boost/test/unit_test.hpp>

#include <comodal/data/batch_maker.hpp>

#include <core/support.hpp>

#include <deque>

namespace comodal::tests {

// Two labelled and three unlabelled cases of two modalities; voxels hold noise, labels a block of 1.
struct views_bench {
  std::deque<image_volume> volumes;
  label_volume label;
  std::vector<labelled_training_case> labelled;
  std::vector<unlabelled_training_case> unlabelled;

  views_bench() {
    label.geometry.size = {20, 18, 12};
    label.values.assign(static_cast<std::size_t>(label.geometry.voxels()), 0);
    for (index k = 3; k < 9; ++k)
      for (index j = 4; j < 14; ++j)
        for (index i = 5; i < 15; ++i) label.at(i, j, k) = 1;
    for (std::uint32_t c = 0; c < 5; ++c) {
      std::vector<volume_view> images;
      for (std::uint32_t m = 0; m < 2; ++m) {
        auto& volume = volumes.emplace_back();
        volume.geometry.size = label.geometry.size;
        for (const double v : values(label.geometry.voxels(), 2 * c + m))
          volume.values.push_back(static_cast<float>(v));
        images.emplace_back(volume);
      }
      if (c < 2)
        labelled.push_back({text("l", c), images, label});
      else
        unlabelled.push_back({text("u", c), images});
    }
  }
  static batch_options options() {
    batch_options o;
    o.patch_size = {8, 12, 14};
    return o;
  }
  batch_maker<> make(const batch_views& views = {}, const batch_options& o = options()) const {
    return batch_maker<>(o, labelled, unlabelled, 1, views);
  }
};

BOOST_FIXTURE_TEST_CASE(further_views_leave_the_usual_ones_as_they_are, views_bench) {
  const auto usual = make().make(3),
             more = make({.labelled_weak = true, .weak = 2, .strong = 3, .box_masks = true}).make(3);
  for (const auto& [a, b] :
       {std::pair{&usual.labelled, &more.labelled}, {&usual.weak, &more.weak}, {&usual.strong, &more.strong}}) {
    BOOST_TEST((a->images == b->images));
    BOOST_TEST((a->present == b->present));
    BOOST_TEST((a->labels == b->labels));
    BOOST_TEST((a->cases == b->cases));
  }
  BOOST_TEST(usual.more.empty());
  BOOST_TEST(usual.strong.box.empty());
  BOOST_TEST(more.more.size() == 4u);
}

BOOST_FIXTURE_TEST_CASE(views_of_one_crop_show_the_same_voxels_in_other_intensities, views_bench) {
  auto o = options();
  o.mix = mix_mode::none;
  o.modality_dropout = 0;
  o.gamma_chance = o.noise_chance = o.blur_chance = 0;
  const auto batch = make({.labelled_weak = true, .weak = 2, .strong = 2}, o).make(0);
  // Without gamma, noise and blur, intensities are gained and shifted alone: views are affine functions of each other.
  const auto affine = [](std::span<const float> a, std::span<const float> b) {
    double sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
    const auto n = static_cast<double>(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double x = a[i], y = b[i];
      sa += x, sb += y, saa += x * x, sbb += y * y, sab += x * y;
    }
    return (n * sab - sa * sb) / std::sqrt((n * saa - sa * sa) * (n * sbb - sb * sb));
  };
  const crop_batch &weak_2 = batch.more.at("weak_2"), &strong_2 = batch.more.at("strong_2"),
                   &labelled_weak = batch.more.at("labelled_weak");
  for (index n = 0; n < 2; ++n)
    for (index m = 0; m < 2; ++m) {
      BOOST_TEST(affine(batch.weak.image(n, m), weak_2.image(n, m)) > 0.9999);
      BOOST_TEST(affine(batch.weak.image(n, m), strong_2.image(n, m)) > 0.9999);
      BOOST_TEST(affine(batch.labelled.image(n, m), labelled_weak.image(n, m)) > 0.9999);
    }
  BOOST_TEST((batch.strong.images != strong_2.images));
  BOOST_TEST((batch.weak.images != weak_2.images));
  BOOST_TEST((labelled_weak.labels == batch.labelled.labels));
  BOOST_TEST((strong_2.cases == batch.weak.cases));
}

BOOST_FIXTURE_TEST_CASE(views_that_nobody_asked_for_are_empty, views_bench) {
  const auto usual = make().make(3), strong = make({.weak = 0}).make(3), weak = make({.strong = 0}).make(3);
  BOOST_TEST(usual.weak.samples == usual.strong.samples);
  BOOST_TEST(strong.weak.samples == 0);
  BOOST_TEST(strong.weak.images[0].empty());
  BOOST_TEST((strong.strong.images == usual.strong.images));
  BOOST_TEST(weak.strong.samples == 0);
  BOOST_TEST((weak.weak.images == usual.weak.images));
}

BOOST_FIXTURE_TEST_CASE(a_method_that_needs_more_unlabelled_crops_says_so, views_bench) {
  auto maker = make();
  const index enough = maker.options().unlabelled;
  maker.set_views({.least_unlabelled = enough});
  BOOST_TEST(maker.make(0).strong.samples == enough);
  BOOST_CHECK_EXCEPTION(maker.set_views({.least_unlabelled = enough + 1}), config_error,
                        says(text("batch.unlabelled = ", enough,
                                  ": the method learns from unlabelled crops; set it to ", enough + 1, " or more")));
}

BOOST_FIXTURE_TEST_CASE(a_method_of_labelled_crops_needs_no_unlabelled_case, views_bench) {
  unlabelled.clear();
  const auto batch = make(batch_views::labelled_only()).make(0);
  BOOST_TEST(batch.labelled.samples == 2);
  BOOST_TEST(batch.weak.samples == 0);
  BOOST_TEST(batch.strong.samples == 0);
  BOOST_CHECK_EXCEPTION((void)make(), config_error, says("there are 0 unlabelled cases"));
  auto maker = make(batch_views::labelled_only());
  BOOST_CHECK_EXCEPTION(maker.set_views({}), config_error, says("there are 0 unlabelled cases"));
  auto o = options();
  o.unlabelled = 0;
  auto none = make(batch_views::labelled_only(), o);
  BOOST_CHECK_EXCEPTION(none.set_views({}), config_error,
                        says("batch.unlabelled = 0: the method learns from unlabelled"));
  BOOST_CHECK_EXCEPTION(none.set_views({.strong = -1}), config_error, says("-1 strong views, expected 0 or more"));
}

BOOST_FIXTURE_TEST_CASE(without_box_mix_nothing_is_known_of_strong_views, views_bench) {
  const auto batch = make({.box_mix = false}).make(0);
  BOOST_TEST(batch.strong.known.empty());
  BOOST_TEST(batch.strong.labels.empty());
}

BOOST_FIXTURE_TEST_CASE(boxes_are_drawn_per_crop, views_bench) {
  auto o = options();
  o.mix_complement = 0;
  const auto maker = make({.box_mix = false, .box_masks = true}, o);
  const auto batch = maker.make(0);
  BOOST_REQUIRE(batch.strong.box.size() == static_cast<std::size_t>(2 * 8 * 12 * 14));
  // Two thirds of each side: 5 x 8 x 9 voxels.
  for (std::size_t n = 0; n < 2; ++n) {
    const auto first = batch.strong.box.begin() + static_cast<std::ptrdiff_t>(n * 8 * 12 * 14);
    BOOST_TEST(std::count(first, first + 8 * 12 * 14, std::uint8_t{1}) == 5 * 8 * 9);
  }
  BOOST_TEST((maker.make(1).strong.box != batch.strong.box));
  BOOST_TEST((maker.make(0).strong.box == batch.strong.box));
}

BOOST_FIXTURE_TEST_CASE(fields_are_computed_from_the_labels_of_each_crop, views_bench) {
  batch_views views;
  views.fields.push_back(
      {"signed", [](std::span<const std::uint8_t> labels, const extent3& size, std::span<float> field) {
         BOOST_REQUIRE(static_cast<index>(labels.size()) == size[0] * size[1] * size[2]);
         for (std::size_t i = 0; i < labels.size(); ++i) field[i] = labels[i] ? -1.f : 1.f;
       }});
  const auto batch = make(views).make(2);
  const auto& field = batch.labelled.fields.at("signed");
  BOOST_REQUIRE(field.size() == batch.labelled.labels.size());
  for (std::size_t i = 0; i < field.size(); ++i) BOOST_REQUIRE(field[i] == (batch.labelled.labels[i] ? -1.f : 1.f));
  BOOST_TEST(std::count(field.begin(), field.end(), -1.f) > 0);
}

}  // namespace comodal::tests
