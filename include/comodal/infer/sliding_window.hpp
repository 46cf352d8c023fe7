// SPDX-License-Identifier: Apache-2.0
/// @file
/// Sliding-window inference: overlapping windows, Gaussian weights, the mean of probabilities.
#ifndef COMODAL_INFER_SLIDING_WINDOW_HPP
#define COMODAL_INFER_SLIDING_WINDOW_HPP

#include <comodal/core/host_tasks.hpp>
#include <comodal/core/loops.hpp>
#include <comodal/data/volume_view.hpp>
#include <comodal/loss/consistency_loss.hpp>
#include <comodal/model/network.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace comodal::inline COMODAL_CONFIG {

/// First voxels of the windows along an axis of n voxels: evenly spread, at most `step` . window apart (nnU-Net's
/// rule).
[[nodiscard]] inline std::vector<index> window_positions(index n, index window, double step = 0.5) {
  if (n <= window) return {0};
  const auto gaps = static_cast<index>(
      std::ceil(static_cast<double>(n - window) / std::max(1.0, static_cast<double>(window) * step)));
  std::vector<index> positions;
  for (index i = 0; i <= gaps; ++i) {
    const double exact = static_cast<double>(i) * static_cast<double>(n - window) / static_cast<double>(gaps);
    positions.push_back(static_cast<index>(std::nearbyint(exact)));
  }
  return positions;
}

/// Weights along one axis of a window: exp(-((i - floor(p / 2)) / (p / 8))^2 / 2); a window's weight is the product of
/// three.
[[nodiscard]] inline std::vector<double> window_weights(index p) {
  std::vector<double> weights;
  for (index i = 0; i < p; ++i) {
    const double x = static_cast<double>(i - p / 2) / (static_cast<double>(p) / 8);
    weights.push_back(std::exp(-0.5 * x * x));
  }
  return weights;
}

/// How windows are laid and what is done in each.
struct window_options {
  extent3 window{};           // (D, H, W), usually the training patch
  double step = 0.5;          // of the window between neighbours
  std::vector<int> mirror{};  // axes (0 D, 1 H, 2 W): the mean over all flips along them
};

/// Probability maps of one case, by output: `values[(c * D + d) * H * W + h * W + w]`.
struct probability_map {
  extent3 size{};
  index channels = 0;
  std::vector<float> values;
};

namespace detail {

// Copies a window of a volume, padded with `pad`, optionally flipped, to `out` (D, H, W).
template <class T>
void cut_window(const float* from, const extent3& size, const extent3& at, const extent3& window, unsigned flips,
                float pad, T* out) {
  const index inside = std::clamp<index>(size[2] - at[2], 0, window[2]);
  host_loop(window[0], true, [&](index d) {
    for (index h = 0; h < window[1]; ++h) {
      const index z = at[0] + (flips & 1 ? window[0] - 1 - d : d), y = at[1] + (flips & 2 ? window[1] - 1 - h : h);
      T* const row = out + (d * window[1] + h) * window[2];
      const bool outside = z >= size[0] || y >= size[1];
      const float* const values = outside ? nullptr : from + (z * size[1] + y) * size[2] + at[2];
      for (index w = 0; w < window[2]; ++w)
        row[flips & 4 ? window[2] - 1 - w : w] = static_cast<T>(outside || w >= inside ? pad : values[w]);
    }
  });
}

// Adds a window's probabilities p (D, H, W, C), which may be flipped, times its weights to a map, and the weights to
// `total` where it is not null.
template <class T>
void add_window(const T* p, const std::array<std::vector<double>, 3>& weights, const extent3& at, const extent3& window,
                unsigned flips, probability_map& map, float* total) {
  const extent3& size = map.size;
  const index voxels = size[0] * size[1] * size[2], width = std::min(window[2], size[2] - at[2]),
              step = (flips & 4 ? -1 : 1) * map.channels;
  host_loop(std::min(window[0], size[0] - at[0]), true, [&](index d) {
    for (index h = 0; h < std::min(window[1], size[1] - at[1]); ++h) {
      const double plane = weights[0][static_cast<std::size_t>(d)] * weights[1][static_cast<std::size_t>(h)],
                   *const along = weights[2].data();
      const index fd = flips & 1 ? window[0] - 1 - d : d, fh = flips & 2 ? window[1] - 1 - h : h;
      const T* const row = p + ((fd * window[1] + fh) * window[2] + (flips & 4 ? window[2] - 1 : 0)) * map.channels;
      const index first = ((at[0] + d) * size[1] + at[1] + h) * size[2] + at[2];
      for (index w = 0; total && w < width; ++w) total[first + w] += static_cast<float>(plane * along[w]);
      for (index c = 0; c < map.channels; ++c) {
        float* const out = map.values.data() + c * voxels + first;
#pragma omp simd
        for (index w = 0; w < width; ++w)
          out[w] += static_cast<float>(plane * along[w]) * static_cast<float>(row[w * step + c]);
      }
    }
  });
}

}  // namespace detail

