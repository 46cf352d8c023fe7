// SPDX-License-Identifier: Apache-2.0
/// @file
/// How a phantom's tissues become images: contrast, partial volume, shift between modalities, bias field, Rician noise.
#ifndef COMODAL_DATA_PHANTOM_ACQUISITION_HPP
#define COMODAL_DATA_PHANTOM_ACQUISITION_HPP

#include <comodal/core/host_tasks.hpp>
#include <comodal/data/phantom_anatomy.hpp>
#include <comodal/data/volume.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The mean of each tissue in one modality of a case, relative to `intensity_scale`: the options' table with this
/// case's jitter. A vessel looks like grey matter, on T1ce like the rim; a spot like white matter, on FLAIR like
/// oedema.
[[nodiscard]] inline std::array<double, tissue_count> phantom_contrast(const phantom_options& o, const phantom_key& key,
                                                                       std::size_t modality) {
  random_stream stream = key.stream(phantom_stage::contrast, static_cast<std::uint32_t>(modality));
  const double shift = stream.uniform(-o.contrast_jitter, o.contrast_jitter) * o.contrast[modality][2];
  const auto jittered = [&](double value) {
    return std::max(0.0, value * (1 + stream.uniform(-o.contrast_jitter, o.contrast_jitter)) + shift);
  };
  std::array<double, tissue_count> result{};
  const auto of = [&](tissue t) -> double& { return result[static_cast<std::size_t>(t)]; };
  constexpr std::array table{tissue::csf, tissue::grey, tissue::white, tissue::oedema, tissue::rim, tissue::core};
  for (std::size_t t = 0; t < table.size(); ++t) of(table[t]) = jittered(o.contrast[modality][t]);
  of(tissue::fat) = jittered(o.contrast_fat[modality]);
  of(tissue::scalp) = jittered(o.contrast_scalp[modality]);
  of(tissue::skull) = jittered(o.contrast_skull[modality]);
  of(tissue::sulcus) = of(tissue::csf);
  of(tissue::vessel) = of(phantom_modalities[modality] == "T1ce" ? tissue::rim : tissue::grey);
  of(tissue::spot) = of(phantom_modalities[modality] == "FLAIR" ? tissue::oedema : tissue::white);
  return result;
}

namespace detail {

/// The fine voxels that a coarse voxel of one axis covers when it is moved by `shift` coarse voxels: `factor` + 1 of
/// them.
struct coverage {
  index first;
  std::vector<double> weight;
};

inline coverage covered(index coarse, index factor, double shift) {
  const double start = static_cast<double>(factor) * (static_cast<double>(coarse) + shift), whole = std::floor(start),
               part = start - whole;
  coverage result{static_cast<index>(whole),
                  std::vector<double>(static_cast<std::size_t>(factor) + 1, 1.0 / static_cast<double>(factor))};
  result.weight.front() *= 1 - part;
  result.weight.back() *= part;
  return result;
}

/// Axis-aligned voxels, or for a few cases a rotated patient; rounded to what a NIfTI header can hold.
inline geometry phantom_geometry(const phantom_options& o, const phantom_key& key) {
  random_stream stream = key.stream(phantom_stage::placement);
  matrix3 turn = rotation({0, 0, 0});
  const bool oblique = stream.chance(o.oblique_fraction);
  std::array<double, 3> degrees{};
  for (double& d : degrees) d = draw(stream, o.oblique_degrees) * (stream.chance(0.5) ? 1 : -1);
  if (oblique) turn = rotation(degrees);
  geometry result;
  result.size = o.grid;
  const point3 centre{stream.uniform(-10, 10), stream.uniform(-10, 10), stream.uniform(-10, 10)};
  for (std::size_t a = 0; a < 3; ++a) {
    double origin = centre[a];
    for (std::size_t b = 0; b < 3; ++b) {
      const double column = turn[a][b] * o.spacing[b];
      result.affine[a][b] = static_cast<double>(static_cast<float>(column));
      origin -= column * 0.5 * static_cast<double>(o.grid[b] - 1);
    }
    result.affine[a][3] = static_cast<double>(static_cast<float>(origin));
  }
  return result;
}

/// What noise and rounding make of a row: whole numbers, as a scanner stores them.
inline void add_rician_noise(random_stream& stream, double deviation, index count, float* row) {
  for (index i = 0; i < count; ++i) {
    // A normal pair in polar form: the signal's channel and the other one.
    const double radius = deviation * std::sqrt(-2 * std::log(1 - stream.uniform()));
    const double across = std::cos(6.283185307179586 * stream.uniform()), signal = static_cast<double>(row[i]);
    row[i] = static_cast<float>(
        std::round(std::sqrt(std::max(0.0, signal * signal + radius * radius + 2 * signal * radius * across))));
  }
}

}  // namespace detail

