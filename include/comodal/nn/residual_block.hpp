// SPDX-License-Identifier: Apache-2.0
/// @file
/// The block that residual encoders are built of.
#ifndef COMODAL_NN_RESIDUAL_BLOCK_HPP
#define COMODAL_NN_RESIDUAL_BLOCK_HPP

#include <comodal/autograd/arithmetic.hpp>
#include <comodal/nn/layers.hpp>

#include <optional>

namespace comodal::inline COMODAL_CONFIG {

/// lrelu(IN(conv(lrelu(IN(conv x)))) + skip(x)). The first convolution strides. The skip is the mean over the stride's
/// windows, then IN(1x1x1 conv) where the channels change (ResNet-D; He et al., CVPR 2019).
/// (N, D, H, W, in) -> (N, D / sd, H / sh, W / sw, out).
template <tensor_backend Backend>
class residual_block {
 public:
  residual_block(const parameter_scope<Backend>& scope, index in, index out, const extent3& filter,
                 const extent3& stride = {1, 1, 1})
      : m_first(scope / "first", in, out, filter, stride),
        m_second(scope / "second", out, out, filter),
        m_second_norm(scope / "second_norm", out, 1),
        m_stride(stride) {
    if (in == out) return;
    m_skip.emplace(scope / "skip", in, out, extent3{1, 1, 1});
    m_skip_norm.emplace(scope / "skip_norm", out, 1);
  }
  [[nodiscard]] variable<Backend> operator()(const variable<Backend>& x) const {
    variable<Backend> skip = m_stride == extent3{1, 1, 1} ? x : average_pool3d(x, m_stride);
    if (m_skip) skip = (*m_skip_norm)((*m_skip)(skip));
    return leaky_relu(add(m_second_norm(m_second(m_first(x))), skip));
  }

 private:
  conv_norm_act<Backend> m_first;
  convolution<Backend> m_second;
  normalised_activation<Backend> m_second_norm;
  std::optional<convolution<Backend>> m_skip;
  std::optional<normalised_activation<Backend>> m_skip_norm;
  extent3 m_stride;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
