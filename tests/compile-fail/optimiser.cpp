// SPDX-License-Identifier: Apache-2.0
#include <comodal/train/optimiser.hpp>

using B = comodal::default_backend;
using store = comodal::parameter_store<B>;

struct complete {
  comodal::variable<B> update(const store&, double rate, std::uint32_t step);
  void save(const store&, comodal::safetensors_file&) const;
  void load(const store&, const comodal::safetensors_file&);
};
struct without_save : complete {
  void save() const;
};
struct without_load : complete {
  void load();
};
struct updates_to_nothing : complete {
  void update(const store&, double rate, std::uint32_t step);
};
struct without_update : complete {
  void update();
};

int main() {
  comodal::check_optimiser<complete, B>();
  comodal::check_optimiser<without_save, B>();
  comodal::check_optimiser<without_load, B>();
  comodal::check_optimiser<updates_to_nothing, B>();
  (void)comodal::any_optimiser<B>(without_update{});
}
