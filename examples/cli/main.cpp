// SPDX-License-Identifier: Apache-2.0
// The `comodal` program. A program of your own registers more names before it runs (docs/how-to/names.md).
#include <comodal/cli/run.hpp>

#include "commit.hpp"

int main(int argc, char** argv) {
  return comodal::cli::run(argc, argv, comodal::registry<comodal::mixed_backend>::built_in(), COMODAL_COMMIT);
}
