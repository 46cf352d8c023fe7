// SPDX-License-Identifier: Apache-2.0
/// @file
/// Probabilities on their way to a file: on the disk, as memory does not hold those of many classes.
#ifndef COMODAL_APP_PROBABILITY_SPILL_HPP
#define COMODAL_APP_PROBABILITY_SPILL_HPP

#include <comodal/data/file.hpp>
#include <comodal/data/volume.hpp>
#include <comodal/infer/probability_map.hpp>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

/// The probabilities of one output, taken plane by plane and given back channel by channel. They lie in a file of a
/// folder that has no name, so that nothing is left of it when the program ends.
class probability_spill {
 public:
  /// @param grid of the output @throws disk_error, io_error if no file can be made in the folder
  probability_spill(const std::filesystem::path& folder, geometry grid) : m_folder(folder), m_grid(std::move(grid)) {
    std::string name = (folder / ".probabilities-XXXXXX").string();
    m_file = ::mkostemp(name.data(), O_CLOEXEC);
    if (m_file < 0) data_detail::refuse_write(folder, errno);
    ::unlink(name.c_str());
  }
  ~probability_spill() { ::close(m_file); }
  probability_spill(const probability_spill&) = delete;
  probability_spill& operator=(const probability_spill&) = delete;

  /// Takes planes (C, planes, H, W), the first of which is number `first`. @throws disk_error if the disk is full
  void take(index first, const probability_map& planes) {
    m_channels = planes.channels;
    const index plane = m_grid.size[0] * m_grid.size[1], count = planes.size[0] * plane;
    for (index c = 0; c < planes.channels; ++c)
      write(planes.values.data() + c * count, count, c * m_grid.voxels() + first * plane);
  }
  [[nodiscard]] index channels() const { return m_channels; }
  /// The probabilities of a channel. @throws io_error if they cannot be read
  [[nodiscard]] image_volume channel(index c) const {
    image_volume out{m_grid, std::vector<float>(static_cast<std::size_t>(m_grid.voxels()))};
    auto* to = reinterpret_cast<char*>(out.values.data());
    std::size_t left = out.values.size() * sizeof(float);
    off_t at = static_cast<off_t>(c * m_grid.voxels()) * static_cast<off_t>(sizeof(float));
    while (left > 0) {
      const ssize_t got = ::pread(m_file, to, left, at);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) throw disk_error(text(m_folder.string(), ": probabilities cannot be read back from the disk"));
      to += got, at += got, left -= static_cast<std::size_t>(got);
    }
    return out;
  }

 private:
  void write(const float* values, index count, index place) const {
    const auto* from = reinterpret_cast<const char*>(values);
    std::size_t left = static_cast<std::size_t>(count) * sizeof(float);
    off_t at = static_cast<off_t>(place) * static_cast<off_t>(sizeof(float));
    while (left > 0) {
      const ssize_t put = ::pwrite(m_file, from, left, at);
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) data_detail::refuse_write(m_folder, put < 0 ? errno : ENOSPC);
      from += put, at += put, left -= static_cast<std::size_t>(put);
    }
  }

  std::filesystem::path m_folder;
  geometry m_grid;
  int m_file = -1;
  index m_channels = 0;
};

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
