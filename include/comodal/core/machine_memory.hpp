// SPDX-License-Identifier: Apache-2.0
/// @file
/// How much memory a program may take on this machine.
#ifndef COMODAL_CORE_MACHINE_MEMORY_HPP
#define COMODAL_CORE_MACHINE_MEMORY_HPP

#include <comodal/core/config.hpp>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

namespace comodal::inline COMODAL_CONFIG {

namespace core_detail {

// The limit of the control group that this process is in, as a container or a batch system sets it; 0: none.
[[nodiscard]] inline double control_group_memory() {
  double least = 0;
  const auto look = [&](const std::filesystem::path& file) {
    double limit = 0;
    if (std::ifstream in(file); in >> limit && limit > 0 && limit < 1e15)
      least = least > 0 ? std::min(least, limit) : limit;
  };
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const auto at = line.find(":/");
    if (at == std::string::npos) continue;
    const bool second = line.starts_with("0::/"), first = line.substr(0, at).ends_with(":memory");  // versions
    if (!second && !first) continue;
    std::filesystem::path here = second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    for (const auto& part : std::filesystem::path(line.substr(at + 2)))
      look((here /= part) / (second ? "memory.max" : "memory.limit_in_bytes"));
  }
  look("/sys/fs/cgroup/memory.max");
  look("/sys/fs/cgroup/memory/memory.limit_in_bytes");
  return least;
}

}  // namespace core_detail

/// Bytes of memory that this process may take: those of the machine, or the limit of a container or a batch system; 0
/// if nobody can tell.
[[nodiscard]] inline double machine_memory() {
  static const double bytes = [] {
    const long pages = ::sysconf(_SC_PHYS_PAGES), size = ::sysconf(_SC_PAGE_SIZE);
    const double machine = pages > 0 && size > 0 ? static_cast<double>(pages) * static_cast<double>(size) : 0;
    const double group = core_detail::control_group_memory();
    return group > 0 && (machine <= 0 || group < machine) ? group : machine;
  }();
  return bytes;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
