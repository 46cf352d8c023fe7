// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a verb tells while it works, and how it is stopped.
#ifndef COMODAL_APP_OBSERVER_HPP
#define COMODAL_APP_OBSERVER_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/kokkos.hpp>
#include <comodal/core/shape.hpp>
#include <comodal/data/finding.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// How far a verb is.
struct work_progress {
  std::string unit;                                         // what is counted: "step", "case"
  index first = 0;                                          // where this call began: a resumed run begins behind 0
  index done = 0, total = 0;                                // units
  std::vector<std::pair<std::string, double>> values = {};  // of the last unit, such as "loss"
  std::string name = {};                                    // of the last unit, such as a case's id
};

/// What a caller wants to hear from a verb. Functions that are not set are not called. They are called on the thread of
/// the caller; what they throw ends the verb.
struct observer {
  std::function<void(const std::string& words)> warning = {};  // worth a look; the work goes on
  std::function<void(const std::string& line)> note = {};      // what is done now
  std::function<void(const work_progress&)> progress = {};
  std::function<bool()> cancelled = {};  // asked between units; true: stop there, keep what is finished

  void warn(const std::string& line) const {
    if (warning) warning(line);
  }
  /// Every finding that is no error.
  void warn(const std::vector<finding>& findings) const {
    for (const auto& found : findings)
      if (found.severity != finding::level::error) warn(text(found.file.string(), ": ", found.reason));
  }
  void tell(const std::string& line) const {
    if (note) note(line);
  }
  void show(const work_progress& at) const {
    if (progress) progress(at);
  }
  [[nodiscard]] bool stops() const { return cancelled && cancelled(); }
};

/// @throws error unless a `comodal::runtime` lives: verbs compute on the back end
inline void expect_runtime() {
  if (!Kokkos::is_initialized())
    throw error("app: there is no comodal::runtime; make one first in main, it must outlive all verbs");
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
