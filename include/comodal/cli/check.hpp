// SPDX-License-Identifier: Apache-2.0
/// @file
/// The command `check`: what a data set is, and what is wrong with it.
#ifndef COMODAL_CLI_CHECK_HPP
#define COMODAL_CLI_CHECK_HPP

#include <comodal/app/check.hpp>
#include <comodal/cli/console.hpp>

#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace cli {

struct check_arguments {
  std::filesystem::path folder;
  std::string resample_to;
  layout_options layout;
  bool json = false;
};

/// Prints what a data set is and what is wrong with it, as JSON.
inline void print_findings(const std::vector<finding>& findings, const std::vector<std::string>& description) {
  nlohmann::ordered_json j{{"description", description}, {"findings", nlohmann::ordered_json::array()}};
  for (const auto& one : findings)
    j["findings"].push_back({{"severity", one.severity == finding::level::error ? "error" : "warning"},
                             {"case", readable_name(one.case_id)},
                             {"file", readable_name(one.file.string())},
                             {"reason", readable_name(one.reason)}});
  j["errors"] = count_errors(findings);
  constexpr auto replace = nlohmann::ordered_json::error_handler_t::replace;
  std::printf("%s\n", j.dump(2, ' ', false, replace).c_str());
}

inline int check(const check_arguments& arguments, const reader_registry& readers) {
  const auto& folder = arguments.folder;
  const auto findings = app::check_data(folder, readers, arguments.resample_to, arguments.layout);
  std::vector<std::string> description;
  try {
    description = app::describe_data(folder, readers, arguments.layout);
  } catch (const error&) {  // the findings say why
  }
  if (arguments.json) {
    print_findings(findings, description);
    return count_errors(findings) == 0 ? 0 : 2;
  }
  for (const auto& line : description) std::printf("%s\n", printable(line).c_str());
  for (const auto& one : findings) std::printf("%s\n", printable(to_line(one)).c_str());
  const auto errors = count_errors(findings), warnings = findings.size() - errors;
  std::printf("%s: %s, %s\n", folder.c_str(), counted(errors, "error").c_str(), counted(warnings, "warning").c_str());
  return errors == 0 ? 0 : 2;
}

}  // namespace cli

}  // namespace comodal::inline COMODAL_CONFIG

#endif
