// SPDX-License-Identifier: Apache-2.0
#include <comodal/core/backend.hpp>

struct mine {
  using scalar_type = float;
  static constexpr bool is_reference = false;
};

int main() { comodal::check_tensor_backend<mine>(); }
