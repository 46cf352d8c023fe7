// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

extern "C" __attribute__((visibility("default"))) int comodal_application(int argc, char** argv) {
  std::printf("%s with %s\n", LEVEL, argv[argc - 1]);
  return 0;
}
