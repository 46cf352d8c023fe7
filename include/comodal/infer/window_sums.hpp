// SPDX-License-Identifier: Apache-2.0
/// @file
/// Windows of a case on a back end: cut out of its images, and their probabilities summed until a plane is done. Of the
/// probabilities only the planes of one row of windows are in memory.
#ifndef COMODAL_INFER_WINDOW_SUMS_HPP
#define COMODAL_INFER_WINDOW_SUMS_HPP

#include <comodal/core/compiled.hpp>
#include <comodal/core/context.hpp>
#include <comodal/data/volume_view.hpp>
#include <comodal/ops/elementwise.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Mean probabilities of the planes [first, first + planes) of a case, on the back end.
template <tensor_backend Backend>
struct finished_planes {
  using probabilities = tensor<float, typename Backend::space_type>;
  index first = 0, planes = 0;
  std::vector<probabilities> outputs;  // each (C, planes, H, W)
};

namespace infer_detail {

// An `extent3` for kernels, which cannot call the members of std::array.
struct voxel {
  index d, h, w;
  explicit voxel(const extent3& v) : d(v[0]), h(v[1]), w(v[2]) {}
};

// The place in a window that voxel (d, h, w) of its flipped copy shows.
struct flip {
  voxel window;
  unsigned axes;
  KOKKOS_INLINE_FUNCTION index place(index d, index h, index w) const {
    const index fd = axes & 1 ? window.d - 1 - d : d, fh = axes & 2 ? window.h - 1 - h : h,
                fw = axes & 4 ? window.w - 1 - w : w;
    return (fd * window.h + fh) * window.w + fw;
  }
};

// Voxel (d, h, w) of a window of a volume; outside of it `pad`.
template <class T>
struct cut_window_body {
  const float* from;
  voxel size, at;
  flip flipped;
  float pad;
  T* out;
  KOKKOS_INLINE_FUNCTION void operator()(index d, index h, index w) const {
    const index z = at.d + d, y = at.h + h, x = at.w + w;
    const bool inside = z < size.d && y < size.h && x < size.w;
    out[flipped.place(d, h, w)] = static_cast<T>(inside ? from[(z * size.h + y) * size.w + x] : pad);
  }
};

// Sums of planes that are not done: plane z lies at z mod `depth`.
struct open_planes {
  voxel size;
  index depth;
  [[nodiscard]] KOKKOS_INLINE_FUNCTION index voxels() const { return depth * size.h * size.w; }
  [[nodiscard]] KOKKOS_INLINE_FUNCTION index place(index z, index y, index x) const {
    return (z % depth * size.h + y) * size.w + x;
  }
};

// The product of the weights along three axes.
struct window_weight {
  const double *d, *h, *w;
  KOKKOS_INLINE_FUNCTION float operator()(index i, index j, index k) const {
    return static_cast<float>(d[i] * h[j] * w[k]);
  }
};

struct add_weight_body {
  window_weight weight;
  open_planes open;
  voxel at;
  float* total;
  KOKKOS_INLINE_FUNCTION void operator()(index d, index h, index w) const {
    total[open.place(at.d + d, at.h + h, at.w + w)] += weight(d, h, w);
  }
};

// g: channel, then the plane of the window.
template <class T>
struct add_window_body {
  const T* p;  // (D, H, W, C)
  index channels, planes;
  flip flipped;
  window_weight weight;
  open_planes open;
  voxel at;
  float* sums;
  KOKKOS_INLINE_FUNCTION void operator()(index g, index h, index w) const {
    const index c = g / planes, d = g % planes;
    sums[c * open.voxels() + open.place(at.d + d, at.h + h, at.w + w)] +=
        weight(d, h, w) * static_cast<float>(p[flipped.place(d, h, w) * channels + c]);
  }
};

// Divides planes by their weights and clears their sums. g: channel, then plane.
struct finish_planes_body {
  float* sums;
  const float* total;
  open_planes open;
  index first, planes;
  float* out;
  KOKKOS_INLINE_FUNCTION void operator()(index g, index h, index w) const {
    const index c = g / planes, d = g % planes, i = open.place(first + d, h, w);
    float& sum = sums[c * open.voxels() + i];
    out[(g * open.size.h + h) * open.size.w + w] = sum / total[i];
    sum = 0;
  }
};

struct clear_planes_body {
  float* total;
  open_planes open;
  index first;
  KOKKOS_INLINE_FUNCTION void operator()(index d, index h, index w) const { total[open.place(first + d, h, w)] = 0; }
};

// Counts voxels with a probability that is not finite.
struct broken_body {
  const float* p;
  index channels, voxels;
  template <class Sums>
  KOKKOS_INLINE_FUNCTION void operator()(index, index i, index, Sums&& sums) const {
    bool broken = false;
    for (index c = 0; c < channels; ++c) {
      const float nothing = p[c * voxels + i] - p[c * voxels + i];
      broken = broken || nothing != 0;  // which NaN does not equal
    }
    sums[0] += broken ? 1 : 0;
  }
};

// The images of a case, from which windows are cut. The host reads them in place.
template <tensor_backend Backend>
class window_cutter {
  using space = typename Backend::space_type;
  using T = typename Backend::scalar_type;

