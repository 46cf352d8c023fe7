// SPDX-License-Identifier: Apache-2.0
#include <comodal/core/backend.hpp>

struct without_space {
  using scalar_type = float;
  using engines_type = comodal::engine_list<>;
};
struct without_scalar {
  using space_type = comodal::default_space;
  using engines_type = comodal::engine_list<>;
};
struct without_engines {
  using space_type = comodal::default_space;
  using scalar_type = float;
};
struct of_integers : without_engines {
  using scalar_type = int;
  using engines_type = comodal::engine_list<>;
};

int main() {
  comodal::check_tensor_backend<comodal::default_backend>();
  comodal::check_tensor_backend<without_space>();
  comodal::check_tensor_backend<without_scalar>();
  comodal::check_tensor_backend<without_engines>();
  comodal::check_tensor_backend<of_integers>();
}
