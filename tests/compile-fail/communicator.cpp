// SPDX-License-Identifier: Apache-2.0
#include <comodal/core/communicator.hpp>

using B = comodal::default_backend;
using tensor = comodal::context<B>::tensor_type;

struct complete {
  int rank() const;
  int size() const;
  void mean(comodal::context<B>&, const tensor&);
  void broadcast(comodal::context<B>&, const tensor&);
};
static_assert(comodal::communicator<complete, B>);

struct without_rank : complete {
  void rank(int) const;
};
struct without_mean : complete {
  void mean();
};
struct without_broadcast : complete {
  void broadcast();
};
struct of_another_result : complete {
  int mean(comodal::context<B>&, const tensor&);
};

int main() {
  comodal::check_communicator<without_rank, B>();
  comodal::check_communicator<without_mean, B>();
  comodal::check_communicator<without_broadcast, B>();
  comodal::check_communicator<of_another_result, B>();
}
