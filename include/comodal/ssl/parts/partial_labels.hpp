// SPDX-License-Identifier: Apache-2.0
/// @file
/// The loss of labelled crops in which not all classes are annotated: the marginal loss (Fang and Yan, IEEE TMI 39,
/// 2020; Shi et al., Medical Image Analysis 70, 2021).
#ifndef COMODAL_SSL_PARTS_PARTIAL_LABELS_HPP
#define COMODAL_SSL_PARTS_PARTIAL_LABELS_HPP

#include <comodal/autograd/segmentation.hpp>
#include <comodal/autograd/structure.hpp>
#include <comodal/ssl/parts/foreground_maps.hpp>
#include <comodal/ssl/targets.hpp>

#include <utility>

namespace comodal::inline COMODAL_CONFIG {

namespace ssl_detail {

// So far below every other logit that its exponential is 0 in any scalar.
inline constexpr double never = 1000;

// Background and what is not annotated, as one class: ln of the sum of their exponentials.
template <class T>
KOKKOS_INLINE_FUNCTION double merged_background(const T* z, const T* annotated, index channels) {
  double largest = static_cast<double>(z[0]), sum = 0;
  for (index c = 1; c < channels; ++c)
    if (annotated[c] == T(0) && static_cast<double>(z[c]) > largest) largest = static_cast<double>(z[c]);
  for (index c = 0; c < channels; ++c)
    if (c == 0 || annotated[c] == T(0)) sum += math::exp(static_cast<double>(z[c]) - largest);
  return largest + math::log(sum);
}

template <class T>
struct merged_logits_body {
  label_kind kind;
  index channels, voxels;
  const T *annotated, *z;
  T* merged;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const T *known = annotated + i / voxels * channels, *from = z + i * channels;
    T* to = merged + i * channels;
    const bool classes = kind == label_kind::classes;
    const double background = classes ? merged_background(from, known, channels) : 0;
    for (index c = 0; c < channels; ++c) {
      if (classes && c == 0)
        to[c] = static_cast<T>(background);
      else
        to[c] = known[c] == T(0) ? static_cast<T>(background - never) : from[c];
    }
  }
};

template <class T>
struct merged_logits_gradient_body {
  label_kind kind;
  index channels, voxels;
  const T *annotated, *z, *d;
  T* gradient;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const T *known = annotated + i / voxels * channels, *from = z + i * channels, *of = d + i * channels;
    T* to = gradient + i * channels;
    const bool classes = kind == label_kind::classes;
    const double background = classes ? merged_background(from, known, channels) : 0;
    for (index c = 0; c < channels; ++c) {
      const bool merged = known[c] == T(0) || (classes && c == 0);
      const double share = classes && merged ? math::exp(static_cast<double>(from[c]) - background) : 0;
      to[c] = merged ? static_cast<T>(share * static_cast<double>(of[0])) : of[c];
    }
  }
};

template <class T>
struct merged_target_body {
  label_kind kind;
  index channels, voxels;
  const T *annotated, *y;
  T* merged;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const T *known = annotated + i / voxels * channels, *from = y + i * channels;
    T* to = merged + i * channels;
    T moved = T(0);
    for (index c = kind == label_kind::classes ? 1 : 0; c < channels; ++c) {
      to[c] = known[c] == T(0) ? T(0) : from[c];
      if (known[c] == T(0)) moved += from[c];
    }
    if (kind == label_kind::classes) to[0] = from[0] + moved;
  }
};

}  // namespace ssl_detail

/// Which classes are annotated in each sample, and what that makes of logits, targets and the classes that count. A
/// voxel labelled background is background *or* of a class that is not annotated: these are one class, whose
/// probability is the sum of theirs. A region that is not annotated has no loss. Samples in which all classes are
/// annotated keep their logits and targets to the bit.
template <tensor_backend Backend>
class known_classes {
 public:
  /// All classes of all samples: everything stays as it is.
  known_classes() = default;
  /// @param annotated (N, C) of zeros and ones, a constant; empty: as without it
  known_classes(label_kind kind, variable<Backend> annotated) : m_kind(kind), m_annotated(std::move(annotated)) {}

  /// False if all classes of all samples are annotated.
  explicit operator bool() const { return static_cast<bool>(m_annotated); }

