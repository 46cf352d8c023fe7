// SPDX-License-Identifier: Apache-2.0
#include <comodal/data/volume_transform.hpp>

using crop = std::span<float>;
using size = comodal::extent3;
using stream = comodal::random_stream;

struct complete {
  void operator()(crop, const size&, stream&) const;
};
struct not_copyable {
  not_copyable(const not_copyable&) = delete;
  void operator()(crop, const size&, stream&) const;
};
struct without_random {
  void operator()(crop, const size&) const;
};
struct not_const {
  void operator()(crop, const size&, stream&);
};
struct of_a_number {
  float operator()(crop, const size&, stream&) const;
};
struct nothing {};

int main() {
  comodal::check_volume_transform<complete>();
  comodal::check_volume_transform<not_copyable>();
  comodal::check_volume_transform<without_random>();
  comodal::check_volume_transform<not_const>();
  comodal::check_volume_transform<of_a_number>();
  (void)comodal::transform_chain<nothing>(nothing{});
}
