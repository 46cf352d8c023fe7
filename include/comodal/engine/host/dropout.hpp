// SPDX-License-Identifier: Apache-2.0
/// @file
/// Random masks for dropout, portable: every element's draw depends on its index and the key alone.
#ifndef COMODAL_ENGINE_HOST_DROPOUT_HPP
#define COMODAL_ENGINE_HOST_DROPOUT_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/loops.hpp>
#include <comodal/core/random.hpp>

namespace comodal::inline COMODAL_CONFIG {
namespace detail {

template <class T>
struct dropout_mask_body {
  std::uint64_t seed;
  std::uint32_t stream, iteration;
  double rate;
  T* mask;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    r123::Philox4x32::key_type key{{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
    r123::Philox4x32::ctr_type counter{
        {static_cast<std::uint32_t>(i),
         static_cast<std::uint32_t>(random_purpose::feature_dropout) + static_cast<std::uint32_t>(i >> 32) * 64u,
         stream, iteration}};
    const double u = static_cast<double>(r123::Philox4x32()(counter, key)[0]) * 0x1p-32;
    mask[i] = u < rate ? T(0) : static_cast<T>(1 / (1 - rate));
  }
};

}  // namespace detail

template <tensor_backend Backend>
struct portable_dropout {
  using T = typename Backend::scalar_type;

  /// mask = 0 with probability `rate`, else 1 / (1 - rate).
  static void dropout_mask(context<Backend>& ctx, index count, std::uint64_t seed, std::uint32_t stream,
                           std::uint32_t iteration, double rate, T* mask) {
    for_elements(ctx.space(), count, detail::dropout_mask_body<T>{seed, stream, iteration, rate, mask});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
