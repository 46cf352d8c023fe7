// SPDX-License-Identifier: Apache-2.0
/// @file
/// Mean Teacher (Tarvainen and Valpola, 2017): the student's prediction on strong views is drawn to the averaged
/// teacher's on weak ones.
#ifndef COMODAL_SSL_MEAN_TEACHER_HPP
#define COMODAL_SSL_MEAN_TEACHER_HPP

#include <comodal/loss/consistency_loss.hpp>
#include <comodal/ssl/method.hpp>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

template <class T>
struct unknown_body {
  const std::uint8_t* known;
  T* weight;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const { weight[i] = known[i] ? T(0) : T(1); }
};

}  // namespace detail

/// L_sup + ramp . consistency . mean squared error of the fused probabilities to the teacher's. Voxels that a box mix
/// replaced are left out of the consistency.
template <tensor_backend Backend, class Network>
class mean_teacher : public student_and_teacher<Backend, Network> {
 public:
  using student_and_teacher<Backend, Network>::student_and_teacher;

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const progress& at) {
    auto& home = this->home();
    const index labelled = batch.labelled.samples, unlabelled = batch.strong.samples, all = labelled + unlabelled;
    if (unlabelled == 0)
      throw config_error("mean teacher: batch.unlabelled = 0, expected unlabelled crops in every step");
    const network_input<Backend> input(home, {&batch.labelled, &batch.strong}), weak(home, {&batch.weak});
    const auto target = home.constant(one_hot(this->ctx(), this->m_targets, batch.labelled));
    const auto q = probabilities(
        this->predict(weak.volumes, weak.present, prediction_weights::ema, network_outputs::fused_only).fused,
        this->m_targets.kind);

    const auto out = this->m_student.forward(input.volumes, input.present, network_outputs::logits);
    const presence<Backend> present(home, labelled, batch.labelled.modalities, batch.labelled.present);
    std::vector<variable<Backend>> branches;
    for (const auto& z : out.branches) branches.push_back(this->m_loss(slice(z, 0, 0, labelled), target));
    const auto weights = this->sample_weights(
        std::vector<double>(static_cast<std::size_t>(labelled), 1 / static_cast<double>(labelled)));
    std::vector<variable<Backend>> deep;
    for (const auto& z : out.deep) deep.push_back(slice(z, 0, 0, labelled));
    const auto fused = this->deeply_supervised(this->m_loss(slice(out.fused, 0, 0, labelled), target), deep, target);
    const auto supervised = this->fused_and_branches(fused, branches, present, weights);
    const mean_squared_error distance{this->m_targets.kind};
    const auto consistency = mean(distance(slice(out.fused, 0, labelled, all), q, unmixed(batch.strong)));
    const auto loss =
        add(supervised, scale(consistency, ramp_up(at, this->m_options.ramp) * this->m_options.consistency));
    home.backward(loss);
    return {{"loss", loss}, {"supervised", supervised}, {"consistency", consistency}};
  }

 private:
  // 1 where a voxel is the unlabelled crop's own, (N, D, H, W); empty where all are.
  variable<Backend> unmixed(const crop_batch& strong) const {
    if (strong.known.empty()) return {};
    auto& ctx = this->ctx();
    auto known = ctx.template make_of<std::uint8_t>({static_cast<index>(strong.known.size())});
    copy_from_host(ctx.space(), strong.known, known);
    auto w = ctx.make({strong.samples, strong.size[0], strong.size[1], strong.size[2]});
    for_elements(ctx.space(), w.size(), detail::unknown_body<typename Backend::scalar_type>{known.data(), w.data()});
    ctx.fence();
    return this->home().constant(w);
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
