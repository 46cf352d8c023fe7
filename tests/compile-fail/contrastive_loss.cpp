// SPDX-License-Identifier: Apache-2.0
#include <comodal/model/network_options.hpp>
#include <comodal/ssl/contrastive_mutual_learning.hpp>

using B = comodal::default_backend;
using network = comodal::any_network<B>;

struct without_negatives {
  comodal::variable<B> operator()(const comodal::variable<B>&, const comodal::variable<B>&) const;
};
struct of_a_number {
  double operator()(const comodal::variable<B>&, const comodal::variable<B>&, const comodal::variable<B>&,
                    const comodal::variable<B>&) const;
};

void make(network student, network teacher) {
  comodal::check_contrastive_loss<of_a_number, B>();
  (void)comodal::contrastive_mutual_learning<B, network, without_negatives>(student, teacher, {}, {},
                                                                            without_negatives{});
}
