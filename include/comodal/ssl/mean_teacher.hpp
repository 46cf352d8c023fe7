// SPDX-License-Identifier: Apache-2.0
/// @file
/// Mean Teacher (Tarvainen and Valpola, 2017): the student's prediction on strong views is drawn to the averaged
/// teacher's on weak ones.
#ifndef COMODAL_SSL_MEAN_TEACHER_HPP
#define COMODAL_SSL_MEAN_TEACHER_HPP

#include <comodal/loss/consistency_loss.hpp>
#include <comodal/ssl/method.hpp>
#include <comodal/ssl/method_setup.hpp>
#include <comodal/ssl/parts/box_mix.hpp>
#include <comodal/ssl/parts/ema_teacher.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/supervised_loss.hpp>
#include <comodal/ssl/parts/teacher_options.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The options of `mean_teacher`, the table [method.mean_teacher].
struct mean_teacher_options {
  static constexpr std::string_view name = "mean_teacher";

  double branch_weight = 0.5;  // of the branches' losses beside the fused one's
  double ema_decay = 0.99;     // of the teacher's weights
  double ramp = 0.4;           // fraction of the run over which the consistency rises
  double consistency = 0.1;

  /// Calls `visit(key, reference, help)` for every option.
  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    visit_teacher_options(o, visit);
    visit("consistency", o.consistency, "weight of the squared error to the teacher");
  }
  /// @throws config_error naming the key that makes no sense
  void check() const {
    check_teacher_options(*this);
    expect_between("method.mean_teacher.consistency", consistency, 0, 1000);
  }
};

/// L_sup + ramp . consistency . distance of the fused probabilities to the teacher's. Voxels that a box mix replaced
/// are left out of the consistency.
template <tensor_backend Backend, segmentation_network<Backend> Network,
          segmentation_loss<Backend> Loss = dice_cross_entropy, consistency_loss<Backend> Distance = mean_squared_error>
class mean_teacher {
 public:
  using options_type = mean_teacher_options;

  /// @param student, teacher built alike; the teacher starts as a copy
  /// @throws config_error as `mean_teacher_options::check`
  mean_teacher(Network student, Network teacher, const target_map& targets, const mean_teacher_options& options,
               Loss loss, Distance distance)
      : m_student(std::move(student)),
        m_teacher(std::move(teacher), m_student.parameters(), options.ema_decay),
        m_targets(targets),
        m_options(options),
        m_loss(std::move(loss)),
        m_distance(std::move(distance)) {
    options.check();
  }
  mean_teacher(Network student, Network teacher, const target_map& targets, const mean_teacher_options& options)
    requires std::same_as<Loss, dice_cross_entropy> && std::same_as<Distance, mean_squared_error>
      : mean_teacher(std::move(student), std::move(teacher), targets, options, {1, 1, 1, targets.kind},
                     {targets.kind}) {}

  /// The method as it is made by name.
  mean_teacher(const method_setup<Backend>& setup, const mean_teacher_options& options)
    requires std::same_as<Network, any_network<Backend>> && std::same_as<Loss, any_segmentation_loss<Backend>> &&
             std::same_as<Distance, any_consistency_loss<Backend>>
      : mean_teacher(setup.network(0), setup.network(0), setup.targets(), options, setup.segmentation_loss(),
                     setup.consistency_loss()) {}

  [[nodiscard]] batch_views views() const { return {.partial_labels = true}; }

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    tape<Backend>& home = m_student.parameters().home();
    const index labelled = batch.labelled.samples, all = labelled + batch.strong.samples;
    expect_unlabelled(batch, "mean teacher");
    const device_batch<Backend> crops(home, batch);
    const network_input<Backend> input({&crops.labelled, &crops.strong}), weak({&crops.weak});
    const auto target = one_hot(m_targets, crops.labelled);
    const auto seen = m_teacher.forward(weak.volumes, weak.present,
                                        request.pass(network_outputs::fused_only, forward_mode::evaluate));
    const auto q = probabilities(seen.fused, m_targets.kind);

    const auto out =
        m_student.forward(input.volumes, input.present, request.pass(network_outputs::logits, forward_mode::train));
    const variable<Backend> all_voxels;
    const auto supervised =
        supervised_loss(m_loss, samples_of(out, 0, labelled), target, crops.labelled.present, m_options.branch_weight,
                        all_voxels, {}, known_classes_of(m_targets, crops.labelled));
    const auto consistency = mean(m_distance(slice(out.fused, 0, labelled, all), q, own_voxels(crops.strong)));
    const auto loss = add(supervised, scale(consistency, ramp_up(request, m_options.ramp) * m_options.consistency));
    home.backward(loss);
    return {{"loss", loss}, {"supervised", supervised}, {"consistency", consistency}};
  }
  void after_update(const step_request& request) { m_teacher.follow(m_student.parameters(), request); }

  [[nodiscard]] std::vector<named_store<Backend>> trained() const { return {{"student", &m_student.parameters()}}; }
  [[nodiscard]] std::vector<named_network<Backend>> predictors() const {
    return {{"ema", m_teacher.network()}, {"student", m_student}};
  }
  void save(safetensors_file&) const {}
  void load(const safetensors_file&) {}

 private:
  Network m_student;
  ema_teacher<Backend, Network> m_teacher;
  target_map m_targets;
  mean_teacher_options m_options;
  Loss m_loss;
  Distance m_distance;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
