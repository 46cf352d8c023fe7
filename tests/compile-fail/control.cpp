// SPDX-License-Identifier: Apache-2.0
// Compiles: the flags and include folders of the other files are right, so that these fail for their own reasons.
#include <comodal/engine/reference.hpp>
#include <comodal/ops/conv3d.hpp>

int main() {
  comodal::check_tensor_backend<comodal::xtensor_backend<double>>();
  comodal::context<comodal::xtensor_backend<double>> ctx;
  const auto x = ctx.make({1, 1, 1, 1, 1}, {1.0});
  (void)comodal::ops::conv3d(ctx, x, x);
}
