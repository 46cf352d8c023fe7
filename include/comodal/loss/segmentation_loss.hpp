// SPDX-License-Identifier: Apache-2.0
/// @file
/// Segmentation losses: cross-entropy, soft Dice and their sum, with voxel weights and a choice of the classes that
/// count.
#ifndef COMODAL_LOSS_SEGMENTATION_LOSS_HPP
#define COMODAL_LOSS_SEGMENTATION_LOSS_HPP

#include <comodal/autograd/reduction.hpp>
#include <comodal/autograd/segmentation.hpp>
#include <comodal/autograd/structure.hpp>
#include <comodal/core/ladder.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// A type that compares logits with targets: `loss(z, y, w, counts)` -> (N), one value per sample.
template <class T, class Backend>
concept segmentation_loss = requires(const T& loss, const variable<Backend>& v) {
  { loss(v, v, v, v) } -> std::same_as<variable<Backend>>;
};

/// Says in plain words what a segmentation loss lacks; only the first that is missing speaks.
template <class T, tensor_backend Backend>
constexpr void check_segmentation_loss() {
  if constexpr (!requires(const T& loss, const variable<Backend>& v) { loss(v, v, v, v); })
    static_assert(
        detail::never<T>,
        "comodal: a segmentation_loss needs operator()(logits, target, weight, counts) const; weight and counts may be "
        "empty variables");
  else if constexpr (!segmentation_loss<T, Backend>)
    static_assert(detail::never<T>,
                  "comodal: operator() of a segmentation_loss must return variable<Backend> of shape (N)");
}

namespace detail {

// Kernels' functors are public: nvcc compiles no kernel of a private type.
struct one_at_least {
  template <class T>
  KOKKOS_INLINE_FUNCTION T operator()(T x) const {
    return x > T(1) ? x : T(1);
  }
};
struct no_slope {
  template <class T>
  KOKKOS_INLINE_FUNCTION T operator()(T) const {
    return T(0);
  }
};

}  // namespace detail

/// `cross_entropy_weight` sum_i w_i CE_i / sum_i w_i + `dice_weight` mean over counting classes of
/// 1 - (2 sum w p y + smooth) / (sum w p^2 + sum w y^2 + smooth), per sample (method.md section 3; squares after
/// V-Net).
struct dice_cross_entropy {
  double cross_entropy_weight = 1;
  double dice_weight = 1;
  double smooth = 1;
  label_kind kind = label_kind::classes;  // regions: sigmoid, and every channel is foreground

  /// @param z logits (N, D, H, W, C) @param y targets of the same shape @param w voxel weights (N, D, H, W), empty: 1
  /// @param counts (N, C) of zeros and ones: the classes that count in the Dice part of a sample; empty: all but
  /// background.
  ///        Background (channel 0 of `classes`) never counts. A sample in which none counts keeps the cross-entropy
  ///        alone.
  /// @return (N). A sample of weight 0 everywhere gives 0.
  template <tensor_backend Backend>
  [[nodiscard]] variable<Backend> operator()(const variable<Backend>& z, const variable<Backend>& y,
                                             const variable<Backend>& w = {},
                                             const variable<Backend>& counts = {}) const {
    return from_sums(segmentation_sums(z, y, w, kind), z.extent(-1), counts);
  }

  /// The same from the sums of `segmentation_sums`, for callers that need those for something else too.
  template <tensor_backend Backend>
  [[nodiscard]] variable<Backend> from_sums(const variable<Backend>& sums, index classes,
                                            const variable<Backend>& counts = {}) const {
    const index n = sums.extent(0), first = kind == label_kind::classes ? 1 : 0, foreground = classes - first;
    // Keeps a sample of weight 0 at 0 / 1e-30 = 0, and is lost in any other weight. Not smaller: 1e-30 is a normal
    // float with room to spare (the smallest is 1.2e-38), so that no processor flushes it to 0.
    const auto entropy = divide(slice(sums, 1, 1, 2), shift(slice(sums, 1, 0, 1), 1e-30));
    auto total = scale(reshape(entropy, {n}), cross_entropy_weight);
    if (dice_weight == 0 || foreground == 0) return total;
    const auto dice = soft_dice(sums, classes);
    auto lost = shift(scale(dice, -1), 1);
    if (!counts) return add(total, scale(reshape(mean(lost, {1}), {n}), dice_weight));
    const auto counting = slice(counts, 1, first, classes);
    const auto number = maximum_one(sum(counting, {1}));
    return add(total, scale(reshape(divide(sum(multiply(lost, counting), {1}), number), {n}), dice_weight));
  }

  /// Soft Dice by foreground class, (N, C - 1) (regions: (N, C)), from the sums of `segmentation_sums`.
  template <tensor_backend Backend>
  [[nodiscard]] variable<Backend> soft_dice(const variable<Backend>& sums, index classes) const {
    const index first = kind == label_kind::classes ? 1 : 0;
    const auto part = [&](index k) { return slice(sums, 1, 2 + k * classes + first, 2 + (k + 1) * classes); };
    return divide(shift(scale(part(0), 2), smooth), shift(add(part(1), part(2)), smooth));
  }

 private:
  template <tensor_backend Backend>
  static variable<Backend> maximum_one(const variable<Backend>& x) {
    return elementwise(x, detail::one_at_least{}, detail::no_slope{});
  }
};

/// A loss per sample, (N), and the sums of `segmentation_sums` over the same voxels.
template <tensor_backend Backend>
struct loss_and_sums {
  variable<Backend> losses, sums;
};

/// A segmentation loss together with the sums that soft Dice is made of. Voxels are visited once where the loss has
/// `from_sums(sums, classes, counts)`; else the sums are counted beside it, without gradients.
/// @param z, y logits and targets (N, D, H, W, C) @param w (N, D, H, W) or empty @param counts (N, C) or empty
template <tensor_backend Backend, segmentation_loss<Backend> Loss>
[[nodiscard]] loss_and_sums<Backend> with_sums(const Loss& loss, const variable<Backend>& z, const variable<Backend>& y,
                                               const variable<Backend>& w, const variable<Backend>& counts,
                                               label_kind kind) {
  if constexpr (requires { loss.with_sums(z, y, w, counts, kind); }) {
    return loss.with_sums(z, y, w, counts, kind);
  } else if constexpr (requires { loss.from_sums(z, index{0}, counts); }) {
    const auto sums = segmentation_sums(z, y, w, kind);
    return {loss.from_sums(sums, z.extent(-1), counts), sums};
  } else {
    const auto losses = loss(z, y, w, counts);
    const no_grad_scope<Backend> quiet(z.home());
    return {losses, segmentation_sums(z, y, w, kind)};
  }
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
