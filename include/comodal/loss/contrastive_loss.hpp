// SPDX-License-Identifier: Apache-2.0
/// @file
/// Contrast between the prediction maps of modalities: agree with the partner of the same crop, differ from other
/// cases. After Semi-CML's area-similarity contrastive loss (Zhang et al., MedIA 2023), as method.md 5(b) has it.
#ifndef COMODAL_LOSS_CONTRASTIVE_LOSS_HPP
#define COMODAL_LOSS_CONTRASTIVE_LOSS_HPP

#include <comodal/autograd/reduction.hpp>
#include <comodal/autograd/structure.hpp>
#include <comodal/core/ladder.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// A type that contrasts maps: `loss(anchor, partner, negatives, allowed)` -> (N, K), one value per sample and class.
/// anchor, partner (N, V, K); negatives (J, V, K), J may be 0: then an empty variable; allowed (N, J, K) of zeros and
/// ones. Losses are pure: negatives are an argument, queues belong to the method. By default, partner and negatives
/// receive no gradient.
template <class T, class Backend>
concept contrastive_loss = requires(const T& loss, const variable<Backend>& v) {
  { loss(v, v, v, v) } -> std::same_as<variable<Backend>>;
};

/// Says in plain words what a contrastive loss lacks; only the first that is missing speaks.
template <class T, tensor_backend Backend>
constexpr void check_contrastive_loss() {
  if constexpr (!requires(const T& loss, const variable<Backend>& v) { loss(v, v, v, v); })
    static_assert(detail::never<T>,
                  "comodal: a contrastive_loss needs operator()(anchor, partner, negatives, allowed) const -> (N, K)");
  else if constexpr (!contrastive_loss<T, Backend>)
    static_assert(detail::never<T>,
                  "comodal: operator() of a contrastive_loss must return variable<Backend> of shape (N, K)");
}

/// How alike two maps are, class by class, in [0, 1] for non-negative maps.
enum class map_similarity { soft_dice, cosine, iou };

/// Similarity over the axis before the last: (..., V, K) and (..., V, K), broadcast -> (..., 1, K).
///   soft_dice (2<a,b> + eps) / (<a,a> + <b,b> + eps);  iou (<a,b> + eps) / (<a,a> + <b,b> - <a,b> + eps);
///   cosine <a,b> / sqrt((<a,a> + eps)(<b,b> + eps)).
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> similarity(const variable<Backend>& a, const variable<Backend>& b, map_similarity kind,
                                           double eps = 1e-6) {
  const auto dot = [&](const variable<Backend>& x, const variable<Backend>& y) {
    const auto product = multiply(x, y);
    return sum(product, {product.shape().rank() - 2});
  };
  const auto ab = dot(a, b), aa = dot(a, a), bb = dot(b, b);
  switch (kind) {
    case map_similarity::soft_dice:
      return divide(shift(scale(ab, 2), eps), shift(add(aa, bb), eps));
    case map_similarity::iou:
      return divide(shift(ab, eps), shift(subtract(add(aa, bb), ab), eps));
    case map_similarity::cosine:
      return divide(ab, sqrt(multiply(shift(aa, eps), shift(bb, eps))));
  }
  throw config_error("similarity: an unknown kind");
}

/// Who receives gradients of a contrast: the anchor alone, or partner and negatives too.
enum class contrast_gradients { anchor, all };

/// tau ( -s(a, p) / tau + log[ exp(s(a, p) / tau) + sum_j exp(s(a, n_j) / tau) ] ) = tau log(1 + sum_j exp((s_j - s_p)
/// / tau)): the factor tau keeps gradients independent of tau. Without an allowed negative it is 0. At equal
/// similarities it is tau ln(1 + J), at s_p = 1 and s_j = 0 it is tau ln(1 + J e^(-1 / tau)).
struct area_similarity_contrast {
  map_similarity kind = map_similarity::soft_dice;
  double temperature = 0.1;
  contrast_gradients to = contrast_gradients::anchor;

  template <tensor_backend Backend>
  [[nodiscard]] variable<Backend> operator()(const variable<Backend>& anchor, const variable<Backend>& partner,
                                             const variable<Backend>& negatives,
                                             const variable<Backend>& allowed) const {
    const index n = anchor.extent(0), voxels = anchor.extent(1), classes = anchor.extent(2);
    if (!(anchor.shape() == partner.shape()))
      throw shape_error(text("area_similarity_contrast: anchor ", anchor.shape().to_string(), " and partner ",
                             partner.shape().to_string()));
    if (!negatives)
      return anchor.home().constant(ops::full(anchor.ctx(), shape{n, classes}, typename Backend::scalar_type(0)));
    const index count = negatives.extent(0);
    if (negatives.extent(1) != voxels || negatives.extent(2) != classes ||
        !(allowed.shape() == shape{n, count, classes}))
      throw shape_error(text("area_similarity_contrast: negatives ", negatives.shape().to_string(), ", allowed ",
                             allowed.shape().to_string(), " for anchors ", anchor.shape().to_string(),
                             ", expected (J, V, K) and (N, J, K)"));
    const auto other = [&](const variable<Backend>& x) { return to == contrast_gradients::all ? x : detach(x); };
    const auto positive = similarity(anchor, other(partner), kind);  // (N, 1, K)
    const auto against = similarity(reshape(anchor, {n, 1, voxels, classes}),
                                    reshape(other(negatives), {1, count, voxels, classes}), kind);
    // The largest excess is taken out of the exponentials, so that none overflows at a small temperature.
    const auto excess = multiply(subtract(reshape(against, {n, count, classes}), positive), allowed);
    const auto most = detach(leaky_relu(max(excess, 1), 0));
    const auto pushed = sum(multiply(exp(scale(subtract(excess, most), 1 / temperature)), allowed), {1});
    const auto total = log(add(pushed, exp(scale(most, -1 / temperature))));
    return reshape(add(scale(total, temperature), most), {n, classes});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
