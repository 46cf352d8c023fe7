// SPDX-License-Identifier: Apache-2.0
#include <comodal/loss/contrastive_loss.hpp>

using B = comodal::default_backend;

struct without_negatives {
  comodal::variable<B> operator()(const comodal::variable<B>&, const comodal::variable<B>&) const;
};
struct of_a_number {
  double operator()(const comodal::variable<B>&, const comodal::variable<B>&, const comodal::variable<B>&,
                    const comodal::variable<B>&) const;
};

int main() {
  comodal::check_contrastive_loss<of_a_number, B>();
  comodal::check_contrastive_loss<without_negatives, B>();
}
