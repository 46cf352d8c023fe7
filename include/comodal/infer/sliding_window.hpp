// SPDX-License-Identifier: Apache-2.0
/// @file
/// Sliding-window inference: overlapping windows, Gaussian weights, the mean of probabilities.
#ifndef COMODAL_INFER_SLIDING_WINDOW_HPP
#define COMODAL_INFER_SLIDING_WINDOW_HPP

#include <comodal/core/compiled.hpp>
#include <comodal/data/volume_view.hpp>
#include <comodal/infer/labelling.hpp>
#include <comodal/infer/probability_map.hpp>
#include <comodal/infer/window_sums.hpp>
#include <comodal/loss/consistency_loss.hpp>
#include <comodal/model/network.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <type_traits>
#include <vector>

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
  const index centre = p / 2;
  for (index i = 0; i < p; ++i) {
    const double x = static_cast<double>(i - centre) / (static_cast<double>(p) / 8);
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

namespace infer_detail {

// @throws shape_error, config_error
inline extent3 expect_windows(const std::vector<volume_view>& images, const std::vector<float>& present,
                              const window_options& options) {
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
  return {grid[2], grid[1], grid[0]};
}

// All sets of the mirrored axes, as bits: 1 D, 2 H, 4 W.
inline std::vector<unsigned> flips_of(const std::vector<int>& axes) {
  unsigned mirrored = 0;
  for (const int axis : axes) mirrored |= 1u << axis;
  std::vector<unsigned> flips;
  for (unsigned flip = 0; flip < 8; ++flip)
    if ((flip & ~mirrored) == 0) flips.push_back(flip);
  return flips;
}

[[nodiscard]] inline probability_map map_of(const extent3& size, index channels) {
  return {size, channels, std::vector<float>(static_cast<std::size_t>(channels * size[0] * size[1] * size[2]))};
}

// Planes of an output, in their place in a map of the whole case.
template <tensor_backend Backend>
void write_planes(context<Backend>& ctx, const finished_planes<Backend>& done, std::size_t k, probability_map& map) {
  const auto values = to_host(ctx.space(), done.outputs[k]);
  const index plane = map.size[1] * map.size[2];
  for (index c = 0; c < map.channels; ++c)
    std::copy_n(values.begin() + c * done.planes * plane, done.planes * plane,
                map.values.begin() + (c * map.size[0] + done.first) * plane);
}

}  // namespace infer_detail

/// Logits (1, D, H, W, C) of each output for M volumes (1, D, H, W, 1) and a presence mask of one sample.
template <tensor_backend Backend>
using window_predictor =
    std::function<std::vector<variable<Backend>>(const std::vector<variable<Backend>>&, const presence<Backend>&)>;
/// What is done with planes as soon as they are finished.
template <tensor_backend Backend>
using planes_taker = std::function<void(const finished_planes<Backend>&)>;

/// Hands the mean probabilities of every output that `predict` returns, over all windows and flips of one case, to
/// `take`: from the first plane to the last, each as soon as no window adds to it. Of
/// the probabilities only the planes of one row of windows are in memory.
/// @param images float; one per modality, empty where absent; one grid
/// @param present (M) which modalities to use; an absent image cannot be present
/// @param predict returns any number of outputs, always the same
/// @throws shape_error, config_error; error if a probability is not finite: what was taken before is worthless then
template <tensor_backend Backend>
void sliding_planes(tape<Backend>& home, const std::vector<volume_view>& images, const std::vector<float>& present,
                    label_kind kind, const window_options& options,
                    const std::type_identity_t<window_predictor<Backend>>& predict,
                    const std::type_identity_t<planes_taker<Backend>>& take) {
  const no_grad_scope<Backend> quiet(home);
  const extent3 size = infer_detail::expect_windows(images, present, options), &window = options.window;
  const presence<Backend> mask(home, 1, static_cast<index>(images.size()), present);
  const auto flips = infer_detail::flips_of(options.mirror);
  const infer_detail::window_cutter<Backend> cut(home.ctx(), images, present, size, window);
  infer_detail::window_sums<Backend> sums(
      home.ctx(), size, window, {window_weights(window[0]), window_weights(window[1]), window_weights(window[2])});
  const auto none =
      home.constant(ops::full(home.ctx(), {1, window[0], window[1], window[2], 1}, typename Backend::scalar_type(0)));

  const auto rows = window_positions(size[0], window[0], options.step);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (const index y : window_positions(size[1], window[1], options.step))
      for (const index x : window_positions(size[2], window[2], options.step))
        for (const unsigned flip : flips) {
          const extent3 at{rows[row], y, x};
          std::vector<variable<Backend>> volumes;
          for (std::size_t m = 0; m < images.size(); ++m)
            volumes.push_back(images[m] && present[m] == 1 ? home.constant(cut(m, at, flip)) : none);
          const std::vector<variable<Backend>> logits = predict(volumes, mask);
          sums.begin_window(at);
          for (std::size_t k = 0; k < logits.size(); ++k) sums.add(k, probabilities(logits[k], kind).value(), at, flip);
        }
    take(sums.finish(rows[row], row + 1 < rows.size() ? rows[row + 1] : size[0]));
  }
}

/// The same as whole maps on the host, one per output. @throws as `sliding_planes`
template <tensor_backend Backend>
[[nodiscard]] std::vector<probability_map> sliding_window(
    tape<Backend>& home, const std::vector<volume_view>& images, const std::vector<float>& present, label_kind kind,
    const window_options& options, const std::type_identity_t<window_predictor<Backend>>& predict) {
  std::vector<probability_map> maps;
  const extent3 size = infer_detail::expect_windows(images, present, options);
  sliding_planes(home, images, present, kind, options, predict, [&](const finished_planes<Backend>& done) {
    for (std::size_t k = 0; k < done.outputs.size(); ++k) {
      if (maps.size() <= k) maps.push_back(infer_detail::map_of(size, done.outputs[k].shape()[0]));
      infer_detail::write_planes(home.ctx(), done, k, maps[k]);
    }
  });
  return maps;
}

#define COMODAL_SLIDING(kind, Backend)                                                                             \
  kind void sliding_planes(tape<Backend>&, const std::vector<volume_view>&, const std::vector<float>&, label_kind, \
                           const window_options&, const window_predictor<Backend>&, const planes_taker<Backend>&); \
  kind std::vector<probability_map> sliding_window(tape<Backend>&, const std::vector<volume_view>&,                \
                                                   const std::vector<float>&, label_kind, const window_options&,   \
                                                   const window_predictor<Backend>&);
COMODAL_COMPILED_ELSEWHERE(COMODAL_SLIDING)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
