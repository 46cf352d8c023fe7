// SPDX-License-Identifier: Apache-2.0
/// @file
/// A teacher whose weights are the moving average of a student's (Tarvainen and Valpola, 2017).
#ifndef COMODAL_SSL_PARTS_EMA_TEACHER_HPP
#define COMODAL_SSL_PARTS_EMA_TEACHER_HPP

#include <comodal/model/network.hpp>
#include <comodal/nn/averaging.hpp>
#include <comodal/ssl/step_request.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// A network that follows another one and is never trained itself.
template <tensor_backend Backend, segmentation_network<Backend> Network>
class ema_teacher {
 public:
  /// @param network built like the student; it starts as a copy of it
  /// @param decay of the average, see `ema_factor`
  ema_teacher(Network network, const parameter_store<Backend>& student, double decay)
      : m_network(std::move(network)), m_decay(decay) {
    copy_parameters(student, m_network.parameters());
  }

  /// Follows an update of the student: the factor is min(1 - 1 / (t + 1), decay).
  void follow(const parameter_store<Backend>& student, const progress& at) const {
    average_parameters(student, m_network.parameters(), ema_factor(at, m_decay));
  }
  /// Logits without gradients; see `segmentation_network`.
  [[nodiscard]] network_output<Backend> forward(const std::vector<variable<Backend>>& volumes,
                                                const presence<Backend>& present,
                                                const forward_request& request) const {
    const no_grad_scope<Backend> quiet(m_network.parameters().home());
    return m_network.forward(volumes, present, request);
  }
  [[nodiscard]] const Network& network() const { return m_network; }

 private:
  Network m_network;
  double m_decay;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
