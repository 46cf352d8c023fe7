// SPDX-License-Identifier: Apache-2.0
/// @file
/// The healthy head of a phantom case: which tissue is at a point. Layers of a deformed ellipsoid, a folded cortex from
/// the zero sheets of a random field, deep nuclei, two ventricles, and cavities.
#ifndef COMODAL_DATA_PHANTOM_HEAD_HPP
#define COMODAL_DATA_PHANTOM_HEAD_HPP

#include <comodal/data/phantom_field.hpp>
#include <comodal/data/phantom_options.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// What a fine voxel of the phantom is made of. A sulcus is CSF that a lesion may push away; a vessel and a spot are
/// distractors.
enum class tissue : std::uint8_t { air, fat, scalp, skull, csf, sulcus, grey, white, oedema, rim, core, vessel, spot };
inline constexpr std::size_t tissue_count = 13;

namespace detail {

using matrix3 = std::array<std::array<double, 3>, 3>;

/// Product of rotations about z, y and x by the given angles in degrees.
inline matrix3 rotation(const std::array<double, 3>& degrees) {
  constexpr double radian = 0.017453292519943295;
  const double ca = std::cos(degrees[0] * radian), sa = std::sin(degrees[0] * radian),
               cb = std::cos(degrees[1] * radian), sb = std::sin(degrees[1] * radian),
               cc = std::cos(degrees[2] * radian), sc = std::sin(degrees[2] * radian);
  return {{{cc * cb, cc * sb * sa - sc * ca, cc * sb * ca + sc * sa},
           {sc * cb, sc * sb * sa + cc * ca, sc * sb * ca - cc * sa},
           {-sb, cb * sa, cb * ca}}};
}

inline point3 apply(const matrix3& m, const point3& p) {
  point3 r{};
  for (std::size_t a = 0; a < 3; ++a) r[a] = m[a][0] * p[0] + m[a][1] * p[1] + m[a][2] * p[2];
  return r;
}

inline double norm(const point3& p) { return std::sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2]); }

/// A rotated ellipsoid; `contains` is exact.
struct ellipsoid {
  point3 centre{};
  matrix3 to_unit{};  // millimetres from the centre -> the unit ball
  double reach = 0;   // its largest semi-axis, mm

  ellipsoid(const point3& c, const std::array<double, 3>& semi_axes, const std::array<double, 3>& degrees) : centre(c) {
    const matrix3 turn = rotation(degrees);
    for (std::size_t a = 0; a < 3; ++a) {
      reach = std::max(reach, semi_axes[a]);
      for (std::size_t b = 0; b < 3; ++b) to_unit[a][b] = turn[b][a] / semi_axes[a];
    }
  }
  [[nodiscard]] bool contains(const point3& p) const {
    const point3 d{p[0] - centre[0], p[1] - centre[1], p[2] - centre[2]};
    for (const double x : d)
      if (std::abs(x) > reach) return false;
    const point3 u = apply(to_unit, d);
    return u[0] * u[0] + u[1] * u[1] + u[2] * u[2] < 1;
  }
};

inline double draw(random_stream& stream, const phantom_options::range& range) {
  return stream.uniform(range[0], range[1]);
}
/// A whole number from the range, both ends included.
inline int draw_count(random_stream& stream, const phantom_options::range& range) {
  return static_cast<int>(std::floor(stream.uniform(range[0], range[1] + 1)));
}
inline std::array<double, 3> draw_angles(random_stream& stream, double largest) {
  return {stream.uniform(-largest, largest), stream.uniform(-largest, largest), stream.uniform(-largest, largest)};
}

}  // namespace detail

/// The healthy head of one case; a function of (options, seed, case) and a point, independent of any grid.
class phantom_head {
 public:
  /// The values of the random fields at a point: displacement, folds, nuclei.
  static constexpr std::size_t field_count = 5;
  using field_values = std::array<float, field_count>;

