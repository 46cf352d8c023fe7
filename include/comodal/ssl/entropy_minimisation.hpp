// SPDX-License-Identifier: Apache-2.0
/// @file
/// Entropy minimisation (Grandvalet and Bengio, NeurIPS 2004): predictions of all crops are made more certain.
#ifndef COMODAL_SSL_ENTROPY_MINIMISATION_HPP
#define COMODAL_SSL_ENTROPY_MINIMISATION_HPP

#include <comodal/loss/entropy_loss.hpp>
#include <comodal/ssl/parts/averaged_student.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/teacher_options.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The options of `entropy_minimisation`, the table [method.entropy_minimisation].
struct entropy_minimisation_options {
  static constexpr std::string_view name = "entropy_minimisation";

  double branch_weight = 0.5;  // of the branches' losses beside the fused one's
  double ema_decay = 0.99;     // of the averaged weights, which predict
  double ramp = 0.4;           // fraction of the run over which the entropy's weight rises
  double entropy = 0.1;

  /// Calls `visit(key, reference, help)` for every option.
  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    visit_teacher_options(o, visit);
    visit("entropy", o.entropy, "weight of the entropy at the end of its ramp");
  }
  /// @throws config_error naming the key that makes no sense
  void check() const {
    check_teacher_options(*this);
    expect_between("method.entropy_minimisation.entropy", entropy, 0, 1000);
  }
};

/// L_sup + ramp . entropy . mean normalised entropy of the fused prediction on labelled and unlabelled crops.
template <tensor_backend Backend>
class entropy_minimisation : public averaged_student<Backend> {
  using base = averaged_student<Backend>;

 public:
  using options_type = entropy_minimisation_options;

  entropy_minimisation(const method_setup<Backend>& setup, const options_type& options)
      : base(setup, options), m_options(options) {}

  [[nodiscard]] batch_views views() const { return {.weak = 0, .box_mix = false, .partial_labels = true}; }

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    expect_unlabelled(batch, "entropy minimisation");
    const device_batch<Backend> crops(base::home(), batch);
    const network_input<Backend> input({&crops.labelled, &crops.strong});
    const auto out = base::student().forward(input.volumes, input.present,
                                             request.pass(network_outputs::logits, forward_mode::train));
    const auto supervised = base::supervised(out, crops.labelled);
    const auto entropy = mean(entropy_loss{base::targets().kind}(out.fused));
    const auto loss = supervised + scale(entropy, ramp_up(request, m_options.ramp) * m_options.entropy);
    base::home().backward(loss);
    return {{"loss", loss}, {"supervised", supervised}, {"entropy", entropy}};
  }

 private:
  options_type m_options;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
