// SPDX-License-Identifier: Apache-2.0
/// @file
/// What is said of a command line that CLI11 refuses.
#ifndef COMODAL_CLI_PARSE_FAILURE_HPP
#define COMODAL_CLI_PARSE_FAILURE_HPP

#include <comodal/core/error.hpp>

#include <CLI/CLI.hpp>

#include <string>

namespace comodal::inline COMODAL_CONFIG {

namespace cli_detail {

// What is wrong with a command line, in one line; everything that is missing is told at once.
[[nodiscard]] inline std::string words_of_failure(const CLI::App& program, const CLI::ParseError& failure) {
  const auto called = program.get_subcommands();
  if (called.empty() && failure.get_name() == "RequiredError") {
    std::string verbs;
    for (const CLI::App* one : program.get_subcommands([](const CLI::App*) { return true; }))
      verbs += (verbs.empty() ? "" : ", ") + one->get_name();
    return text("a command is missing, one of ", verbs, "; --help says what each does");
  }
  const std::string help =
      text("; see ", program.get_name(), called.empty() ? "" : " " + called[0]->get_name(), " --help");
  std::string missing;
  if (!called.empty() && failure.get_name() == "RequiredError")
    for (const CLI::Option* one : called[0]->get_options())
      if (one->get_required() && one->count() == 0) missing += (missing.empty() ? "" : ", ") + one->get_name();
  if (!missing.empty()) return text(called[0]->get_name(), ": missing: ", missing, help);
  std::string words = failure.what();
  for (char& c : words)
    if (c == '\n') c = ' ';
  return (called.empty() ? "" : called[0]->get_name() + ": ") + words + help;
}

}  // namespace cli_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
