// SPDX-License-Identifier: Apache-2.0
/// @file
/// What the libFuzzer programs share: an input is answered by the library's own exceptions, or it is a defect.
#ifndef COMODAL_TESTS_FUZZ_HPP
#define COMODAL_TESTS_FUZZ_HPP

#include <comodal/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace fuzz {

/// Ends the program, which libFuzzer reports with the input, unless `holds`.
inline void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "expected: %s\n", what);
  std::abort();
}

/// Calls `work`. What the library throws must be in its own words; other exceptions leave, and end the program.
/// @param input whose words may be in the message, too
template <class Work>
void answered(std::string_view input, const Work& work) {
  try {
    work();
  } catch (const comodal::error& failure) {
    const std::string_view words = failure.what();
    for (const char* raw : {"json.exception", "toml::parse", "toml::detail", "std::bad", "basic_string", "stoi"})
      expect(words.find(raw) == std::string_view::npos || input.find(raw) != std::string_view::npos,
             "no words of another library");
    expect(!words.empty(), "words");
  }
}

}  // namespace fuzz

#endif
