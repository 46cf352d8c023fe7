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
  extent3 window{};                        // (D, H, W), usually the training patch
  double step = 0.5;                       // of the window between neighbours
  std::vector<int> mirror{};               // axes (0 D, 1 H, 2 W): the mean over all flips along them
  double memory = 1.5 * (index{1} << 30);  // bytes of sums that may be open at once: more outputs than that are made
                                           // one after another, with the network computed anew for each
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

/// One of the networks whose probabilities are averaged, with the images that were prepared for it.
template <tensor_backend Backend>
struct window_model {
  std::vector<volume_view> images;    // float; one per modality, empty where absent; one grid, that of all models
  window_predictor<Backend> predict;  // returns any number of outputs, always the same, as all models do
};

namespace infer_detail {

// The windows of several models: those with the same images share them.
template <tensor_backend Backend>
class model_windows {
 public:
  model_windows(context<Backend>& ctx, const std::vector<window_model<Backend>>& models,
                const std::vector<float>& present, const extent3& size, const extent3& window) {
    for (const auto& model : models) {
      const auto same = std::find_if(models.begin(), models.begin() + static_cast<std::ptrdiff_t>(m_cutter.size()),
                                     [&](const auto& other) { return same_images(other.images, model.images); });
      const auto number = static_cast<std::size_t>(same - models.begin());
      m_cutter.push_back(number < m_cutter.size() ? m_cutter[number] : m_cutters.size());
      if (m_cutter.back() == m_cutters.size()) m_cutters.emplace_back(ctx, model.images, present, size, window);
    }
  }
  // True if the windows of this model are those of the one before.
  [[nodiscard]] bool repeats(std::size_t model) const { return model > 0 && m_cutter[model] == m_cutter[model - 1]; }
  [[nodiscard]] const window_cutter<Backend>& cutter(std::size_t model) const { return m_cutters[m_cutter[model]]; }

 private:
  static bool same_images(const std::vector<volume_view>& a, const std::vector<volume_view>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const volume_view& x, const volume_view& y) { return x.data() == y.data(); });
  }
  std::vector<window_cutter<Backend>> m_cutters;
  std::vector<std::size_t> m_cutter;  // by model
};

// @return (D, H, W) @throws as `expect_windows`; config_error without a model; shape_error for models of several sizes
template <tensor_backend Backend>
extent3 expect_models(const std::vector<window_model<Backend>>& models, const std::vector<float>& present,
                      const window_options& options) {
  if (models.empty()) throw config_error("sliding_window: no model, expected at least one");
  const extent3 size = expect_windows(models[0].images, present, options);
  for (const auto& model : models)
    if (model.images.size() != models[0].images.size() || expect_windows(model.images, present, options) != size)
      throw shape_error("sliding_window: the images of the models differ in number or size");
  return size;
}

}  // namespace infer_detail

/// Hands the mean probabilities of every output, over all windows, flips and models of one case, to
/// `take`: from the first plane to the last, each as soon as no window adds to it. Of
/// the probabilities only the planes of one row of windows are in memory.
/// @param present (M) which modalities to use; an absent image cannot be present
/// @throws shape_error, config_error; error if a probability is not finite: what was taken before is worthless then
template <tensor_backend Backend>
void sliding_planes(tape<Backend>& home, const std::vector<window_model<Backend>>& models,
                    const std::vector<float>& present, label_kind kind, const window_options& options,
                    const std::type_identity_t<planes_taker<Backend>>& take) {
  const no_grad_scope<Backend> quiet(home);
  const extent3 size = infer_detail::expect_models(models, present, options), &window = options.window;
  const std::size_t modalities = models[0].images.size();
  const presence<Backend> mask(home, 1, static_cast<index>(modalities), present);
  const auto flips = infer_detail::flips_of(options.mirror);
  const infer_detail::model_windows<Backend> windows(home.ctx(), models, present, size, window);
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
          for (std::size_t n = 0; n < models.size(); ++n) {
            if (!windows.repeats(n)) volumes.clear();
            for (std::size_t m = volumes.size(); m < modalities; ++m)
              volumes.push_back(present[m] == 1 ? home.constant(windows.cutter(n)(m, at, flip)) : none);
            const std::vector<variable<Backend>> logits = models[n].predict(volumes, mask);
            sums.begin_window(at);
            for (std::size_t k = 0; k < logits.size(); ++k)
              sums.add(k, probabilities(logits[k], kind).value(), at, flip);
          }
        }
    sums.finish(rows[row], row + 1 < rows.size() ? rows[row + 1] : size[0], take);
  }
}

/// The same of one model. @param images, predict as of `window_model`
template <tensor_backend Backend>
void sliding_planes(tape<Backend>& home, const std::vector<volume_view>& images, const std::vector<float>& present,
                    label_kind kind, const window_options& options,
                    const std::type_identity_t<window_predictor<Backend>>& predict,
                    const std::type_identity_t<planes_taker<Backend>>& take) {
  sliding_planes<Backend>(home, std::vector{window_model<Backend>{images, predict}}, present, kind, options, take);
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

#define COMODAL_SLIDING(kind, Backend)                                                                           \
  kind void sliding_planes(tape<Backend>&, const std::vector<window_model<Backend>>&, const std::vector<float>&, \
                           label_kind, const window_options&, const planes_taker<Backend>&);                     \
  kind std::vector<probability_map> sliding_window(tape<Backend>&, const std::vector<volume_view>&,              \
                                                   const std::vector<float>&, label_kind, const window_options&, \
                                                   const window_predictor<Backend>&);
COMODAL_COMPILED_ELSEWHERE(COMODAL_SLIDING)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
