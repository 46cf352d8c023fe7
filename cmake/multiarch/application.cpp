// SPDX-License-Identifier: Apache-2.0
// The work of the `comodal` program as a library, compiled once per level of instructions.
#include <comodal/cli/run.hpp>

#include "commit.hpp"

extern "C" __attribute__((visibility("default"))) int comodal_application(int argc, char** argv) {
  return comodal::cli::run(argc, argv, comodal::registry<comodal::mixed_backend>::built_in(), COMODAL_COMMIT);
}
