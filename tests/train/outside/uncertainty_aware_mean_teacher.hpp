// SPDX-License-Identifier: Apache-2.0
/// @file
/// Uncertainty-aware Mean Teacher (Yu et al., MICCAI 2019), as somebody outside of the library writes it: the student
/// follows the teacher where the entropy of the mean of eight stochastic passes of the teacher is low.
#ifndef COMODAL_TESTS_TRAIN_OUTSIDE_UNCERTAINTY_AWARE_MEAN_TEACHER_HPP
#define COMODAL_TESTS_TRAIN_OUTSIDE_UNCERTAINTY_AWARE_MEAN_TEACHER_HPP

#include <comodal/core/option_range.hpp>
#include <comodal/loss/consistency_loss.hpp>
#include <comodal/ssl/method.hpp>
#include <comodal/ssl/method_setup.hpp>
#include <comodal/ssl/parts/ema_teacher.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/supervised_loss.hpp>
#include <comodal/ssl/parts/uncertainty.hpp>
#include <comodal/ssl/targets.hpp>

namespace outside {

/// The table [method.ua_mt] of an experiment file.
struct uncertainty_options {
  double consistency = 0.1;  // weight at the end of its ramp

  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    visit("consistency", o.consistency);
  }
  void check() const { comodal::expect_between("method.ua_mt.consistency", consistency, 0, 1000); }
};

template <comodal::tensor_backend Backend>
class uncertainty_aware_mean_teacher {
 public:
  using options_type = uncertainty_options;
  using network = comodal::any_network<Backend>;
  using value = comodal::variable<Backend>;

  /// The networks should have dropout.
  uncertainty_aware_mean_teacher(const comodal::method_setup<Backend>& setup, const options_type& options)
      : m_student(setup.network(0)),
        m_teacher(setup.network(0), m_student.parameters(), 0.99),
        m_targets(setup.targets()),
        m_options(options) {}

  comodal::batch_views views() const { return {.box_mix = false}; }

  comodal::named_scalars<Backend> step(const comodal::step_batch& batch, const comodal::step_request& request) {
    auto& home = m_student.parameters().home();
    const comodal::device_batch<Backend> crops(home, batch);
    const comodal::network_input<Backend> input({&crops.labelled, &crops.strong}), weak({&crops.weak});
    const auto seen = [&](std::uint32_t pass) {
      const auto wanted = request.pass(comodal::network_outputs::fused_only, comodal::forward_mode::stochastic, pass);
      return comodal::probabilities(m_teacher.forward(weak.volumes, weak.present, wanted).fused, m_targets.kind);
    };
    const value entropy = comodal::predictive_entropy(comodal::mean_of_passes(home, 1, 8, seen), m_targets.kind);
    const double chance = std::log(static_cast<double>(m_targets.channels));
    const value certain = comodal::where_below(entropy, (0.75 + 0.25 * comodal::ramp_up(request, 1)) * chance);

    const auto out = m_student.forward(input.volumes, input.present,
                                       request.pass(comodal::network_outputs::logits, comodal::forward_mode::train));
    const auto target = comodal::one_hot(m_targets, crops.labelled);
    const auto known = comodal::samples_of(out, 0, crops.labelled.samples);
    const comodal::dice_cross_entropy loss{1, 1, 1, m_targets.kind};
    const value supervised = comodal::supervised_loss(loss, known, target, crops.labelled.present, 0.5);
    const auto unlabelled = comodal::samples_of(out, crops.labelled.samples, input.present.samples());
    const comodal::mean_squared_error distance{m_targets.kind};
    const value consistency = comodal::mean(distance(unlabelled.fused, seen(9), certain));
    const value total =
        supervised + comodal::scale(consistency, m_options.consistency * comodal::ramp_up(request, 0.4));
    home.backward(total);
    return {{"loss", total}, {"consistency", consistency}, {"certain", comodal::mean(certain)}};
  }
  void after_update(const comodal::step_request& request) { m_teacher.follow(m_student.parameters(), request); }

  std::vector<comodal::named_store<Backend>> trained() const { return {{"student", &m_student.parameters()}}; }
  std::vector<comodal::named_network<Backend>> predictors() const {
    return {{"ema", m_teacher.network()}, {"student", m_student}};
  }
  void save(comodal::safetensors_file&) const {}
  void load(const comodal::safetensors_file&) {}

 private:
  network m_student;
  comodal::ema_teacher<Backend, network> m_teacher;
  comodal::target_map m_targets;
  options_type m_options;
};

}  // namespace outside

#endif
