// SPDX-License-Identifier: Apache-2.0
/// @file
/// What is known of how an operation will be carried out: for logs, profiles and tests.
#ifndef COMODAL_CORE_PLAN_HPP
#define COMODAL_CORE_PLAN_HPP

#include <comodal/core/config.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The facts of a plan: how an engine will carry out one problem in one direction.
struct plan_facts {
  std::string_view engine;        // its name, a string literal; the dispatcher sets it
  std::string algorithm;          // for example "F(4x4, 3x3)"; empty where an engine has one way only
  std::string implementation;     // a vendor's own name of its kernel; empty for our own
  bool joined = false;            // maps side by side are copied into one first
  std::size_t workspace = 0;      // bytes of scratch memory from the pool
  bool deterministic = false;     // the same bytes in each run on one machine
  bool thread_invariant = false;  // the same bytes for each number of threads
};

/// One planned operation: its name, its problem in words, and its facts.
struct planned_operation {
  std::string_view operation;  // for example "conv3d.forward", a string literal
  std::string_view scalar;     // what its tensors hold: "float"
  std::string problem;
  plan_facts facts;
};

/// The plans as a table in plain text: a line per operation and problem, in the order in which they were made.
[[nodiscard]] inline std::string plan_table(const std::vector<planned_operation>& plans) {
  const std::vector<std::string> head{"operation",      "type",          "engine",      "how",
                                      "workspace, KiB", "deterministic", "any threads", "problem"};
  std::vector<std::vector<std::string>> lines{head};
  for (const planned_operation& plan : plans) {
    const plan_facts& f = plan.facts;
    std::string how = f.algorithm;
    if (!f.implementation.empty()) how += (how.empty() ? "" : ", ") + f.implementation;
    if (f.joined) how += (how.empty() ? "" : ", ") + std::string("maps joined");
    lines.push_back({std::string(plan.operation), std::string(plan.scalar), std::string(f.engine), how,
                     std::to_string((f.workspace + 1023) / 1024), f.deterministic ? "yes" : "no",
                     f.thread_invariant ? "yes" : "no", plan.problem});
  }
  std::vector<std::size_t> widths(head.size());
  for (const auto& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  std::string table;
  for (const auto& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i) {
      table += line[i];
      table += i + 1 < line.size() ? std::string(widths[i] - line[i].size() + 2, ' ') : "\n";
    }
  return table;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
