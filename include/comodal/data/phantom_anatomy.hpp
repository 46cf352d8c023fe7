// SPDX-License-Identifier: Apache-2.0
/// @file
/// The tissues of a phantom case on the supersampled grid: the healthy head, its lesions, and what may be mistaken for
/// them.
#ifndef COMODAL_DATA_PHANTOM_ANATOMY_HPP
#define COMODAL_DATA_PHANTOM_ANATOMY_HPP

#include <comodal/core/host_tasks.hpp>
#include <comodal/data/phantom_head.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Tissue of every voxel of a grid; `tissues[grid.offset(i, j, k)]`.
struct phantom_anatomy {
  sample_grid grid;
  std::vector<tissue> tissues;
};

namespace detail {

/// The supersampled grid, centred at the origin.
inline sample_grid fine_grid(const phantom_options& o) {
  sample_grid grid;
  for (std::size_t a = 0; a < 3; ++a) {
    grid.size[a] = o.grid[a] * o.supersampling;
    grid.step[a] = o.spacing[a] / static_cast<double>(o.supersampling);
    grid.first[a] = -0.5 * grid.step[a] * static_cast<double>(grid.size[a] - 1);
  }
  return grid;
}

inline phantom_anatomy healthy_anatomy(const phantom_options& o, const phantom_head& head) {
  phantom_anatomy result{fine_grid(o), {}};
  const sample_grid& grid = result.grid;
  result.tissues.resize(static_cast<std::size_t>(grid.voxels()));
  struct scratch {
    std::vector<field_rows> fields;
    std::vector<float> rows;
  };
  const auto make_scratch = [&] {
    scratch s;
    for (std::size_t f = 0; f < phantom_head::field_count; ++f) s.fields.emplace_back(head.field(f), grid);
    s.rows.resize(phantom_head::field_count * static_cast<std::size_t>(grid.size[0]));
    return s;
  };
  host_tasks(grid.size[2], make_scratch, [&](scratch& s, index k) {
    for (auto& f : s.fields) f.slice(k);
    for (index j = 0; j < grid.size[1]; ++j) {
      for (std::size_t f = 0; f < s.fields.size(); ++f)
        s.fields[f].row(j, s.rows.data() + f * static_cast<std::size_t>(grid.size[0]));
      for (index i = 0; i < grid.size[0]; ++i) {
        phantom_head::field_values values{};
        for (std::size_t f = 0; f < s.fields.size(); ++f)
          values[f] = s.rows[f * static_cast<std::size_t>(grid.size[0]) + static_cast<std::size_t>(i)];
        result.tissues[static_cast<std::size_t>(grid.offset(i, j, k))] = head.at(grid.position(i, j, k), values);
      }
    }
  });
  return result;
}

/// The voxels of `mask` (1 inside) that are more than `depth` mm, and more than a face, away from its outside; beyond
/// the grid is outside.
inline std::vector<std::uint8_t> eroded(const std::vector<std::uint8_t>& mask, const sample_grid& grid, double depth) {
  std::vector<std::array<index, 3>> ball;
  std::array<index, 3> reach{};
  for (std::size_t a = 0; a < 3; ++a)
    reach[a] = std::max<index>(1, static_cast<index>(std::floor(depth / grid.step[a])));
  for (index k = -reach[2]; k <= reach[2]; ++k)
    for (index j = -reach[1]; j <= reach[1]; ++j)
      for (index i = -reach[0]; i <= reach[0]; ++i)
        if (std::abs(i) + std::abs(j) + std::abs(k) <= 1 ||
            norm({grid.step[0] * static_cast<double>(i), grid.step[1] * static_cast<double>(j),
                  grid.step[2] * static_cast<double>(k)}) <= depth)
          ball.push_back({i, j, k});
  std::vector<std::uint8_t> result(mask.size(), 0);
  for (index k = reach[2]; k < grid.size[2] - reach[2]; ++k)
    for (index j = reach[1]; j < grid.size[1] - reach[1]; ++j)
      for (index i = reach[0]; i < grid.size[0] - reach[0]; ++i) {
        if (!mask[static_cast<std::size_t>(grid.offset(i, j, k))]) continue;
        result[static_cast<std::size_t>(grid.offset(i, j, k))] =
            std::all_of(ball.begin(), ball.end(), [&](const auto& b) {
              return mask[static_cast<std::size_t>(grid.offset(i + b[0], j + b[1], k + b[2]))] != 0;
            });
      }
  return result;
}

/// One lesion: nested irregular blobs around a centre.
class lesion_grower {
 public:
  lesion_grower(const phantom_options& o, const phantom_key& key, std::uint32_t number, const point3& centre,
                double volume_ml)
      : m_options(o), m_key(key), m_number(number), m_centre(centre), m_volume(volume_ml * 1000) {
    random_stream stream = key.stream(phantom_stage::lesion_shape, number);
    m_radius = std::cbrt(m_volume * 3 / (4 * 3.141592653589793));
    const matrix3 turn = rotation(draw_angles(stream, 180));
    for (std::size_t a = 0; a < 3; ++a) {
      const double scale = std::exp(stream.normal(0, o.blob_elongation));
      for (std::size_t b = 0; b < 3; ++b) m_stretch[a][b] = turn[a][b] * scale;
    }
    m_tumour_share = draw(stream, o.tumour_share);
    m_core_share = draw(stream, o.core_share);
    for (double& x : m_tumour_offset) x = stream.uniform(-0.2, 0.2) * m_radius;
  }

