// SPDX-License-Identifier: Apache-2.0
/// @file
/// Contrastive mutual learning, as method.md sections 4 and 5 read the abstract of arXiv 2506.17136: consensus with an
/// averaged teacher, and contrast between the modalities' prediction maps. Not the paper's own equations, which are not
/// public.
#ifndef COMODAL_SSL_CONTRASTIVE_MUTUAL_LEARNING_HPP
#define COMODAL_SSL_CONTRASTIVE_MUTUAL_LEARNING_HPP

#include <comodal/loss/consistency_loss.hpp>
#include <comodal/loss/contrastive_loss.hpp>
#include <comodal/ssl/negatives.hpp>
#include <comodal/ssl/reliability.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// L = L_sup + ramp ( consensus . L_con + contrast . L_asc [+ L_agreement] ) on one pass over labelled and strong
/// unlabelled crops.
/// @tparam Contrast a `contrastive_loss`
template <tensor_backend Backend, class Network, class Contrast = area_similarity_contrast>
class contrastive_mutual_learning : public student_and_teacher<Backend, Network> {
 public:
  /// The contrast that `options` names. @throws config_error for a name that is not known
  contrastive_mutual_learning(Network student, Network teacher, const target_map& targets,
                              const method_options& options)
    requires std::same_as<Contrast, area_similarity_contrast>
      : contrastive_mutual_learning(std::move(student), std::move(teacher), targets, options,
                                    area_similarity_contrast{similarity_of(options.similarity), options.temperature}) {}

