// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `cli`: the command line as a function. Needs toml11 and CLI11 (`comodal::cli` of the package).
#ifndef COMODAL_CLI_CLI_HPP
#define COMODAL_CLI_CLI_HPP

#include <comodal/cli/benchmark.hpp>
#include <comodal/cli/check.hpp>
#include <comodal/cli/command_line.hpp>
#include <comodal/cli/commands.hpp>
#include <comodal/cli/completion.hpp>
#include <comodal/cli/console.hpp>
#include <comodal/cli/examples.hpp>
#include <comodal/cli/experiment.hpp>
#include <comodal/cli/info.hpp>
#include <comodal/cli/keys.hpp>
#include <comodal/cli/measurement.hpp>
#include <comodal/cli/parse_failure.hpp>
#include <comodal/cli/phantom.hpp>
#include <comodal/cli/run.hpp>
#include <comodal/cli/validators.hpp>
#include <comodal/cli/verb_options.hpp>

#endif
