// SPDX-License-Identifier: Apache-2.0
/// @file
/// Smooth random fields for the phantom: uniform cubic B-splines over random knots, evaluated at a point or, separably,
/// on the rows of a grid. A field belongs to a place in mm, so that grids of different resolution see the same one.
#ifndef COMODAL_DATA_PHANTOM_FIELD_HPP
#define COMODAL_DATA_PHANTOM_FIELD_HPP

#include <comodal/core/random.hpp>
#include <comodal/core/shape.hpp>
#include <comodal/data/geometry.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// What a stream of a phantom case is drawn for; `sub` numbers repetitions (lesion, modality, slice).
enum class phantom_stage : std::uint32_t {
  presence = 1,
  placement,
  pose,
  deformation,
  fold,
  nucleus,
  ventricle,
  cavity,
  lesion_plan,
  lesion_centre,
  lesion_shape,
  oedema_field,
  tumour_field,
  core_field,
  vessel,
  spot,
  contrast,
  bias,
  shift,
  noise,
};

/// The random numbers of one case.
struct phantom_key {
  std::uint64_t seed = 0;
  std::uint32_t case_index = 0;

  [[nodiscard]] random_stream stream(phantom_stage stage, std::uint32_t sub = 0) const {
    return {seed, random_purpose::phantom, case_index, static_cast<std::uint32_t>(stage) << 24 | sub};
  }
};

/// A regular grid of voxel centres: `position(a, i)` mm along axis a. The phantom's head is centred at the origin, x to
/// the right, y to the front, z up.
struct sample_grid {
  std::array<index, 3> size{};
  std::array<double, 3> step{};  // mm
  point3 first{};                // centre of voxel (0, 0, 0), mm

  [[nodiscard]] double position(std::size_t axis, index i) const {
    return first[axis] + step[axis] * static_cast<double>(i);
  }
  [[nodiscard]] point3 position(index i, index j, index k) const {
    return {position(0, i), position(1, j), position(2, k)};
  }
  [[nodiscard]] index offset(index i, index j, index k) const { return (k * size[1] + j) * size[0] + i; }
  [[nodiscard]] index voxels() const { return size[0] * size[1] * size[2]; }

  /// The part of this grid within `reach` mm of `centre` along each axis, with the voxel where it begins.
  [[nodiscard]] std::pair<sample_grid, std::array<index, 3>> box(const point3& centre, double reach) const {
    sample_grid part{{}, step, {}};
    std::array<index, 3> begin{};
    for (std::size_t a = 0; a < 3; ++a) {
      const double low = std::ceil((centre[a] - reach - first[a]) / step[a]),
                   high = std::floor((centre[a] + reach - first[a]) / step[a]);
      begin[a] = std::clamp<index>(static_cast<index>(low), 0, size[a]);
      part.size[a] = std::max<index>(0, std::min<index>(static_cast<index>(high) + 1, size[a]) - begin[a]);
      part.first[a] = position(a, begin[a]);
    }
    return {part, begin};
  }
};

/// A stationary random field of mean 0 and standard deviation about 1.
class smooth_field {
 public:
  /// Knots every `knots_mm` over [-half, half] per axis, values drawn from `stream`; each further octave halves the
  /// distance and the amplitude. Outside that region the field continues with its border values.
  smooth_field(random_stream stream, const point3& half, double knots_mm, int octaves = 1) {
    double power = 0, amplitude = 1;
    for (int o = 0; o < octaves; ++o, amplitude /= 2) power += amplitude * amplitude;
    // A cubic B-spline keeps 0.479 of the variance per axis, on average over the cell.
    amplitude = 1 / std::sqrt(power * 0.479 * 0.479 * 0.479);
    for (int o = 0; o < octaves; ++o, amplitude /= 2, knots_mm /= 2) {
      lattice l;
      l.knots_mm = knots_mm;
      for (std::size_t a = 0; a < 3; ++a) {
        const index cells = std::max<index>(1, static_cast<index>(std::ceil(2 * half[a] / knots_mm)));
        l.count[a] = cells + 3;
        l.first[a] = -0.5 * static_cast<double>(cells) * knots_mm;
      }
      l.values.resize(static_cast<std::size_t>(l.count[0] * l.count[1] * l.count[2]));
      for (float& v : l.values) v = static_cast<float>(stream.normal(0, amplitude));
      m_lattices.push_back(std::move(l));
    }
  }

  /// The field at a point.
  [[nodiscard]] double at(const point3& p) const {
    double sum = 0;
    for (const lattice& l : m_lattices) {
      const cell x = l.locate(0, p[0]), y = l.locate(1, p[1]), z = l.locate(2, p[2]);
      for (index c = 0; c < 4; ++c)
        for (index b = 0; b < 4; ++b) {
          const float* row = l.values.data() + ((z.base + c) * l.count[1] + y.base + b) * l.count[0] + x.base;
          double part = 0;
          for (std::size_t a = 0; a < 4; ++a) part += static_cast<double>(x.weight[a] * row[a]);
          sum +=
              part * static_cast<double>(z.weight[static_cast<std::size_t>(c)] * y.weight[static_cast<std::size_t>(b)]);
        }
    }
    return sum;
  }