/// Mean probabilities of every output that `predict` returns, over all windows and flips of one case.
/// @param images float; one per modality, empty where absent; one grid
/// @param present (M) which modalities to use; an absent image cannot be present
/// @param predict takes M volumes (1, D, H, W, 1) and a presence mask of one sample and returns logits (1, D, H, W, C),
/// any number of
///        them, always the same
/// @throws shape_error, config_error; error if a probability is not finite
template <tensor_backend Backend, class Predict>
[[nodiscard]] std::vector<probability_map> sliding_window(tape<Backend>& home, const std::vector<volume_view>& images,
                                                          const std::vector<float>& present, label_kind kind,
                                                          const window_options& options, Predict&& predict) {
  using T = typename Backend::scalar_type;
  auto& ctx = home.ctx();
  const no_grad_scope<Backend> quiet(home);
  const auto first = std::find_if(images.begin(), images.end(), [](const volume_view& v) { return !v.empty(); });
  if (first == images.end()) throw config_error("sliding_window: the case has no modality at all");
  const auto& grid = first->grid().size;
  for (std::size_t m = 0; m < images.size(); ++m) {
    if (!images[m] && m < present.size() && present[m] == 1)
      throw config_error(text("sliding_window: modality ", m, " is to be used, but the case has no image of it"));
    if (images[m] && images[m].grid().size != grid)
      throw shape_error(text("sliding_window: modality ", m, " is not on the grid of the others"));
  }
  for (const index v : options.window)
    if (v < 1) throw config_error(text("sliding_window: a window of ", v, " voxels, expected 1 or more"));
  if (!(options.step > 0 && options.step <= 1))
    throw config_error(text("sliding_window: step ", options.step, ", expected more than 0 and at most 1"));
  for (const int axis : options.mirror)
    if (axis < 0 || axis > 2)
      throw config_error(text("sliding_window: mirror axis ", axis, ", expected 0 (D), 1 (H) or 2 (W)"));
  const extent3 size{grid[2], grid[1], grid[0]}, window = options.window;
  std::vector<float> pads;
  for (const volume_view& v : images) {
    const auto values = v ? v.values<float>() : std::span<const float>{};
    pads.push_back(v ? *std::min_element(values.begin(), values.end()) : 0.f);
  }
  const presence<Backend> mask(home, 1, static_cast<index>(images.size()), present);

  unsigned mirrored = 0;
  for (const int axis : options.mirror) mirrored |= 1u << axis;
  std::vector<unsigned> flips;
  for (unsigned flip = 0; flip < 8; ++flip)
    if ((flip & ~mirrored) == 0) flips.push_back(flip);

  const std::array<std::vector<double>, 3> weights{window_weights(window[0]), window_weights(window[1]),
                                                   window_weights(window[2])};
  std::vector<float> total(static_cast<std::size_t>(size[0] * size[1] * size[2]), 0.f);
  std::vector<probability_map> maps;
  std::vector<T> cut(static_cast<std::size_t>(window[0] * window[1] * window[2]));

  for (const index z : window_positions(size[0], window[0], options.step))
    for (const index y : window_positions(size[1], window[1], options.step))
      for (const index x : window_positions(size[2], window[2], options.step))
        for (const unsigned flip : flips) {
          std::vector<variable<Backend>> volumes;
          for (std::size_t m = 0; m < images.size(); ++m) {
            if (images[m] && present[m] == 1)
              detail::cut_window(images[m].values<float>().data(), size, {z, y, x}, window, flip, pads[m], cut.data());
            else
              std::fill(cut.begin(), cut.end(), T(0));
            volumes.push_back(home.constant({1, window[0], window[1], window[2], 1}, cut));
          }
          const std::vector<variable<Backend>> logits = predict(volumes, mask);
          for (std::size_t k = 0; k < logits.size(); ++k) {
            const index channels = logits[k].extent(-1);
            if (maps.size() <= k)
              maps.push_back(
                  {size, channels, std::vector<float>(static_cast<std::size_t>(channels) * total.size(), 0.f)});
            const auto p = probabilities(logits[k], kind);
            float* const sum = k == 0 ? total.data() : nullptr;
            if constexpr (is_host_v<typename Backend::space_type>) {  // where kernels are done when they return
              detail::add_window(p.value().data(), weights, {z, y, x}, window, flip, maps[k], sum);
            } else {
              detail::add_window(to_host(ctx.space(), p.value()).data(), weights, {z, y, x}, window, flip, maps[k],
                                 sum);
            }
          }
        }
  std::size_t broken = 0;
  for (auto& map : maps)
    for (index c = 0; c < map.channels; ++c) {
      float* const p = map.values.data() + c * static_cast<index>(total.size());
      broken += host_sum(static_cast<index>(total.size()), std::size_t{0}, [&](index first, index last) {
        std::size_t found = 0;
        for (index i = first; i < last; ++i) {
          p[i] /= total[static_cast<std::size_t>(i)];
          found += !std::isfinite(p[i]);
        }
        return found;
      });
    }
  if (broken > 0)
    throw error(
        text("sliding_window: ", broken, " probabilities are not finite: the weights or the images are broken"));
  return maps;
}