  /// Logits (N, D, H, W, C) for a segmentation loss: background is ln of the sum of exponentials over background and
  /// the classes that are not annotated, whose own logits are then far below. Their gradients are that of the sum,
  /// shared out by soft-max. Regions that are not annotated say no, and receive no gradient.
  /// @throws shape_error for another number of samples or channels
  [[nodiscard]] variable<Backend> logits(const variable<Backend>& z) const {
    if (!m_annotated) return z;
    const auto [channels, voxels] = sizes("known_classes", z);
    auto& ctx = z.ctx();
    const operation_scope scope(ctx, "merged_logits");
    auto merged = ctx.make(z.shape());
    const T* const annotated = m_annotated.value().data();
    ops::each(ctx, z.shape().size() / channels,
              ssl_detail::merged_logits_body<T>{m_kind, channels, voxels, annotated, z.value().data(), merged.data()});
    return z.home().result(merged, {&z},
                           [&ctx, to = z.sink(), kind = m_kind, n = channels, crop = voxels, zv = z.value(),
                            known = m_annotated.value()](const auto& d) {
                             auto gradient = ctx.make(zv.shape());
                             ops::each(ctx, zv.shape().size() / n,
                                       ssl_detail::merged_logits_gradient_body<T>{
                                           kind, n, crop, known.data(), zv.data(), d.data(), gradient.data()});
                             to.accumulate(gradient);
                           });
  }
  /// The targets (N, D, H, W, C) that fit: what belongs to a class that is not annotated is background. A constant.
  [[nodiscard]] variable<Backend> target(const variable<Backend>& y) const {
    if (!m_annotated) return y;
    const auto [channels, voxels] = sizes("known_classes", y);
    auto& ctx = y.ctx();
    auto merged = ctx.make(y.shape());
    ops::each(ctx, y.shape().size() / channels,
              ssl_detail::merged_target_body<T>{m_kind, channels, voxels, m_annotated.value().data(), y.value().data(),
                                                merged.data()});
    return y.home().constant(merged);
  }
  /// The classes that count in the Dice part, (N, C): of `counts` those that are annotated. Empty if all are.
  [[nodiscard]] variable<Backend> counts(const variable<Backend>& counts = {}) const {
    if (!m_annotated) return counts;
    return counts ? detach(multiply(counts, m_annotated)) : m_annotated;
  }
  /// The mean of errors (N, D, H, W, K) over voxels and the foreground classes that are annotated: a scalar.
  [[nodiscard]] variable<Backend> mean_of_foreground(const variable<Backend>& errors) const {
    if (!m_annotated) return mean(errors);
    const index samples = errors.extent(0), channels = errors.extent(4);
    const auto known = slice(m_annotated, 1, first_foreground(m_kind), m_annotated.extent(1));
    const double crop = static_cast<double>(errors.shape().size() / samples / channels);
    return sum(errors * reshape(known, {samples, 1, 1, 1, channels})) / (sum(known) * crop);
  }

 private:
  using T = typename Backend::scalar_type;

  // The channels, and the voxels of a sample.
  [[nodiscard]] std::pair<index, index> sizes(const char* who, const variable<Backend>& x) const {
    const shape& s = x.shape();
    if (s.rank() != 5 || m_annotated.shape() != shape{s[0], s[4]})
      throw shape_error(text(who, ": ", m_annotated.shape().to_string(), " says which classes are annotated in ",
                             s.to_string(), ", expected (N, C) for (N, D, H, W, C)"));
    return {s[4], s[1] * s[2] * s[3]};
  }

  label_kind m_kind = label_kind::classes;
  variable<Backend> m_annotated;
};

/// What is annotated in labelled crops, and in `further` crops behind them whose targets name every class.
template <tensor_backend Backend>
[[nodiscard]] known_classes<Backend> known_classes_of(const target_map& targets, const device_crops<Backend>& labelled,
                                                      index further = 0) {
  if (!labelled.annotated) return {};
  auto rows = labelled.annotated;
  if (further > 0) {
    using T = typename Backend::scalar_type;
    auto& home = rows.home();
    rows = concat<Backend>({rows, home.constant(ops::full(home.ctx(), shape{further, rows.extent(1)}, T(1)))}, 0);
  }
  return {targets.kind, rows};
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
