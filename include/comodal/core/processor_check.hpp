// SPDX-License-Identifier: Apache-2.0
/// @file
/// A program on a processor that it was not compiled for ends with one line on stderr and status 1, not by a signal.
/// The check runs while the program is loaded, before objects of static storage are made: those may use the wide
/// instructions already. It is compiled for any x86-64, whatever -march says. Libraries that the program links run
/// their own initialisers first; those of distributions are made for any processor.
#ifndef COMODAL_CORE_PROCESSOR_CHECK_HPP
#define COMODAL_CORE_PROCESSOR_CHECK_HPP

#include <comodal/core/config.hpp>

// nvcc and hipcc compile each unit more than once, for the device too; they are left out.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__CUDACC__) && !defined(__HIP__) && \
    !defined(COMODAL_NO_PROCESSOR_CHECK)
#include <unistd.h>

#define COMODAL_IMPL_ANY_PROCESSOR __attribute__((target("no-sse3,no-bmi,no-bmi2,no-lzcnt,no-popcnt,no-movbe")))

#if defined(COMODAL_ARCH_NAME)
#define COMODAL_IMPL_COMPILED_FOR "comodal: this program was compiled with -march=" COMODAL_ARCH_NAME
#else
#define COMODAL_IMPL_COMPILED_FOR "comodal: this program was compiled"
#endif
#define COMODAL_IMPL_EXPECT(ability)                                                            \
  if (!__builtin_cpu_supports(ability))                                                         \
    return COMODAL_IMPL_COMPILED_FOR " for a processor with " ability                           \
                                     ", which this one lacks: compile it on this machine with " \
                                     "-DCOMODAL_ARCH=native, or run it on a newer one (docs/how-to/build.md)\n";

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

// A sentence about the first ability that is compiled in and missing here, the oldest first; null if none is. What is
// asked for are the names that every supported compiler knows: a processor with AVX2 has LZCNT, MOVBE and F16C, too.
// Static: each unit asks for what it was itself compiled for.
COMODAL_IMPL_ANY_PROCESSOR static const char* what_the_processor_lacks() {
  __builtin_cpu_init();
#if defined(__SSE4_2__)
  COMODAL_IMPL_EXPECT("sse4.2")
#endif
#if defined(__POPCNT__)
  COMODAL_IMPL_EXPECT("popcnt")
#endif
#if defined(__AVX__)
  COMODAL_IMPL_EXPECT("avx")
#endif
#if defined(__AVX2__)
  COMODAL_IMPL_EXPECT("avx2")
#endif
#if defined(__FMA__)
  COMODAL_IMPL_EXPECT("fma")
#endif
#if defined(__BMI2__)
  COMODAL_IMPL_EXPECT("bmi2")
#endif
#if defined(__AVX512F__)
  COMODAL_IMPL_EXPECT("avx512f")
#endif
#if defined(__AVX512DQ__)
  COMODAL_IMPL_EXPECT("avx512dq")
#endif
#if defined(__AVX512CD__)
  COMODAL_IMPL_EXPECT("avx512cd")
#endif
#if defined(__AVX512BW__)
  COMODAL_IMPL_EXPECT("avx512bw")
#endif
#if defined(__AVX512VL__)
  COMODAL_IMPL_EXPECT("avx512vl")
#endif
#if defined(__AVX512VNNI__)
  COMODAL_IMPL_EXPECT("avx512vnni")
#endif
#if defined(__AVX512VBMI__)
  COMODAL_IMPL_EXPECT("avx512vbmi")
#endif
#if defined(__AVX512VBMI2__)
  COMODAL_IMPL_EXPECT("avx512vbmi2")
#endif
#if defined(__AVX512BITALG__)
  COMODAL_IMPL_EXPECT("avx512bitalg")
#endif
#if defined(__AVX512BF16__)
  COMODAL_IMPL_EXPECT("avx512bf16")
#endif
  return nullptr;
}

// Priority 101 is the first that programs may use; objects of static storage have none, and come after all of them.
COMODAL_IMPL_ANY_PROCESSOR __attribute__((constructor(101))) static void expect_the_processor() {
  const char* sentence = what_the_processor_lacks();
  if (sentence == nullptr) return;
  unsigned length = 0;
  while (sentence[length] != '\0') ++length;
  if (write(2, sentence, length) < 0) _exit(1);
  _exit(1);
}

}  // namespace detail

}  // namespace comodal::inline COMODAL_CONFIG

#undef COMODAL_IMPL_EXPECT
#undef COMODAL_IMPL_COMPILED_FOR
#undef COMODAL_IMPL_ANY_PROCESSOR
#endif

#endif
