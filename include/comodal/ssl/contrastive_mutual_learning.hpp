// SPDX-License-Identifier: Apache-2.0
/// @file
/// Contrastive mutual learning, as method.md sections 4 and 5 read the abstract of arXiv 2506.17136: consensus with an
/// averaged teacher, and contrast between the modalities' prediction maps. Not the paper's own equations, which are not
/// public.
#ifndef COMODAL_SSL_CONTRASTIVE_MUTUAL_LEARNING_HPP
#define COMODAL_SSL_CONTRASTIVE_MUTUAL_LEARNING_HPP

#include <comodal/loss/consistency_loss.hpp>
#include <comodal/loss/contrastive_loss.hpp>
#include <comodal/ssl/contrastive_mutual_learning_options.hpp>
#include <comodal/ssl/method.hpp>
#include <comodal/ssl/method_setup.hpp>
#include <comodal/ssl/parts/box_mix.hpp>
#include <comodal/ssl/parts/confidence.hpp>
#include <comodal/ssl/parts/disagreement.hpp>
#include <comodal/ssl/parts/ema_teacher.hpp>
#include <comodal/ssl/parts/feature_contrast.hpp>
#include <comodal/ssl/parts/foreground_maps.hpp>
#include <comodal/ssl/parts/negative_queue.hpp>
#include <comodal/ssl/parts/pairs.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/reliability.hpp>
#include <comodal/ssl/parts/sharpening.hpp>

#include <optional>

namespace comodal::inline COMODAL_CONFIG {

/// L = L_sup + ramp ( consensus . L_con + contrast . L_asc [+ L_agreement] ) on one pass over labelled and strong
/// unlabelled crops.
template <tensor_backend Backend, segmentation_network<Backend> Network,
          contrastive_loss<Backend> Contrast = area_similarity_contrast,
          segmentation_loss<Backend> Loss = dice_cross_entropy>
class contrastive_mutual_learning {
 public:
  using options_type = contrastive_mutual_learning_options;

  /// @param student, teacher built alike; the teacher starts as a copy
  /// @throws config_error as `contrastive_mutual_learning_options::check`
  contrastive_mutual_learning(Network student, Network teacher, const target_map& targets, const options_type& options,
                              Contrast contrast, Loss loss)
      : m_student(std::move(student)),
        m_teacher(std::move(teacher), m_student.parameters(), options.ema_decay),
        m_targets(targets),
        m_options(checked(options)),
        m_contrast(std::move(contrast)),
        m_loss(std::move(loss)),
        m_queue(options.queue),
        m_reliability(home(), m_student.modalities() + 1) {}
  contrastive_mutual_learning(Network student, Network teacher, const target_map& targets, const options_type& options,
                              Contrast contrast)
    requires std::same_as<Loss, dice_cross_entropy>
      : contrastive_mutual_learning(std::move(student), std::move(teacher), targets, options, std::move(contrast),
                                    {1, 1, 1, targets.kind}) {}
  /// The contrast that `options` names.
  contrastive_mutual_learning(Network student, Network teacher, const target_map& targets, const options_type& options)
    requires std::same_as<Contrast, area_similarity_contrast> && std::same_as<Loss, dice_cross_entropy>
      : contrastive_mutual_learning(std::move(student), std::move(teacher), targets, options,
                                    {similarity_of(options.similarity), options.temperature}) {}

  /// The method as it is made by name. @throws config_error for a contrast of features that the network does not have
  contrastive_mutual_learning(const method_setup<Backend>& setup, const options_type& options)
    requires std::same_as<Network, any_network<Backend>> && std::same_as<Contrast, any_contrastive_loss<Backend>> &&
             std::same_as<Loss, any_segmentation_loss<Backend>>
      : contrastive_mutual_learning(setup.network(0), setup.network(0), setup.targets(), options,
                                    setup.contrastive_loss().value_or(Contrast(area_similarity_contrast{
                                        similarity_of(options.similarity), options.temperature})),
                                    setup.segmentation_loss()) {
    if (options.contrast_kind == "map" || options.contrast == 0) return;
    expect_branches(setup.options(), m_student.modalities(), options_type::name);
    m_features.emplace(home(), setup.options().stream_channels, m_student.modalities(), m_targets.kind,
                       m_targets.channels, features_of(options, setup.options().stages()), setup.seed());
  }

