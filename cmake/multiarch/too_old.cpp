// SPDX-License-Identifier: Apache-2.0
// What the loader takes where the processor can run none of the libraries in glibc-hwcaps. Compiled for any x86-64.
#include <cstdio>

extern "C" int comodal_application(int, char**) {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2"))
    std::fputs(
        "comodal: the loader took no library of lib/glibc-hwcaps: expected glibc 2.33 or newer, and these folders "
        "beside libcomodal_application.so\n",
        stderr);
  else
    std::fputs(
        "comodal: this program is for processors with AVX2 (x86-64-v3, since about 2015), which this one lacks: "
        "run it on a newer one\n",
        stderr);
  return 1;
}
