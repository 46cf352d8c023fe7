// SPDX-License-Identifier: Apache-2.0
// Bidirectional copy-paste: mixtures voxel by voxel, modalities that are missing, and the loss by its formula.
#define BOOST_TEST_MODULE ssl_copy_paste
#include <boost/test/unit_test.hpp>

#include <ssl/support.hpp>

#include <loss/golden.hpp>

namespace comodal::tests {

using B = kokkos_backend<default_space, double>;
const auto each = boost::test_tools::per_element();
const std::string name = "bidirectional_copy_paste";

struct pasting : method_bench<B> {
  const target_map map = target_map::of_classes(tiny_classes);

  [[nodiscard]] double volume_at(const copy_paste<B>& mix, std::size_t modality, index sample, index voxel) const {
    const auto& v = mix.volumes()[modality];
    return host(v)[static_cast<std::size_t>(sample * (v.shape().size() / v.extent(0)) + voxel)];
  }
};

BOOST_FIXTURE_TEST_CASE(boxes_change_places, pasting) {
  const auto batch = tiny_batch(0);
  const device_batch<B> crops(home, batch);
  const copy_paste<B> mix(crops.labelled, crops.strong);
  BOOST_TEST(mix.samples() == 4);
  const auto known = host(mix.known());
  const index voxels = batch.labelled.voxels();
  for (index n = 0; n < 2; ++n)
    for (index v = 0; v < voxels; ++v) {
      const auto at = static_cast<std::size_t>(n * voxels + v);
      const bool box = batch.strong.box[at] != 0;
      BOOST_REQUIRE(known[at] == (box ? 0 : 1));
      BOOST_REQUIRE(known[at + static_cast<std::size_t>(2 * voxels)] == (box ? 1 : 0));
    }
  for (std::size_t m = 0; m < 2; ++m) {
    const auto mixed = host(mix.volumes()[m]);
    for (std::size_t i = 0; i < mixed.size(); ++i) {
      const std::size_t at = i % static_cast<std::size_t>(2 * voxels);
      const float expected = known[i] != 0 ? batch.labelled.images[m][at] : batch.strong.images[m][at];
      BOOST_REQUIRE(mixed[i] == static_cast<double>(expected));
    }
  }
  BOOST_TEST(host(mix.present().mask()) == std::vector<double>(8, 1.0), each);
  BOOST_TEST(host(mix.present().share()) == std::vector<double>(8, 0.5), each);
}

BOOST_FIXTURE_TEST_CASE(a_mixture_has_what_both_crops_have, pasting) {
  auto batch = tiny_batch(0);
  batch.labelled.present = {1, 1, 1, 0};
  batch.strong.present = {1, 0, 0, 1};  // the second pair has nothing in common
  for (crop_batch* part : {&batch.labelled, &batch.strong})
    for (index n = 0; n < 2; ++n)
      for (index m = 0; m < 2; ++m)
        if (part->presence(n)[static_cast<std::size_t>(m)] == 0)
          for (float& v : part->image(n, m)) v = std::numeric_limits<float>::quiet_NaN();
  const device_batch<B> crops(home, batch);
  const copy_paste<B> mix(crops.labelled, crops.strong);
  BOOST_TEST(host(mix.present().mask()) == (std::vector<double>{1, 0, 1, 0, 1, 0, 0, 1}), each);
  BOOST_TEST(host(mix.present().share()) == (std::vector<double>{1, 0, 1, 0, 1, 0, 0, 1}), each);
  const auto known = host(mix.known());
  const auto voxels = static_cast<std::size_t>(batch.labelled.voxels());
  BOOST_TEST(*std::min_element(known.begin() + static_cast<std::ptrdiff_t>(voxels),
                               known.begin() + static_cast<std::ptrdiff_t>(2 * voxels)) == 1);
  BOOST_TEST(*std::max_element(known.begin() + static_cast<std::ptrdiff_t>(3 * voxels), known.end()) == 0);
  for (index v = 0; v < static_cast<index>(voxels); ++v) {
    BOOST_REQUIRE(volume_at(mix, 0, 1, v) ==
                  static_cast<double>(batch.labelled.image(1, 0)[static_cast<std::size_t>(v)]));
    BOOST_REQUIRE(volume_at(mix, 1, 3, v) ==
                  static_cast<double>(batch.strong.image(1, 1)[static_cast<std::size_t>(v)]));
  }
}

BOOST_FIXTURE_TEST_CASE(the_smaller_set_takes_turns, pasting) {
  auto batch = tiny_batch(0);
  batch.labelled = tiny_crops(3, {4, 8, 8}, 7, true, false);
  const device_batch<B> crops(home, batch);
  const copy_paste<B> mix(crops.labelled, crops.strong);
  BOOST_TEST(mix.samples() == 6);
  const index in_box = 0;  // the first voxel of every crop
  BOOST_TEST(volume_at(mix, 0, 2, in_box) == static_cast<double>(batch.strong.image(0, 0)[0]));
  BOOST_TEST(volume_at(mix, 0, 5, in_box) == static_cast<double>(batch.labelled.image(2, 0)[0]));
  BOOST_TEST(volume_at(mix, 0, 4, in_box) == static_cast<double>(batch.labelled.image(1, 0)[0]));
}

BOOST_FIXTURE_TEST_CASE(crops_without_boxes_are_refused, pasting) {
  auto batch = tiny_batch(0);
  batch.strong.box.clear();
  auto method = make(named(name));
  BOOST_CHECK_EXCEPTION((void)method.step(batch, {0, 10}), shape_error,
                        says("copy_paste: the unlabelled crops have no boxes; set box_masks in views() of the method"));
}

// The student on mixtures that are made here by hand, true labels inside, the teacher's hard labels outside.
BOOST_FIXTURE_TEST_CASE(the_loss_by_its_formula, pasting) {
  const auto batch = tiny_batch(0);
  auto o = named(name);
  set_ramp(o, 0.4);
  set_branch_weight(o, 0.3);
  auto method = make(o);
  change(student(method), "", [](const auto&, auto& v) {
    for (double& x : v) x += 0.05;  // the student is no longer the teacher
  });
  const auto found = step(method, batch, {20, 100});
  const device_batch<B> crops(home, batch);
  const network_input<B> weak({&crops.weak});
  const auto q = hard_labels(
      probabilities(method.predict(weak.volumes, weak.present, network_outputs::fused_only, "ema").fused, map.kind),
      map.kind);
  crop_batch mixed = batch.labelled;
  mixed.resize(4, 2, {4, 8, 8}, false, false);
  std::fill(mixed.present.begin(), mixed.present.end(), 1.f);
  const auto labels = host(one_hot(map, crops.labelled)), pseudo = host(q);
  std::vector<double> target(4 * 256 * 3), known(4 * 256), unknown(4 * 256);
  for (std::size_t i = 0; i < known.size(); ++i) {
    const std::size_t at = i % 512;
    known[i] = (batch.strong.box[at] != 0) == (i >= 512);
    unknown[i] = 1 - known[i];
    for (std::size_t m = 0; m < 2; ++m)
      mixed.images[m][i] = known[i] != 0 ? batch.labelled.images[m][at] : batch.strong.images[m][at];
    for (std::size_t c = 0; c < 3; ++c) target[3 * i + c] = known[i] != 0 ? labels[3 * at + c] : pseudo[3 * at + c];
  }
  const network_input<B> input(home, {&mixed});
  const auto out = method.predict(input.volumes, input.present, network_outputs::all, "student");
  const auto y = home.constant({4, 4, 8, 8, 3}, target);
  const auto part = [&](const std::vector<double>& weight) {
    const auto w = home.constant({4, 4, 8, 8}, weight);
    double sum = 0;
    for (const double v : host(dice_cross_entropy{}(out.fused, y, w))) sum += v / 4;
    for (const auto& z : out.branches)
      for (const double v : host(dice_cross_entropy{}(z, y, w))) sum += 0.3 * 0.5 * v / 4;
    return sum;
  };
  BOOST_TEST(found.at("known") == part(known), boost::test_tools::tolerance(1e-6));
  BOOST_TEST(found.at("pseudo") == part(unknown), boost::test_tools::tolerance(1e-6));
  BOOST_TEST(found.at("loss") == found.at("known") + 0.5 * std::exp(-1.25) * found.at("pseudo"),
             boost::test_tools::tolerance(1e-9));
}

BOOST_FIXTURE_TEST_CASE(both_parts_have_a_gradient_of_their_own, pasting) {
  const auto batch = tiny_batch(0);
  std::vector<std::vector<double>> found;
  for (const double weight : {0.0, 1.0}) {
    auto o = named(name);
    BOOST_REQUIRE(o.values.set("pseudo_weight", weight));
    auto method = make(o);
    (void)step(method, batch);
    found.push_back(all_gradients(student(method)));
  }
  for (std::size_t i = 0; i < found[0].size(); ++i) found[1][i] -= found[0][i];
  BOOST_TEST(largest(found[0]) > 1e-3);
  BOOST_TEST(largest(found[1]) > 1e-3);
}

BOOST_FIXTURE_TEST_CASE(value_and_gradient_are_pytorchs, golden_bench) {
  for (const std::string kind : {"classes", "regions"}) {
    const std::string of = "copy_paste_" + kind;
    const dice_cross_entropy loss{1, 1, 1, kind == "regions" ? label_kind::regions : label_kind::classes};
    compare(of, "z", [&](const auto& z) {
      const auto y = input(of, "y"), known = input(of, "known");
      return loss(z, y, known) + 0.5 * loss(z, y, 1.0 - known);
    });
  }
}

}  // namespace comodal::tests
