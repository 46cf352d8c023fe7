// SPDX-License-Identifier: Apache-2.0
#include <comodal/core/backend.hpp>

struct mine {
  using space_type = comodal::default_space;
  using scalar_type = int;
  using engines_type = comodal::engine_list<>;
};

int main() { comodal::check_tensor_backend<mine>(); }
