// SPDX-License-Identifier: Apache-2.0
/// @file
/// What methods share that train one student, whose averaged weights predict and may teach.
#ifndef COMODAL_SSL_PARTS_AVERAGED_STUDENT_HPP
#define COMODAL_SSL_PARTS_AVERAGED_STUDENT_HPP

#include <comodal/ssl/method.hpp>
#include <comodal/ssl/method_setup.hpp>
#include <comodal/ssl/parts/ema_teacher.hpp>
#include <comodal/ssl/parts/supervised_loss.hpp>
#include <comodal/ssl/targets.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// A base of methods that are made by name: all of a `semi_supervised_method` but `views` and `step`.
template <tensor_backend Backend>
class averaged_student {
 public:
  void after_update(const step_request& request) { m_teacher.follow(m_student.parameters(), request); }
  [[nodiscard]] std::vector<named_store<Backend>> trained() const { return {{"student", &m_student.parameters()}}; }
  [[nodiscard]] std::vector<named_network<Backend>> predictors() const {
    return {{"ema", m_teacher.network()}, {"student", m_student}};
  }
  void save(safetensors_file&) const {}
  void load(const safetensors_file&) {}

 protected:
  /// @param options with `ema_decay` and `branch_weight`
  /// @param heads further outputs of the student
  template <class Options>
  averaged_student(const method_setup<Backend>& setup, const Options& options,
                   const std::vector<network_head>& heads = {})
      : m_student(setup.network(0, heads)),
        m_teacher(setup.network(0, heads), m_student.parameters(), options.ema_decay),
        m_targets(setup.targets()),
        m_loss(setup.segmentation_loss()),
        m_branch_weight(options.branch_weight) {}

  [[nodiscard]] tape<Backend>& home() const { return m_student.parameters().home(); }
  [[nodiscard]] const any_network<Backend>& student() const { return m_student; }
  [[nodiscard]] const ema_teacher<Backend, any_network<Backend>>& teacher() const { return m_teacher; }
  [[nodiscard]] const target_map& targets() const { return m_targets; }
  /// What is annotated in labelled crops.
  [[nodiscard]] known_classes<Backend> known(const device_crops<Backend>& labelled) const {
    return known_classes_of(m_targets, labelled);
  }
  /// L_sup of method.md section 3: a scalar. @param out whose first samples are those of `labelled`
  /// @param further logits of these samples by further decoders, whose losses are averaged with the fused output's
  [[nodiscard]] variable<Backend> supervised(const network_output<Backend>& out, const device_crops<Backend>& labelled,
                                             const std::vector<variable<Backend>>& further = {}) const {
    const variable<Backend> all_voxels;
    return supervised_loss(m_loss, samples_of(out, 0, labelled.samples), one_hot(m_targets, labelled), labelled.present,
                           m_branch_weight, all_voxels, further, known(labelled));
  }
  /// The same against a target (N, D, H, W, C). @param weight of voxels, (N, D, H, W), or empty: all weigh 1
  /// @param known the classes that are annotated in each sample
  [[nodiscard]] variable<Backend> supervised(const network_output<Backend>& out, const variable<Backend>& target,
                                             const presence<Backend>& present, const variable<Backend>& weight = {},
                                             const known_classes<Backend>& known = {}) const {
    return supervised_loss(m_loss, out, target, present, m_branch_weight, weight, {}, known);
  }

 private:
  any_network<Backend> m_student;
  ema_teacher<Backend, any_network<Backend>> m_teacher;
  target_map m_targets;
  any_segmentation_loss<Backend> m_loss;
  double m_branch_weight;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
