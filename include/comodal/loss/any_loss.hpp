// SPDX-License-Identifier: Apache-2.0
/// @file
/// Losses that are chosen at run time.
#ifndef COMODAL_LOSS_ANY_LOSS_HPP
#define COMODAL_LOSS_ANY_LOSS_HPP

#include <comodal/loss/consistency_loss.hpp>
#include <comodal/loss/contrastive_loss.hpp>
#include <comodal/loss/segmentation_loss.hpp>

#include <concepts>
#include <functional>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

// A loss of somebody's that forgets the axis of samples would be taken for all of them. @throws shape_error
template <tensor_backend Backend>
variable<Backend> expect_one_per_sample(variable<Backend> loss, const variable<Backend>& z, const char* kind) {
  if (const shape& found = loss.shape(); found.rank() != 1 || found[0] != z.shape()[0])
    throw shape_error(text("a ", kind, " loss returned ", found.to_string(), ", expected (", z.shape()[0],
                           "): one number per sample of ", z.shape().to_string(), " (docs/how-to/loss.md)"));
  return loss;
}

}  // namespace detail

/// Any segmentation loss; see the concept.
template <tensor_backend Backend>
class any_segmentation_loss {
 public:
  template <class Loss>
    requires(!std::same_as<Loss, any_segmentation_loss>)
  explicit any_segmentation_loss(Loss loss)
      : m_loss([loss = std::move(loss)](const auto& z, const auto& y, const auto& w, const auto& counts,
                                        label_kind kind, bool sums) -> loss_and_sums<Backend> {
          check_segmentation_loss<Loss, Backend>();
          if (sums) return comodal::with_sums(loss, z, y, w, counts, kind);
          return {loss(z, y, w, counts), {}};
        }) {}

  /// @param z, y logits and targets (N, D, H, W, C) @param w (N, D, H, W) or empty @param counts (N, C) or empty
  /// @return (N)
  [[nodiscard]] variable<Backend> operator()(const variable<Backend>& z, const variable<Backend>& y,
                                             const variable<Backend>& w = {},
                                             const variable<Backend>& counts = {}) const {
    return detail::expect_one_per_sample(m_loss(z, y, w, counts, label_kind::classes, false).losses, z, "segmentation");
  }
  /// See `comodal::with_sums`.
  [[nodiscard]] loss_and_sums<Backend> with_sums(const variable<Backend>& z, const variable<Backend>& y,
                                                 const variable<Backend>& w, const variable<Backend>& counts,
                                                 label_kind kind) const {
    auto made = m_loss(z, y, w, counts, kind, true);
    made.losses = detail::expect_one_per_sample(std::move(made.losses), z, "segmentation");
    return made;
  }

 private:
  using value = const variable<Backend>&;
  std::function<loss_and_sums<Backend>(value, value, value, value, label_kind, bool)> m_loss;
};

/// Any consistency loss; see the concept.
template <tensor_backend Backend>
class any_consistency_loss {
 public:
  template <class Loss>
    requires(!std::same_as<Loss, any_consistency_loss>)
  explicit any_consistency_loss(Loss loss) : m_loss(std::move(loss)) {
    check_consistency_loss<Loss, Backend>();
  }
  /// @param z logits, q probabilities (N, D, H, W, C) @param w (N, D, H, W) or empty @return (N)
  [[nodiscard]] variable<Backend> operator()(const variable<Backend>& z, const variable<Backend>& q,
                                             const variable<Backend>& w = {}) const {
    return detail::expect_one_per_sample(m_loss(z, q, w), z, "consistency");
  }

 private:
  using value = const variable<Backend>&;
  std::function<variable<Backend>(value, value, value)> m_loss;
};

/// Any contrastive loss; see the concept.
template <tensor_backend Backend>
class any_contrastive_loss {
 public:
  template <class Loss>
    requires(!std::same_as<Loss, any_contrastive_loss>)
  explicit any_contrastive_loss(Loss loss) : m_loss(std::move(loss)) {
    check_contrastive_loss<Loss, Backend>();
  }
  /// @param anchor, partner (N, V, K) @param negatives (J, V, K) or empty @param allowed (N, J, K) @return (N, K)
  [[nodiscard]] variable<Backend> operator()(const variable<Backend>& anchor, const variable<Backend>& partner,
                                             const variable<Backend>& negatives,
                                             const variable<Backend>& allowed) const {
    return m_loss(anchor, partner, negatives, allowed);
  }

 private:
  using value = const variable<Backend>&;
  std::function<variable<Backend>(value, value, value, value)> m_loss;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
