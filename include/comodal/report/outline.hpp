// SPDX-License-Identifier: Apache-2.0
/// @file
/// Areas of pixels as SVG paths along the pixels' edges: exact, and sharp at any size.
#ifndef COMODAL_REPORT_OUTLINE_HPP
#define COMODAL_REPORT_OUTLINE_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/shape.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

/// The edges between inside and outside, from corner to corner, with the inside on the right hand.
class edge_walk {
 public:
  template <class Inside>
  edge_walk(index width, index height, const Inside& inside)
      : m_columns(width + 1), m_edges(static_cast<std::size_t>((width + 1) * (height + 1))) {
    const auto in = [&](index x, index y) { return x >= 0 && y >= 0 && x < width && y < height && inside(x, y); };
    for (index y = 0; y < height; ++y)
      for (index x = 0; x < width; ++x) {
        if (!in(x, y)) continue;
        if (!in(x, y - 1)) edge(x, y) |= 1;
        if (!in(x + 1, y)) edge(x + 1, y) |= 2;
        if (!in(x, y + 1)) edge(x + 1, y + 1) |= 4;
        if (!in(x - 1, y)) edge(x, y + 1) |= 8;
      }
  }

  [[nodiscard]] std::string path() {
    std::string out;
    for (index at = 0; at < static_cast<index>(m_edges.size()); ++at)
      while (m_edges[static_cast<std::size_t>(at)] != 0) out += closed_path(at % m_columns, at / m_columns);
    return out;
  }

 private:
  std::uint8_t& edge(index x, index y) { return m_edges[static_cast<std::size_t>(y * m_columns + x)]; }

  // Takes the edges of one closed path out. Of two ways at a corner the right one is taken, so that pixels that touch
  // in a corner are two areas.
  std::string closed_path(index x, index y) {
    constexpr std::array<int, 4> right{1, 0, -1, 0}, down{0, 1, 0, -1};
    std::string out = text('M', x, ' ', y);
    std::size_t way = 0;
    while ((edge(x, y) >> way & 1) == 0) ++way;
    for (index run = 0;;) {
      edge(x, y) = static_cast<std::uint8_t>(edge(x, y) & ~(1u << way));
      x += right[way];
      y += down[way];
      ++run;
      std::size_t next = 4;
      for (const std::size_t turn : {1u, 0u, 3u})
        if (next == 4 && (edge(x, y) >> (way + turn) % 4 & 1)) next = (way + turn) % 4;
      if (next == way) continue;
      out += text(way % 2 == 0 ? 'h' : 'v', way < 2 ? run : -run);
      if (next == 4) return out + "z";
      way = next;
      run = 0;
    }
  }

  index m_columns;
  std::vector<std::uint8_t> m_edges;  // bits by corner: to the right, down, to the left, up
};

}  // namespace detail

/// The path data of all pixels (x, y) with `inside(x, y)`, for `fill` and `stroke`; empty where there is none.
template <class Inside>
[[nodiscard]] std::string outline_path(index width, index height, const Inside& inside) {
  return detail::edge_walk(width, height, inside).path();
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