  // A contrast of features draws cells of the background, which partial labels do not know.
  [[nodiscard]] batch_views views() const { return {.partial_labels = !m_features.has_value()}; }

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    const index labelled = batch.labelled.samples, unlabelled = batch.strong.samples, all = labelled + unlabelled;
    expect_unlabelled(batch, "contrastive mutual learning");
    if (m_options.contrast_kind != "map" && m_options.contrast > 0 && !m_features)
      throw config_error(text("method.", options_type::name, ".contrast_kind = \"", m_options.contrast_kind,
                              "\": needs the widths of the network's streams; make the method by its name"));
    const device_batch<Backend> crops(home(), batch);
    const network_input<Backend> input({&crops.labelled, &crops.strong}), weak({&crops.weak});
    const teacher_view teacher = look(weak, crops.strong, request);
    const auto known = known_classes_of(m_targets, crops.labelled, unlabelled);
    const auto target = known.target(concat<Backend>({one_hot(m_targets, crops.labelled), teacher.target}, 0));
    const auto weight =
        concat<Backend>({home().constant(ops::full(ctx(), crops.labelled.labels.shape(), T(1))), teacher.weight}, 0);
    const auto is_labelled = ssl_detail::range(home(), {all}, 0, labelled, 1);
    const auto counts =
        known.counts(counting_classes(target, reshape(is_labelled, {all, 1}), m_options.counted_voxels));

    const auto outputs = m_features ? network_outputs::all : network_outputs::logits;
    const auto out = m_student.forward(input.volumes, input.present, request.pass(outputs, forward_mode::train));
    const auto fused_alone = compare(known.logits(out.fused), target, weight, counts);
    std::vector<variable<Backend>> deep;
    for (const auto& z : out.deep) deep.push_back(known.logits(z));
    const auto fused = deeply_supervised(m_loss, fused_alone.losses, deep, target, weight, counts);
    std::vector<variable<Backend>> branches, sums{fused_alone.sums};
    for (const auto& z : out.branches) {
      const auto branch = compare(known.logits(z), target, weight, counts);
      sums.push_back(branch.sums);
      branches.push_back(branch.losses);
    }

    const auto supervised = fused_and_branches(fused, branches, input.present, mean_weights(home(), 0, labelled, all),
                                               m_options.branch_weight);
    named_scalars<Backend> values{{"loss", {}}, {"supervised", supervised}};
    auto loss = supervised;
    const step_scalar ramp = ramp_up(request, m_options.ramp);
    const auto add_term = [&](const char* name, const variable<Backend>& term, double factor) {
      values.emplace_back(name, term);
      loss = add(loss, scale(term, ramp * factor));
    };
    if (m_options.consensus > 0 && m_options.target == "consensus")
      add_term("consensus",
               fused_and_branches(fused, branches, input.present, mean_weights(home(), labelled, all, all),
                                  m_options.branch_weight),
               m_options.consensus);
    logits_list unlabelled_logits;
    for (const auto& z : out.branches) unlabelled_logits.push_back(slice(z, 0, labelled, all));
    if (!out.branches.empty())
      add_pair_terms(unlabelled_logits, teacher, counts, input.present, crops.weak.cases, labelled, add_term);
    if (m_features) {
      const feature_view<Backend> view{out.streams, target,        weight,
                                       counts,      input.present, patients_of(home(), crops.labelled, crops.strong)};
      const auto terms = (*m_features)(view, request, weigh());
      add_term("contrast", terms.loss, m_options.contrast);
      values.emplace_back("aligned", terms.aligned);
      values.emplace_back("aligned_others", terms.others);
    }
    values[0].second = loss;
    home().backward(loss);

    if (contrasts_maps()) m_queue.push(teacher.maps, teacher.counts, crops.weak.cases);
    if (m_features) m_features->remember(request);
    judge(sums, input.present, is_labelled);
    for (index m = 0; m < static_cast<index>(sums.size()); ++m)
      values.emplace_back(m == 0 ? "reliability.fused" : text("reliability.branch", m - 1), m_reliability.value(m));
    return values;
  }
  void after_update(const step_request& request) { m_teacher.follow(m_student.parameters(), request); }

