// SPDX-License-Identifier: Apache-2.0
/// @file
/// Work on many cases, several at a time: told as it goes on, stopped on request, within a share of the memory.
#ifndef COMODAL_DATA_WORK_ON_CASES_HPP
#define COMODAL_DATA_WORK_ON_CASES_HPP

#include <comodal/core/host_tasks.hpp>
#include <comodal/core/machine_memory.hpp>
#include <comodal/data/cohort.hpp>
#include <comodal/data/geometry.hpp>
#include <comodal/data/nifti.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Who hears of work on cases. Functions that are not set are not called; all are called on the thread of the caller.
struct case_watch {
  std::function<void(index done, index all, const std::string& id)> progress{};  // after each case
  std::function<bool()> stops{};                                                 // true: begin no further case
};

namespace data_detail {

// Lets work begin only while what is open stays within a limit; one piece of work always may.
class memory_gate {
 public:
  explicit memory_gate(double limit) : m_limit(limit) {}

  class pass {
   public:
    pass(memory_gate& gate, double bytes) : m_gate(&gate), m_bytes(bytes) {
      std::unique_lock lock(gate.m_mutex);
      gate.m_left.wait(lock, [&] { return gate.m_open == 0 || gate.m_used + bytes <= gate.m_limit; });
      ++gate.m_open;
      gate.m_used += bytes;
    }
    ~pass() {
      const std::lock_guard lock(m_gate->m_mutex);
      --m_gate->m_open;
      m_gate->m_used -= m_bytes;
      m_gate->m_left.notify_all();
    }
    pass(const pass&) = delete;
    pass& operator=(const pass&) = delete;

   private:
    memory_gate* m_gate;
    double m_bytes;
  };

 private:
  double m_limit, m_used = 0;
  index m_open = 0;
  std::mutex m_mutex;
  std::condition_variable m_left;
};

// The grid and the bytes of a file of images, by its header alone; empty if that cannot be read: whoever reads the file
// says why.
struct file_front {
  geometry grid;
  double bytes = 0;
};
[[nodiscard]] inline file_front front_of_file(const std::filesystem::path& path) {
  std::array<unsigned char, 4096> front{};
  std::error_code none;
  if (!std::filesystem::is_regular_file(path, none)) return {};
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  const std::size_t got = file ? std::fread(front.data(), 1, front.size(), file.get()) : 0;
  const std::span<const unsigned char> read(front.data(), got);
  try {
    const nifti_header h = parse_nifti_header(
        is_gzip(read) ? gunzip_front(read, 544) : byte_buffer(read.begin(), read.end()), path.string());
    return {h.grid, detail::claimed_bytes(h)};
  } catch (const error&) {
    return {};
  }
}

// Bytes that the preparation of a case takes at its worst: its images twice, as they are and resampled, a file, masks
// and their parts. @param spacing as of `prepare_options`
[[nodiscard]] inline double preparation_bytes(const case_files& files, const std::array<double, 3>& spacing) {
  double voxels = 0, file = 0, images = 0, finer = 1;
  for (const image_source& image : files.images) {
    if (image.empty()) continue;
    ++images;
    const file_front front = image.path.empty() ? file_front{image.memory.grid(), 0} : front_of_file(image.path);
    if (front.grid.voxels() == 0 || !invertible(front.grid.affine)) continue;  // the reader says what is wrong
    voxels = std::max(voxels, static_cast<double>(front.grid.voxels()));
    file = std::max(file, front.bytes);
    double ratio = 1;
    const auto old = to_canonical(front.grid).spacing();
    for (std::size_t a = 0; a < 3; ++a)
      if (spacing[a] > 0) ratio *= old[a] / spacing[a];
    finer = std::max(finer, ratio);
  }
  return voxels * (4 * images + 16) + 4 * voxels * finer * (images + 2) + file;
}

inline const case_files& files_of(const labelled_case& one) { return one.files; }
inline const case_files& files_of(const unlabelled_case& one) { return one.files; }

}  // namespace data_detail

/// Work that was stopped before it came to something.
class work_stopped : public error {
 public:
  work_stopped() : error("stopped on request") {}
};

/// Calls `work(number)` for every case, several at a time, but no more at once than half of this machine's memory
/// holds. @param spacing that volumes are resampled to, which takes memory; 0: they are not @return false if `watch`
/// stopped it: some cases were not worked on then
/// @throws io_error with the lines of all cases whose work threw one, in their order, not of the first alone
template <class Case, class Work>
bool work_on_cases(const std::vector<Case>& cases, const Work& work, const case_watch& watch = {},
                   const std::array<double, 3>& spacing = {}) {
  const auto all = static_cast<index>(cases.size());
  const auto caller = std::this_thread::get_id();
  data_detail::memory_gate gate(machine_memory() / 2);
  std::vector<std::string> lines(cases.size());
  std::atomic<bool> stopped{watch.stops && watch.stops()};
  std::atomic<index> done{0};
  host_tasks(all, [&](index i) {
    const auto at = static_cast<std::size_t>(i);
    const bool here = std::this_thread::get_id() == caller;
    if (here && watch.stops && watch.stops()) stopped = true;
    if (stopped) return;
    try {
      const data_detail::memory_gate::pass pass(
          gate, data_detail::preparation_bytes(data_detail::files_of(cases[at]), spacing));
      work(at);
    } catch (const disk_error&) {
      throw;  // so it is for the next case
    } catch (const io_error& failure) {
      lines[at] = failure.what();
    }
    const index now = ++done;
    if (here && watch.progress) watch.progress(now, all, data_detail::files_of(cases[at]).id);
  });
  std::string words;
  for (const std::string& line : lines)
    if (!line.empty()) words += (words.empty() ? "" : "\n") + line;
  if (!words.empty()) throw io_error(words);
  return !stopped;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
