// SPDX-License-Identifier: Apache-2.0
/// @file
/// Heads that project the streams' maps to unit vectors at drawn cells, and what a step knows of these cells.
#ifndef COMODAL_SSL_PARTS_FEATURE_HEADS_HPP
#define COMODAL_SSL_PARTS_FEATURE_HEADS_HPP

#include <comodal/model/presence.hpp>
#include <comodal/nn/parameters.hpp>
#include <comodal/ssl/parts/cell_classes.hpp>
#include <comodal/ssl/parts/constant_function.hpp>
#include <comodal/ssl/parts/feature_kernels.hpp>
#include <comodal/ssl/parts/feature_memory.hpp>

#include <algorithm>
#include <memory>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// What features are compared by: cell against cell, or through prototypes of the classes.
enum class feature_comparison { cells, prototypes };

/// How features are compared.
struct feature_contrast_options {
  feature_comparison kind = feature_comparison::cells;
  std::vector<index> stages;  // numbers from 0, the finest
  index positions = 256;      // cells per crop and stage, shared out over the classes
  double temperature = 0.1;
  index queue = 32;  // crops of earlier steps whose class means are negatives
};

/// What a step knows of its N crops.
template <tensor_backend Backend>
struct feature_view {
  const std::vector<std::vector<variable<Backend>>>& streams;  // [stage][modality], (N, d, h, w, c)
  variable<Backend> target;                                    // (N, D, H, W, C)
  variable<Backend> confidence;                                // (N, D, H, W)
  variable<Backend> counts;                                    // (N, C): the classes that count
  presence<Backend> present;                                   // (N, M)
  patients_of_samples<Backend> patients;
};

/// The drawn cells of one stage: N crops of K places each.
template <tensor_backend Backend>
struct drawn_cells {
  drawn_positions<Backend> at;
  variable<Backend> weight;                 // (N, K)
  std::vector<variable<Backend>> features;  // unit vectors per modality, (N K, E)
};

/// A head per stage and modality: 1x1x1 convolutions to 64 and 32 channels, leaky ReLU between them, brought to length
/// 1; computed at drawn cells alone.
template <tensor_backend Backend>
class feature_heads {
  using T = typename Backend::scalar_type;

 public:
  /// @param channels of the streams, by stage @param classes channels of the target
  /// @param seed decides the initial weights @throws config_error for a stage that the network lacks
  feature_heads(tape<Backend>& home, const std::vector<index>& channels, index modalities, label_kind kind,
                index classes, const feature_contrast_options& options, std::uint64_t seed)
      : m_store(std::make_shared<parameter_store<Backend>>(home, seed)),
        m_stages(options.stages),
        m_positions(options.positions),
        m_kind(kind),
        m_channels(classes),
        m_foreground(foreground_classes(kind, classes)),
        m_modalities(modalities) {
    const parameter_scope<Backend> root(*m_store);
    for (const index s : m_stages) {
      if (s < 0 || s >= static_cast<index>(channels.size()))
        throw config_error(text("feature contrast: stage ", s + 1, ", the network has ", channels.size()));
      for (index m = 0; m < modalities; ++m) {
        const auto at = root / "stage" / s / m;
        m_heads.push_back({at.he_normal("hidden", {channels[static_cast<std::size_t>(s)], ssl_detail::hidden_width}),
                           at.he_normal("out", {ssl_detail::hidden_width, ssl_detail::feature_width}, 1)});
      }
    }
  }

  [[nodiscard]] const parameter_store<Backend>& parameters() const { return *m_store; }
  /// Classes of cells: those of foreground, and the background.
  [[nodiscard]] index classes() const { return m_foreground + 1; }
  /// One row per stage, modality and class, and the first of a stage and modality.
  [[nodiscard]] index rows() const { return static_cast<index>(m_stages.size()) * m_modalities * classes(); }
  [[nodiscard]] index row(std::size_t stage, index m) const {
    return (static_cast<index>(stage) * m_modalities + m) * classes();
  }

