// SPDX-License-Identifier: Apache-2.0
#include <comodal/loss/segmentation_loss.hpp>

using B = comodal::default_backend;
using value = comodal::variable<B>;

struct complete {
  value operator()(const value&, const value&, const value&, const value&) const;
};
struct of_two_arguments {
  value operator()(const value&, const value&) const;
};
struct of_a_number {
  double operator()(const value&, const value&, const value&, const value&) const;
};

int main() {
  comodal::check_segmentation_loss<complete, B>();
  comodal::check_segmentation_loss<of_two_arguments, B>();
  comodal::check_segmentation_loss<of_a_number, B>();
}
