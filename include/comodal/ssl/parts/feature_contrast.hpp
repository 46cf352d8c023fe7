// SPDX-License-Identifier: Apache-2.0
/// @file
/// Contrast between the features of modalities at drawn cells (method.md 5(d)), and prototypes of classes that
/// modalities share (5(f)).
#ifndef COMODAL_SSL_PARTS_FEATURE_CONTRAST_HPP
#define COMODAL_SSL_PARTS_FEATURE_CONTRAST_HPP

#include <comodal/ssl/parts/feature_heads.hpp>
#include <comodal/ssl/parts/feature_memory.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The loss and what is reported with it, all scalars.
template <tensor_backend Backend>
struct feature_terms {
  variable<Backend> loss;
  variable<Backend> aligned;  // mean cosine of two modalities' features of the same cell
  variable<Backend> others;   // the same of cells of different classes
};

/// The comparison of the features of modalities at drawn cells. Its heads are trained with the network and are no part
/// of a predictor. A step computes the likeness of every drawn cell to every other, per stage and ordered pair of
/// modalities: memory grows with the square of crops times positions.
template <tensor_backend Backend>
class feature_contrast {
  using T = typename Backend::scalar_type;

 public:
  /// @param channels of the streams, by stage @param classes channels of the target
  /// @param seed decides the initial weights of the heads
  /// @throws config_error for a stage that the network lacks
  feature_contrast(tape<Backend>& home, const std::vector<index>& channels, index modalities, label_kind kind,
                   index classes, const feature_contrast_options& options, std::uint64_t seed)
      : m_heads(home, channels, modalities, kind, classes, options, seed),
        m_options(options),
        m_modalities(modalities),
        m_queue(home, options.kind == feature_comparison::cells ? options.queue : 0, m_heads.rows(),
                ssl_detail::feature_width),
        m_prototypes(home, m_heads.rows(), ssl_detail::feature_width) {}

  [[nodiscard]] const parameter_store<Backend>& parameters() const { return m_heads.parameters(); }

