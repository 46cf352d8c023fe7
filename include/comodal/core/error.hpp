// SPDX-License-Identifier: Apache-2.0
/// @file
/// The exceptions of the library. A message says where (operation, file, key), what was expected, what was found, and
/// what to do; the command line prints it on one line and exits with 2. They are the same for every configuration, so
/// that what a program says of one that nobody caught names `comodal::config_error` and no configuration.
#ifndef COMODAL_CORE_ERROR_HPP
#define COMODAL_CORE_ERROR_HPP

#include <comodal/core/config.hpp>

#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace comodal {

/// Base of every exception that the library throws on purpose.
class error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Extents of tensors that do not fit together.
class shape_error : public error {
 public:
  using error::error;
};

/// Grids, affines, orientations or spacings that do not fit together.
class geometry_error : public error {
 public:
  using error::error;
};

/// A file that is missing, unreadable, damaged or cannot be written.
class io_error : public error {
 public:
  using error::error;
};

/// A disk that does not take what is written: full, over its quota, failing. No fault of the input.
class disk_error : public io_error {
 public:
  using io_error::io_error;
};

/// An experiment file, option or argument that makes no sense.
class config_error : public error {
 public:
  using error::error;
};

/// A device, or the memory that a computation takes there.
class device_error : public error {
 public:
  using error::error;
};

/// The memory of a space is used up, also after the pool gave back what it did not use.
class out_of_memory_error : public device_error {
 public:
  using device_error::device_error;
};

/// Joins its arguments with `operator<<` into one string; for messages and recipes. Numbers are written in the same way
/// under every locale of the program: 1234.5, never 1.234,5.
template <class... Parts>
[[nodiscard]] std::string text(const Parts&... parts) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  (out << ... << parts);
  return out.str();
}

/// "1 case", "3 cases": a number and what is counted, for messages. @param one the word for one, whose plural takes an
/// s
template <class Number>
[[nodiscard]] std::string counted(const Number& number, std::string_view one) {
  return text(number, " ", one, number == 1 ? "" : "s");
}

/// Refuses a number of an experiment unless `holds`: `expect_option(x >= 0 && x <= 1, "method.ramp", x, "0 to 1")`.
/// Write the condition so that NaN fails it. @throws config_error naming the key, the number and what was expected
template <class Number>
void expect_option(bool holds, std::string_view key, const Number& value, std::string_view expected) {
  if (!holds) throw config_error(text(key, " = ", value, ", expected ", expected));
}

}  // namespace comodal

#endif
