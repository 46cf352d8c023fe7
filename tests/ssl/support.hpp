// SPDX-License-Identifier: Apache-2.0
/// @file
/// Tiny batches and methods for the tests of `ssl`.
#ifndef COMODAL_TESTS_SSL_SUPPORT_HPP
#define COMODAL_TESTS_SSL_SUPPORT_HPP

#include <comodal/ssl/method_registry.hpp>

#include <nn/support.hpp>

#include <map>

namespace comodal::tests {

inline constexpr index tiny_classes = 3;

/// Streams of 2-3 channels, two stages, the slice axis kept.
inline network_options tiny_network() {
  network_options o;
  o.stream_channels = {2, 3};
  o.fused_channels = {3, 4};
  o.strides = {{2, 2, 1}};
  return o;
}

/// Crops of two modalities with a lesion of two classes that both show, and noise; all modalities present.
inline crop_batch tiny_crops(index samples, const extent3& size, std::uint32_t key, bool labels, bool known) {
  crop_batch b;
  b.resize(samples, 2, size, true, known);
  random_stream draw(31, random_purpose::test, key);
  for (index n = 0; n < samples; ++n) {
    const index from_h = draw.below(2), from_w = draw.below(2);
    for (index i = 0; i < b.voxels(); ++i) {
      const auto at = static_cast<std::size_t>(n * b.voxels() + i);
      const index d = i / (size[1] * size[2]), h = i / size[2] % size[1], w = i % size[2];
      const bool lesion = h >= from_h && h < from_h + size[1] / 2 && w >= from_w && w < from_w + size[2] / 2;
      b.labels[at] = !lesion ? 0 : d < size[0] / 2 ? 1 : 2;
      if (known) b.known[at] = h < size[1] / 2;
      b.images[0][at] = static_cast<float>(draw.normal(b.labels[at] == 1 ? 2 : 0, 0.3));
      b.images[1][at] = static_cast<float>(draw.normal(b.labels[at] > 0 ? 1.5 : 0, 0.3));
    }
    b.cases[static_cast<std::size_t>(n)] = key * 10 + static_cast<std::uint32_t>(n);
  }
  std::fill(b.present.begin(), b.present.end(), 1.f);
  if (!labels) b.labels.clear();
  return b;
}

/// Two labelled and two unlabelled crops; `mixed`: half of the strong crops shows known labels.
inline step_batch tiny_batch(std::uint32_t step, bool mixed = false, const extent3& size = {4, 8, 8}) {
  step_batch b;
  b.step = step;
  b.labelled = tiny_crops(2, size, 100 + step, true, false);
  b.weak = tiny_crops(2, size, 200 + step, false, false);
  b.strong = tiny_crops(2, size, 200 + step, mixed, mixed);
  for (auto& image : b.strong.images)
    for (float& v : image) v = 1.2f * v + 0.1f;
  b.strong.box.resize(static_cast<std::size_t>(2 * b.strong.voxels()));
  for (std::size_t i = 0; i < b.strong.box.size(); ++i)
    b.strong.box[i] = i % 8 < 5;  // 5 of 8 voxels along the last axis
  return b;
}

/// The methods of the library.
inline const std::vector<std::string> method_names{
    "supervised",
    "mean_teacher",
    "contrastive_mutual_learning",
    "entropy_minimisation",
    "cross_pseudo_supervision",
    "uncertainty_aware_mean_teacher",
    "uncertainty_rectified_pyramid",
    "interpolation_consistency",
    "bidirectional_copy_paste",
    "cross_modality_collaboration",
    "area_similarity_mutual_learning",
    "mutual_consistency",
    "dual_task_consistency",
    "correlation_aware_mutual_learning",
};
/// `n`, or a network with what a method asks for: dropout; or a stage more, and deep supervision.
inline network_options network_for(const std::string& method, network_options n = tiny_network()) {
  if (method == "uncertainty_aware_mean_teacher" && n.dropout == 0) n.dropout = 0.3;
  if (method != "uncertainty_rectified_pyramid" || n.deep_supervision) return n;
  n.deep_supervision = true;
  n.stream_channels.push_back(n.stream_channels.back() + 1);
  n.fused_channels.push_back(n.fused_channels.back() + 1);
  n.strides.push_back({2, 2, 1});
  return n;
}

/// The batch with the fields of labelled crops that a method asks for.
inline step_batch with_fields(step_batch batch, const batch_views& views) {
  crop_batch& crops = batch.labelled;
  for (const crop_field& field : views.fields) {
    auto& all = crops.fields[field.name];
    all.resize(static_cast<std::size_t>(crops.samples * crops.voxels()));
    for (index n = 0; n < crops.samples; ++n)
      field.fill(crops.label(n), crops.size,
                 std::span(all).subspan(static_cast<std::size_t>(n * crops.voxels()),
                                        static_cast<std::size_t>(crops.voxels())));
  }
  return batch;
}

template <tensor_backend Backend>
struct method_bench : bench_of<Backend> {
  using scalars = std::map<std::string, double>;

  [[nodiscard]] any_method<Backend> make(const named_options& o, std::uint64_t seed = 1,
                                         const network_options& n = tiny_network()) {
    return make_method<Backend>(this->home, o, network_for(o.name, n), 2, target_map::of_classes(tiny_classes), seed);
  }
  /// The defaults of a method, without a ramp.
  static named_options named(const std::string& name) {
    named_options o(name, method_registry<Backend>::built_in().method_options_of(name));
    set_ramp(o, 0);
    return o;
  }
  /// Supervised training has no ramp.
  static void set_ramp(named_options& o, double ramp) {
    BOOST_REQUIRE(o.values.set("ramp", ramp) == (o.name != "supervised"));
  }
  static void set_ema_decay(named_options& o, double decay) { BOOST_REQUIRE(o.values.set("ema_decay", decay)); }
  static void set_branch_weight(named_options& o, double weight) {
    BOOST_REQUIRE(o.values.set("branch_weight", weight));
  }
  /// Turns on the agreement of the pairs of branches, where the method has one.
  static void set_agreement(named_options& o) {
    BOOST_REQUIRE(o.values.set("agreement", std::string("mse")) == (o.name == "contrastive_mutual_learning"));
  }
  /// The parameters that are trained, and their averages.
  static const parameter_store<Backend>& student(const any_method<Backend>& method) {
    return *method.trained().at(0).store;
  }
  static const parameter_store<Backend>& average(const any_method<Backend>& method) {
    return method.predictor("ema").parameters();
  }
  /// One step without an update; gradients are left in the method.
  static scalars step(any_method<Backend>& method, const step_batch& batch, const progress& at = {0, 10}) {
    student(method).zero_grad();
    scalars out;
    for (const auto& [name, value] : method.step(with_fields(batch, method.views()), at)) out[name] = item(value);
    return out;
  }
};

}  // namespace comodal::tests

#endif
