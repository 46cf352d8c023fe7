// SPDX-License-Identifier: Apache-2.0
/// @file
/// Groups of cells of a coarser grid by the class of a target: each class of foreground, background near it, other
/// background.
#ifndef COMODAL_SSL_PARTS_CELL_CLASSES_HPP
#define COMODAL_SSL_PARTS_CELL_CLASSES_HPP

#include <comodal/autograd/convolution.hpp>
#include <comodal/ssl/parts/positions.hpp>

namespace comodal::inline COMODAL_CONFIG {

namespace ssl_detail {

// 1 where a target is foreground: a class other than the first is the most probable, or a region has 1/2 and more.
template <class T>
struct foreground_body {
  label_kind kind;
  index channels;
  const T* target;
  T* foreground;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const T* row = target + i * channels;
    bool any = false;
    for (index c = 0; c < channels; ++c)
      any = any || (kind == label_kind::classes ? c > 0 && row[c] > row[0] : row[c] >= T(0.5));
    foreground[i] = any ? T(1) : T(0);
  }
};

// The largest of the values within `reach` along one axis of maps (outer, extent, inner).
template <class T>
struct dilate_body {
  index extent, inner, reach;
  const T* from;
  T* to;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index at = i / inner % extent;
    const index first = at > reach ? at - reach : 0, last = at + reach < extent ? at + reach : extent - 1;
    T most = 0;
    for (index k = first; k <= last; ++k) {
      const T v = from[i + (k - at) * inner];
      most = v > most ? v : most;
    }
    to[i] = most;
  }
};

// The group of a cell from the mean of the target over its voxels, and whether any of them is near foreground.
template <class T>
struct group_body {
  label_kind kind;
  index channels;  // of the target
  const T *target, *near;
  std::uint8_t* group;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const T* row = target + i * channels;
    index found = -1;  // the class of foreground, from 0
    if (kind == label_kind::classes) {
      index best = 0;
      for (index c = 1; c < channels; ++c) best = row[c] > row[best] ? c : best;
      found = best - 1;
    } else {
      for (index c = 0; c < channels; ++c) found = row[c] >= T(0.5) ? c : found;
    }
    const index foreground = kind == label_kind::classes ? channels - 1 : channels;
    group[i] = static_cast<std::uint8_t>(found >= 0 ? found : near[i] > T(0) ? foreground : foreground + 1);
  }
};

}  // namespace ssl_detail

/// The number of foreground classes of a target with `channels`: K.
[[nodiscard]] inline index foreground_classes(label_kind kind, index channels) {
  return kind == label_kind::classes ? channels - 1 : channels;
}

/// 1 in voxels that have foreground within `reach` voxels along each axis, else 0: (N, D, H, W, 1), a constant.
/// @param target (N, D, H, W, C)
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> near_foreground(const variable<Backend>& target, label_kind kind, index reach) {
  using T = typename Backend::scalar_type;
  auto& ctx = target.ctx();
  const shape& in = target.shape();
  auto from = ctx.make({in[0], in[1], in[2], in[3], 1}), to = ctx.make(from.shape());
  ops::each(ctx, from.size(), ssl_detail::foreground_body<T>{kind, in[4], target.value().data(), from.data()});
  for (int axis = 1; axis <= 3; ++axis) {
    ops::each(ctx, from.size(),
              ssl_detail::dilate_body<T>{in[axis], in.product(axis + 1, 4), reach, from.data(), to.data()});
    std::swap(from, to);
  }
  return target.home().constant(from);
}

/// The groups of the cells of a coarser grid, (N, V): 0 to K - 1 the classes of foreground (of regions: the last that
/// holds), K background near foreground, K + 1 other background.
/// @param target (N, D, H, W, C) @param near from `near_foreground` @param window voxels of a cell along each axis
template <tensor_backend Backend>
[[nodiscard]] cell_groups<Backend> groups_of_cells(const variable<Backend>& target, const variable<Backend>& near,
                                                   label_kind kind, const extent3& window) {
  using T = typename Backend::scalar_type;
  auto& ctx = target.ctx();
  const auto coarse = average_pool3d(detach(target), window), close = average_pool3d(detach(near), window);
  const index samples = coarse.extent(0), cells = coarse.shape().product(1, 4);
  const cell_groups<Backend> groups = ctx.template make_of<std::uint8_t>({samples, cells});
  ops::each(
      ctx, groups.size(),
      ssl_detail::group_body<T>{kind, coarse.extent(4), coarse.value().data(), close.value().data(), groups.data()});
  return groups;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