  [[nodiscard]] std::vector<named_store<Backend>> trained() const {
    if (m_features) return {{"student", &m_student.parameters()}, {"heads", &m_features->parameters()}};
    return {{"student", &m_student.parameters()}};
  }
  [[nodiscard]] std::vector<named_network<Backend>> predictors() const {
    return {{"ema", m_teacher.network()}, {"student", m_student}};
  }
  void save(safetensors_file& file) const {
    m_queue.save(ctx(), file);
    m_reliability.save(file);
    if (m_features) m_features->save(file);
  }
  void load(const safetensors_file& file) {
    m_queue.load(ctx(), file);
    m_reliability.load(file);
    if (m_features) m_features->load(file);
  }

 private:
  using T = typename Backend::scalar_type;
  using logits_list = std::vector<variable<Backend>>;  // per branch, (U, D, H, W, C)

  // What the teacher says of the unlabelled crops, all constant.
  struct teacher_view {
    variable<Backend> target, weight;  // (U, D, H, W, C), (U, D, H, W): with the true labels of a box mix in place
    variable<Backend> maps, counts;    // (U, V, K), (U, K): its own coarse maps, and the classes that count in them
    variable<Backend> own;             // (U, D, H, W): 0 where a labelled crop was pasted in; empty: nowhere
  };
  static options_type checked(const options_type& options) {
    options.check();
    return options;
  }
  static map_similarity similarity_of(const std::string& name) {
    return name == "cosine" ? map_similarity::cosine : name == "iou" ? map_similarity::iou : map_similarity::soft_dice;
  }
  // With stages counted from 0.
  static feature_contrast_options features_of(const options_type& options, index stages) {
    feature_contrast_options o{
        .kind = options.contrast_kind == "feature" ? feature_comparison::cells : feature_comparison::prototypes,
        .stages = {},
        .positions = options.positions,
        .temperature = options.temperature,
        .queue = options.queue};
    for (const index s : options.contrast_stages) o.stages.push_back(s - 1);
    for (index s = 1; s < stages && options.contrast_stages.empty(); ++s) o.stages.push_back(s);
    return o;
  }
  [[nodiscard]] bool contrasts_maps() const { return m_options.contrast > 0 && m_options.contrast_kind == "map"; }
  [[nodiscard]] tape<Backend>& home() const { return m_student.parameters().home(); }
  [[nodiscard]] context<Backend>& ctx() const { return home().ctx(); }

  [[nodiscard]] loss_and_sums<Backend> compare(const variable<Backend>& z, const variable<Backend>& target,
                                               const variable<Backend>& weight, const variable<Backend>& counts) const {
    return with_sums(m_loss, z, target, weight, counts, m_targets.kind);
  }

  [[nodiscard]] index first_foreground() const { return comodal::first_foreground(m_targets.kind); }

  // Foreground probabilities, averaged over blocks: (U, D, H, W, C) -> (U, V, K).
  variable<Backend> coarse_maps(const variable<Backend>& p) const {
    extent3 window{};
    for (std::size_t a = 0; a < 3; ++a) window[a] = std::min(m_options.pool, p.extent(static_cast<int>(a) + 1));
    return foreground_maps(average_pool3d(p, window), m_targets.kind);
  }

  teacher_view look(const network_input<Backend>& weak, const device_crops<Backend>& strong,
                    const step_request& request) const {
    const no_grad_scope<Backend> quiet(home());
    const label_kind kind = m_targets.kind;
    const auto seen = m_teacher.forward(weak.volumes, weak.present,
                                        request.pass(network_outputs::fused_only, forward_mode::evaluate));
    const auto q = probabilities(seen.fused, kind), sharp = sharpened(q, kind, m_options.sharpen);
    const auto certain =
        m_options.confidence == "threshold" ? confidence_above(q, kind, m_options.threshold) : confidence(q, kind);
    const auto mixed = with_known_labels<Backend>({sharp, certain}, m_targets, strong);
    const auto own_counts = counting_classes(sharp, home().constant(ops::full(ctx(), shape{strong.samples, 1}, T(0))),
                                             m_options.counted_voxels);
    return {mixed.target, mixed.weight, coarse_maps(q), slice(own_counts, 1, first_foreground(), m_targets.channels),
            own_voxels(strong)};
  }

