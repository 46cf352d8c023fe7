// SPDX-License-Identifier: Apache-2.0
/// @file
/// What the host's processor can do, as far as the choice of an engine depends on it.
#ifndef COMODAL_CORE_PROCESSOR_HPP
#define COMODAL_CORE_PROCESSOR_HPP

#include <comodal/core/config.hpp>

#include <string>

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace comodal::inline COMODAL_CONFIG {

/// Abilities of a processor. A context holds those of this machine; a test may give it others, to see what would be
/// chosen elsewhere.
struct processor {
  bool avx2 = false;
  bool avx512 = false;       // AVX-512 F, BW, DQ and VL
  bool avx512_bf16 = false;  // products of bfloat16 in vector registers
  bool amx_bf16 = false;     // products of bfloat16 in tile registers, permitted by the system

  friend bool operator==(const processor&, const processor&) = default;

  /// True where bfloat16 is multiplied in hardware.
  [[nodiscard]] bool multiplies_bfloat16() const { return avx512_bf16 || amx_bf16; }

  /// For example `avx2 avx512 avx512_bf16`, or `baseline`.
  [[nodiscard]] std::string to_string() const {
    std::string names;
    const auto add = [&names](bool has, const char* name) {
      if (has) names += (names.empty() ? "" : " ") + std::string(name);
    };
    add(avx2, "avx2");
    add(avx512, "avx512");
    add(avx512_bf16, "avx512_bf16");
    add(amx_bf16, "amx_bf16");
    return names.empty() ? "baseline" : names;
  }

  /// The processor that this program runs on. Asks the system once for the use of tile registers.
  [[nodiscard]] static const processor& this_machine() {
    static const processor found = detect();
    return found;
  }

 private:
  [[nodiscard]] static processor detect() {
    processor p;
#if defined(__x86_64__) && defined(__linux__)
    p.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    p.avx512 = p.avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned avx512_bf16_bit = 1u << 5, amx_bf16_bit = 1u << 22, amx_tile_bit = 1u << 24;
    p.avx512_bf16 = p.avx512 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & avx512_bf16_bit) != 0;
    const bool has_tiles =
        p.avx512_bf16 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & amx_bf16_bit) != 0 && (d & amx_tile_bit) != 0;
    constexpr long request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM of Linux 5.16 and later
    p.amx_bf16 = has_tiles && syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#endif
    return p;
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
