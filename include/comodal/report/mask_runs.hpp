// SPDX-License-Identifier: Apache-2.0
/// @file
/// Masks as runs of equal labels, for the page's script.
#ifndef COMODAL_REPORT_MASK_RUNS_HPP
#define COMODAL_REPORT_MASK_RUNS_HPP

#include <comodal/core/error.hpp>
#include <comodal/data/file.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Runs of equal labels: the label, then how often it stands there, in groups of seven bits, the lowest first; all
/// groups but the last have 128 added.
[[nodiscard]] inline byte_buffer encode_runs(std::span<const std::uint8_t> labels) {
  byte_buffer out;
  for (std::size_t first = 0, last = 0; first < labels.size(); first = last) {
    while (last < labels.size() && labels[last] == labels[first]) ++last;
    out.push_back(labels[first]);
    std::size_t length = last - first;
    for (; length >= 128; length >>= 7) out.push_back(static_cast<unsigned char>(128 | (length & 127)));
    out.push_back(static_cast<unsigned char>(length));
  }
  return out;
}

/// The labels of runs, as the page's script reads them. @throws io_error if they are not `size` labels
[[nodiscard]] inline std::vector<std::uint8_t> decode_runs(std::span<const unsigned char> runs, std::size_t size) {
  std::vector<std::uint8_t> out;
  out.reserve(size);
  for (std::size_t at = 0; at < runs.size();) {
    const std::uint8_t label = runs[at++];
    std::size_t length = 0;
    int shift = 0;
    bool more = true;
    for (; more && at < runs.size() && shift < 63; shift += 7) {
      more = (runs[at] & 128) != 0;
      length |= static_cast<std::size_t>(runs[at++] & 127) << shift;
    }
    if (more || length > size - out.size()) throw io_error("mask runs: are damaged, or of another size");
    out.insert(out.end(), length, label);
  }
  if (out.size() != size) throw io_error("mask runs: are damaged, or of another size");
  return out;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
