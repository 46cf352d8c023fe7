// SPDX-License-Identifier: Apache-2.0
/// @file
/// Checks of options: numbers in a range and names from a list, with messages that name the key.
#ifndef COMODAL_CORE_OPTION_RANGE_HPP
#define COMODAL_CORE_OPTION_RANGE_HPP

#include <comodal/core/error.hpp>

#include <initializer_list>
#include <string>
#include <string_view>

namespace comodal::inline COMODAL_CONFIG {

/// @throws config_error naming `key` unless low <= value <= high; NaN is refused too
inline void expect_between(std::string_view key, double value, double low, double high) {
  if (!(value >= low && value <= high))
    throw config_error(text(key, " = ", value, ", expected a number from ", low, " to ", high));
}

/// @throws config_error naming `key` unless low < value <= high; NaN is refused too
inline void expect_above(std::string_view key, double value, double low, double high) {
  if (!(value > low && value <= high))
    throw config_error(text(key, " = ", value, ", expected a number above ", low, " and up to ", high));
}

/// @throws config_error naming `key` and the names that are possible unless `value` is one of them
inline void expect_one_of(std::string_view key, std::string_view value, std::initializer_list<std::string_view> names) {
  std::string list;
  for (const std::string_view name : names) {
    if (name == value) return;
    list += (list.empty() ? "" : ", ") + std::string(name);
  }
  throw config_error(text(key, " = '", value, "', expected one of: ", list));
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
