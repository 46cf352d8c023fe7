// SPDX-License-Identifier: Apache-2.0
/// @file
/// The verb `prepare`: the cases of an experiment, prepared in its cache before anything is trained.
#ifndef COMODAL_APP_PREPARE_HPP
#define COMODAL_APP_PREPARE_HPP

#include <comodal/app/training_cases.hpp>

#include <chrono>
#include <cstddef>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// What `prepare` came to.
struct prepare_summary {
  std::size_t cases = 0, made = 0;  // all; those that were not there before
  double seconds = 0;
  double bytes = 0;      // of the files of all cases
  bool finished = true;  // false: cancelled; what is prepared stays
};

/// Prepares all training and validation cases of an experiment in the folder `data.cache`, several at a time. A run of
/// the same data begins at once then; another call has only new or changed cases to do. Several processes may share a
/// folder.
/// @throws config_error without `data.cache`; io_error with the lines of all cases that cannot be used; disk_error if
/// the disk is full
template <tensor_backend Backend>
[[nodiscard]] prepare_summary prepare(const experiment& e,
                                      const registry<Backend>& names = registry<Backend>::built_in(),
                                      const observer& watch = {}) {
  const host_threads_scope threads(e.threads);
  e.check(names);
  if (e.cache.empty())
    throw config_error("data.cache is not set: name a folder for the prepared cases, such as --data.cache cache");
  const cohort data = e.read_cohort(names);
  watch.warn(data.findings);
  refuse_errors(data.findings);
  app_detail::expect_classes(data);
  const auto start = std::chrono::steady_clock::now();
  const app_detail::training_cases cases(data, e.prepare(data, names), true, e.cache, watch);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  return {cases.size(), cases.made(), taken.count(), cases.cached_bytes(), cases.finished()};
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