  phantom_head(const phantom_options& o, const phantom_key& key) : m_options(o) {
    random_stream pose = key.stream(phantom_stage::pose);
    for (std::size_t a = 0; a < 3; ++a)
      m_semi_axes[a] = o.head_mm[a] * (1 + pose.uniform(-o.head_jitter, o.head_jitter));
    m_pose = detail::rotation(detail::draw_angles(pose, o.pose_degrees));

    point3 half{};
    for (std::size_t a = 0; a < 3; ++a) half[a] = 1.15 * (1 + o.head_jitter) * o.head_mm[a];
    for (std::uint32_t a = 0; a < 3; ++a)
      m_fields.emplace_back(key.stream(phantom_stage::deformation, a), half, o.deformation_scale_mm);
    m_fields.emplace_back(key.stream(phantom_stage::fold), half, o.fold_scale_mm, 2);
    m_fields.emplace_back(key.stream(phantom_stage::nucleus), half, o.nucleus_scale_mm);

    random_stream ventricle = key.stream(phantom_stage::ventricle);
    const auto jitter = [&] { return 1 + ventricle.uniform(-o.ventricle_jitter, o.ventricle_jitter); };
    const double size = jitter();
    for (const double side : {-1.0, 1.0}) {
      std::array<double, 3> semi_axes{};
      for (std::size_t a = 0; a < 3; ++a) semi_axes[a] = o.ventricle_mm[a] * size * jitter();
      const auto wobble = detail::draw_angles(ventricle, 6);
      m_ventricles.emplace_back(point3{side * o.ventricle_offset_mm * jitter(), 0, 4}, semi_axes,
                                std::array<double, 3>{wobble[0] - 10, wobble[1] + side * 15, wobble[2] + side * 12});
    }
    random_stream cavity = key.stream(phantom_stage::cavity);
    const int cavities = detail::draw_count(cavity, o.cavities);
    for (int c = 0; c < cavities; ++c) {
      std::array<double, 3> semi_axes{};
      const double radius = detail::draw(cavity, o.cavity_radius_mm);
      for (double& s : semi_axes) s = radius * cavity.uniform(0.75, 1.25);
      const auto angles = detail::draw_angles(cavity, 90);
      m_cavities.emplace_back(random_point(cavity, tissue::white), semi_axes, angles);
    }
  }

  /// The field number f (0 <= f < field_count), for evaluation on a grid.
  [[nodiscard]] const smooth_field& field(std::size_t f) const { return m_fields[f]; }

  /// The tissue at a point in mm.
  [[nodiscard]] tissue at(const point3& p) const {
    field_values values{};
    for (std::size_t f = 0; f < field_count; ++f) values[f] = static_cast<float>(m_fields[f].at(p));
    return at(p, values);
  }

  /// The same with the fields' values at that point.
  [[nodiscard]] tissue at(const point3& p, const field_values& fields) const {
    const phantom_options& o = m_options;
    point3 q = detail::apply(m_pose, p);
    for (std::size_t a = 0; a < 3; ++a) q[a] += o.deformation_mm * static_cast<double>(fields[a]);
    double radius2 = 0, slope2 = 1e-12;
    for (std::size_t a = 0; a < 3; ++a) {
      const double u = q[a] / m_semi_axes[a];
      radius2 += u * u;
      slope2 += u * u / (m_semi_axes[a] * m_semi_axes[a]);
    }
    if (radius2 >= 1) return tissue::air;
    const double radius = std::sqrt(radius2), fold = static_cast<double>(fields[3]);
    double depth = (1 - radius) * radius / std::sqrt(slope2);  // mm below the surface, to first order
    if (radius < 1e-3) depth = m_semi_axes[2];
    if ((depth -= o.fat_mm * (1 + o.fat_variation * fold)) < 0) return tissue::fat;
    if ((depth -= o.scalp_mm) < 0) return tissue::scalp;
    if ((depth -= o.skull_mm) < 0) return tissue::skull;
    if ((depth -= o.meninges_mm) < 0) return tissue::csf;
    for (const auto& c : m_cavities)
      if (c.contains(p)) return tissue::csf;
    for (const auto& v : m_ventricles)
      if (v.contains(q)) return tissue::csf;

    const double outer = std::max(0.0, 1 - depth / o.fold_depth_mm);
    double sheet = std::abs(fold);
    if (q[2] > -0.2 * m_semi_axes[2] && depth < o.fissure_mm) {
      const double cleft = std::abs(q[0]);
      if (cleft < o.meninges_mm / 2) return tissue::csf;
      sheet = std::min(sheet, cleft / o.fold_scale_mm * 1.5);
    }
    if (sheet < o.sulcus_width * outer) return tissue::sulcus;
    if (depth < o.cortex_mm || (outer > 0 && sheet < o.cortex_width * (0.4 + 0.6 * outer))) return tissue::grey;
    double zone = 0;
    for (std::size_t a = 0; a < 3; ++a) zone += (q[a] / o.nucleus_zone_mm[a]) * (q[a] / o.nucleus_zone_mm[a]);
    if (zone < 1 && static_cast<double>(fields[4]) > o.nucleus_threshold) return tissue::grey;
    return tissue::white;
  }

  /// A uniform random point of the given tissue. @throws config_error if ten thousand draws find none
  [[nodiscard]] point3 random_point(random_stream& stream, tissue wanted) const {
    for (int attempt = 0; attempt < 10000; ++attempt) {
      point3 p{};
      for (std::size_t a = 0; a < 3; ++a) p[a] = stream.uniform(-m_semi_axes[a], m_semi_axes[a]);
      if (at(p) == wanted) return p;
    }
    throw config_error(
        "phantom: these options leave a head without white matter; check head_mm, fold_* and the layers");
  }

 private:
  phantom_options m_options;
  std::array<double, 3> m_semi_axes{};
  detail::matrix3 m_pose{};
  std::vector<smooth_field> m_fields;
  std::vector<detail::ellipsoid> m_ventricles, m_cavities;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
