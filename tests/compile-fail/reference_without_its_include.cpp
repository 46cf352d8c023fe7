// SPDX-License-Identifier: Apache-2.0
#include <comodal/ops/conv3d.hpp>

int main() {
  comodal::context<comodal::xtensor_backend<double>> ctx;
  const auto x = ctx.make({1, 1, 1, 1, 1}, {1.0});
  (void)comodal::ops::conv3d(ctx, x, x);
}
