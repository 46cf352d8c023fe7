// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a tape is made of: the steps of the way back, and whether operations are recorded.
#ifndef COMODAL_AUTOGRAD_RECORD_HPP
#define COMODAL_AUTOGRAD_RECORD_HPP

#include <comodal/core/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG::detail {

// Counts the changes of values that are changed in place.
using value_version = std::uint64_t;

// A version that an operation saw.
struct seen_version {
  std::shared_ptr<const value_version> of;
  value_version seen = 0;
};
using seen_versions = std::vector<seen_version>;

inline void note_version(seen_versions& all, const std::shared_ptr<value_version>& of) {
  for (const seen_version& one : all)
    if (one.of == of) return;
  all.push_back({of, *of});
}

// @throws error if a value has changed since
inline void refuse_changes(const seen_versions& all) {
  for (const seen_version& one : all)
    if (*one.of != one.seen)
      throw error(
          "backward: parameters changed after the forward pass that used them (an update, an average, assign() or a "
          "load); run the forward pass again");
}

// One recorded operation on the way back, of whatever scalar.
struct recorded_step {
  const char* operation = nullptr;  // set while a recorder watches, as is the layer
  std::string layer;
  seen_versions seen;  // of parameters among the inputs

  recorded_step() = default;
  recorded_step(const recorded_step&) = delete;
  recorded_step& operator=(const recorded_step&) = delete;
  virtual ~recorded_step() = default;
  [[nodiscard]] virtual bool reached() const = 0;  // a gradient arrived
  virtual void run() = 0;                          // hands it on
  virtual void drop() = 0;                         // forgets it
};

// What tapes of several scalars share.
struct tape_record {
  std::vector<std::unique_ptr<recorded_step>> steps;
  bool recording = true;
  seen_versions* watching = nullptr;        // collects the versions of parameters that operations use, recorded or not
  std::vector<std::weak_ptr<bool>> leaves;  // of every leaf that lives: whether it wants its gradient

  // Forgets leaves that are gone before the list grows.
  void remember(std::weak_ptr<bool> wants_gradient) {
    if (leaves.size() == leaves.capacity()) {
      std::erase_if(leaves, [](const auto& leaf) { return leaf.expired(); });
      if (leaves.size() * 4 >= leaves.capacity() * 3) leaves.reserve(std::max<std::size_t>(64, 2 * leaves.capacity()));
    }
    leaves.push_back(std::move(wants_gradient));
  }
};

// Collects into `seen` while it lives.
class watch_scope {
 public:
  watch_scope(tape_record& of, seen_versions& seen) : m_of(&of), m_before(std::exchange(of.watching, &seen)) {}
  ~watch_scope() { m_of->watching = m_before; }
  watch_scope(const watch_scope&) = delete;
  watch_scope& operator=(const watch_scope&) = delete;

 private:
  tape_record* m_of;
  seen_versions* m_before;
};

// Turns recording on or off, and back at the end of the scope.
class recording_scope {
 public:
  recording_scope(tape_record& of, bool recording) : m_of(&of), m_before(std::exchange(of.recording, recording)) {}
  ~recording_scope() { m_of->recording = m_before; }
  recording_scope(const recording_scope&) = delete;
  recording_scope& operator=(const recording_scope&) = delete;

 private:
  tape_record* m_of;
  bool m_before;
};

}  // namespace comodal::inline COMODAL_CONFIG::detail

#endif