  /// The largest absolute value at the knots, for scaling.
  [[nodiscard]] double largest() const {
    double result = 0;
    const lattice& l = m_lattices.front();
    for (index c = 0; c <= l.count[2] - 3; ++c)
      for (index b = 0; b <= l.count[1] - 3; ++b)
        for (index a = 0; a <= l.count[0] - 3; ++a) {
          const auto place = [&](std::size_t axis, index i) {
            return l.first[axis] + l.knots_mm * static_cast<double>(i);
          };
          result = std::max(result, std::abs(at({place(0, a), place(1, b), place(2, c)})));
        }
    return result;
  }

 private:
  friend class field_rows;
  struct cell {
    index base;
    std::array<float, 4> weight;
  };
  struct lattice {
    std::array<index, 3> count{};
    point3 first{};
    double knots_mm = 0;
    std::vector<float> values;

    [[nodiscard]] cell locate(std::size_t axis, double position) const {
      const double cells = static_cast<double>(count[axis] - 3);
      const double u = std::clamp((position - first[axis]) / knots_mm, 0.0, cells);
      const double base = std::min(std::floor(u), cells - 1), t = u - base, s = 1 - t;
      return {static_cast<index>(base),
              {static_cast<float>(s * s * s / 6), static_cast<float>((3 * t * t * t - 6 * t * t + 4) / 6),
               static_cast<float>((3 * s * s * s - 6 * s * s + 4) / 6), static_cast<float>(t * t * t / 6)}};
    }
  };
  std::vector<lattice> m_lattices;
};

/// Evaluates a field on the rows of a grid: `slice(k)`, then `row(j, out)` for its rows. One object per thread.
class field_rows {
 public:
  field_rows(const smooth_field& field, const sample_grid& grid) : m_field(&field), m_grid(grid) {
    for (const auto& l : field.m_lattices) {
      table t;
      for (index i = 0; i < grid.size[0]; ++i) {
        const auto c = l.locate(0, grid.position(0, i));
        t.base.push_back(static_cast<std::int32_t>(c.base));
        for (std::size_t a = 0; a < 4; ++a) t.weight[a].push_back(c.weight[a]);
      }
      t.plane.resize(static_cast<std::size_t>(l.count[0] * l.count[1]));
      t.line.resize(static_cast<std::size_t>(l.count[0]));
      m_tables.push_back(std::move(t));
    }
  }

  void slice(index k) {
    for (std::size_t o = 0; o < m_tables.size(); ++o) {
      const auto& l = m_field->m_lattices[o];
      const auto c = l.locate(2, m_grid.position(2, k));
      blend(l.values.data() + c.base * l.count[0] * l.count[1], l.count[0] * l.count[1], c.weight, m_tables[o].plane);
    }
  }

  /// Writes the field at the voxels of row j of the slice to `out`, one value per voxel.
  void row(index j, float* out) {
    std::fill(out, out + m_grid.size[0], 0.0f);
    for (std::size_t o = 0; o < m_tables.size(); ++o) {
      const auto& l = m_field->m_lattices[o];
      table& t = m_tables[o];
      const auto c = l.locate(1, m_grid.position(1, j));
      blend(t.plane.data() + c.base * l.count[0], l.count[0], c.weight, t.line);
      const float *line = t.line.data(), *w0 = t.weight[0].data(), *w1 = t.weight[1].data(), *w2 = t.weight[2].data(),
                  *w3 = t.weight[3].data();
      const std::int32_t* base = t.base.data();
#pragma omp simd
      for (index i = 0; i < m_grid.size[0]; ++i) {
        const float* v = line + base[i];
        out[i] += w0[i] * v[0] + w1[i] * v[1] + w2[i] * v[2] + w3[i] * v[3];
      }
    }
  }

 private:
  struct table {
    std::vector<std::int32_t> base;
    std::array<std::vector<float>, 4> weight;
    std::vector<float> plane, line;
  };

  /// out[i] = sum over a of weight[a] * in[a * count + i].
  static void blend(const float* in, index count, const std::array<float, 4>& weight, std::vector<float>& out) {
    for (index i = 0; i < count; ++i)
      out[static_cast<std::size_t>(i)] =
          weight[0] * in[i] + weight[1] * in[count + i] + weight[2] * in[2 * count + i] + weight[3] * in[3 * count + i];
  }

  const smooth_field* m_field;
  sample_grid m_grid;
  std::vector<table> m_tables;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
