// SPDX-License-Identifier: Apache-2.0
/// @file
/// What all problems share. A problem is a checked value that says what is to be computed: sizes and options, no data.
#ifndef COMODAL_ENGINE_PROBLEM_PROBLEM_HPP
#define COMODAL_ENGINE_PROBLEM_PROBLEM_HPP

#include <comodal/core/error.hpp>

#include <compare>
#include <concepts>
#include <string>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

/// The directions of an operation: its result, the gradient of its inputs, and the gradient of its weights.
enum class direction { forward, backward, backward_weights };

/// An operation as engines see it. Problems that are templates over a function share a `family`; otherwise a problem is
/// its own family. `arguments<T>` are the pointers that go with it for tensors of T.
template <class P>
concept operation_problem = std::totally_ordered<P> && requires(const P& p, direction d) {
  typename P::family;
  typename P::template arguments<float>;
  { P::name(d) } -> std::convertible_to<const char*>;
  { p.check() };
  { p.to_string() } -> std::convertible_to<std::string>;
};

/// The families of problems that an engine serves.
template <class... Families>
struct problem_list {};

/// An engine's answer to the question whether it can carry a problem out.
struct support {
  bool possible = true;
  std::string why;  // why not

  [[nodiscard]] static support yes() { return {}; }
  [[nodiscard]] static support no(std::string why) { return {false, std::move(why)}; }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
