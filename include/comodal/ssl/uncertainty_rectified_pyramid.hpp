// SPDX-License-Identifier: Apache-2.0
/// @file
/// Uncertainty rectified pyramid consistency (URPC; Luo et al., MICCAI 2021): the outputs of deep supervision are drawn
/// to their mean, less where they disagree with it.
#ifndef COMODAL_SSL_UNCERTAINTY_RECTIFIED_PYRAMID_HPP
#define COMODAL_SSL_UNCERTAINTY_RECTIFIED_PYRAMID_HPP

#include <comodal/loss/pyramid_consistency.hpp>
#include <comodal/ssl/parts/averaged_student.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/teacher_options.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The options of `uncertainty_rectified_pyramid`, the table [method.uncertainty_rectified_pyramid].
struct uncertainty_rectified_pyramid_options : consistency_options {
  static constexpr std::string_view name = "uncertainty_rectified_pyramid";

  /// @throws config_error naming the key that makes no sense
  void check() const { check_consistency_options(*this); }
};

/// L_sup + ramp . consistency . `pyramid_consistency` of the outputs of deep supervision on unlabelled crops. The
/// network has `deep_supervision` and at least three stages, so that there are two outputs and more.
template <tensor_backend Backend>
class uncertainty_rectified_pyramid : public averaged_student<Backend> {
  using base = averaged_student<Backend>;

 public:
  using options_type = uncertainty_rectified_pyramid_options;

  /// @throws config_error for a network of fewer than two outputs
  uncertainty_rectified_pyramid(const method_setup<Backend>& setup, const options_type& options)
      : base(setup, options), m_options(options) {
    if (!setup.options().deep_supervision || setup.options().stream_channels.size() < 3)
      throw config_error(
          "method.name = \"uncertainty_rectified_pyramid\": the network has one output alone; set "
          "model.deep_supervision = true and at least three stages");
  }

  [[nodiscard]] batch_views views() const { return {.weak = 0, .box_mix = false, .partial_labels = true}; }

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    expect_unlabelled(batch, "uncertainty rectified pyramid");
    const device_batch<Backend> crops(base::home(), batch);
    const network_input<Backend> input({&crops.labelled, &crops.strong});
    const auto out = base::student().forward(input.volumes, input.present,
                                             request.pass(network_outputs::logits, forward_mode::train));
    const auto supervised = base::supervised(out, crops.labelled);
    const auto unlabelled = samples_of(out, crops.labelled.samples, input.present.samples());
    std::vector<variable<Backend>> pyramid{unlabelled.fused};
    for (const auto& z : unlabelled.deep) pyramid.push_back(upsampled_like(z, unlabelled.fused));
    const auto consistency = mean(pyramid_consistency{base::targets().kind}(pyramid));
    const auto loss = supervised + scale(consistency, ramp_up(request, m_options.ramp) * m_options.consistency);
    base::home().backward(loss);
    return {{"loss", loss}, {"supervised", supervised}, {"consistency", consistency}};
  }

 private:
  // Coarser logits on the grid of finer ones, by trilinear up-sampling.
  [[nodiscard]] static variable<Backend> upsampled_like(const variable<Backend>& coarse,
                                                        const variable<Backend>& fine) {
    extent3 factor{};
    for (std::size_t a = 0; a < 3; ++a)
      factor[a] = fine.extent(static_cast<int>(a) + 1) / coarse.extent(static_cast<int>(a) + 1);
    return upsample3d(coarse, factor);
  }

  options_type m_options;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
