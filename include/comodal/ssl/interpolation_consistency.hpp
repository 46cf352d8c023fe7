// SPDX-License-Identifier: Apache-2.0
/// @file
/// Interpolation consistency training (ICT; Verma et al., IJCAI 2019): the prediction of a mixture of two crops is
/// drawn to the mixture of the teacher's predictions.
#ifndef COMODAL_SSL_INTERPOLATION_CONSISTENCY_HPP
#define COMODAL_SSL_INTERPOLATION_CONSISTENCY_HPP

#include <comodal/loss/consistency_loss.hpp>
#include <comodal/ssl/parts/averaged_student.hpp>
#include <comodal/ssl/parts/interpolation.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/teacher_options.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The options of `interpolation_consistency`, the table [method.interpolation_consistency].
struct interpolation_consistency_options : consistency_options {
  static constexpr std::string_view name = "interpolation_consistency";

  /// @throws config_error naming the key that makes no sense
  void check() const { check_consistency_options(*this); }
};

/// L_sup + ramp . consistency . distance of the fused prediction of mixed strong views to the mixture of the teacher's
/// probabilities of the weak views; one mixing factor per step, from a beta distribution (0.2, 0.2).
template <tensor_backend Backend>
class interpolation_consistency : public averaged_student<Backend> {
  using base = averaged_student<Backend>;

 public:
  using options_type = interpolation_consistency_options;

  interpolation_consistency(const method_setup<Backend>& setup, const options_type& options)
      : base(setup, options), m_options(options), m_distance(setup.consistency_loss()) {}

  [[nodiscard]] batch_views views() const { return {.box_mix = false, .least_unlabelled = 2, .partial_labels = true}; }

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    expect_unlabelled(batch, "interpolation consistency");
    const device_batch<Backend> crops(base::home(), batch);
    const interpolation<Backend> mixture(crops.strong.present, beta_factor(request));
    const auto seen = base::teacher().forward(crops.weak.volumes, crops.weak.present,
                                              request.pass(network_outputs::fused_only, forward_mode::evaluate));
    const auto q = mixture.mixed(probabilities(seen.fused, base::targets().kind));

    const auto out = base::student().forward(crops.labelled.volumes, crops.labelled.present,
                                             request.pass(network_outputs::logits, forward_mode::train));
    const auto supervised = base::supervised(out, crops.labelled);
    const auto mixed = base::student().forward(mixture.mixed(crops.strong.volumes), mixture.present(),
                                               request.pass(network_outputs::fused_only, forward_mode::train, 1));
    const variable<Backend> all_voxels;
    const auto consistency = mean(m_distance(mixed.fused, q, all_voxels));
    const auto loss = supervised + scale(consistency, ramp_up(request, m_options.ramp) * m_options.consistency);
    base::home().backward(loss);
    return {{"loss", loss}, {"supervised", supervised}, {"consistency", consistency}};
  }

 private:
  options_type m_options;
  any_consistency_loss<Backend> m_distance;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