/// The class of the highest probability at each voxel; ties go to the lower class.
[[nodiscard]] inline std::vector<std::uint8_t> most_probable(const probability_map& map) {
  constexpr index block = 4096;
  const index voxels = static_cast<index>(map.values.size()) / map.channels;
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(voxels), 0);
  host_loop((voxels + block - 1) / block, true, [&](index t) {
    const index first = t * block, count = std::min(block, voxels - first);
    std::uint8_t* const chosen = labels.data() + first;
    float best[block];
    std::copy_n(map.values.data() + first, count, best);
    for (index c = 1; c < map.channels; ++c) {
      const float* const p = map.values.data() + c * voxels + first;
#pragma omp simd
      for (index i = 0; i < count; ++i) {
        chosen[i] = p[i] > best[i] ? static_cast<std::uint8_t>(c) : chosen[i];
        best[i] = p[i] > best[i] ? p[i] : best[i];
      }
    }
  });
  return labels;
}

/// Labels from region probabilities: each voxel takes the label of the last region in order whose probability exceeds
/// 1/2 (nnU-Net's `regions_class_order`), else 0.
[[nodiscard]] inline std::vector<std::uint8_t> labels_of_regions(const probability_map& map,
                                                                 const std::vector<std::uint8_t>& order) {
  if (static_cast<index>(order.size()) != map.channels)
    throw config_error(text("labels_of_regions: ", order.size(), " labels for ", map.channels, " regions"));
  const std::size_t voxels = map.values.size() / order.size();
  std::vector<std::uint8_t> labels(voxels, 0);
  for (std::size_t c = 0; c < order.size(); ++c)
    for (std::size_t i = 0; i < voxels; ++i)
      if (map.values[c * voxels + i] > 0.5f) labels[i] = order[c];
  return labels;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