  /// Voxels near foreground, for `draw`.
  [[nodiscard]] variable<Backend> near(const feature_view<Backend>& view) const {
    return near_foreground(view.target, m_kind, ssl_detail::border_voxels);
  }
  /// Draws the cells of the s-th of the stages, and projects them.
  [[nodiscard]] drawn_cells<Backend> draw(const feature_view<Backend>& view, const variable<Backend>& near,
                                          std::size_t s, const step_request& request) const {
    auto& ctx = view.target.ctx();
    const auto& maps = view.streams[static_cast<std::size_t>(m_stages[s])];
    extent3 window{};
    for (std::size_t a = 0; a < 3; ++a)
      window[a] = view.target.extent(static_cast<int>(a) + 1) / maps[0].extent(static_cast<int>(a) + 1);
    const auto groups = groups_of_cells(view.target, near, m_kind, window);
    drawn_cells<Backend> cells;
    cells.at = draw_positions<Backend>(view.target.home(), groups, places(), request, text("features ", s));
    const shape& t = view.target.shape();
    const auto coarse = average_pool3d(reshape(detach(view.confidence), {t[0], t[1], t[2], t[3], 1}), window);
    const auto rows_of = [](const variable<Backend>& x) {
      return reshape(x, {x.extent(0), x.shape().product(1, 4), x.extent(4)});
    };
    const auto sure = gather(rows_of(coarse), cells.at);
    auto weight = ctx.make(cells.at.filled.shape());
    ops::each(ctx, weight.size(),
              ssl_detail::place_weight_body<T>{weight.shape()[1], m_foreground, m_kind == label_kind::classes ? 1 : 0,
                                               m_channels, cells.at.groups.data(), cells.at.filled.value().data(),
                                               sure.value().data(), view.counts.value().data(), weight.data()});
    cells.weight = view.target.home().constant(weight);
    for (index m = 0; m < m_modalities; ++m) {
      const auto drawn_rows = gather(rows_of(maps[static_cast<std::size_t>(m)]), cells.at);
      const head& h = m_heads[s * static_cast<std::size_t>(m_modalities) + static_cast<std::size_t>(m)];
      const auto flat = reshape(drawn_rows, {drawn_rows.extent(0) * drawn_rows.extent(1), drawn_rows.extent(2)});
      cells.features.push_back(l2_normalize(matmul(leaky_relu(matmul(flat, h.hidden)), h.out), 1));
    }
    return cells;
  }

  /// The unit mean of each class's features of modality m in each crop, (N, C, E), a constant; zeros for fewer than
  /// four cells, and where the crop lacks m.
  [[nodiscard]] variable<Backend> class_means(const drawn_cells<Backend>& cells, const presence<Backend>& present,
                                              index m) const {
    const no_grad_scope<Backend> quiet(m_store->home());
    const auto& features = cells.features[static_cast<std::size_t>(m)];
    const index samples = cells.weight.extent(0), places = cells.weight.extent(1);
    const auto member = reshape(membership(cells, 0), {samples, places, classes()});
    const auto has = reshape(slice(present.mask(), 1, m, m + 1), {samples, 1, 1});
    const auto mean =
        matmul(member, reshape(detach(features), {samples, places, features.extent(1)}), ops::transposed::a);
    const auto number = reshape(sum(member, {1}), {samples, classes(), 1});
    const auto enough = constant_function(ssl_detail::enough{ssl_detail::least_positions}, number);
    return detach(l2_normalize(mean, 2) * enough * has);
  }
  /// 1 where a place of weight, at least `least_weight`, belongs to a class: (N K, C), a constant.
  [[nodiscard]] variable<Backend> membership(const drawn_cells<Backend>& cells, double least_weight) const {
    auto& ctx = cells.weight.ctx();
    auto member = ctx.make({cells.weight.shape().size(), classes()});
    ops::each(ctx, member.size(),
              ssl_detail::membership_body<T>{m_foreground, least_weight, cells.at.groups.data(),
                                             cells.weight.value().data(), member.data()});
    return cells.weight.home().constant(member);
  }

 private:
  struct head {
    variable<Backend> hidden, out;
  };

  // Equal shares for all classes; half of the background's near foreground.
  [[nodiscard]] std::vector<index> places() const {
    const index share = std::max<index>(1, m_positions / classes());
    std::vector<index> out(static_cast<std::size_t>(m_foreground), share);
    out.push_back(std::max<index>(1, share / 2));
    out.push_back(std::max<index>(1, share - share / 2));
    return out;
  }

  std::shared_ptr<parameter_store<Backend>> m_store;
  std::vector<index> m_stages;  // numbers from 0, the finest
  index m_positions;
  label_kind m_kind;
  index m_channels, m_foreground, m_modalities;
  std::vector<head> m_heads;  // by stage, then modality
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
