// SPDX-License-Identifier: Apache-2.0
// A fusion block, an encoder and a loss of your own. main.cpp gives them names.
#ifndef COMODAL_EXAMPLES_NAMES_BLOCKS_HPP
#define COMODAL_EXAMPLES_NAMES_BLOCKS_HPP

#include <comodal/loss/consistency_loss.hpp>
#include <comodal/model/encoder.hpp>
#include <comodal/model/fusion_stage.hpp>

#include <vector>

// A fusion block: the strongest response of the present modalities, mixed by a 1x1x1 convolution.
struct strongest_fusion {};

template <comodal::tensor_backend Backend>
struct comodal::fusion_block<strongest_fusion, Backend> {
  fusion_block(const parameter_scope<Backend>& scope, const fusion_sizes& sizes)
      : m_mix(scope / "mix", sizes.stream_channels, sizes.fused_channels, {1, 1, 1}, true) {}

  // M maps (N, D, H, W, c) -> (N, D, H, W, C).
  variable<Backend> fuse(const std::vector<variable<Backend>>& maps, const presence<Backend>& present) const {
    const auto push = scale(shift(present.mask(), -1), 1e4);  // (N, M): 0, or -10000 where a modality is absent
    std::vector<variable<Backend>> candidates;
    for (std::size_t m = 0; m < maps.size(); ++m)
      candidates.push_back(maps[m] + weight_of(push, static_cast<index>(m)));
    return m_mix(reshape(max(stack(candidates, 1), 1), maps[0].shape()));
  }

 private:
  convolution<Backend> m_mix;
};

// An encoder: a stage sees its input and what its first convolution made of it, side by side.
template <comodal::tensor_backend Backend>
class dense_encoder {
 public:
  dense_encoder(const comodal::parameter_scope<Backend>& scope, const comodal::encoder_sizes& sizes) : m_sizes(sizes) {
    for (int s = 0; s < sizes.stages(); ++s) {
      const comodal::index in = sizes.in(s), out = sizes.channel(s);
      m_first.emplace_back(scope / s / "first", in, out, sizes.filter(s));
      m_second.emplace_back(scope / s / "second", in + out, out, sizes.filter(s));
    }
  }
  int stages() const { return m_sizes.stages(); }
  comodal::index channels(int s) const { return m_sizes.channel(s); }
  // The input (N, D, H, W, 1) or the map of stage s - 1 -> the map of stage s.
  comodal::variable<Backend> encode_stage(int s, const comodal::variable<Backend>& x,
                                          const comodal::forward_request&) const {
    const auto at = static_cast<std::size_t>(s);
    const auto down = s == 0 ? x : comodal::max_pool3d(x, m_sizes.stride_to(s));
    return m_second[at](comodal::concat<Backend>({down, m_first[at](down)}));
  }

 private:
  comodal::encoder_sizes m_sizes;
  std::vector<comodal::conv_norm_act<Backend>> m_first, m_second;
};

// The options of the loss: the table [loss.focal] of an experiment file.
struct focal_options {
  double gamma = 2;

  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    visit("gamma", o.gamma, "exponent: the higher, the more hard voxels count");
  }
  void check() const {
    if (!(gamma >= 0 && gamma <= 10))
      throw comodal::config_error(comodal::text("loss.focal.gamma = ", gamma, ", expected 0 to 10"));
  }
};

// A segmentation loss: the focal loss (Lin et al. 2017), the mean over voxels of -sum_c y_c (1 - p_c)^gamma log p_c.
struct focal_loss {
  comodal::label_kind kind = comodal::label_kind::classes;
  double gamma = 2;

  // z logits, y targets (N, D, H, W, C), w voxel weights (N, D, H, W) or empty -> (N).
  template <comodal::tensor_backend Backend>
  comodal::variable<Backend> operator()(const comodal::variable<Backend>& z, const comodal::variable<Backend>& y,
                                        const comodal::variable<Backend>& w = {},
                                        const comodal::variable<Backend>& = {}) const {
    const auto p = comodal::probabilities(z, kind);
    const auto rare = comodal::power(comodal::shift(comodal::scale(p, -1), 1 + 1e-6), gamma);
    const auto by_class = y * rare * comodal::log(comodal::shift(p, 1e-6));
    const comodal::index n = z.extent(0), voxels = z.shape().size() / n / z.extent(4);
    const auto loss = comodal::reshape(comodal::scale(comodal::sum(by_class, {4}), -1), {n, voxels});
    if (!w) return comodal::reshape(comodal::mean(loss, {1}), {n});
    const auto weight = comodal::reshape(w, {n, voxels});
    const auto total = comodal::sum(loss * weight, {1}) / comodal::shift(comodal::sum(weight, {1}), 1e-30);
    return comodal::reshape(total, {n});
  }
};

#endif