  /// Turns tissue of the brain near the centre into oedema, rim and core.
  void grow(phantom_anatomy& anatomy) const {
    const auto [box, begin] = anatomy.grid.box(m_centre, 2.5 * m_radius);
    const auto global = [&, b = begin](index i, index j, index k) {
      return static_cast<std::size_t>(anatomy.grid.offset(i + b[0], j + b[1], k + b[2]));
    };
    // Oedema keeps to white matter; a tumour pushes grey matter and sulci away; CSF elsewhere stops both.
    std::vector<float> resistance(static_cast<std::size_t>(box.voxels()), 0);
    std::vector<std::uint8_t> mask(resistance.size(), 0);
    std::size_t n = 0;
    for (index k = 0; k < box.size[2]; ++k)
      for (index j = 0; j < box.size[1]; ++j)
        for (index i = 0; i < box.size[0]; ++i, ++n) {
          const tissue t = anatomy.tissues[global(i, j, k)];
          mask[n] = t == tissue::white || t == tissue::grey || t == tissue::sulcus;
          resistance[n] = t == tissue::white ? 1.0f : static_cast<float>(m_options.grey_resistance);
        }
    const double voxel = box.step[0] * box.step[1] * box.step[2];
    const auto wanted = [&](double part) { return static_cast<std::size_t>(std::llround(m_volume * part / voxel)); };
    const point3 inner{m_centre[0] + m_tumour_offset[0], m_centre[1] + m_tumour_offset[1],
                       m_centre[2] + m_tumour_offset[2]};
    const auto oedema = nearest(box, mask, m_centre, phantom_stage::oedema_field, m_options.oedema_irregularity,
                                &resistance, wanted(1));
    const auto tumour = nearest(box, eroded(oedema, box, m_options.shell_mm), inner, phantom_stage::tumour_field,
                                m_options.blob_irregularity, nullptr, wanted(m_tumour_share));
    const auto core = nearest(box, eroded(tumour, box, m_options.shell_mm), inner, phantom_stage::core_field,
                              m_options.blob_irregularity, nullptr, wanted(m_tumour_share * m_core_share));
    n = 0;
    for (index k = 0; k < box.size[2]; ++k)
      for (index j = 0; j < box.size[1]; ++j)
        for (index i = 0; i < box.size[0]; ++i, ++n)
          if (oedema[n])
            anatomy.tissues[global(i, j, k)] = core[n] ? tissue::core : tumour[n] ? tissue::rim : tissue::oedema;
  }

 private:
  /// The `count` voxels of `allowed` that are nearest to `centre`, where distances are stretched and made irregular.
  [[nodiscard]] std::vector<std::uint8_t> nearest(const sample_grid& box, const std::vector<std::uint8_t>& allowed,
                                                  const point3& centre, phantom_stage stage, double irregularity,
                                                  const std::vector<float>* resistance, std::size_t count) const {
    // The field is attached to the lesion's centre, so that it does not depend on the box.
    const double reach = 2.5 * m_radius + m_options.blob_scale_mm;
    const smooth_field field(m_key.stream(stage, m_number), {reach, reach, reach}, m_options.blob_scale_mm, 2);
    sample_grid local = box;
    for (std::size_t a = 0; a < 3; ++a) local.first[a] -= m_centre[a];
    field_rows rows(field, local);
    std::vector<float> row(static_cast<std::size_t>(box.size[0]));
    std::vector<std::pair<float, std::size_t>> order;
    for (index k = 0; k < box.size[2]; ++k) {
      rows.slice(k);
      for (index j = 0; j < box.size[1]; ++j) {
        rows.row(j, row.data());
        for (index i = 0; i < box.size[0]; ++i) {
          const auto n = static_cast<std::size_t>(box.offset(i, j, k));
          if (!allowed[n]) continue;
          const point3 p = box.position(i, j, k);
          const double distance = norm(apply(m_stretch, {p[0] - centre[0], p[1] - centre[1], p[2] - centre[2]}));
          const double h = distance * std::exp(irregularity * static_cast<double>(row[static_cast<std::size_t>(i)]));
          order.emplace_back(static_cast<float>(h) * (resistance ? (*resistance)[n] : 1.0f), n);
        }
      }
    }
    count = std::min(count, order.size());
    std::nth_element(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end());
    std::vector<std::uint8_t> result(allowed.size(), 0);
    for (std::size_t c = 0; c < count; ++c) result[order[c].second] = 1;
    return result;
  }