 public:
  // `images`: float, one per modality, all of one size or empty; those that are not `present` are not cut.
  window_cutter(context<Backend>& ctx, const std::vector<volume_view>& images, const std::vector<float>& present,
                const extent3& size, const extent3& window)
      : m_context(&ctx), m_size(size), m_window(window) {
    for (std::size_t m = 0; m < images.size(); ++m) {
      const bool used = images[m] && present[m] == 1;
      const auto values = used ? images[m].values<float>() : std::span<const float>{};
      m_pads.push_back(used ? *std::min_element(values.begin(), values.end()) : 0.f);
      m_images.push_back(values.data());
      if constexpr (!is_host_v<space>) {
        if (!used) continue;
        m_sent.push_back(ctx.template make_of<float>({static_cast<index>(values.size())}));
        copy_from_host(ctx.space(), values.data(), static_cast<index>(values.size()), m_sent.back());
        m_images.back() = m_sent.back().data();
      }
    }
  }
  // (1, D, H, W, 1), padded with the least value of the image where it leaves the volume.
  [[nodiscard]] tensor_of<Backend> operator()(std::size_t modality, const extent3& at, unsigned flips) const {
    const auto out = m_context->make({1, m_window[0], m_window[1], m_window[2], 1});
    ops::each_row(
        *m_context, m_window[0], m_window[1], m_window[2],
        cut_window_body<T>{
            m_images[modality], voxel(m_size), voxel(at), {voxel(m_window), flips}, m_pads[modality], out.data()});
    return out;
  }

 private:
  context<Backend>* m_context;
  extent3 m_size, m_window;
  std::vector<const float*> m_images;
  std::vector<tensor<float, space>> m_sent;
  std::vector<float> m_pads;
};

// The weighted sums of all outputs over the windows that are open.
template <tensor_backend Backend>
class window_sums {
  using space = typename Backend::space_type;
  using T = typename Backend::scalar_type;

 public:
  window_sums(context<Backend>& ctx, const extent3& size, const extent3& window,
              const std::array<std::vector<double>, 3>& weights)
      : m_context(&ctx), m_size(size), m_window(window), m_depth(std::min(size[0], window[0])) {
    for (std::size_t a = 0; a < 3; ++a) {
      m_weights[a] = ctx.template make_of<double>({window[a]});
      copy_from_host(ctx.space(), weights[a], m_weights[a]);
    }
    m_total = zeros(1);
  }

