// SPDX-License-Identifier: Apache-2.0
/// @file
/// Supervised only: the baseline that sees the labelled crops alone.
#ifndef COMODAL_SSL_SUPERVISED_HPP
#define COMODAL_SSL_SUPERVISED_HPP

#include <comodal/ssl/method.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// L_sup of method.md section 3 on the labelled crops; unlabelled crops of the batch are not looked at.
template <tensor_backend Backend, class Network>
class supervised : public student_and_teacher<Backend, Network> {
 public:
  using student_and_teacher<Backend, Network>::student_and_teacher;

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const progress&) {
    const network_input<Backend> input(this->home(), {&batch.labelled});
    const auto target = this->home().constant(one_hot(this->ctx(), this->m_targets, batch.labelled));
    const auto out = this->m_student.forward(input.volumes, input.present, network_outputs::logits);
    std::vector<variable<Backend>> branches;
    for (const auto& z : out.branches) branches.push_back(this->m_loss(z, target));
    const auto n = static_cast<double>(batch.labelled.samples);
    const auto weights =
        this->sample_weights(std::vector<double>(static_cast<std::size_t>(batch.labelled.samples), 1 / n));
    const auto loss = this->fused_and_branches(
        this->deeply_supervised(this->m_loss(out.fused, target), out.deep, target), branches, input.present, weights);
    this->home().backward(loss);
    return {{"loss", loss}};
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
