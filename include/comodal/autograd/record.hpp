// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a tape is made of: the steps of the way back, and whether operations are recorded.
#ifndef COMODAL_AUTOGRAD_RECORD_HPP
#define COMODAL_AUTOGRAD_RECORD_HPP

#include <comodal/core/config.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG::detail {

// One recorded operation on the way back, of whatever scalar.
struct recorded_step {
  const char* operation = nullptr;  // set while a recorder watches, as is the layer
  std::string layer;

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