  /// The loss of a step, over ordered pairs of modalities that a crop has both.
  /// @param weigh `weigh(m, n)` -> a scalar variable: how much m learns from n; empty: 1
  template <class Weigh>
  [[nodiscard]] feature_terms<Backend> operator()(const feature_view<Backend>& view, const step_request& request,
                                                  const Weigh& weigh) {
    m_patients = view.patients;
    m_means.clear();
    const auto near = m_heads.near(view);
    sums total;
    for (std::size_t s = 0; s < m_options.stages.size(); ++s) {
      const drawn_cells<Backend> cells = m_heads.draw(view, near, s, request);
      for (index m = 0; m < m_modalities; ++m) m_means.push_back(m_heads.class_means(cells, view.present, m));
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
  void remember(const progress& at) {
    auto& ctx = home().ctx();
    if (m_means.empty()) return;
    const no_grad_scope<Backend> quiet(home());
    const auto all = concat(m_means, 1);  // (N, rows, E)
    if (m_options.kind == feature_comparison::cells)
      m_queue.push(ctx, all.value(), m_patients);
    else
      m_prototypes.follow(ctx, l2_normalize(reshape(sum(all, {0}), {all.extent(1), all.extent(2)}), 1).value(), at);
    m_means.clear();
  }
  /// Waits for the device.
  void save(safetensors_file& file) const {
    auto& ctx = home().ctx();
    if (m_options.kind == feature_comparison::cells)
      m_queue.save(ctx, file);
    else
      m_prototypes.save(ctx, file);
  }
  /// @throws io_error for arrays that are missing or do not fit
  void load(const safetensors_file& file) {
    auto& ctx = home().ctx();
    if (m_options.kind == feature_comparison::cells)
      m_queue.load(ctx, file);
    else
      m_prototypes.load(ctx, file);
  }

 private:
  [[nodiscard]] tape<Backend>& home() const { return parameters().home(); }
  struct sums {
    variable<Backend> loss, weight, aligned, others;
  };

  static variable<Backend> plus(const variable<Backend>& a, const variable<Backend>& b) { return a ? a + b : b; }
  static variable<Backend> least(const variable<Backend>& x) {
    return constant_function(ssl_detail::at_least_number{1e-6}, x);
  }
  [[nodiscard]] index classes() const { return m_heads.classes(); }
  [[nodiscard]] index foreground() const { return classes() - 1; }

  // Adds what m learns from n at one stage.
  void compare(const drawn_cells<Backend>& cells, const feature_view<Backend>& view, std::size_t s, index m, index n,
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

  [[nodiscard]] variable<Backend> place_penalties(const drawn_cells<Backend>& cells, const presence<Backend>& present,
                                                  index n) const {
    auto& ctx = cells.weight.ctx();
    const index all = cells.weight.shape().size();
    auto penalty = ctx.make({all, all});
    ops::each(ctx, penalty.size(),
              ssl_detail::place_pairs_body<T>{cells.weight.extent(1), all, foreground(), n, m_modalities,
                                              cells.at.groups.data(), cells.weight.value().data(),
                                              present.mask().value().data(), penalty.data()});
    return cells.weight.home().constant(penalty);
  }
  // The mean cosine with the partner's places of other classes, (A, 1): that with the mean of these places.
  [[nodiscard]] variable<Backend> cosines_with_others(const variable<Backend>& own, const variable<Backend>& partner,
                                                      const drawn_cells<Backend>& cells,
                                                      const variable<Backend>& weight) const {
    const auto member = m_heads.membership(cells, 0) * constant_function(ssl_detail::positive{}, weight);  // (A, C)
    const auto sums_of = matmul(member, partner, ops::transposed::a);                                      // (C, E)
    const auto counts_of = reshape(sum(member, {0}), {classes(), 1});
    const auto means = divide(sum(sums_of, {0}) - sums_of,
                              constant_function(ssl_detail::at_least_number{1}, sum(counts_of, {0}) - counts_of));
    return sum(matmul(own, means, ops::transposed::b) * member, {1});
  }

  // The same cell in n, against cells of other classes and the queue: (A, 1).
  [[nodiscard]] variable<Backend> cell_losses(const variable<Backend>& own, const variable<Backend>& partner,
                                              const variable<Backend>& penalty, const drawn_cells<Backend>& cells,
                                              std::size_t s, index n) const {
    const info_nce loss{m_options.temperature};
    if (m_queue.capacity() == 0) return loss(own, partner, penalty);
    auto& ctx = own.ctx();
    const index entries = m_queue.capacity(), from = m_heads.row(s, n);
    const auto vectors = ops::slice(ctx, m_queue.vectors(), 1, from, from + classes());
    auto kept_out = ctx.make({own.extent(0), entries * classes()});
    ops::each(ctx, kept_out.size(),
              ssl_detail::queue_pairs_body<T>{cells.weight.extent(1), entries, foreground(), from, m_heads.rows(),
                                              ssl_detail::feature_width, cells.at.groups.data(), m_patients.data(),
                                              m_queue.patients().data(), m_queue.vectors().data(), kept_out.data()});
    return loss(own, partner, penalty,
                home().constant(vectors.reshaped({entries * classes(), ssl_detail::feature_width})),
                home().constant(kept_out));
  }

  // Prototypes of a stage and modality, (C, E), and what keeps out those that either modality has not seen, (1, C).
  [[nodiscard]] variable<Backend> prototypes_of(std::size_t s, index m) const {
    const index from = m_heads.row(s, m);
    return home().constant(ops::slice(home().ctx(), m_prototypes.values(), 0, from, from + classes()));
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
    // Where no class has been seen in both, nothing is said.
    const auto any =
        constant_function(ssl_detail::positive{}, sum(constant_function(ssl_detail::enough{-1}, out), {1}));
    return sum(detach(softmax(y, 1)) * (detach(log_n) - log_m), {1}) * any;
  }
  // Cross-entropy of the unit means of m's classes with n's prototypes, over the classes that both have: a scalar.
  [[nodiscard]] variable<Backend> class_loss(const variable<Backend>& own, const variable<Backend>& weight,
                                             const drawn_cells<Backend>& cells, std::size_t s, index n) const {
    const auto member = m_heads.membership(cells, 0.6) * constant_function(ssl_detail::positive{}, weight);  // (A, C)
    const auto mean = l2_normalize(matmul(member, own, ops::transposed::a), 1);                              // (C, E)
    const auto b = prototypes_of(s, n), out = unseen(b, b);
    const auto logits = matmul(mean, b, ops::transposed::b) * (1 / m_options.temperature) + out;  // (C, C)
    const auto eye = own.home().constant(ssl_detail::unit_matrix<Backend>(own.ctx(), classes()));
    const auto losses = log_sum_exp(logits) - sum(logits * eye, {1});  // (C, 1)
    const auto there = reshape(constant_function(ssl_detail::positive{}, sum(member, {0})), {classes(), 1}) *
                       reshape(constant_function(ssl_detail::enough{-1}, out), {classes(), 1});
    return divide(sum(losses * there), constant_function(ssl_detail::at_least_number{1}, sum(there)));
  }

  feature_heads<Backend> m_heads;
  feature_contrast_options m_options;
  index m_modalities;
  feature_queue<Backend> m_queue;
  class_prototypes<Backend> m_prototypes;
  std::vector<variable<Backend>> m_means;  // of the last step, by stage, then modality: (N, C, E)
  patients_of_samples<Backend> m_patients;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
