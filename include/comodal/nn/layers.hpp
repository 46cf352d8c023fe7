// SPDX-License-Identifier: Apache-2.0
/// @file
/// Layers and blocks that networks are built of; each takes its parameters from a scope and is called with a variable.
#ifndef COMODAL_NN_LAYERS_HPP
#define COMODAL_NN_LAYERS_HPP

#include <comodal/autograd/convolution.hpp>
#include <comodal/nn/parameters.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// Convolution, padded to keep the size (divided by the stride). (N, D, H, W, in) -> (N, D / sd, H / sh, W / sw, out).
template <tensor_backend Backend>
class convolution {
 public:
  convolution(const parameter_scope<Backend>& scope, index in, index out, const extent3& filter, bool bias = false,
              const extent3& stride = {1, 1, 1})
      : m_weight(scope.he_normal("weight", {filter[0], filter[1], filter[2], in, out})), m_stride(stride) {
    if (bias) m_bias = scope.constant("bias", {out}, 0);
  }
  [[nodiscard]] variable<Backend> operator()(const variable<Backend>& x) const { return (*this)(std::vector{x}); }
  /// Of maps side by side, `in` channels together, without joining them first.
  [[nodiscard]] variable<Backend> operator()(const std::vector<variable<Backend>>& parts) const {
    return conv3d(parts, m_weight, m_stride, m_bias);
  }

 private:
  variable<Backend> m_weight, m_bias;
  extent3 m_stride;
};

/// How maps are brought to a finer grid with other channels.
///  - `transposed`: a transposed convolution with filter = stride;
///  - `trilinear`: a 1x1x1 convolution on the coarse grid, then `upsample3d`. The two commute, and this way is cheaper;
///  - `nearest`: the same with copies of the coarse voxel, as a transposed convolution of equal taps.
enum class up_sampling { transposed, trilinear, nearest };

/// Up-sampling by whole factors, with bias. (N, D, H, W, in) -> (N, D fd, H fh, W fw, out).
template <tensor_backend Backend>
class up_convolution {
 public:
  up_convolution(const parameter_scope<Backend>& scope, index in, index out, const extent3& factor,
                 up_sampling how = up_sampling::transposed)
      : m_how(how), m_factor(factor) {
    const extent3 filter = how == up_sampling::transposed ? factor : extent3{1, 1, 1};
    m_weight = scope.store().normal((scope / "weight").path(), {filter[0], filter[1], filter[2], in, out},
                                    std::sqrt(2 / (1.0001 * static_cast<double>(in))));
    m_bias = scope.constant("bias", {out}, 0);
    if (how != up_sampling::nearest) return;
    tape<Backend>& home = scope.store().home();
    m_taps =
        home.constant(ops::full(home.ctx(), {factor[0], factor[1], factor[2], 1, 1}, typename Backend::scalar_type(1)));
  }
  [[nodiscard]] variable<Backend> operator()(const variable<Backend>& x) const {
    if (m_how == up_sampling::trilinear) return upsample3d(conv3d(x, m_weight, {1, 1, 1}, m_bias), m_factor);
    return conv_transpose3d(x, m_how == up_sampling::nearest ? multiply(m_weight, m_taps) : m_weight, m_bias);
  }

 private:
  up_sampling m_how;
  extent3 m_factor;
  variable<Backend> m_weight, m_bias, m_taps;  // taps: ones, (fd, fh, fw, 1, 1)
};

/// Affine instance normalisation with leaky ReLU; slope 1 leaves the activation out. Keeps the shape.
template <tensor_backend Backend>
class normalised_activation {
 public:
  normalised_activation(const parameter_scope<Backend>& scope, index channels, double slope = 0.01)
      : m_gamma(scope.constant("gamma", {channels}, 1)),
        m_beta(scope.constant("beta", {channels}, 0)),
        m_slope(slope) {}
  [[nodiscard]] variable<Backend> operator()(variable<Backend> x) const {
    return instance_norm(std::move(x), m_gamma, m_beta, m_slope);
  }

 private:
  variable<Backend> m_gamma, m_beta;
  double m_slope;
};

/// Convolution without bias -> instance norm -> leaky ReLU 0.01.
template <tensor_backend Backend>
class conv_norm_act {
 public:
  conv_norm_act(const parameter_scope<Backend>& scope, index in, index out, const extent3& filter,
                const extent3& stride = {1, 1, 1})
      : m_conv(scope / "conv", in, out, filter, false, stride), m_norm(scope / "norm", out) {}
  [[nodiscard]] variable<Backend> operator()(const variable<Backend>& x) const { return m_norm(m_conv(x)); }
  /// Of maps side by side, `in` channels together.
  [[nodiscard]] variable<Backend> operator()(const std::vector<variable<Backend>>& parts) const {
    return m_norm(m_conv(parts));
  }

 private:
  convolution<Backend> m_conv;
  normalised_activation<Backend> m_norm;
};

/// `conv_norm_act` a number of times, in -> out -> ... -> out (method.md: Block(a, b) has two).
template <tensor_backend Backend>
class conv_block {
 public:
  conv_block(const parameter_scope<Backend>& scope, index in, index out, const extent3& filter, int convolutions = 2) {
    for (int i = 0; i < convolutions; ++i) m_parts.emplace_back(scope / i, i == 0 ? in : out, out, filter);
  }
  [[nodiscard]] variable<Backend> operator()(const variable<Backend>& x) const { return (*this)(std::vector{x}); }
  /// Of maps side by side, `in` channels together.
  [[nodiscard]] variable<Backend> operator()(const std::vector<variable<Backend>>& maps) const {
    auto x = m_parts.front()(maps);
    for (std::size_t i = 1; i < m_parts.size(); ++i) x = m_parts[i](x);
    return x;
  }

 private:
  std::vector<conv_norm_act<Backend>> m_parts;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
