// SPDX-License-Identifier: Apache-2.0
/// @file
/// The supervised loss of a multi-modal network: its fused output and its branches against labels (method.md section
/// 3).
#ifndef COMODAL_SSL_PARTS_SUPERVISED_LOSS_HPP
#define COMODAL_SSL_PARTS_SUPERVISED_LOSS_HPP

#include <comodal/autograd/convolution.hpp>
#include <comodal/loss/segmentation_loss.hpp>
#include <comodal/model/network.hpp>
#include <comodal/ssl/parts/partial_labels.hpp>

namespace comodal::inline COMODAL_CONFIG {

namespace ssl_detail {

template <class T>
struct range_body {
  index first, last;
  T inside;
  T* to;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const { to[i] = i >= first && i < last ? inside : T(0); }
};

// A constant of `extents`: a value in the elements [first, last), else 0. Nothing is sent.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> range(tape<Backend>& home, const shape& extents, index first, index last,
                                      double inside) {
  using T = typename Backend::scalar_type;
  auto to = home.ctx().make(extents);
  ops::each(home.ctx(), to.size(), range_body<T>{first, last, static_cast<T>(inside), to.data()});
  return home.constant(to);
}

}  // namespace ssl_detail

/// A constant (N) of numbers on the host: sends them, and waits.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> sample_weights(tape<Backend>& home, const std::vector<double>& values) {
  using T = typename Backend::scalar_type;
  return home.constant({static_cast<index>(values.size())}, std::vector<T>(values.begin(), values.end()));
}

/// The weights of a mean over samples [first, last) of `all`: a constant (all), 1 / (last - first) there and 0
/// elsewhere.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> mean_weights(tape<Backend>& home, index first, index last, index all) {
  return ssl_detail::range(home, {all}, first, last, 1 / static_cast<double>(last - first));
}

/// sum_n weights[n] losses[n]; both (N).
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> weighted_total(const variable<Backend>& losses, const variable<Backend>& weights) {
  return sum(multiply(losses, weights));
}

/// Samples [first, last) of all logits of a network; fused maps and further heads are left out.
template <tensor_backend Backend>
[[nodiscard]] network_output<Backend> samples_of(const network_output<Backend>& out, index first, index last) {
  network_output<Backend> part;
  part.fused = slice(out.fused, 0, first, last);
  for (const auto& z : out.branches) part.branches.push_back(slice(z, 0, first, last));
  for (const auto& z : out.deep) part.deep.push_back(slice(z, 0, first, last));
  return part;
}

/// The loss per sample of the fused output with the coarser outputs of deep supervision: weights 1, 1/2, 1/4 ...
/// brought to a sum of 1, targets and weights averaged over blocks. Without deep supervision, `finest` itself.
/// @param finest (N), the loss of the finest output @param target (N, D, H, W, C) @param weight (N, D, H, W) or empty
/// @param counts (N, C) or empty: the classes that count
template <tensor_backend Backend, segmentation_loss<Backend> Loss>
[[nodiscard]] variable<Backend> deeply_supervised(const Loss& loss, const variable<Backend>& finest,
                                                  const std::vector<variable<Backend>>& deep,
                                                  const variable<Backend>& target, const variable<Backend>& weight = {},
                                                  const variable<Backend>& counts = {}) {
  if (deep.empty()) return finest;
  auto total = finest;
  double factor = 1, all = 1;
  for (const auto& z : deep) {
    extent3 window{};
    for (std::size_t a = 0; a < 3; ++a)
      window[a] = target.extent(static_cast<int>(a) + 1) / z.extent(static_cast<int>(a) + 1);
    const auto y = average_pool3d(target, window);
    variable<Backend> w;
    if (weight)
      w = average_pool3d(reshape(weight, {target.extent(0), target.extent(1), target.extent(2), target.extent(3), 1}),
                         window);
    factor /= 2;
    all += factor;
    total = add(total, scale(loss(z, y, w, counts), factor));
  }
  return scale(total, 1 / all);
}

/// sum_n w_n l_f,n + branch_weight sum_m sum_n w_n r_nm / |P_n| l_m,n.
/// @param fused (N) @param branches (N) per modality, or none @param weights (N)
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> fused_and_branches(const variable<Backend>& fused,
                                                   const std::vector<variable<Backend>>& branches,
                                                   const presence<Backend>& present, const variable<Backend>& weights,
                                                   double branch_weight) {
  auto total = weighted_total(fused, weights);
  for (std::size_t m = 0; m < branches.size(); ++m) {
    const auto share =
        reshape(slice(present.share(), 1, static_cast<index>(m), static_cast<index>(m) + 1), {present.samples()});
    total = add(total, scale(weighted_total(branches[m], multiply(weights, share)), branch_weight));
  }
  return total;
}

/// L_sup of method.md section 3: the mean over samples of the fused output's loss, and `branch_weight` of the mean over
/// the present modalities of the branches' losses.
/// @param target (N, D, H, W, C), with one sample per sample of `out` @param weight of voxels, (N, D, H, W), or empty:
/// all weigh 1 @param further logits of other decoders; their losses are averaged with the fused output's
/// @param known the classes that are annotated in each sample
/// @return a scalar
template <tensor_backend Backend, segmentation_loss<Backend> Loss>
[[nodiscard]] variable<Backend> supervised_loss(const Loss& loss, const network_output<Backend>& out,
                                                const variable<Backend>& target, const presence<Backend>& present,
                                                double branch_weight, const variable<Backend>& weight = {},
                                                const std::vector<variable<Backend>>& further = {},
                                                const known_classes<Backend>& known = {}) {
  const auto y = known.target(target), counts = known.counts();
  const auto compared = [&](const variable<Backend>& z) { return loss(known.logits(z), y, weight, counts); };
  std::vector<variable<Backend>> branches, deep;
  for (const auto& z : out.branches) branches.push_back(compared(z));
  for (const auto& z : out.deep) deep.push_back(known.logits(z));
  const auto mean = mean_weights(target.home(), 0, target.extent(0), target.extent(0));
  auto fused = deeply_supervised(loss, compared(out.fused), deep, y, weight, counts);
  for (const auto& z : further) fused = add(fused, compared(z));
  if (!further.empty()) fused = scale(fused, 1 / static_cast<double>(1 + further.size()));
  return fused_and_branches(fused, branches, present, mean, branch_weight);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
