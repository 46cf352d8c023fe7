// SPDX-License-Identifier: Apache-2.0
/// @file
/// Cross pseudo supervision (Chen et al., CVPR 2021) with two students, as somebody outside of the library writes it:
/// each student learns the hard labels of the other one, on labelled and unlabelled crops.
#ifndef COMODAL_TESTS_TRAIN_OUTSIDE_CROSS_PSEUDO_SUPERVISION_HPP
#define COMODAL_TESTS_TRAIN_OUTSIDE_CROSS_PSEUDO_SUPERVISION_HPP

#include <comodal/loss/consistency_loss.hpp>
#include <comodal/ssl/method.hpp>
#include <comodal/ssl/method_setup.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/supervised_loss.hpp>
#include <comodal/ssl/targets.hpp>

namespace outside {

template <comodal::tensor_backend Backend>
class cross_pseudo_supervision {
 public:
  using network = comodal::any_network<Backend>;
  using value = comodal::variable<Backend>;

  /// Two networks of different initial weights.
  explicit cross_pseudo_supervision(const comodal::method_setup<Backend>& setup)
      : m_a(setup.network(0)), m_b(setup.network(1)), m_targets(setup.targets()) {}

  comodal::batch_views views() const { return {.weak = 0, .box_mix = false}; }

  comodal::named_scalars<Backend> step(const comodal::step_batch& batch, const comodal::step_request& request) {
    auto& home = m_a.parameters().home();
    const comodal::device_batch<Backend> crops(home, batch);
    const comodal::network_input<Backend> input({&crops.labelled, &crops.strong});
    const auto pass = [&](const network& of, std::uint32_t number) {
      return of.forward(input.volumes, input.present,
                        request.pass(comodal::network_outputs::logits, comodal::forward_mode::train, number));
    };
    const auto a = pass(m_a, 0), b = pass(m_b, 1);

    const auto target = comodal::one_hot(m_targets, crops.labelled);
    const comodal::dice_cross_entropy loss{1, 1, 1, m_targets.kind};
    const auto supervised_by_labels = [&](const auto& out) {
      return comodal::supervised_loss(loss, comodal::samples_of(out, 0, crops.labelled.samples), target,
                                      crops.labelled.present, 0.5);
    };
    const comodal::cross_pseudo_supervision from_partner{m_targets.kind};
    const auto learns = [&](const value& own, const value& partner) {
      return comodal::mean(from_partner(own, comodal::probabilities(partner, m_targets.kind)));
    };
    const value supervised = supervised_by_labels(a) + supervised_by_labels(b);
    const value cross = learns(a.fused, b.fused) + learns(b.fused, a.fused);
    const value total = supervised + comodal::scale(cross, 0.1 * comodal::ramp_up(request, 0.4));
    home.backward(total);
    return {{"loss", total}, {"supervised", supervised}, {"cross", cross}};
  }

  std::vector<comodal::named_store<Backend>> trained() const {
    return {{"student_a", &m_a.parameters()}, {"student_b", &m_b.parameters()}};
  }
  std::vector<comodal::named_network<Backend>> predictors() const { return {{"student_a", m_a}, {"student_b", m_b}}; }
  void save(comodal::safetensors_file&) const {}
  void load(const comodal::safetensors_file&) {}

 private:
  network m_a, m_b;
  comodal::target_map m_targets;
};

}  // namespace outside

#endif
