// SPDX-License-Identifier: Apache-2.0
/// @file
/// Cross pseudo supervision (Chen et al., CVPR 2021): two students of different initial weights learn each other's hard
/// labels.
#ifndef COMODAL_SSL_CROSS_PSEUDO_SUPERVISION_HPP
#define COMODAL_SSL_CROSS_PSEUDO_SUPERVISION_HPP

#include <comodal/loss/consistency_loss.hpp>
#include <comodal/ssl/parts/averaged_student.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/teacher_options.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The options of `cross_pseudo_supervision_method`, the table [method.cross_pseudo_supervision].
struct cross_pseudo_supervision_options : consistency_options {
  static constexpr std::string_view name = "cross_pseudo_supervision";

  /// @throws config_error naming the key that makes no sense
  void check() const { check_consistency_options(*this); }
};

/// Sum over both students of L_sup + ramp . consistency . cross-entropy with the hard labels of the other one, on
/// labelled and unlabelled crops, without a threshold.
template <tensor_backend Backend>
class cross_pseudo_supervision_method : public averaged_student<Backend> {
  using base = averaged_student<Backend>;

 public:
  using options_type = cross_pseudo_supervision_options;

  cross_pseudo_supervision_method(const method_setup<Backend>& setup, const options_type& options)
      : base(setup, options), m_second(setup.network(1)), m_options(options) {}

  [[nodiscard]] batch_views views() const { return {.weak = 0, .box_mix = false, .partial_labels = true}; }

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    expect_unlabelled(batch, "cross pseudo supervision");
    const device_batch<Backend> crops(base::home(), batch);
    const network_input<Backend> input({&crops.labelled, &crops.strong});
    const auto pass = [&](const any_network<Backend>& student, std::uint32_t number) {
      return student.forward(input.volumes, input.present,
                             request.pass(network_outputs::logits, forward_mode::train, number));
    };
    const auto first = pass(base::student(), 0), second = pass(m_second, 1);
    const label_kind kind = base::targets().kind;
    const auto learns = [&](const variable<Backend>& own, const variable<Backend>& partner) {
      return mean(cross_pseudo_supervision{kind}(own, probabilities(partner, kind)));
    };
    const auto supervised = base::supervised(first, crops.labelled) + base::supervised(second, crops.labelled);
    const auto cross = learns(first.fused, second.fused) + learns(second.fused, first.fused);
    const auto loss = supervised + scale(cross, ramp_up(request, m_options.ramp) * m_options.consistency);
    base::home().backward(loss);
    return {{"loss", loss}, {"supervised", supervised}, {"cross", cross}};
  }

  [[nodiscard]] std::vector<named_store<Backend>> trained() const {
    auto all = base::trained();
    all.push_back({"second", &m_second.parameters()});
    return all;
  }
  [[nodiscard]] std::vector<named_network<Backend>> predictors() const {
    auto all = base::predictors();
    all.push_back({"second", m_second});
    return all;
  }

 private:
  any_network<Backend> m_second;
  options_type m_options;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
