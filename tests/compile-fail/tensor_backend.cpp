// SPDX-License-Identifier: Apache-2.0
#include <comodal/core/backend.hpp>

struct without_space {
  using scalar_type = float;
  static constexpr bool is_reference = false;
};
struct without_scalar {
  using space_type = comodal::default_space;
  static constexpr bool is_reference = false;
};
struct without_flag {
  using space_type = comodal::default_space;
  using scalar_type = float;
};
struct of_integers : without_flag {
  using scalar_type = int;
  static constexpr bool is_reference = false;
};

int main() {
  comodal::check_tensor_backend<comodal::default_backend>();
  comodal::check_tensor_backend<without_space>();
  comodal::check_tensor_backend<without_scalar>();
  comodal::check_tensor_backend<without_flag>();
  comodal::check_tensor_backend<of_integers>();
}
