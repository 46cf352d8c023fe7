// SPDX-License-Identifier: Apache-2.0
#include <comodal/model/any_network.hpp>

using B = comodal::default_backend;
using volumes = std::vector<comodal::variable<B>>;

struct complete {
  comodal::network_output<B> forward(const volumes&, const comodal::presence<B>&,
                                     const comodal::forward_request&) const;
  comodal::index modalities() const;
  const comodal::parameter_store<B>& parameters() const;
};
struct without_forward : complete {
  void forward() const;
};
struct without_modalities : complete {
  void modalities(int) const;
};
struct without_parameters : complete {
  void parameters(int) const;
};
struct of_another_result : complete {
  comodal::variable<B> forward(const volumes&, const comodal::presence<B>&, const comodal::forward_request&) const;
};

int main() {
  comodal::check_segmentation_network<without_forward, B>();
  comodal::check_segmentation_network<without_modalities, B>();
  comodal::check_segmentation_network<without_parameters, B>();
  (void)comodal::any_network<B>(of_another_result{});
}
