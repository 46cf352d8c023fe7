// SPDX-License-Identifier: Apache-2.0
/// @file
/// Probabilities on the way from the grid that a network saw to that of the case's own voxels: resampled linearly plane
/// by plane, before labels are made of them.
#ifndef COMODAL_INFER_PLANE_RESAMPLER_HPP
#define COMODAL_INFER_PLANE_RESAMPLER_HPP

#include <comodal/data/resample_axis.hpp>
#include <comodal/infer/window_sums.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace comodal::inline COMODAL_CONFIG::infer_detail {

// The places of an axis, for kernels.
struct places_of_axis {
  const std::int32_t *lower, *upper;
  const float* part;
};

// Voxel (y, x) of the plane of group g (channel, then plane) from its eight neighbours.
struct resample_planes_body {
  const float *planes_of, *before;  // (C, planes, H, W); the plane in front of them, (C, H, W)
  index first, planes, height, width;
  places_of_axis d, h, w;
  index out_first, out_planes, out_height, out_width;
  float* out;

  KOKKOS_INLINE_FUNCTION void operator()(index g, index y, index x) const {
    const index c = g / out_planes, z = out_first + g % out_planes;
    const float low = plane(c, d.lower[z], y, x), high = plane(c, d.upper[z], y, x);
    out[(g * out_height + y) * out_width + x] = low + d.part[z] * (high - low);
  }

 private:
  KOKKOS_INLINE_FUNCTION float plane(index c, index z, index y, index x) const {
    const float* const from =
        z < first ? before + c * height * width : planes_of + (c * planes + z - first) * height * width;
    const float low = row(from + h.lower[y] * width, x), high = row(from + h.upper[y] * width, x);
    return low + h.part[y] * (high - low);
  }
  KOKKOS_INLINE_FUNCTION float row(const float* from, index x) const {
    const float low = from[w.lower[x]], high = from[w.upper[x]];
    return low + w.part[x] * (high - low);
  }
};

// Plane `at` of (C, planes, H, W), by itself.
struct copy_plane_body {
  const float* from;
  index planes, at, voxels;
  float* to;
  KOKKOS_INLINE_FUNCTION void operator()(index c, index, index i) const {
    to[c * voxels + i] = from[(c * planes + at) * voxels + i];
  }
};

// Takes finished planes from the first to the last, and hands on those of the other grid.
template <tensor_backend Backend>
class plane_resampler {
  using space = typename Backend::space_type;

 public:
  // Sizes are (D, H, W). `nearest`: axes along which the nearest voxel is taken.
  plane_resampler(context<Backend>& ctx, const extent3& from, const extent3& to, const std::array<bool, 3>& nearest)
      : m_context(&ctx), m_from(from), m_to(to) {
    for (std::size_t a = 0; a < 3; ++a) {
      const auto places = axis_places(from[a], to[a], nearest[a]);
      std::vector<std::int32_t> lower, upper;
      std::vector<float> part;
      for (const axis_place& p : places) {
        lower.push_back(static_cast<std::int32_t>(p.lower));
        upper.push_back(static_cast<std::int32_t>(p.upper));
        part.push_back(p.part);
      }
      if (a == 0) m_upper = upper;
      m_axes[a] = {sent(lower), sent(upper), sent(part)};
    }
  }

  // Calls `take(const finished_planes<Backend>&)` for the planes that `done` completes, some at a time.
  template <class Take>
  void take(const finished_planes<Backend>& done, const Take& take) {
    index channels = 1;
    for (const auto& p : done.outputs) channels = std::max(channels, p.shape()[0]);
    const index most = std::max<index>(1, most_values / (channels * m_to[1] * m_to[2]));
    while (m_next < m_to[0]) {
      index last = m_next;
      while (last < m_to[0] && last - m_next < most &&
             m_upper[static_cast<std::size_t>(last)] < done.first + done.planes)
        ++last;
      if (last == m_next) break;
      take(planes(done, last));
      m_next = last;
    }
    m_before.clear();
    for (const auto& p : done.outputs) {
      const index voxels = m_from[1] * m_from[2];
      m_before.push_back(m_context->template make_of<float>({p.shape()[0], voxels}));
      ops::each_row(*m_context, p.shape()[0], 1, voxels,
                    copy_plane_body{p.data(), done.planes, done.planes - 1, voxels, m_before.back().data()});
    }
  }

 private:
  static constexpr index most_values = index{1} << 26;  // of one output at a time: 256 MiB

  struct axis {
    tensor<std::int32_t, space> lower, upper;
    tensor<float, space> part;
    [[nodiscard]] places_of_axis places() const { return {lower.data(), upper.data(), part.data()}; }
  };

  template <class T>
  [[nodiscard]] tensor<T, space> sent(const std::vector<T>& values) const {
    const auto made = m_context->template make_of<T>({static_cast<index>(values.size())});
    copy_from_host(m_context->space(), values, made);
    return made;
  }
  [[nodiscard]] finished_planes<Backend> planes(const finished_planes<Backend>& done, index last) const {
    finished_planes<Backend> out{m_next, last - m_next, {}};
    for (std::size_t k = 0; k < done.outputs.size(); ++k) {
      const auto& p = done.outputs[k];
      out.outputs.push_back(m_context->template make_of<float>({p.shape()[0], out.planes, m_to[1], m_to[2]}));
      ops::each_row(
          *m_context, p.shape()[0] * out.planes, m_to[1], m_to[2],
          resample_planes_body{p.data(), m_before.empty() ? nullptr : m_before[k].data(), done.first, done.planes,
                               m_from[1], m_from[2], m_axes[0].places(), m_axes[1].places(), m_axes[2].places(), m_next,
                               out.planes, m_to[1], m_to[2], out.outputs.back().data()});
    }
    return out;
  }

  context<Backend>* m_context;
  extent3 m_from, m_to;
  std::array<axis, 3> m_axes;
  std::vector<std::int32_t> m_upper;           // along D
  std::vector<tensor<float, space>> m_before;  // per output (C, H W): the last plane that was taken
  index m_next = 0;                            // plane to hand on
};

}  // namespace comodal::inline COMODAL_CONFIG::infer_detail

namespace comodal::inline COMODAL_CONFIG {

#define COMODAL_PLANES(kind, Backend) kind class infer_detail::plane_resampler<Backend>;
COMODAL_COMPILED_ELSEWHERE(COMODAL_PLANES)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
