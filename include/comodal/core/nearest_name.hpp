// SPDX-License-Identifier: Apache-2.0
/// @file
/// The known name that is closest to a misspelt one, for messages.
#ifndef COMODAL_CORE_NEAREST_NAME_HPP
#define COMODAL_CORE_NEAREST_NAME_HPP

#include <comodal/core/config.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The number of insertions, deletions, changes and swaps of neighbours between two words (Damerau's distance, adjacent
/// swaps once).
[[nodiscard]] inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i)
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

/// The first of `known` with the least `distance(name, one)`; empty if there is none.
/// @param distance how far apart two names are, a std::size_t
template <class Distance>
[[nodiscard]] std::string nearest_name(std::string_view name, const std::vector<std::string>& known,
                                       const Distance& distance) {
  const auto nearest = std::min_element(known.begin(), known.end(), [&](const std::string& a, const std::string& b) {
    return distance(name, a) < distance(name, b);
  });
  return nearest == known.end() ? std::string{} : *nearest;
}
[[nodiscard]] inline std::string nearest_name(std::string_view name, const std::vector<std::string>& known) {
  return nearest_name(name, known, edit_distance);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
