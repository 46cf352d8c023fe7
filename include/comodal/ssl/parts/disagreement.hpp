// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a prediction may learn from another one where the two disagree: cross teaching between branches.
#ifndef COMODAL_SSL_PARTS_DISAGREEMENT_HPP
#define COMODAL_SSL_PARTS_DISAGREEMENT_HPP

#include <comodal/autograd/arithmetic.hpp>
#include <comodal/autograd/reduction.hpp>
#include <comodal/autograd/segmentation.hpp>
#include <comodal/autograd/structure.hpp>
#include <comodal/loss/consistency_loss.hpp>
#include <comodal/ssl/parts/confidence.hpp>
#include <comodal/ssl/parts/constant_function.hpp>
#include <comodal/ssl/parts/sharpening.hpp>

namespace comodal::inline COMODAL_CONFIG {

namespace ssl_detail {

template <class T>
struct differs_body {
  label_kind kind;
  index channels;
  const T *p, *q;
  T* differs;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const T *a = p + i * channels, *b = q + i * channels;
    bool other = false;
    if (kind == label_kind::classes)
      other = detail::most_probable_channel(a, channels) != detail::most_probable_channel(b, channels);
    else
      for (index c = 0; c < channels; ++c) other = other || (a[c] >= T(0.5)) != (b[c] >= T(0.5));
    differs[i] = other ? T(1) : T(0);
  }
};

}  // namespace ssl_detail

/// 1 where two predictions have another most probable class (of equal ones the lower), or another set of regions of
/// probability 1/2 and more; else 0.
/// @param p, q probabilities (N, D, H, W, C) @return a constant (N, D, H, W)
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> where_predictions_differ(const variable<Backend>& p, const variable<Backend>& q,
                                                         label_kind kind) {
  using T = typename Backend::scalar_type;
  const shape& in = p.shape();
  if (in.rank() != 5 || q.shape() != in)
    throw shape_error(text("where_predictions_differ: ", in.to_string(), " and ", q.shape().to_string(),
                           ", expected the same (N, D, H, W, C)"));
  auto differs = p.ctx().make({in[0], in[1], in[2], in[3]});
  ops::each(p.ctx(), differs.size(),
            ssl_detail::differs_body<T>{kind, in[4], p.value().data(), q.value().data(), differs.data()});
  return p.home().constant(differs);
}

/// What z loses against a partner where the two disagree (method.md 5(c)): the cross-entropy with the partner's
/// sharpened prediction, times how much more certain the partner is there, summed over the voxels that differ and
/// divided by their number, at least `least`. 0 where they agree, and where z is the more certain one. The partner
/// receives no gradient.
/// @param z, partner logits (N, D, H, W, C) @param own (N, D, H, W), 0 where nothing is to be learnt, or empty
/// @param temperature of the sharpening @return (N)
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> disagreement(const variable<Backend>& z, const variable<Backend>& partner,
                                             const variable<Backend>& own, label_kind kind, double temperature,
                                             double least) {
  const index samples = z.extent(0);
  const auto p = probabilities(detach(z), kind), q = probabilities(detach(partner), kind);
  auto differs = where_predictions_differ(p, q, kind);
  if (own) differs = multiply(differs, own);
  const auto lead = constant_function(ssl_detail::clipped{}, confidence(q, kind) - confidence(p, kind));
  const auto sums = segmentation_sums(z, sharpened(q, kind, temperature), multiply(differs, lead), kind);
  const auto number = sum(reshape(differs, {samples, differs.shape().size() / samples}), {1});
  return reshape(divide(slice(sums, 1, 1, 2),
                        reshape(constant_function(ssl_detail::at_least_number{least}, number), {samples, 1})),
                 {samples});
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
