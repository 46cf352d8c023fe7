// SPDX-License-Identifier: Apache-2.0
/// @file
/// Contrast between the features of modalities at drawn cells (method.md 5(d)), and prototypes of classes that
/// modalities share (5(f)).
#ifndef COMODAL_SSL_PARTS_FEATURE_CONTRAST_HPP
#define COMODAL_SSL_PARTS_FEATURE_CONTRAST_HPP

#include <comodal/autograd/reduction.hpp>
#include <comodal/model/presence.hpp>
#include <comodal/ssl/parts/cell_classes.hpp>
#include <comodal/ssl/parts/constant_function.hpp>
#include <comodal/ssl/parts/feature_kernels.hpp>
#include <comodal/ssl/parts/feature_memory.hpp>

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

/// The loss and what is reported with it, all scalars.
template <tensor_backend Backend>
struct feature_terms {
  variable<Backend> loss;
  variable<Backend> aligned;  // mean cosine of two modalities' features of the same cell
  variable<Backend> others;   // the same of cells of different classes
};

/// Heads that project the streams' maps to unit vectors, per stage and modality (1x1x1 convolutions to 64 and 32
/// channels, on drawn cells alone), and the comparison of these vectors between modalities. Heads are trained with the
/// network and are no part of a predictor.
template <tensor_backend Backend>
class feature_contrast {
  using T = typename Backend::scalar_type;

