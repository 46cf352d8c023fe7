// SPDX-License-Identifier: Apache-2.0
/// @file
/// Uncertainty rectified pyramid consistency (URPC; Luo et al., MICCAI 2021): the outputs of deep supervision are drawn
/// to their mean, less where they disagree with it.
#ifndef COMODAL_SSL_UNCERTAINTY_RECTIFIED_PYRAMID_HPP
#define COMODAL_SSL_UNCERTAINTY_RECTIFIED_PYRAMID_HPP

#include <comodal/loss/pyramid_consistency.hpp>
#include <comodal/ssl/method.hpp>
#include <comodal/ssl/method_setup.hpp>
#include <comodal/ssl/parts/ema_teacher.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/supervised_loss.hpp>
#include <comodal/ssl/parts/teacher_options.hpp>
#include <comodal/ssl/targets.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The options of `uncertainty_rectified_pyramid`, the table [method.uncertainty_rectified_pyramid].
struct uncertainty_rectified_pyramid_options {
  static constexpr std::string_view name = "uncertainty_rectified_pyramid";

  double branch_weight = 0.5;  // of the branches' losses beside the fused one's
  double ema_decay = 0.99;     // of the averaged weights, which predict
  double ramp = 0.4;           // fraction of the run over which the consistency rises
  double consistency = 0.1;    // weight of the consistency at the end of its ramp

  /// Calls `visit(key, reference)` for every option.
  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    visit_teacher_options(o, visit);
    visit(std::string_view("consistency"), o.consistency);
  }
  /// @throws config_error naming the key that makes no sense
  void check() const {
    check_teacher_options(*this);
    expect_between("method.uncertainty_rectified_pyramid.consistency", consistency, 0, 1000);
  }
};

/// L_sup + ramp . consistency . `pyramid_consistency` of the outputs of deep supervision on unlabelled crops. The
/// network has `deep_supervision` and at least three stages, so that there are two outputs and more.
template <tensor_backend Backend>
class uncertainty_rectified_pyramid {
 public:
  using options_type = uncertainty_rectified_pyramid_options;

  uncertainty_rectified_pyramid(const method_setup<Backend>& setup, const options_type& options)
      : m_student(setup.network(0)),
        m_average(setup.network(0), m_student.parameters(), options.ema_decay),
        m_targets(setup.targets()),
        m_options(options),
        m_loss(setup.segmentation_loss()) {}

  [[nodiscard]] batch_views views() const { return {.weak = 0, .box_mix = false}; }

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    tape<Backend>& home = m_student.parameters().home();
    expect_unlabelled(batch, "uncertainty rectified pyramid");
    const device_batch<Backend> crops(home, batch);
    const network_input<Backend> input({&crops.labelled, &crops.strong});
    const auto target = one_hot(m_targets, crops.labelled);
    const index labelled = crops.labelled.samples;
    const auto out =
        m_student.forward(input.volumes, input.present, request.pass(network_outputs::logits, forward_mode::train));
    if (out.deep.empty())
      throw config_error(
          "uncertainty rectified pyramid: the network has one output alone; set model.deep_supervision = "
          "true and at least three stages");
    const auto supervised =
        supervised_loss(m_loss, samples_of(out, 0, labelled), target, crops.labelled.present, m_options.branch_weight);
    const auto unlabelled = samples_of(out, labelled, input.present.samples());
    std::vector<variable<Backend>> pyramid{unlabelled.fused};
    for (const auto& z : unlabelled.deep) pyramid.push_back(upsampled_like(z, unlabelled.fused));
    const auto consistency = mean(pyramid_consistency{m_targets.kind}(pyramid));
    const auto loss = supervised + scale(consistency, ramp_up(request, m_options.ramp) * m_options.consistency);
    home.backward(loss);
    return {{"loss", loss}, {"supervised", supervised}, {"consistency", consistency}};
  }
  void after_update(const step_request& request) { m_average.follow(m_student.parameters(), request); }

  [[nodiscard]] std::vector<named_store<Backend>> trained() const { return {{"student", &m_student.parameters()}}; }
  [[nodiscard]] std::vector<named_network<Backend>> predictors() const {
    return {{"ema", m_average.network()}, {"student", m_student}};
  }
  void save(safetensors_file&) const {}
  void load(const safetensors_file&) {}

 private:
  // Coarser logits on the grid of finer ones, by trilinear up-sampling.
  [[nodiscard]] static variable<Backend> upsampled_like(const variable<Backend>& coarse,
                                                        const variable<Backend>& fine) {
    extent3 factor{};
    for (std::size_t a = 0; a < 3; ++a)
      factor[a] = fine.extent(static_cast<int>(a) + 1) / coarse.extent(static_cast<int>(a) + 1);
    return upsample3d(coarse, factor);
  }

  any_network<Backend> m_student;
  ema_teacher<Backend, any_network<Backend>> m_average;
  target_map m_targets;
  options_type m_options;
  any_segmentation_loss<Backend> m_loss;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
