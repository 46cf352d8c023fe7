// SPDX-License-Identifier: Apache-2.0
/// @file
/// What this program was configured with, as an inline namespace: two targets with different engines or back ends get
/// different symbols and cannot be linked together by mistake.
#ifndef COMODAL_CORE_CONFIG_HPP
#define COMODAL_CORE_CONFIG_HPP

#include <Kokkos_Macros.hpp>

#if defined(KOKKOS_ENABLE_CUDA)
#define COMODAL_IMPL_BACKEND cuda
#elif defined(KOKKOS_ENABLE_HIP)
#define COMODAL_IMPL_BACKEND hip
#elif defined(KOKKOS_ENABLE_OPENMP)
#define COMODAL_IMPL_BACKEND openmp
#else
#define COMODAL_IMPL_BACKEND serial
#endif

#if defined(COMODAL_ENABLE_ONEDNN) && defined(__NVCC__)
#error \
    "comodal: nvcc 13.0 ends in an internal error on oneDNN's header: leave COMODAL_ENABLE_ONEDNN out (COMODAL_ONEDNN=OFF) where nvcc compiles"
#endif

// The vendors' libraries of this build: their names in the order of engines, their headers, and their part in the name
// of the configuration. This is the one place that asks which of them is compiled in.
#if defined(COMODAL_ENABLE_ONEDNN)
#define COMODAL_IMPL_HOST_VENDORS , onednn_engine
#define COMODAL_IMPL_HOST_VENDOR_HEADER <comodal/engine/onednn/onednn.hpp>
#else
#define COMODAL_IMPL_HOST_VENDORS
#define COMODAL_IMPL_HOST_VENDOR_HEADER <comodal/engine/dispatch.hpp>
#endif
#if defined(COMODAL_ENABLE_CUDNN)
#define COMODAL_IMPL_DEVICE_VENDORS cudnn_engine,
#define COMODAL_IMPL_DEVICE_VENDOR_HEADER <comodal/engine/cudnn/cudnn.hpp>
#else
#define COMODAL_IMPL_DEVICE_VENDORS
#define COMODAL_IMPL_DEVICE_VENDOR_HEADER <comodal/engine/dispatch.hpp>
#endif
#if defined(COMODAL_ENABLE_ONEDNN) && defined(COMODAL_ENABLE_CUDNN)
#define COMODAL_IMPL_VENDORS onednn_cudnn
#elif defined(COMODAL_ENABLE_ONEDNN)
#define COMODAL_IMPL_VENDORS onednn
#elif defined(COMODAL_ENABLE_CUDNN)
#define COMODAL_IMPL_VENDORS cudnn
#else
#define COMODAL_IMPL_VENDORS ours
#endif

// hipcc compiles each unit for the host with OpenMP and for the device without: kernels must have one name in both.
#if defined(_OPENMP) || defined(__HIPCC__)
#define COMODAL_IMPL_THREADS threads
#else
#define COMODAL_IMPL_THREADS single
#endif

#define COMODAL_IMPL_JOIN3(a, b, c) a##_##b##_##c
#define COMODAL_IMPL_JOIN(a, b, c) COMODAL_IMPL_JOIN3(a, b, c)

/// The inline namespace of this configuration, for example `serial_onednn_threads`. Every header writes
/// `namespace comodal::inline COMODAL_CONFIG { ... }`; users write `comodal::` and never see it.
#define COMODAL_CONFIG COMODAL_IMPL_JOIN(COMODAL_IMPL_BACKEND, COMODAL_IMPL_VENDORS, COMODAL_IMPL_THREADS)

// Large functions without template parameters: their bodies stand between `#if COMODAL_BODIES` and `#endif`, marked
// `COMODAL_ONCE` in place of `inline`. A program that links `comodal::compiled_common`, as every other compiled library
// does, finds them there. `COMODAL_COMMON_ELSEWHERE(LIST)` does the same for the templates of a list `LIST(kind)`,
// `kind` being `template` or `extern template`.
#if defined(COMODAL_COMPILING_COMMON)
#define COMODAL_BODIES 1
#define COMODAL_ONCE
#elif defined(COMODAL_COMPILED_COMMON)
#define COMODAL_BODIES 0
#else
#define COMODAL_BODIES 1
#define COMODAL_ONCE inline
#endif
#if defined(COMODAL_COMPILED_COMMON) && !defined(COMODAL_COMPILING_COMMON)
#define COMODAL_COMMON_ELSEWHERE(LIST) LIST(extern template)
#else
#define COMODAL_COMMON_ELSEWHERE(LIST)
#endif

#define COMODAL_VERSION "0.1.0"

#endif
