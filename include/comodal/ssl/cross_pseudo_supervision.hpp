// SPDX-License-Identifier: Apache-2.0
/// @file
/// Cross pseudo supervision (Chen et al., CVPR 2021): two students of different initial weights learn each other's hard
/// labels.
#ifndef COMODAL_SSL_CROSS_PSEUDO_SUPERVISION_HPP
#define COMODAL_SSL_CROSS_PSEUDO_SUPERVISION_HPP

#include <comodal/loss/consistency_loss.hpp>
#include <comodal/ssl/method.hpp>
#include <comodal/ssl/method_setup.hpp>
#include <comodal/ssl/parts/ema_teacher.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/supervised_loss.hpp>
#include <comodal/ssl/parts/teacher_options.hpp>
#include <comodal/ssl/targets.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The options of `cross_pseudo_supervision_method`, the table [method.cross_pseudo_supervision].
struct cross_pseudo_supervision_options {
  static constexpr std::string_view name = "cross_pseudo_supervision";

  double branch_weight = 0.5;  // of the branches' losses beside the fused one's
  double ema_decay = 0.99;     // of the averaged weights of the first student, which predict
  double ramp = 0.4;           // fraction of the run over which the weight of the partner's labels rises
  double consistency = 0.1;    // weight of the partner's labels at the end of its ramp

  /// Calls `visit(key, reference)` for every option.
  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    visit_teacher_options(o, visit);
    visit(std::string_view("consistency"), o.consistency);
  }
  /// @throws config_error naming the key that makes no sense
  void check() const {
    check_teacher_options(*this);
    expect_between("method.cross_pseudo_supervision.consistency", consistency, 0, 1000);
  }
};

/// Sum over both students of L_sup + ramp . consistency . cross-entropy with the hard labels of the other one, on
/// labelled and unlabelled crops, without a threshold.
template <tensor_backend Backend>
class cross_pseudo_supervision_method {
 public:
  using options_type = cross_pseudo_supervision_options;

  cross_pseudo_supervision_method(const method_setup<Backend>& setup, const options_type& options)
      : m_first(setup.network(0)),
        m_second(setup.network(1)),
        m_average(setup.network(0), m_first.parameters(), options.ema_decay),
        m_targets(setup.targets()),
        m_options(options),
        m_loss(setup.segmentation_loss()) {}

  [[nodiscard]] batch_views views() const { return {.weak = 0, .box_mix = false}; }

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    tape<Backend>& home = m_first.parameters().home();
    expect_unlabelled(batch, "cross pseudo supervision");
    const device_batch<Backend> crops(home, batch);
    const network_input<Backend> input({&crops.labelled, &crops.strong});
    const auto target = one_hot(m_targets, crops.labelled);
    const auto pass = [&](const any_network<Backend>& student, std::uint32_t number) {
      return student.forward(input.volumes, input.present,
                             request.pass(network_outputs::logits, forward_mode::train, number));
    };
    const auto first = pass(m_first, 0), second = pass(m_second, 1);
    const auto labels = [&](const network_output<Backend>& out) {
      return supervised_loss(m_loss, samples_of(out, 0, crops.labelled.samples), target, crops.labelled.present,
                             m_options.branch_weight);
    };
    const auto learns = [&](const variable<Backend>& own, const variable<Backend>& partner) {
      return mean(cross_pseudo_supervision{m_targets.kind}(own, probabilities(partner, m_targets.kind)));
    };
    const auto supervised = labels(first) + labels(second);
    const auto cross = learns(first.fused, second.fused) + learns(second.fused, first.fused);
    const auto loss = supervised + scale(cross, ramp_up(request, m_options.ramp) * m_options.consistency);
    home.backward(loss);
    return {{"loss", loss}, {"supervised", supervised}, {"cross", cross}};
  }
  void after_update(const step_request& request) { m_average.follow(m_first.parameters(), request); }

  [[nodiscard]] std::vector<named_store<Backend>> trained() const {
    return {{"student", &m_first.parameters()}, {"second", &m_second.parameters()}};
  }
  [[nodiscard]] std::vector<named_network<Backend>> predictors() const {
    return {{"ema", m_average.network()}, {"student", m_first}, {"second", m_second}};
  }
  void save(safetensors_file&) const {}
  void load(const safetensors_file&) {}

 private:
  any_network<Backend> m_first, m_second;
  ema_teacher<Backend, any_network<Backend>> m_average;
  target_map m_targets;
  options_type m_options;
  any_segmentation_loss<Backend> m_loss;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