 public:
  /// @param channels of the streams, by stage @param classes channels of the target
  /// @param seed decides the initial weights of the heads
  /// @throws config_error for a stage that the network lacks
  feature_contrast(tape<Backend>& home, const std::vector<index>& channels, index modalities, label_kind kind,
                   index classes, const feature_contrast_options& options, std::uint64_t seed)
      : m_store(std::make_shared<parameter_store<Backend>>(home, seed)),
        m_options(options),
        m_kind(kind),
        m_channels(classes),
        m_foreground(foreground_classes(kind, classes)),
        m_modalities(modalities),
        m_queue(home, options.kind == feature_comparison::cells ? options.queue : 0, rows(), ssl_detail::feature_width),
        m_prototypes(home, rows(), ssl_detail::feature_width) {
    const parameter_scope<Backend> root(*m_store);
    for (const index s : options.stages) {
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

  /// The loss of a step, over ordered pairs of modalities that a crop has both.
  /// @param weigh `weigh(m, n)` -> a scalar variable: how much m learns from n; empty: 1
  template <class Weigh>
  [[nodiscard]] feature_terms<Backend> operator()(const feature_view<Backend>& view, const step_request& request,
                                                  const Weigh& weigh) {
    m_patients = view.patients;
    m_means.clear();
    const auto near = near_foreground(view.target, m_kind, ssl_detail::border_voxels);
    sums total;
    for (std::size_t s = 0; s < m_options.stages.size(); ++s) {
      const drawn cells = draw(view, near, s, request);
      for (index m = 0; m < m_modalities; ++m)
        m_means.push_back(class_means(cells.features[static_cast<std::size_t>(m)], cells, view.present, m));
      sums stage;
      for (index m = 0; m < m_modalities; ++m)
        for (index n = 0; n < m_modalities; ++n)
          if (m != n) compare(cells, view, s, m, n, weigh(m, n), stage);
      total.loss = plus(total.loss, divide(stage.loss, least(stage.weight)));
      total.aligned = plus(total.aligned, divide(stage.aligned, least(stage.weight)));
      total.others = plus(total.others, divide(stage.others, least(stage.weight)));
    }
    const double share = 1 / static_cast<double>(m_options.stages.size());
    return {total.loss * share, detach(total.aligned * share), detach(total.others * share)};
  }

  /// Takes the class means of the last step into queue and prototypes. Call it once per step, after the backward pass.
  void remember() {
    auto& ctx = m_store->home().ctx();
    if (m_means.empty()) return;
    const no_grad_scope<Backend> quiet(m_store->home());
    const auto all = concat(m_means, 1);  // (N, rows, E)
    if (m_options.kind == feature_comparison::cells)
      m_queue.push(ctx, all.value(), m_patients);
    else
      m_prototypes.follow(ctx, reshape(sum(all, {0}), {all.extent(1), all.extent(2)}).value());
    m_means.clear();
  }
  /// Waits for the device.
  void save(safetensors_file& file) const {
    auto& ctx = m_store->home().ctx();
    if (m_options.kind == feature_comparison::cells)
      m_queue.save(ctx, file);
    else
      m_prototypes.save(ctx, file);
  }
  /// @throws io_error for arrays that are missing or do not fit
  void load(const safetensors_file& file) {
    auto& ctx = m_store->home().ctx();
    if (m_options.kind == feature_comparison::cells)
      m_queue.load(ctx, file);
    else
      m_prototypes.load(ctx, file);
  }

 private:
  struct head {
    variable<Backend> hidden, out;
  };
  // The drawn cells of one stage: A = N K places.
  struct drawn {
    drawn_positions<Backend> at;
    variable<Backend> weight;                 // (N, K)
    std::vector<variable<Backend>> features;  // per modality, (A, E)
  };
  struct sums {
    variable<Backend> loss, weight, aligned, others;
  };

  static variable<Backend> plus(const variable<Backend>& a, const variable<Backend>& b) { return a ? a + b : b; }
  static variable<Backend> least(const variable<Backend>& x) {
    return constant_function(ssl_detail::at_least_number{1e-6}, x);
  }
  [[nodiscard]] index classes() const { return m_foreground + 1; }
  [[nodiscard]] index rows() const { return static_cast<index>(m_options.stages.size()) * m_modalities * classes(); }
  // The first row of a stage and modality in queue and prototypes.
  [[nodiscard]] index row(std::size_t stage, index m) const {
    return (static_cast<index>(stage) * m_modalities + m) * classes();
  }

  // Equal shares for all classes; half of the background's near foreground.
  [[nodiscard]] std::vector<index> places() const {
    const index share = std::max<index>(1, m_options.positions / classes());
    std::vector<index> out(static_cast<std::size_t>(m_foreground), share);
    out.push_back(std::max<index>(1, share / 2));
    out.push_back(std::max<index>(1, share - share / 2));
    return out;
  }

  [[nodiscard]] drawn draw(const feature_view<Backend>& view, const variable<Backend>& near, std::size_t s,
                           const step_request& request) const {
    auto& ctx = view.target.ctx();
    const auto& maps = view.streams[static_cast<std::size_t>(m_options.stages[s])];
    extent3 window{};
    for (std::size_t a = 0; a < 3; ++a)
      window[a] = view.target.extent(static_cast<int>(a) + 1) / maps[0].extent(static_cast<int>(a) + 1);
    const auto groups = groups_of_cells(view.target, near, m_kind, window);
    drawn cells;
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

  // The unit mean of each class's features of modality m in each crop, (N, C, E); zeros for fewer than four cells.
  [[nodiscard]] variable<Backend> class_means(const variable<Backend>& features, const drawn& cells,
                                              const presence<Backend>& present, index m) const {
    const no_grad_scope<Backend> quiet(m_store->home());
    const index samples = cells.weight.extent(0), places = cells.weight.extent(1);
    const auto member = reshape(membership(cells, 0), {samples, places, classes()});
    const auto has = reshape(slice(present.mask(), 1, m, m + 1), {samples, 1, 1});
    const auto mean =
        matmul(member, reshape(detach(features), {samples, places, features.extent(1)}), ops::transposed::a);
    const auto number = reshape(sum(member, {1}), {samples, classes(), 1});
    const auto enough = constant_function(ssl_detail::enough{ssl_detail::least_positions}, number);
    return detach(l2_normalize(mean, 2) * enough * has);
  }
  [[nodiscard]] variable<Backend> membership(const drawn& cells, double least_weight) const {
    auto& ctx = cells.weight.ctx();
    auto member = ctx.make({cells.weight.shape().size(), classes()});
    ops::each(ctx, member.size(),
              ssl_detail::membership_body<T>{m_foreground, least_weight, cells.at.groups.data(),
                                             cells.weight.value().data(), member.data()});
    return cells.weight.home().constant(member);
  }

  // Adds what m learns from n at one stage.
  void compare(const drawn& cells, const feature_view<Backend>& view, std::size_t s, index m, index n,
               const variable<Backend>& by, sums& stage) const {
    const index all = cells.weight.shape().size();
    const auto& own = cells.features[static_cast<std::size_t>(m)];
    const auto partner = detach(cells.features[static_cast<std::size_t>(n)]);
    const auto has = [&](index k) { return slice(view.present.mask(), 1, k, k + 1); };  // (N, 1)
    const auto weight = reshape(cells.weight * (has(m) * has(n)), {all, 1});
    const variable<Backend> losses =
        m_options.kind == feature_comparison::cells
            ? cell_losses(own, partner, place_penalties(cells, view.present, n), cells, s, n)
            : voxel_losses(own, partner, s, m, n);
    auto loss = sum(losses * weight);
    if (m_options.kind == feature_comparison::prototypes)
      loss = loss + class_loss(own, weight, cells, s, n) * sum(weight);
    stage.loss = plus(stage.loss, by ? multiply(loss, by) : loss);
    stage.weight = plus(stage.weight, sum(weight));
    stage.aligned = plus(stage.aligned, sum(detach(own) * partner * weight));
    stage.others = plus(stage.others, sum(cosines_with_others(detach(own), partner, cells, weight) * weight));
  }

  [[nodiscard]] variable<Backend> place_penalties(const drawn& cells, const presence<Backend>& present, index n) const {
    auto& ctx = cells.weight.ctx();
    const index all = cells.weight.shape().size();
    auto penalty = ctx.make({all, all});
    ops::each(ctx, penalty.size(),
              ssl_detail::place_pairs_body<T>{cells.weight.extent(1), all, m_foreground, n, m_modalities,
                                              cells.at.groups.data(), cells.weight.value().data(),
                                              present.mask().value().data(), penalty.data()});
    return cells.weight.home().constant(penalty);
  }
  // The mean cosine with the partner's places of other classes, (A, 1): that with the mean of these places.
  [[nodiscard]] variable<Backend> cosines_with_others(const variable<Backend>& own, const variable<Backend>& partner,
                                                      const drawn& cells, const variable<Backend>& weight) const {
    const auto member = membership(cells, 0) * constant_function(ssl_detail::positive{}, weight);  // (A, C)
    const auto sums_of = matmul(member, partner, ops::transposed::a);                              // (C, E)
    const auto counts_of = reshape(sum(member, {0}), {classes(), 1});
    const auto means = divide(sum(sums_of, {0}) - sums_of,
                              constant_function(ssl_detail::at_least_number{1}, sum(counts_of, {0}) - counts_of));
    return sum(matmul(own, means, ops::transposed::b) * member, {1});
  }

  // The same cell in n, against cells of other classes and the queue: (A, 1).
  [[nodiscard]] variable<Backend> cell_losses(const variable<Backend>& own, const variable<Backend>& partner,
                                              const variable<Backend>& penalty, const drawn& cells, std::size_t s,
                                              index n) const {
    const info_nce loss{m_options.temperature};
    if (m_queue.capacity() == 0) return loss(own, partner, penalty);
    auto& ctx = own.ctx();
    auto& home = own.home();
    const index entries = m_queue.capacity(), from = row(s, n);
    const auto vectors = ops::slice(ctx, m_queue.vectors(), 1, from, from + classes());
    auto kept_out = ctx.make({own.extent(0), entries * classes()});
    ops::each(ctx, kept_out.size(),
              ssl_detail::queue_pairs_body<T>{cells.weight.extent(1), entries, m_foreground, from, rows(),
                                              ssl_detail::feature_width, cells.at.groups.data(), m_patients.data(),
                                              m_queue.patients().data(), m_queue.vectors().data(), kept_out.data()});
    return loss(own, partner, penalty,
                home.constant(vectors.reshaped({entries * classes(), ssl_detail::feature_width})),
                home.constant(kept_out));
  }

  // Prototypes of a stage and modality, (C, E), and what keeps out those that either modality has not seen, (1, C).
  [[nodiscard]] variable<Backend> prototypes_of(std::size_t s, index m) const {
    auto& home = m_store->home();
    return home.constant(ops::slice(home.ctx(), m_prototypes.values(), 0, row(s, m), row(s, m) + classes()));
  }
  [[nodiscard]] variable<Backend> unseen(const variable<Backend>& a, const variable<Backend>& b) const {
    auto& ctx = a.ctx();
    auto penalty = ctx.make({1, classes()});
    ops::each(
        ctx, classes(),
        ssl_detail::unseen_body<T>{ssl_detail::feature_width, a.value().data(), b.value().data(), penalty.data()});
    return a.home().constant(penalty);
  }
  // KL(s_n || s_m) of every place's soft-max over the prototypes of its modality, (A, 1).
  [[nodiscard]] variable<Backend> voxel_losses(const variable<Backend>& own, const variable<Backend>& partner,
                                               std::size_t s, index m, index n) const {
    const auto a = prototypes_of(s, m), b = prototypes_of(s, n), out = unseen(a, b);
    const double sharp = 1 / m_options.temperature;
    const auto x = matmul(own, a, ops::transposed::b) * sharp + out,
               y = matmul(partner, b, ops::transposed::b) * sharp + out;
    const auto log_m = x - log_sum_exp(x), log_n = y - log_sum_exp(y);
    return sum(detach(softmax(y, 1)) * (detach(log_n) - log_m), {1});
  }
  // Cross-entropy of the unit means of m's classes with n's prototypes, over the classes that both have: a scalar.
  [[nodiscard]] variable<Backend> class_loss(const variable<Backend>& own, const variable<Backend>& weight,
                                             const drawn& cells, std::size_t s, index n) const {
    const auto member = membership(cells, 0.6) * constant_function(ssl_detail::positive{}, weight);  // (A, C)
    const auto mean = l2_normalize(matmul(member, own, ops::transposed::a), 1);                      // (C, E)
    const auto b = prototypes_of(s, n), out = unseen(b, b);
    const auto logits = matmul(mean, b, ops::transposed::b) * (1 / m_options.temperature) + out;  // (C, C)
    const auto eye = own.home().constant(ssl_detail::unit_matrix<Backend>(own.ctx(), classes()));
    const auto losses = log_sum_exp(logits) - sum(logits * eye, {1});  // (C, 1)
    const auto there = reshape(constant_function(ssl_detail::positive{}, sum(member, {0})), {classes(), 1}) *
                       reshape(constant_function(ssl_detail::enough{-1}, out), {classes(), 1});
    return divide(sum(losses * there), constant_function(ssl_detail::at_least_number{1}, sum(there)));
  }

  std::shared_ptr<parameter_store<Backend>> m_store;
  feature_contrast_options m_options;
  label_kind m_kind;
  index m_channels, m_foreground, m_modalities;
  feature_queue<Backend> m_queue;
  class_prototypes<Backend> m_prototypes;
  std::vector<head> m_heads;               // by stage, then modality
  std::vector<variable<Backend>> m_means;  // of the last step, by stage, then modality: (N, C, E)
  patients_of_samples<Backend> m_patients;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