  // Adds the weights of a window.
  void begin_window(const extent3& at) {
    const extent3 inside = inside_of(at);
    ops::each_row(*m_context, inside[0], inside[1], inside[2],
                  add_weight_body{weight(), open(), voxel(at), m_total.data()});
  }
  // Adds the probabilities (1, D, H, W, C) of output k in a window.
  void add(std::size_t k, const tensor_of<Backend>& p, const extent3& at, unsigned flips) {
    const index channels = p.shape()[-1];
    if (m_sums.size() <= k) m_sums.push_back(zeros(channels));
    const extent3 inside = inside_of(at);
    ops::each_row(
        *m_context, channels * inside[0], inside[1], inside[2],
        add_window_body<T>{
            p.data(), channels, inside[0], {voxel(m_window), flips}, weight(), open(), voxel(at), m_sums[k].data()});
  }
  // Hands the planes [first, last), to which no further window adds, to `take`, some at a time.
  // @throws error if a probability is not finite
  template <class Take>
  void finish(index first, index last, const Take& take) {
    index values = 1;  // of a plane of all outputs
    for (const auto& sums : m_sums) values += sums.size() / m_depth;
    const index most = std::max<index>(1, most_values / values);
    for (; first < last; first += most) take(finished(first, std::min(first + most, last)));
  }

 private:
  static constexpr index most_values = index{1} << 26;  // at a time: 256 MiB

  [[nodiscard]] finished_planes<Backend> finished(index first, index last) {
    finished_planes<Backend> done{first, last - first, {}};
    for (const auto& sums : m_sums) {
      const index channels = sums.size() / open().voxels();
      const auto out = m_context->template make_of<float>({channels, done.planes, m_size[1], m_size[2]});
      ops::each_row(*m_context, channels * done.planes, m_size[1], m_size[2],
                    finish_planes_body{sums.data(), m_total.data(), open(), first, done.planes, out.data()});
      refuse_broken(out);
      done.outputs.push_back(out);
    }
    ops::each_row(*m_context, done.planes, m_size[1], m_size[2], clear_planes_body{m_total.data(), open(), first});
    return done;
  }
  [[nodiscard]] open_planes open() const { return {voxel(m_size), m_depth}; }
  [[nodiscard]] window_weight weight() const { return {m_weights[0].data(), m_weights[1].data(), m_weights[2].data()}; }
  [[nodiscard]] extent3 inside_of(const extent3& at) const {
    extent3 inside{};
    for (std::size_t a = 0; a < 3; ++a) inside[a] = std::min(m_window[a], m_size[a] - at[a]);
    return inside;
  }
  [[nodiscard]] tensor<float, space> zeros(index channels) const {
    const auto made = m_context->template make_of<float>({channels * open().voxels()});
    ops::each_row(*m_context, channels * m_depth, m_size[1], m_size[2],
                  clear_planes_body{made.data(), {voxel(m_size), channels * m_depth}, 0});
    return made;
  }
  void refuse_broken(const tensor<float, space>& p) const {
    const index channels = p.shape()[0], voxels = p.size() / channels;
    const auto found = m_context->template make_of<double>({1});
    ops::row_sums<1>(*m_context, 1, voxels, 1, broken_body{p.data(), channels, voxels}, found);
    const auto count = static_cast<index>(to_host(m_context->space(), found)[0]);
    if (count > 0)
      throw error(text("sliding_window: the probabilities of ", count,
                       " voxels are not finite: the weights or the images are broken"));
  }

  context<Backend>* m_context;
  extent3 m_size, m_window;
  index m_depth;
  std::array<tensor<double, space>, 3> m_weights;
  tensor<float, space> m_total;
  std::vector<tensor<float, space>> m_sums;  // per output (C, depth, H, W)
};

}  // namespace infer_detail

#define COMODAL_WINDOWS(kind, Backend)             \
  kind class infer_detail::window_cutter<Backend>; \
  kind class infer_detail::window_sums<Backend>;
COMODAL_COMPILED_ELSEWHERE(COMODAL_WINDOWS)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