  template <class AddTerm>
  void add_pair_terms(const logits_list& logits, const teacher_view& teacher, const variable<Backend>& counts,
                      const presence<Backend>& present, const case_numbers<Backend>& cases, index labelled,
                      const AddTerm& add_term) {
    if (contrasts_maps())
      add_term("contrast", contrast(logits, teacher, counts, present, cases, labelled), m_options.contrast);
    if (m_options.agreement == "mse")
      add_term("agreement", pairs(mean_squared_error{m_targets.kind}, logits, teacher.weight, present, labelled),
               m_options.consensus);
    if (m_options.agreement == "disagreement")
      add_term("disagreement", cross_teaching(logits, teacher.own, present, labelled), m_options.disagree);
    if (m_options.target == "cps")
      add_term("consensus", pairs(cross_pseudo_supervision{m_targets.kind}, logits, {}, present, labelled),
               m_options.consensus);
  }

  // The weight w(m <- n) of a pair of branches; empty where all weigh 1.
  [[nodiscard]] auto weigh() const {
    return [this](index m, index n) {
      return m_options.reliability ? reshape(m_reliability.weight(m + 1, n + 1), shape{}) : variable<Backend>{};
    };
  }

  // L_asc of method.md 5(b).
  variable<Backend> contrast(const logits_list& logits, const teacher_view& teacher, const variable<Backend>& counts,
                             const presence<Backend>& present, const case_numbers<Backend>& cases, index labelled) {
    const auto negatives = m_queue.select(teacher.maps, teacher.counts, cases);
    const auto counting =
        slice(slice(counts, 0, labelled, counts.extent(0)), 1, first_foreground(), counts.extent(1));  // (U, K)
    const auto number = constant_function(ssl_detail::at_least_number{1}, sum(counting, {1}));
    std::vector<variable<Backend>> maps;
    for (const auto& z : logits) maps.push_back(coarse_maps(probabilities(z, m_targets.kind)));
    const auto term = [&](index m, index n) {
      const auto by_class = m_contrast(maps[static_cast<std::size_t>(m)], maps[static_cast<std::size_t>(n)],
                                       negatives.maps, negatives.allowed);
      return reshape(divide(sum(multiply(by_class, counting), {1}), number), {by_class.extent(0)});
    };
    return mean_over_pairs(home(), present, labelled, term, weigh());
  }

  template <consistency_loss<Backend> Distance>
  variable<Backend> pairs(const Distance& distance, const logits_list& logits, const variable<Backend>& weight,
                          const presence<Backend>& present, index labelled) const {
    const auto term = [&](index m, index n) {
      return distance(logits[static_cast<std::size_t>(m)],
                      probabilities(detach(logits[static_cast<std::size_t>(n)]), m_targets.kind), weight);
    };
    return mean_over_pairs(home(), present, labelled, term, weigh());
  }

  // Where branches differ, the more certain one teaches (method.md 5(c)).
  variable<Backend> cross_teaching(const logits_list& logits, const variable<Backend>& own,
                                   const presence<Backend>& present, index labelled) const {
    const auto term = [&](index m, index n) {
      return disagreement(logits[static_cast<std::size_t>(m)], logits[static_cast<std::size_t>(n)], own, m_targets.kind,
                          m_options.sharpen, std::max(1.0, m_options.counted_voxels));
    };
    return mean_over_pairs(home(), present, labelled, term, weigh());
  }

  // Follows how good each output is on the labelled crops; `sums` of the fused output, then of each branch.
  void judge(const std::vector<variable<Backend>>& sums, const presence<Backend>& present,
             const variable<Backend>& is_labelled) {
    const no_grad_scope<Backend> quiet(home());
    const dice_cross_entropy scores{1, 1, 1, m_targets.kind};
    const index classes = m_targets.channels, first = first_foreground();
    for (index k = 0; k < static_cast<index>(sums.size()); ++k) {
      const auto& of = sums[static_cast<std::size_t>(k)];
      const auto in_target =
          constant_function(ssl_detail::positive{}, slice(of, 1, 2 + 2 * classes + first, 2 + 3 * classes));
      const auto samples =
          k == 0 ? is_labelled
                 : multiply(is_labelled, reshape(slice(present.mask(), 1, k - 1, k), is_labelled.shape()));
      m_reliability.update(k, detach(scores.soft_dice(of, classes)), in_target, samples);
    }
  }

  Network m_student;
  ema_teacher<Backend, Network> m_teacher;
  target_map m_targets;
  options_type m_options;
  Contrast m_contrast;
  Loss m_loss;
  negative_queue<Backend> m_queue;
  reliability<Backend> m_reliability;
  std::optional<feature_contrast<Backend>> m_features;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
