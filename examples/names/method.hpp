// SPDX-License-Identifier: Apache-2.0
// A method of your own: cross pseudo supervision (Chen et al., CVPR 2021). Two students of different initial weights;
// each learns the hard labels of the other one.
#ifndef COMODAL_EXAMPLES_NAMES_METHOD_HPP
#define COMODAL_EXAMPLES_NAMES_METHOD_HPP

#include <comodal/ssl/device_batch.hpp>
#include <comodal/ssl/method.hpp>
#include <comodal/ssl/method_setup.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/supervised_loss.hpp>
#include <comodal/ssl/targets.hpp>

#include <vector>

// The options of the method: the table [method.two_students] of an experiment file.
struct two_students_options {
  double weight = 0.1, ramp = 0.4;

  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    visit("weight", o.weight, "weight of the cross supervision at the end of its ramp");
    visit("ramp", o.ramp, "fraction of the run over which that weight rises");
  }
  void check() const {
    if (!(weight >= 0)) throw comodal::config_error("method.two_students.weight: expected 0 or more");
    if (!(ramp >= 0 && ramp <= 1)) throw comodal::config_error("method.two_students.ramp: expected 0 to 1");
  }
};

template <comodal::tensor_backend Backend>
class two_students {
 public:
  using options_type = two_students_options;

  two_students(const comodal::method_setup<Backend>& setup, const options_type& options)
      : m_targets(setup.targets()),
        m_loss(setup.segmentation_loss()),
        m_options(options),
        m_a(setup.network(0)),
        m_b(setup.network(1)) {}

  comodal::batch_views views() const { return {.weak = 0, .box_mix = false}; }

  comodal::named_scalars<Backend> step(const comodal::step_batch& batch, const comodal::step_request& request) {
    auto& home = m_a.parameters().home();
    const comodal::device_batch<Backend> crops(home, batch);
    const comodal::network_input<Backend> input({&crops.labelled, &crops.strong});
    const auto pass = [&](const auto& of, std::uint32_t number) {
      return of.forward(input.volumes, input.present,
                        request.pass(comodal::network_outputs::logits, comodal::forward_mode::train, number));
    };
    const auto a = pass(m_a, 0), b = pass(m_b, 1);

    const auto target = comodal::one_hot(m_targets, crops.labelled);
    const auto supervised = [&](const auto& out) {
      return comodal::supervised_loss(m_loss, comodal::samples_of(out, 0, crops.labelled.samples), target,
                                      crops.labelled.present, 0.5);
    };
    const comodal::cross_pseudo_supervision from_partner{m_targets.kind};
    const auto learns = [&](const auto& own, const auto& partner) {
      return comodal::mean(from_partner(own, comodal::probabilities(partner, m_targets.kind)));
    };
    const auto labels = supervised(a) + supervised(b);
    const auto cross = learns(a.fused, b.fused) + learns(b.fused, a.fused);
    const auto loss = labels + comodal::scale(cross, m_options.weight * comodal::ramp_up(request, m_options.ramp));
    home.backward(loss);
    return {{"loss", loss}, {"supervised", labels}, {"cross", cross}};
  }

  std::vector<comodal::named_store<Backend>> trained() const {
    return {{"a", &m_a.parameters()}, {"b", &m_b.parameters()}};
  }
  std::vector<comodal::named_network<Backend>> predictors() const { return {{"a", m_a}, {"b", m_b}}; }
  void save(comodal::safetensors_file&) const {}
  void load(const comodal::safetensors_file&) {}

 private:
  comodal::target_map m_targets;
  comodal::any_segmentation_loss<Backend> m_loss;
  options_type m_options;
  comodal::any_network<Backend> m_a, m_b;
};

#endif
