// SPDX-License-Identifier: Apache-2.0
/// @file
/// Interpolation consistency training (ICT; Verma et al., IJCAI 2019): the prediction of a mixture of two crops is
/// drawn to the mixture of the teacher's predictions.
#ifndef COMODAL_SSL_INTERPOLATION_CONSISTENCY_HPP
#define COMODAL_SSL_INTERPOLATION_CONSISTENCY_HPP

#include <comodal/loss/consistency_loss.hpp>
#include <comodal/ssl/method.hpp>
#include <comodal/ssl/method_setup.hpp>
#include <comodal/ssl/parts/ema_teacher.hpp>
#include <comodal/ssl/parts/interpolation.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/supervised_loss.hpp>
#include <comodal/ssl/parts/teacher_options.hpp>
#include <comodal/ssl/targets.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The options of `interpolation_consistency`, the table [method.interpolation_consistency].
struct interpolation_consistency_options {
  static constexpr std::string_view name = "interpolation_consistency";

  double branch_weight = 0.5;  // of the branches' losses beside the fused one's
  double ema_decay = 0.99;     // of the teacher's weights
  double ramp = 0.4;           // fraction of the run over which the consistency rises
  double consistency = 0.1;    // weight of the distance to the teacher at the end of its ramp

  /// Calls `visit(key, reference)` for every option.
  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    visit_teacher_options(o, visit);
    visit(std::string_view("consistency"), o.consistency);
  }
  /// @throws config_error naming the key that makes no sense
  void check() const {
    check_teacher_options(*this);
    expect_between("method.interpolation_consistency.consistency", consistency, 0, 1000);
  }
};

/// L_sup + ramp . consistency . distance of the fused prediction of mixed strong views to the mixture of the teacher's
/// probabilities of the weak views; one mixing factor per step, from a beta distribution (0.2, 0.2).
template <tensor_backend Backend>
class interpolation_consistency {
 public:
  using options_type = interpolation_consistency_options;

  interpolation_consistency(const method_setup<Backend>& setup, const options_type& options)
      : m_student(setup.network(0)),
        m_teacher(setup.network(0), m_student.parameters(), options.ema_decay),
        m_targets(setup.targets()),
        m_options(options),
        m_loss(setup.segmentation_loss()),
        m_distance(setup.consistency_loss()) {}

  [[nodiscard]] batch_views views() const { return {.box_mix = false}; }

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    tape<Backend>& home = m_student.parameters().home();
    expect_unlabelled(batch, "interpolation consistency");
    const device_batch<Backend> crops(home, batch);
    const interpolation<Backend> mixture(crops.strong.present, beta_factor(request));
    const auto target = one_hot(m_targets, crops.labelled);
    const auto seen = m_teacher.forward(crops.weak.volumes, crops.weak.present,
                                        request.pass(network_outputs::fused_only, forward_mode::evaluate));
    const auto q = mixture.mixed(probabilities(seen.fused, m_targets.kind));

    const auto out = m_student.forward(crops.labelled.volumes, crops.labelled.present,
                                       request.pass(network_outputs::logits, forward_mode::train));
    const auto supervised = supervised_loss(m_loss, out, target, crops.labelled.present, m_options.branch_weight);
    const auto mixed = m_student.forward(mixture.mixed(crops.strong.volumes), mixture.present(),
                                         request.pass(network_outputs::fused_only, forward_mode::train, 1));
    const variable<Backend> all_voxels;
    const auto consistency = mean(m_distance(mixed.fused, q, all_voxels));
    const auto loss = supervised + scale(consistency, ramp_up(request, m_options.ramp) * m_options.consistency);
    home.backward(loss);
    return {{"loss", loss}, {"supervised", supervised}, {"consistency", consistency}};
  }
  void after_update(const step_request& request) { m_teacher.follow(m_student.parameters(), request); }

  [[nodiscard]] std::vector<named_store<Backend>> trained() const { return {{"student", &m_student.parameters()}}; }
  [[nodiscard]] std::vector<named_network<Backend>> predictors() const {
    return {{"ema", m_teacher.network()}, {"student", m_student}};
  }
  void save(safetensors_file&) const {}
  void load(const safetensors_file&) {}

 private:
  any_network<Backend> m_student;
  ema_teacher<Backend, any_network<Backend>> m_teacher;
  target_map m_targets;
  options_type m_options;
  any_segmentation_loss<Backend> m_loss;
  any_consistency_loss<Backend> m_distance;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