  contrastive_mutual_learning(Network student, Network teacher, const target_map& targets,
                              const method_options& options, Contrast contrast)
      : student_and_teacher<Backend, Network>(std::move(student), std::move(teacher), targets, options),
        m_contrast(std::move(contrast)),
        m_queue(options.queue),
        m_reliability(this->home(), this->m_student.modalities() + 1) {
    check_contrastive_loss<Contrast, Backend>();
    expect("confidence", options.confidence, {"soft", "threshold"});
    expect("agreement", options.agreement, {"none", "mse"});
    expect("target", options.target, {"consensus", "cps"});
  }

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const progress& at) {
    const auto& o = this->m_options;
    auto& home = this->home();
    const index labelled = batch.labelled.samples, unlabelled = batch.strong.samples, all = labelled + unlabelled,
                classes = this->m_targets.channels;
    if (unlabelled == 0)
      throw config_error("contrastive mutual learning: batch.unlabelled = 0, expected unlabelled crops in every step");
    const network_input<Backend> input(home, {&batch.labelled, &batch.strong}), weak(home, {&batch.weak});

    const teacher_view teacher = look(weak, batch.strong);
    const auto target =
        concat<Backend>({home.constant(one_hot(this->ctx(), this->m_targets, batch.labelled)), teacher.target}, 0);
    const auto weight =
        concat<Backend>({home.constant(ops::full(this->ctx(), labels_shape(batch.labelled), T(1))), teacher.weight}, 0);
    const auto counts = counting_classes(target, is_labelled(labelled, all), o.counted_voxels);

    const auto out = this->m_student.forward(input.volumes, input.present, network_outputs::logits);
    const auto fused_sums = segmentation_sums(out.fused, target, weight, this->m_targets.kind);
    const auto fused =
        this->deeply_supervised(this->m_loss.from_sums(fused_sums, classes, counts), out.deep, target, weight, counts);
    std::vector<variable<Backend>> branches, branch_sums;
    for (const auto& z : out.branches) {
      branch_sums.push_back(segmentation_sums(z, target, weight, this->m_targets.kind));
      branches.push_back(this->m_loss.from_sums(branch_sums.back(), classes, counts));
    }

    const auto supervised = this->fused_and_branches(fused, branches, input.present, mean_over(0, labelled, all));
    const double ramp = ramp_up(at, o.ramp);
    named_scalars<Backend> values{{"loss", {}}, {"supervised", supervised}};
    auto loss = supervised;
    const auto add_term = [&](const char* name, const variable<Backend>& term, double factor) {
      values.emplace_back(name, term);
      loss = add(loss, scale(term, ramp * factor));
    };
    if (o.consensus > 0 && o.target == "consensus")
      add_term("consensus", this->fused_and_branches(fused, branches, input.present, mean_over(labelled, all, all)),
               o.consensus);
    if (!out.branches.empty()) {
      logits_list unlabelled_logits;
      for (const auto& z : out.branches) unlabelled_logits.push_back(slice(z, 0, labelled, all));
      if (o.contrast > 0)
        add_term("contrast", contrast(unlabelled_logits, teacher, counts, input.present, batch.weak.cases, labelled),
                 o.contrast);
      if (o.agreement == "mse")
        add_term(
            "agreement",
            pairs(mean_squared_error{this->m_targets.kind}, unlabelled_logits, teacher.weight, input.present, labelled),
            o.consensus);
      if (o.target == "cps")
        add_term("consensus",
                 pairs(cross_pseudo_supervision{this->m_targets.kind}, unlabelled_logits, {}, input.present, labelled),
                 o.consensus);
    }
    values[0].second = loss;
    home.backward(loss);

    if (o.contrast > 0) m_queue.push(teacher.maps, teacher.counts, batch.weak.cases);
    judge(fused_sums, branch_sums, input.present, labelled, all);
    for (index m = 0; m <= static_cast<index>(branches.size()); ++m)  // a network may have no branches
      values.emplace_back(m == 0 ? "reliability.fused" : text("reliability.branch", m - 1), m_reliability.value(m));
    return values;
  }

  void save(safetensors_file& file) const {
    m_queue.save(this->ctx(), file);
    m_reliability.save(file);
  }
  void load(const safetensors_file& file) {
    m_queue.load(this->ctx(), file);
    m_reliability.load(file);
  }

 private:
  using T = typename Backend::scalar_type;

  // What the teacher says of the unlabelled crops, all constant.
  struct teacher_view {
    variable<Backend> target, weight;  // (U, D, H, W, C), (U, D, H, W): with the true labels of a box mix in place
    variable<Backend> maps, counts;    // (U, V, K), (U, K): its own coarse maps, and the classes that count in them
  };
  using logits_list = std::vector<variable<Backend>>;  // a branch each, (U, D, H, W, C)

  static map_similarity similarity_of(const std::string& name) {
    expect("similarity", name, {"soft_dice", "cosine", "iou"});
    return name == "cosine" ? map_similarity::cosine : name == "iou" ? map_similarity::iou : map_similarity::soft_dice;
  }
  static void expect(const char* key, const std::string& value, const std::vector<std::string>& known) {
    std::string list;
    for (const auto& k : known) {
      if (k == value) return;
      list += (list.empty() ? "" : ", ") + k;
    }
    throw config_error(text("method.", key, " = '", value, "', expected one of: ", list));
  }

  static shape labels_shape(const crop_batch& b) { return {b.samples, b.size[0], b.size[1], b.size[2]}; }
  // (N): 1 / (last - first) for samples [first, last), else 0.
  variable<Backend> mean_over(index first, index last, index all) const {
    std::vector<double> w(static_cast<std::size_t>(all), 0.0);
    for (index n = first; n < last; ++n) w[static_cast<std::size_t>(n)] = 1 / static_cast<double>(last - first);
    return this->sample_weights(w);
  }
  variable<Backend> is_labelled(index labelled, index all) const {
    std::vector<T> w(static_cast<std::size_t>(all), T(0));
    std::fill_n(w.begin(), labelled, T(1));
    return this->home().constant({all, 1}, w);
  }
  [[nodiscard]] index first_foreground() const { return this->m_targets.kind == label_kind::classes ? 1 : 0; }

  // Foreground probabilities, averaged over blocks: (U, D, H, W, C) -> (U, V, K).
  variable<Backend> coarse_maps(const variable<Backend>& p) const {
    extent3 window{};
    for (std::size_t a = 0; a < 3; ++a) window[a] = std::min(this->m_options.pool, p.extent(static_cast<int>(a) + 1));
    const auto pooled = average_pool3d(p, window);
    const index voxels = pooled.shape().product(1, 4);
    return slice(reshape(pooled, {p.extent(0), voxels, p.extent(4)}), 2, first_foreground(), p.extent(4));
  }

  teacher_view look(const network_input<Backend>& weak, const crop_batch& strong) const {
    const auto& o = this->m_options;
    auto& ctx = this->ctx();
    auto& home = this->home();
    const no_grad_scope<Backend> quiet(home);
    const auto q = probabilities(
        this->predict(weak.volumes, weak.present, prediction_weights::ema, network_outputs::fused_only).fused,
        this->m_targets.kind);
    const index classes = this->m_targets.channels, voxels = q.shape().size() / classes;
    auto sharp = ctx.make(q.shape()), target = ctx.make(q.shape()), weight = ctx.make(labels_shape(strong));
    for_elements(ctx.space(), voxels,
                 detail::sharpen_body<T>{this->m_targets.kind, classes, 1 / o.sharpen, q.value().data(), sharp.data()});

    tensor<std::uint8_t, typename Backend::space_type> labels, known;
    auto table = ctx.make({256, classes});
    detail::copy_converted(ctx.space(), this->m_targets.table, table, 0);
    if (!strong.known.empty()) {
      labels = ctx.template make_of<std::uint8_t>({voxels});
      known = ctx.template make_of<std::uint8_t>({voxels});
      copy_from_host(ctx.space(), strong.labels, labels);
      copy_from_host(ctx.space(), strong.known, known);
    }
    for_elements(ctx.space(), voxels,
                 detail::pseudo_target_body<T>{
                     this->m_targets.kind, classes, o.confidence == "threshold" ? o.threshold : -1.0, q.value().data(),
                     sharp.data(), table.data(), labels.data(), known.data(), target.data(), weight.data()});
    ctx.fence();
    const auto own_counts =
        counting_classes(home.constant(sharp), home.constant(ops::full(ctx, shape{strong.samples, 1}, T(0))),
                         this->m_options.counted_voxels);
    return {home.constant(target), home.constant(weight), coarse_maps(q),
            slice(own_counts, 1, first_foreground(), classes)};
  }

  // Calls `term(m, n)` for ordered pairs of branches, weighs its (U) result by who teaches whom and by both being
  // present, and returns the mean over crops and pairs.
  template <class Term>
  variable<Backend> mean_over_pairs(const presence<Backend>& present, index labelled, Term&& term) const {
    const index modalities = present.modalities(), unlabelled = present.samples() - labelled;
    variable<Backend> total;
    double number = 0;
    for (index m = 0; m < modalities; ++m)
      for (index n = 0; n < modalities; ++n) {
        std::vector<double> both(static_cast<std::size_t>(unlabelled), 0.0);
        double count = 0;
        for (index b = 0; b < unlabelled; ++b)
          if (m != n && present.has(labelled + b, m) && present.has(labelled + b, n))
            count += both[static_cast<std::size_t>(b)] = 1;
        if (count == 0) continue;
        number += count;
        auto value = this->weighted(term(m, n), this->sample_weights(both));
        if (this->m_options.reliability) value = multiply(value, reshape(m_reliability.weight(m + 1, n + 1), shape{}));
        total = total ? add(total, value) : value;
      }
    return total ? scale(total, 1 / number) : this->home().constant(shape{}, {T(0)});
  }

  // L_asc of method.md 5(b).
  variable<Backend> contrast(const logits_list& logits, const teacher_view& teacher, const variable<Backend>& counts,
                             const presence<Backend>& present, const std::vector<std::uint32_t>& cases,
                             index labelled) const {
    const auto negatives = m_queue.select(teacher.maps, teacher.counts, cases);
    const auto counting =
        slice(slice(counts, 0, labelled, counts.extent(0)), 1, first_foreground(), counts.extent(1));  // (U, K)
    const auto number = detail::constant_function<detail::at_least_one>(sum(counting, {1}));
    std::vector<variable<Backend>> maps;
    for (const auto& z : logits) maps.push_back(coarse_maps(probabilities(z, this->m_targets.kind)));
    return mean_over_pairs(present, labelled, [&](index m, index n) {
      const auto by_class = m_contrast(maps[static_cast<std::size_t>(m)], maps[static_cast<std::size_t>(n)],
                                       negatives.maps, negatives.allowed);
      return reshape(divide(sum(multiply(by_class, counting), {1}), number), {by_class.extent(0)});
    });
  }

  template <class Loss>
  variable<Backend> pairs(const Loss& loss, const logits_list& logits, const variable<Backend>& weight,
                          const presence<Backend>& present, index labelled) const {
    return mean_over_pairs(present, labelled, [&](index m, index n) {
      return loss(logits[static_cast<std::size_t>(m)],
                  probabilities(detach(logits[static_cast<std::size_t>(n)]), this->m_targets.kind), weight);
    });
  }

  // Follows how good each output is on the labelled crops.
  void judge(const variable<Backend>& fused_sums, const std::vector<variable<Backend>>& branch_sums,
             const presence<Backend>& present, index labelled, index all) {
    const no_grad_scope<Backend> quiet(this->home());
    const index classes = this->m_targets.channels, first = first_foreground();
    for (index k = 0; k <= static_cast<index>(branch_sums.size()); ++k) {
      const auto& sums = k == 0 ? fused_sums : branch_sums[static_cast<std::size_t>(k - 1)];
      const auto in_target =
          detail::constant_function<detail::positive>(slice(sums, 1, 2 + 2 * classes + first, 2 + 3 * classes));
      std::vector<double> samples(static_cast<std::size_t>(all), 0.0);
      for (index n = 0; n < labelled; ++n)
        samples[static_cast<std::size_t>(n)] = k == 0 || present.has(n, k - 1) ? 1 : 0;
      m_reliability.update(k, detach(this->m_loss.soft_dice(sums, classes)), in_target, this->sample_weights(samples));
    }
  }

  Contrast m_contrast;
  negative_queue<Backend> m_queue;
  reliability<Backend> m_reliability;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
