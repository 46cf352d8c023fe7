// SPDX-License-Identifier: Apache-2.0
/// @file
/// What CLI11 is asked to check of the numbers of the command line.
#ifndef COMODAL_CLI_VALIDATORS_HPP
#define COMODAL_CLI_VALIDATORS_HPP

#include <comodal/core/error.hpp>

#include <CLI/CLI.hpp>

#include <charconv>
#include <cstdint>
#include <string>
#include <system_error>

namespace comodal::inline COMODAL_CONFIG {

namespace cli_detail {

// A number in words of our own: NaN is none.
[[nodiscard]] inline CLI::Validator number(double low, double high) {
  return CLI::Validator(
      [=](const std::string& word) {
        double value = 0;
        const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), value);
        if (failure == std::errc() && end == word.data() + word.size() && value >= low && value <= high)
          return std::string();
        return text("'", word, "', expected a number from ", low, " to ", high);
      },
      "", "number");
}
[[nodiscard]] inline CLI::Validator whole_number() {
  return CLI::Validator(
      [](const std::string& word) {
        std::uint64_t value = 0;
        const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), value);
        if (failure == std::errc() && end == word.data() + word.size()) return std::string();
        return text("'", word, "', expected a whole number from 0 to 2^64 - 1");
      },
      "", "whole number");
}

}  // namespace cli_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