  const phantom_options& m_options;
  phantom_key m_key;
  std::uint32_t m_number;
  point3 m_centre;
  double m_volume;  // mm^3
  double m_radius = 0, m_tumour_share = 0, m_core_share = 0;
  matrix3 m_stretch{};
  point3 m_tumour_offset{};
};

inline void add_lesions(const phantom_options& o, const phantom_key& key, const phantom_head& head,
                        phantom_anatomy& anatomy) {
  random_stream plan = key.stream(phantom_stage::lesion_plan);
  const double total =
      std::clamp(o.lesion_ml * std::exp(plan.normal(0, o.lesion_sigma)), o.lesion_limits_ml[0], o.lesion_limits_ml[1]);
  const bool second = plan.chance(o.second_lesion);
  const double share = second ? draw(plan, o.second_share) : 0;
  random_stream centres = key.stream(phantom_stage::lesion_centre);
  const point3 first = head.random_point(centres, tissue::white);
  lesion_grower(o, key, 0, first, total * (1 - share)).grow(anatomy);
  if (!second) return;
  point3 other = head.random_point(centres, tissue::white);
  for (int attempt = 0;
       attempt < 100 && norm({other[0] - first[0], other[1] - first[1], other[2] - first[2]}) < o.lesion_distance_mm;
       ++attempt)
    other = head.random_point(centres, tissue::white);
  lesion_grower(o, key, 1, other, total * share).grow(anatomy);
}

/// Turns the voxels inside a shape into `to`, where `replace(tissue)` says so.
template <class Replace>
void paint(phantom_anatomy& anatomy, const ellipsoid& shape, tissue to, Replace replace) {
  const auto [box, begin] = anatomy.grid.box(shape.centre, shape.reach);
  for (index k = 0; k < box.size[2]; ++k)
    for (index j = 0; j < box.size[1]; ++j)
      for (index i = 0; i < box.size[0]; ++i) {
        tissue& t =
            anatomy.tissues[static_cast<std::size_t>(anatomy.grid.offset(i + begin[0], j + begin[1], k + begin[2]))];
        if (replace(t) && shape.contains(box.position(i, j, k))) t = to;
      }
}

/// White-matter spots: bright on FLAIR alone.
inline void add_spots(const phantom_options& o, const phantom_key& key, const phantom_head& head,
                      phantom_anatomy& anatomy) {
  random_stream stream = key.stream(phantom_stage::spot);
  const int count = draw_count(stream, o.spots);
  for (int s = 0; s < count; ++s) {
    const double radius = draw(stream, o.spot_radius_mm);
    std::array<double, 3> semi_axes{};
    for (double& a : semi_axes) a = radius * stream.uniform(0.7, 1.4);
    const auto angles = draw_angles(stream, 90);
    paint(anatomy, ellipsoid(head.random_point(stream, tissue::white), semi_axes, angles), tissue::spot,
          [](tissue t) { return t == tissue::white; });
  }
}

/// Vessels: winding tubes in the brain, as bright as a rim on T1ce alone.
inline void add_vessels(const phantom_options& o, const phantom_key& key, const phantom_head& head,
                        phantom_anatomy& anatomy) {
  constexpr double step = 0.5;
  random_stream stream = key.stream(phantom_stage::vessel);
  const int count = draw_count(stream, o.vessels);
  const auto inside = [](tissue t) {
    return t == tissue::white || t == tissue::grey || t == tissue::sulcus || t == tissue::csf;
  };
  for (int v = 0; v < count; ++v) {
    point3 p = head.random_point(stream, v % 2 ? tissue::white : tissue::grey);
    const double radius = draw(stream, o.vessel_radius_mm), length = draw(stream, o.vessel_length_mm);
    point3 direction{stream.normal(), stream.normal(), stream.normal()};
    const auto normalise = [&] {
      const double size = std::max(norm(direction), 1e-9);
      for (double& d : direction) d /= size;
    };
    normalise();
    for (double along = 0; along < length; along += step) {
      const double r = radius * (1 - 0.5 * along / length);
      paint(anatomy, ellipsoid(p, {r, r, r}, {0, 0, 0}), tissue::vessel,
            [](tissue t) { return t == tissue::white || t == tissue::grey || t == tissue::sulcus; });
      for (double& d : direction) d += stream.normal(0, o.vessel_curvature);
      normalise();
      point3 next{};
      for (std::size_t a = 0; a < 3; ++a) next[a] = p[a] + step * direction[a];
      if (!inside(head.at(next))) {  // turn towards the middle of the head
        const double distance = std::max(norm(p), 1e-9);
        for (std::size_t a = 0; a < 3; ++a) direction[a] -= p[a] / distance;
        normalise();
        for (std::size_t a = 0; a < 3; ++a) next[a] = p[a] + step * direction[a];
      }
      p = next;
    }
  }
}

}  // namespace detail

/// The tissues of a case on the supersampled grid (`options.grid` times `options.supersampling`), centred at the
/// origin. The same for every number of threads. @throws config_error if the options leave no white matter
[[nodiscard]] inline phantom_anatomy make_phantom_anatomy(const phantom_options& options, const phantom_key& key) {
  const phantom_head head(options, key);
  phantom_anatomy anatomy = detail::healthy_anatomy(options, head);
  detail::add_lesions(options, key, head, anatomy);
  detail::add_spots(options, key, head, anatomy);
  detail::add_vessels(options, key, head, anatomy);
  return anatomy;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
