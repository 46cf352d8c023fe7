// SPDX-License-Identifier: Apache-2.0
// The command line with two methods that are written outside of the library.
#include <comodal/cli/run.hpp>

#include <train/outside/cross_pseudo_supervision.hpp>
#include <train/outside/uncertainty_aware_mean_teacher.hpp>

#include <cstdlib>

int main(int argc, char** argv) {
  return comodal::cli::run(argc, argv, [](auto& names) {
    names.template method<comodal::generic<outside::cross_pseudo_supervision>>("cps");
    names.template method<comodal::generic<outside::uncertainty_aware_mean_teacher>>("ua_mt");
    if (std::getenv("OUTSIDE_TWICE") != nullptr)
      names.template method<comodal::generic<outside::cross_pseudo_supervision>>("cps");
  });
}
