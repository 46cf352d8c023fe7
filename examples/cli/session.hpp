// SPDX-License-Identifier: Apache-2.0
// Small things that several commands share.
#ifndef COMODAL_EXAMPLES_CLI_SESSION_HPP
#define COMODAL_EXAMPLES_CLI_SESSION_HPP

#include <comodal/autograd/variable.hpp>
#include <comodal/data/case_data.hpp>

#include <cstdio>
#include <string>
#include <vector>

namespace cli {

/// The back end of all commands: fp32, or bf16 where `model.precision` asks for it.
using backend = comodal::mixed_backend;

/// A context and its tape.
struct session {
  comodal::context<backend> context;
  comodal::tape<backend> tape{context};
};

/// One view per modality, empty where it is absent. The case must outlive them.
[[nodiscard]] inline std::vector<comodal::volume_view> image_views(const comodal::case_data& one) {
  return {one.images.begin(), one.images.end()};
}

/// Prints the findings that are not errors.
inline void print_warnings(const std::vector<comodal::finding>& findings) {
  for (const auto& found : findings)
    if (found.severity != comodal::finding::level::error) std::fprintf(stderr, "%s\n", comodal::to_line(found).c_str());
}

/// The folder of an output below that of the predictions: "" for the fused one, "branch_T1", "only_T1" ...
[[nodiscard]] inline std::string folder_of(const std::string& output) {
  if (output == "fused") return "";
  std::string name = output;
  for (char& c : name)
    if (c == ' ' || c == '/') c = '_';
  return name;
}

/// A modality's number as files are named: "0002".
[[nodiscard]] inline std::string modality_number(std::size_t m) { return std::to_string(10000 + m).substr(1); }

}  // namespace cli

#endif
