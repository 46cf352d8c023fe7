// SPDX-License-Identifier: Apache-2.0
/// @file
/// The residual encoder of nnU-Net (Isensee et al., "nnU-Net Revisited", MICCAI 2024).
#ifndef COMODAL_MODEL_RESENC_ENCODER_HPP
#define COMODAL_MODEL_RESENC_ENCODER_HPP

#include <comodal/model/encoder.hpp>
#include <comodal/nn/residual_block.hpp>

#include <algorithm>
#include <array>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// A convolution with norm and activation as stem, then `blocks` residual blocks per stage, by default 1, 3, 4, 6, 6
/// ... as in nnU-Net; the first block of a stage strides. Ours: convolutions before a norm have no bias, which it would
/// take away; dropout acts on the map of a stage.
template <tensor_backend Backend>
class resenc_encoder {
 public:
  resenc_encoder(const parameter_scope<Backend>& scope, const encoder_sizes& sizes)
      : m_sizes(sizes), m_stem(scope / "stem", sizes.in_channels, sizes.channel(0), sizes.filter(0)) {
    constexpr std::array<int, 4> usual{1, 3, 4, 6};
    for (int s = 0; s < sizes.stages(); ++s) {
      auto& blocks = m_stages.emplace_back();
      const int count = sizes.blocks_of(s, usual.at(static_cast<std::size_t>(std::min(s, 3))));
      for (int b = 0; b < count; ++b)
        blocks.emplace_back(scope / s / b, b > 0 || s == 0 ? sizes.channel(s) : sizes.in(s), sizes.channel(s),
                            sizes.filter(s), b == 0 ? sizes.stride_to(s) : extent3{1, 1, 1});
      m_dropout.emplace_back(scope / s / "dropout", sizes.dropout);
    }
  }
  [[nodiscard]] int stages() const { return m_sizes.stages(); }
  [[nodiscard]] index channels(int s) const { return m_sizes.channel(s); }
  [[nodiscard]] variable<Backend> encode_stage(int s, const variable<Backend>& x,
                                               const forward_request& request = {}) const {
    const auto at = static_cast<std::size_t>(s);
    variable<Backend> y = s == 0 ? m_stem(x) : x;
    for (const auto& block : m_stages.at(at)) y = block(y);
    return m_dropout[at](y, request);
  }

 private:
  encoder_sizes m_sizes;
  conv_norm_act<Backend> m_stem;
  std::vector<std::vector<residual_block<Backend>>> m_stages;
  std::vector<feature_dropout<Backend>> m_dropout;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
