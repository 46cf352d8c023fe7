// SPDX-License-Identifier: Apache-2.0
/// @file
/// Uncertainty-aware Mean Teacher (Yu et al., MICCAI 2019): the student follows the teacher where stochastic passes of
/// the teacher are certain.
#ifndef COMODAL_SSL_UNCERTAINTY_AWARE_MEAN_TEACHER_HPP
#define COMODAL_SSL_UNCERTAINTY_AWARE_MEAN_TEACHER_HPP

#include <comodal/loss/consistency_loss.hpp>
#include <comodal/ssl/parts/averaged_student.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/teacher_options.hpp>
#include <comodal/ssl/parts/uncertainty.hpp>

#include <cmath>

namespace comodal::inline COMODAL_CONFIG {

/// The options of `uncertainty_aware_mean_teacher`, the table [method.uncertainty_aware_mean_teacher].
struct uncertainty_aware_mean_teacher_options : consistency_options {
  static constexpr std::string_view name = "uncertainty_aware_mean_teacher";

  index passes = 8;
  double first_limit = 0.75;

  /// Calls `visit(key, reference, help)` for every option.
  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    consistency_options::visit(o, visit);
    visit("passes", o.passes, "stochastic passes of the teacher, with dropout");
    visit("first_limit", o.first_limit,
          "part of the largest entropy below which a voxel counts at first; rises to 1 over the run");
  }
  /// @throws config_error naming the key that makes no sense
  void check() const {
    check_consistency_options(*this);
    expect_option(passes >= 1 && passes <= 1000, text("method.", name, ".passes"), passes, "1 to 1000");
    expect_between(text("method.", name, ".first_limit"), first_limit, 0, 1);
  }
};

/// L_sup + ramp . consistency . distance of the fused probabilities to the teacher's, over the voxels where the entropy
/// of the mean of the teacher's stochastic passes is below (first_limit + (1 - first_limit) r) of its largest value; r
/// is the ramp over the whole run. The network has dropout (`model.dropout`).
template <tensor_backend Backend>
class uncertainty_aware_mean_teacher : public averaged_student<Backend> {
  using base = averaged_student<Backend>;

 public:
  using options_type = uncertainty_aware_mean_teacher_options;

  /// @throws config_error for a network without dropout
  uncertainty_aware_mean_teacher(const method_setup<Backend>& setup, const options_type& options)
      : base(setup, options), m_options(options), m_distance(setup.consistency_loss()) {
    if (!(setup.options().dropout > 0))
      throw config_error(
          "model.dropout = 0: without dropout all passes of the teacher are alike, and nothing is uncertain; set it "
          "above 0 for method.name = \"uncertainty_aware_mean_teacher\", or choose mean_teacher");
  }

  [[nodiscard]] batch_views views() const { return {.box_mix = false, .partial_labels = true}; }

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    expect_unlabelled(batch, "uncertainty-aware mean teacher");
    const device_batch<Backend> crops(base::home(), batch);
    const network_input<Backend> input({&crops.labelled, &crops.strong});
    const index labelled = crops.labelled.samples;
    const auto certain = certain_voxels(crops.weak, request);
    const auto q = seen(crops.weak, request, static_cast<std::uint32_t>(m_options.passes) + 1);

    const auto out = base::student().forward(input.volumes, input.present,
                                             request.pass(network_outputs::logits, forward_mode::train));
    const auto supervised = base::supervised(out, crops.labelled);
    // Crops weigh by how many of their voxels are certain, so that the mean is over all these voxels.
    const auto share = reshape(mean(certain, {1, 2, 3}), {certain.extent(0)});
    const auto far = m_distance(slice(out.fused, 0, labelled, input.present.samples()), q, certain);
    const auto consistency = sum(far * share) / (sum(share) + 1e-30);
    const auto loss = supervised + scale(consistency, ramp_up(request, m_options.ramp) * m_options.consistency);
    base::home().backward(loss);
    return {{"loss", loss}, {"supervised", supervised}, {"consistency", consistency}, {"certain", mean(certain)}};
  }

 private:
  // The teacher's probabilities in one stochastic pass.
  [[nodiscard]] variable<Backend> seen(const device_crops<Backend>& crops, const step_request& request,
                                       std::uint32_t pass) const {
    const auto wanted = request.pass(network_outputs::fused_only, forward_mode::stochastic, pass);
    return probabilities(base::teacher().forward(crops.volumes, crops.present, wanted).fused, base::targets().kind);
  }
  // 1 where the mean of the passes is certain, else 0: (N, D, H, W).
  [[nodiscard]] variable<Backend> certain_voxels(const device_crops<Backend>& crops,
                                                 const step_request& request) const {
    const auto average = mean_of_passes(base::home(), 1, static_cast<std::uint32_t>(m_options.passes),
                                        [&](std::uint32_t pass) { return seen(crops, request, pass); });
    const double most = base::targets().kind == label_kind::regions
                            ? std::log(2.0)
                            : std::log(static_cast<double>(base::targets().channels));
    const double from = m_options.first_limit;
    return where_below(predictive_entropy(average, base::targets().kind),
                       (from + (1 - from) * ramp_up(request, 1)) * most);
  }

  options_type m_options;
  any_consistency_loss<Backend> m_distance;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
