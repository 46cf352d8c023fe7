// SPDX-License-Identifier: Apache-2.0
/// @file
/// Weighted and gated maps of the reference engine.
#ifndef COMODAL_ENGINE_REFERENCE_GATING_HPP
#define COMODAL_ENGINE_REFERENCE_GATING_HPP

#include <comodal/engine/reference/xtensor.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// Shapes and arguments as the problems say.
template <tensor_backend Backend>
struct reference_gating {
  using T = typename Backend::scalar_type;
  using array = engine_detail::reference_array;

  static void weigh_forward(context<Backend>&, index groups, index voxels, index channels, index modalities, index m,
                            bool per_voxel, const T* x, const T* weights, T* y) {
    const array in = engine_detail::reference_read(x, {groups * voxels, channels}),
                w = column(groups, voxels, modalities, m, per_voxel, weights);
    const array out = in * w;
    engine_detail::reference_write(y, {groups * voxels, channels}, out);
  }
  static void weigh_backward(context<Backend>&, index groups, index voxels, index channels, index modalities, index m,
                             bool per_voxel, const T* x, const T* weights, const T* d, T* dx, T* dweights) {
    const array in = engine_detail::reference_read(x, {groups * voxels, channels}),
                above = engine_detail::reference_read(d, {groups * voxels, channels});
    const array out = above * column(groups, voxels, modalities, m, per_voxel, weights);
    engine_detail::reference_write(dx, {groups * voxels, channels}, out);
    if (!dweights) return;
    const array dot = xt::sum(in * above, {1});
    for (index r = 0; r < groups * voxels; ++r) dweights[r * modalities + m] = static_cast<T>(dot(r));
  }

  static void gated_add_forward(context<Backend>&, index rows, index channels, const T* x, const T* gate, const T* r,
                                const T* gamma, T* y) {
    const array in = engine_detail::reference_read(x, {rows, channels}),
                map = engine_detail::reference_read(r, {rows, channels}),
                factor = engine_detail::reference_read(gamma, {1, channels});
    const array out = in + sigmoid(gate, rows, channels) * map * factor;
    engine_detail::reference_write(y, {rows, channels}, out);
  }
  static void gated_add_backward(context<Backend>&, index rows, index channels, const T* gate, const T* r,
                                 const T* gamma, const T* dy, T* dgate, T* dr, T* dgamma) {
    const array s = sigmoid(gate, rows, channels), above = engine_detail::reference_read(dy, {rows, channels}),
                map = engine_detail::reference_read(r, {rows, channels});
    const array d = above * engine_detail::reference_read(gamma, {1, channels}), to_gate = d * map * s * (1 - s),
                to_r = d * s, to_gamma = xt::sum(above * map * s, {0});
    engine_detail::reference_write(dgate, {rows, channels}, to_gate);
    engine_detail::reference_write(dr, {rows, channels}, to_r);
    engine_detail::reference_write(dgamma, {channels}, to_gamma);
  }

 private:
  static array sigmoid(const T* gate, index rows, index channels) {
    const array z = engine_detail::reference_read(gate, {rows, channels});
    return 1 / (1 + xt::exp(-z));
  }
  // The weight of each voxel, (groups voxels, 1).
  static array column(index groups, index voxels, index modalities, index m, bool per_voxel, const T* weights) {
    array w = xt::zeros<double>({static_cast<std::size_t>(groups * voxels), std::size_t{1}});
    for (index r = 0; r < groups * voxels; ++r)
      w(r, 0) = static_cast<double>(weights[(per_voxel ? r : r / voxels) * modalities + m]);
    return w;
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
