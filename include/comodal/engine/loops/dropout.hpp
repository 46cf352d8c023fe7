// SPDX-License-Identifier: Apache-2.0
/// @file
/// Random masks for dropout: each element draws by its index and the key alone.
#ifndef COMODAL_ENGINE_LOOPS_DROPOUT_HPP
#define COMODAL_ENGINE_LOOPS_DROPOUT_HPP

#include <comodal/core/random.hpp>
#include <comodal/engine/loops/loop_op.hpp>
#include <comodal/engine/problem/dropout.hpp>

namespace comodal::inline COMODAL_CONFIG {
namespace engine_detail {

template <class T>
struct dropout_mask_body {
  std::uint64_t seed;
  std::uint32_t stream;
  const double* iteration;
  double rate;
  T* mask;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    r123::Philox4x32::key_type key{{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
    r123::Philox4x32::ctr_type counter{
        {static_cast<std::uint32_t>(i),
         static_cast<std::uint32_t>(random_purpose::feature_dropout) + static_cast<std::uint32_t>(i >> 32) * 64u,
         stream, static_cast<std::uint32_t>(*iteration)}};
    const double u = static_cast<double>(r123::Philox4x32()(counter, key)[0]) * 0x1p-32;
    mask[i] = u < rate ? T(0) : static_cast<T>(1 / (1 - rate));
  }
};

}  // namespace engine_detail

template <class Engine, class Backend>
struct loop_op<Engine, dropout_problem, Backend> : ready_op<Engine, dropout_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const dropout_problem& p, direction,
                  const dropout_problem::arguments<T>& a) {
    for_elements(ctx.space(), p.count,
                 engine_detail::dropout_mask_body<T>{a.seed, a.stream, a.iteration, p.rate, a.mask});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
