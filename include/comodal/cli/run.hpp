// SPDX-License-Identifier: Apache-2.0
/// @file
/// The command line as a function: what `main` calls.
#ifndef COMODAL_CLI_RUN_HPP
#define COMODAL_CLI_RUN_HPP

#include <comodal/app/registry.hpp>
#include <comodal/core/compiled.hpp>

#include <concepts>
#include <cstdio>
#include <filesystem>
#include <string>

namespace comodal::inline COMODAL_CONFIG {

namespace cli {

/// The `comodal` program with the names of `names`: what `main` returns. Call it first in `main`: it may start the
/// program anew so that waiting threads sleep. Programs that link `comodal::compiled_cli`, which has it for
/// `mixed_backend`, need this header alone; others include cli/command_line.hpp.
/// @param commit of the program's sources, for what it says of its results; empty: not known
/// @return 0: done; 1: failed; 2: bad input, one line on stderr says what
template <tensor_backend Backend>
int run(int argc, char** argv, const registry<Backend>& names = registry<Backend>::built_in(), const char* commit = "");

/// The same with names of your own: `add(names)` adds them to those of the library. A name that is taken is one line on
/// stderr and the status 2:
///   return comodal::cli::run(argc, argv, [](auto& names) { names.template fusion<my_tag>("strongest"); });
template <class Add>
  requires std::invocable<const Add&, registry<mixed_backend>&>
int run(int argc, char** argv, const Add& add, const char* commit = "") {
  auto names = registry<mixed_backend>::built_in();
  try {
    add(names);
  } catch (const error& failure) {
    const std::string program = argc > 0 ? std::filesystem::path(argv[0]).filename().string() : "comodal";
    std::fprintf(stderr, "%s: %s\n", program.c_str(), failure.what());
    return 2;
  }
  return run(argc, argv, names, commit);
}

}  // namespace cli

#define COMODAL_CLI_RUN(kind, Backend) kind int cli::run<Backend>(int, char**, const registry<Backend>&, const char*);
COMODAL_CLI_ELSEWHERE(COMODAL_CLI_RUN)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
