// SPDX-License-Identifier: Apache-2.0
/// @file
/// Any segmentation network, chosen at run time.
#ifndef COMODAL_MODEL_ANY_NETWORK_HPP
#define COMODAL_MODEL_ANY_NETWORK_HPP

#include <comodal/model/network.hpp>

#include <memory>

namespace comodal::inline COMODAL_CONFIG {

/// A segmentation network behind one type; copies share it. See the concept for its members.
template <tensor_backend Backend>
class any_network {
 public:
  template <class Network>
    requires(!std::same_as<Network, any_network>)
  any_network(Network network) : m_network(std::make_shared<model<Network>>(std::move(network))) {
    check_segmentation_network<Network, Backend>();
  }
  [[nodiscard]] index modalities() const { return m_network->modalities(); }
  [[nodiscard]] const parameter_store<Backend>& parameters() const { return m_network->parameters(); }
  [[nodiscard]] network_output<Backend> forward(const std::vector<variable<Backend>>& volumes,
                                                const presence<Backend>& present,
                                                const forward_request& request = {}) const {
    return m_network->forward(volumes, present, request);
  }

 private:
  struct interface {
    virtual ~interface() = default;
    virtual index modalities() const = 0;
    virtual const parameter_store<Backend>& parameters() const = 0;
    virtual network_output<Backend> forward(const std::vector<variable<Backend>>&, const presence<Backend>&,
                                            const forward_request&) const = 0;
  };
  template <class Network>
  struct model final : interface {
    explicit model(Network n) : network(std::move(n)) {}
    index modalities() const override { return network.modalities(); }
    const parameter_store<Backend>& parameters() const override { return network.parameters(); }
    network_output<Backend> forward(const std::vector<variable<Backend>>& volumes, const presence<Backend>& present,
                                    const forward_request& request) const override {
      return network.forward(volumes, present, request);
    }
    Network network;
  };
  std::shared_ptr<const interface> m_network;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
