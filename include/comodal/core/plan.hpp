// SPDX-License-Identifier: Apache-2.0
/// @file
/// What is known of how an operation will be carried out: for logs, profiles and tests.
#ifndef COMODAL_CORE_PLAN_HPP
#define COMODAL_CORE_PLAN_HPP

#include <comodal/core/config.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace comodal::inline COMODAL_CONFIG {

/// The facts of a plan: how an engine will carry out one problem in one direction.
struct plan_facts {
  std::string_view engine;       // its name, a string literal
  std::string algorithm;         // for example "F(4x4, 3x3)"; empty where an engine has one way only
  std::string implementation;    // a vendor's own name of its kernel; empty for our own
  bool joined = false;           // maps side by side are copied into one first
  std::size_t workspace = 0;     // bytes of scratch memory from the pool
  bool deterministic = true;     // the same bytes in each run on one machine
  bool thread_invariant = true;  // the same bytes for each number of threads
  std::string reason;            // why this engine was taken, where that needs a word
};

/// One planned operation: its name, its problem in words, and its facts.
struct planned_operation {
  std::string_view operation;  // for example "conv3d.forward", a string literal
  std::string problem;
  plan_facts facts;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