/// The image of one modality (0 to 3) on the options' grid; values are whole numbers that are not negative.
[[nodiscard]] inline image_volume acquire_phantom(const phantom_options& o, const phantom_key& key,
                                                  const phantom_anatomy& anatomy, std::size_t modality) {
  const auto number = static_cast<std::uint32_t>(modality);
  std::array<float, tissue_count> mean{};
  const auto contrast = phantom_contrast(o, key, modality);
  for (std::size_t t = 0; t < tissue_count; ++t) mean[t] = static_cast<float>(o.intensity_scale * contrast[t]);

  random_stream shifts = key.stream(phantom_stage::shift, number);
  std::array<std::vector<detail::coverage>, 3> cover;
  for (std::size_t a = 0; a < 3; ++a) {
    const double shift = shifts.uniform(-0.5, 0.5) * o.shift;
    for (index i = 0; i < o.grid[a]; ++i) cover[a].push_back(detail::covered(i, o.supersampling, shift));
  }
  random_stream strength = key.stream(phantom_stage::bias, number * 2);
  const double bias = detail::draw(strength, o.bias),
               noise = detail::draw(strength, o.noise) * o.intensity_scale * o.contrast[modality][2];
  const smooth_field field(key.stream(phantom_stage::bias, number * 2 + 1), o.head_mm, o.bias_scale_mm);
  const auto bias_scale = static_cast<float>(bias / std::max(field.largest(), 1e-6));

  image_volume image{detail::phantom_geometry(o, key), {}};
  image.values.resize(static_cast<std::size_t>(image.geometry.voxels()));
  sample_grid coarse;
  for (std::size_t a = 0; a < 3; ++a) {
    coarse.size[a] = o.grid[a];
    coarse.step[a] = o.spacing[a];
    coarse.first[a] = -0.5 * o.spacing[a] * static_cast<double>(o.grid[a] - 1);
  }
  const sample_grid& fine = anatomy.grid;
  struct scratch {
    field_rows bias_rows;
    std::vector<float> sum, bias_row;
  };
  const auto make_scratch = [&] {
    return scratch{field_rows(field, coarse), std::vector<float>(static_cast<std::size_t>(fine.size[0])),
                   std::vector<float>(static_cast<std::size_t>(o.grid[0]))};
  };
  host_tasks(o.grid[2], make_scratch, [&](scratch& own, index k) {
    auto& [bias_rows, sum, bias_row] = own;
    bias_rows.slice(k);
    random_stream stream = key.stream(phantom_stage::noise, number << 16 | static_cast<std::uint32_t>(k));
    for (index j = 0; j < o.grid[1]; ++j) {
      std::fill(sum.begin(), sum.end(), 0.0f);
      const auto &in_k = cover[2][static_cast<std::size_t>(k)], &in_j = cover[1][static_cast<std::size_t>(j)];
      for (std::size_t c = 0; c < in_k.weight.size(); ++c)
        for (std::size_t b = 0; b < in_j.weight.size(); ++b) {
          const auto weight = static_cast<float>(in_k.weight[c] * in_j.weight[b]);
          if (weight == 0.0f) continue;
          const index kk = std::clamp<index>(in_k.first + static_cast<index>(c), 0, fine.size[2] - 1);
          const index jj = std::clamp<index>(in_j.first + static_cast<index>(b), 0, fine.size[1] - 1);
          const tissue* row = anatomy.tissues.data() + fine.offset(0, jj, kk);
          for (index i = 0; i < fine.size[0]; ++i)
            sum[static_cast<std::size_t>(i)] += weight * mean[static_cast<std::size_t>(row[i])];
        }
      bias_rows.row(j, bias_row.data());
      float* out = &image.at(0, j, k);
      for (index i = 0; i < o.grid[0]; ++i) {
        const auto& in_i = cover[0][static_cast<std::size_t>(i)];
        float value = 0;
        for (std::size_t a = 0; a < in_i.weight.size(); ++a) {
          const index ii = std::clamp<index>(in_i.first + static_cast<index>(a), 0, fine.size[0] - 1);
          value += static_cast<float>(in_i.weight[a]) * sum[static_cast<std::size_t>(ii)];
        }
        out[i] = value * (1 + bias_scale * bias_row[static_cast<std::size_t>(i)]);
      }
      detail::add_rician_noise(stream, noise, o.grid[0], out);
    }
  });
  return image;
}

/// The label map on the options' grid: the commonest label of the fine voxels inside; a tie goes to the larger number.
[[nodiscard]] inline label_volume phantom_truth(const phantom_options& o, const phantom_key& key,
                                                const phantom_anatomy& anatomy) {
  label_volume labels{detail::phantom_geometry(o, key), {}};
  labels.values.resize(static_cast<std::size_t>(labels.geometry.voxels()));
  const index s = o.supersampling;
  host_tasks(o.grid[2], [&](index k) {
    for (index j = 0; j < o.grid[1]; ++j)
      for (index i = 0; i < o.grid[0]; ++i) {
        std::array<int, 4> votes{};
        for (index c = 0; c < s; ++c)
          for (index b = 0; b < s; ++b)
            for (index a = 0; a < s; ++a) {
              const tissue t =
                  anatomy.tissues[static_cast<std::size_t>(anatomy.grid.offset(i * s + a, j * s + b, k * s + c))];
              ++votes[t == tissue::core ? 1 : t == tissue::oedema ? 2 : t == tissue::rim ? 3 : 0];
            }
        std::uint8_t best = 0;
        for (std::uint8_t l = 1; l < 4; ++l)
          if (votes[l] >= votes[best]) best = l;
        labels.at(i, j, k) = best;
      }
  });
  return labels;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
