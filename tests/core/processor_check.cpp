// SPDX-License-Identifier: Apache-2.0
// A program whose static object uses wide instructions before `main` (processor_check.sh).
#include <comodal/core/processor_check.hpp>

#include <cstdio>
#include <ctime>

namespace {

struct wide_sum {
  float values[64];
  wide_sum() {
    const auto start = static_cast<float>(std::time(nullptr) > 0);
    for (int i = 0; i < 64; ++i) values[i] = start * static_cast<float>(i) + 1;
    for (int i = 0; i < 64; ++i) values[i] = values[i] * values[i] + start;
  }
};

const wide_sum made_before_main;

}  // namespace

int main() { std::printf("the last value is %g\n", static_cast<double>(made_before_main.values[63])); }
