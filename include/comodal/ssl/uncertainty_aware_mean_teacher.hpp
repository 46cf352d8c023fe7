// SPDX-License-Identifier: Apache-2.0
/// @file
/// Uncertainty-aware Mean Teacher (Yu et al., MICCAI 2019): the student follows the teacher where stochastic passes of
/// the teacher are certain.
#ifndef COMODAL_SSL_UNCERTAINTY_AWARE_MEAN_TEACHER_HPP
#define COMODAL_SSL_UNCERTAINTY_AWARE_MEAN_TEACHER_HPP

#include <comodal/loss/consistency_loss.hpp>
#include <comodal/ssl/method.hpp>
#include <comodal/ssl/method_setup.hpp>
#include <comodal/ssl/parts/ema_teacher.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/supervised_loss.hpp>
#include <comodal/ssl/parts/teacher_options.hpp>
#include <comodal/ssl/parts/uncertainty.hpp>
#include <comodal/ssl/targets.hpp>

#include <cmath>

namespace comodal::inline COMODAL_CONFIG {

/// The options of `uncertainty_aware_mean_teacher`, the table [method.uncertainty_aware_mean_teacher].
struct uncertainty_aware_mean_teacher_options {
  static constexpr std::string_view name = "uncertainty_aware_mean_teacher";

  double branch_weight = 0.5;  // of the branches' losses beside the fused one's
  double ema_decay = 0.99;     // of the teacher's weights
  double ramp = 0.4;           // fraction of the run over which the consistency rises
  double consistency = 0.1;    // weight of the distance to the teacher at the end of its ramp
  index passes = 8;            // stochastic passes of the teacher (dropout)
  double first_limit = 0.75;   // of the largest entropy: a voxel counts below it; rises to 1 over the run

  /// Calls `visit(key, reference)` for every option.
  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    visit_teacher_options(o, visit);
    visit(std::string_view("consistency"), o.consistency);
    visit(std::string_view("passes"), o.passes);
    visit(std::string_view("first_limit"), o.first_limit);
  }
  /// @throws config_error naming the key that makes no sense
  void check() const {
    check_teacher_options(*this);
    expect_between("method.uncertainty_aware_mean_teacher.consistency", consistency, 0, 1000);
    expect_option(passes >= 1 && passes <= 1000, "method.uncertainty_aware_mean_teacher.passes", passes, "1 to 1000");
    expect_between("method.uncertainty_aware_mean_teacher.first_limit", first_limit, 0, 1);
  }
};

/// L_sup + ramp . consistency . distance of the fused probabilities to the teacher's, over the voxels where the entropy
/// of the mean of the teacher's stochastic passes is below (first_limit + (1 - first_limit) r) of its largest value; r
/// is the ramp over the whole run. The network has dropout (`model.dropout`).
template <tensor_backend Backend>
class uncertainty_aware_mean_teacher {
 public:
  using options_type = uncertainty_aware_mean_teacher_options;

  /// @throws config_error for a network without dropout
  uncertainty_aware_mean_teacher(const method_setup<Backend>& setup, const options_type& options)
      : m_student(setup.network(0)),
        m_teacher(setup.network(0), m_student.parameters(), options.ema_decay),
        m_targets(setup.targets()),
        m_options(options),
        m_loss(setup.segmentation_loss()),
        m_distance(setup.consistency_loss()) {
    if (!(setup.options().dropout > 0))
      throw config_error(
          "model.dropout = 0: without dropout all passes of the teacher are alike, and nothing is uncertain; set it "
          "above 0 for "
          "method.name = \"uncertainty_aware_mean_teacher\", or choose mean_teacher");
  }

  [[nodiscard]] batch_views views() const { return {.box_mix = false}; }

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    tape<Backend>& home = m_student.parameters().home();
    expect_unlabelled(batch, "uncertainty-aware mean teacher");
    const device_batch<Backend> crops(home, batch);
    const network_input<Backend> input({&crops.labelled, &crops.strong});
    const index labelled = crops.labelled.samples;
    const auto passes = static_cast<std::uint32_t>(m_options.passes);
    const auto certain = sure_voxels(crops.weak, request);
    const auto q = seen(crops.weak, request, passes + 1);

    const auto out =
        m_student.forward(input.volumes, input.present, request.pass(network_outputs::logits, forward_mode::train));
    const auto supervised = supervised_loss(m_loss, samples_of(out, 0, labelled), one_hot(m_targets, crops.labelled),
                                            crops.labelled.present, m_options.branch_weight);
    // Crops weigh by how many of their voxels are certain, so that the mean is over all these voxels.
    const auto share = reshape(mean(certain, {1, 2, 3}), {certain.extent(0)});
    const auto far = m_distance(slice(out.fused, 0, labelled, input.present.samples()), q, certain);
    const auto consistency = sum(far * share) / (sum(share) + 1e-30);
    const auto loss = supervised + scale(consistency, ramp_up(request, m_options.ramp) * m_options.consistency);
    home.backward(loss);
    return {{"loss", loss}, {"supervised", supervised}, {"consistency", consistency}, {"certain", mean(certain)}};
  }
  void after_update(const step_request& request) { m_teacher.follow(m_student.parameters(), request); }

  [[nodiscard]] std::vector<named_store<Backend>> trained() const { return {{"student", &m_student.parameters()}}; }
  [[nodiscard]] std::vector<named_network<Backend>> predictors() const {
    return {{"ema", m_teacher.network()}, {"student", m_student}};
  }
  void save(safetensors_file&) const {}
  void load(const safetensors_file&) {}

 private:
  // The teacher's probabilities in one stochastic pass.
  [[nodiscard]] variable<Backend> seen(const device_crops<Backend>& crops, const step_request& request,
                                       std::uint32_t pass) const {
    const auto wanted = request.pass(network_outputs::fused_only, forward_mode::stochastic, pass);
    return probabilities(m_teacher.forward(crops.volumes, crops.present, wanted).fused, m_targets.kind);
  }
  // 1 where the mean of the passes is certain, else 0: (N, D, H, W).
  [[nodiscard]] variable<Backend> sure_voxels(const device_crops<Backend>& crops, const step_request& request) const {
    const auto average = mean_of_passes(m_student.parameters().home(), 1, static_cast<std::uint32_t>(m_options.passes),
                                        [&](std::uint32_t pass) { return seen(crops, request, pass); });
    const double most =
        m_targets.kind == label_kind::regions ? std::log(2.0) : std::log(static_cast<double>(m_targets.channels));
    const double from = m_options.first_limit;
    return where_below(predictive_entropy(average, m_targets.kind), (from + (1 - from) * ramp_up(request, 1)) * most);
  }

  any_network<Backend> m_student;
  ema_teacher<Backend, any_network<Backend>> m_teacher;
  target_map m_targets;
  options_type m_options;
  any_segmentation_loss<Backend> m_loss;
  any_consistency_loss<Backend> m_distance;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
