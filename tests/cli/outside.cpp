// SPDX-License-Identifier: Apache-2.0
// The command line with two methods that are written outside of the library.
#include <comodal/cli/run.hpp>

#include <train/outside/cross_pseudo_supervision.hpp>
#include <train/outside/uncertainty_aware_mean_teacher.hpp>

int main(int argc, char** argv) {
  auto names = comodal::registry<comodal::mixed_backend>::built_in();
  names.method<comodal::generic<outside::cross_pseudo_supervision>>("cps");
  names.method<comodal::generic<outside::uncertainty_aware_mean_teacher>>("ua_mt");
  return comodal::cli::run(argc, argv, names);
}
