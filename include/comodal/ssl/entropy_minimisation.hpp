// SPDX-License-Identifier: Apache-2.0
/// @file
/// Entropy minimisation (Grandvalet and Bengio, NeurIPS 2004): predictions of all crops are made more certain.
#ifndef COMODAL_SSL_ENTROPY_MINIMISATION_HPP
#define COMODAL_SSL_ENTROPY_MINIMISATION_HPP

#include <comodal/loss/entropy_loss.hpp>
#include <comodal/ssl/method.hpp>
#include <comodal/ssl/method_setup.hpp>
#include <comodal/ssl/parts/ema_teacher.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/supervised_loss.hpp>
#include <comodal/ssl/parts/teacher_options.hpp>
#include <comodal/ssl/targets.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The options of `entropy_minimisation`, the table [method.entropy_minimisation].
struct entropy_minimisation_options {
  static constexpr std::string_view name = "entropy_minimisation";

  double branch_weight = 0.5;  // of the branches' losses beside the fused one's
  double ema_decay = 0.99;     // of the averaged weights, which predict
  double ramp = 0.4;           // fraction of the run over which the entropy's weight rises
  double entropy = 0.1;        // weight of the entropy at the end of its ramp

  /// Calls `visit(key, reference)` for every option.
  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    visit_teacher_options(o, visit);
    visit(std::string_view("entropy"), o.entropy);
  }
  /// @throws config_error naming the key that makes no sense
  void check() const {
    check_teacher_options(*this);
    expect_between("method.entropy_minimisation.entropy", entropy, 0, 1000);
  }
};

/// L_sup + ramp . entropy . mean normalised entropy of the fused prediction on labelled and unlabelled crops.
template <tensor_backend Backend>
class entropy_minimisation {
 public:
  using options_type = entropy_minimisation_options;

  entropy_minimisation(const method_setup<Backend>& setup, const options_type& options)
      : m_student(setup.network(0)),
        m_average(setup.network(0), m_student.parameters(), options.ema_decay),
        m_targets(setup.targets()),
        m_options(options),
        m_loss(setup.segmentation_loss()) {}

  [[nodiscard]] batch_views views() const { return {.weak = 0, .box_mix = false}; }

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    tape<Backend>& home = m_student.parameters().home();
    expect_unlabelled(batch, "entropy minimisation");
    const device_batch<Backend> crops(home, batch);
    const network_input<Backend> input({&crops.labelled, &crops.strong});
    const auto target = one_hot(m_targets, crops.labelled);
    const auto out =
        m_student.forward(input.volumes, input.present, request.pass(network_outputs::logits, forward_mode::train));
    const auto supervised = supervised_loss(m_loss, samples_of(out, 0, crops.labelled.samples), target,
                                            crops.labelled.present, m_options.branch_weight);
    const auto entropy = mean(entropy_loss{m_targets.kind}(out.fused));
    const auto loss = supervised + scale(entropy, ramp_up(request, m_options.ramp) * m_options.entropy);
    home.backward(loss);
    return {{"loss", loss}, {"supervised", supervised}, {"entropy", entropy}};
  }
  void after_update(const step_request& request) { m_average.follow(m_student.parameters(), request); }

  [[nodiscard]] std::vector<named_store<Backend>> trained() const { return {{"student", &m_student.parameters()}}; }
  [[nodiscard]] std::vector<named_network<Backend>> predictors() const {
    return {{"ema", m_average.network()}, {"student", m_student}};
  }
  void save(safetensors_file&) const {}
  void load(const safetensors_file&) {}

 private:
  any_network<Backend> m_student;
  ema_teacher<Backend, any_network<Backend>> m_average;
  target_map m_targets;
  options_type m_options;
  any_segmentation_loss<Backend> m_loss;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
