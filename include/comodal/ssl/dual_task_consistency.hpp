// SPDX-License-Identifier: Apache-2.0
/// @file
/// Dual-task consistency (DTC; Luo et al., AAAI 2021): the network also says how far the boundary is, and both answers
/// must agree.
#ifndef COMODAL_SSL_DUAL_TASK_CONSISTENCY_HPP
#define COMODAL_SSL_DUAL_TASK_CONSISTENCY_HPP

#include <comodal/loss/distance_consistency.hpp>
#include <comodal/ssl/parts/averaged_student.hpp>
#include <comodal/ssl/parts/distance_fields.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/teacher_options.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The options of `dual_task_consistency`, the table [method.dual_task_consistency].
struct dual_task_consistency_options : consistency_options {
  static constexpr std::string_view name = "dual_task_consistency";

  double distance = 0.3;
  double steepness = 1500;

  dual_task_consistency_options() { consistency = 1; }

  /// Calls `visit(key, reference, help)` for every option.
  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    consistency_options::visit(o, visit);
    visit("distance", o.distance, "weight of the squared error of the signed distances of labelled crops");
    visit("steepness", o.steepness, "of the sigmoid that makes a mask of distances");
  }
  /// @throws config_error naming the key that makes no sense
  void check() const {
    check_consistency_options(*this);
    expect_between(text("method.", name, ".distance"), distance, 0, 1000);
    expect_option(steepness > 0 && steepness <= 1e6, text("method.", name, ".steepness"), steepness,
                  "a number above 0 and up to 1e6");
  }
};

/// L_sup + distance . mean squared error of the signed distances of labelled crops + ramp . consistency .
/// `distance_consistency` on labelled and unlabelled crops. The distances are a 1x1x1 convolution of the fused
/// decoder's finest map; they are not needed to predict.
template <tensor_backend Backend>
class dual_task_consistency : public averaged_student<Backend> {
  using base = averaged_student<Backend>;

 public:
  using options_type = dual_task_consistency_options;

  /// @throws config_error for a decoder that hands out no map
  dual_task_consistency(const method_setup<Backend>& setup, const options_type& options)
      : base(setup, options, {{"distance", "", setup.targets().channels - first_foreground(setup.targets().kind)}}),
        m_options(options) {}

  [[nodiscard]] batch_views views() const {
    return {.weak = 0, .box_mix = false, .fields = distance_fields(base::targets()), .partial_labels = true};
  }

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    expect_unlabelled(batch, "dual-task consistency");
    const device_batch<Backend> crops(base::home(), batch);
    const network_input<Backend> input({&crops.labelled, &crops.strong});
    const auto target = distance_targets(base::targets(), crops.labelled);
    const auto out = base::student().forward(input.volumes, input.present,
                                             request.pass(network_outputs::logits, forward_mode::train));
    const auto supervised = base::supervised(out, crops.labelled);
    const auto distances = bounded_distances(out.heads.at("distance"));
    const auto off = slice(distances, 0, 0, crops.labelled.samples) - target;
    const auto distance = base::known(crops.labelled).mean_of_foreground(off * off);
    const auto consistency =
        mean(distance_consistency{base::targets().kind, m_options.steepness}(out.fused, distances));
    const auto loss = supervised + distance * m_options.distance +
                      scale(consistency, ramp_up(request, m_options.ramp) * m_options.consistency);
    base::home().backward(loss);
    return {{"loss", loss}, {"supervised", supervised}, {"distance", distance}, {"consistency", consistency}};
  }

 private:
  options_type m_options;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
