// SPDX-License-Identifier: Apache-2.0
/// @file
/// The volumes of a case for the page's viewer: grey slices side by side in one picture, masks as runs, all as JSON.
#ifndef COMODAL_REPORT_VOLUME_DATA_HPP
#define COMODAL_REPORT_VOLUME_DATA_HPP

#include <comodal/report/colours.hpp>
#include <comodal/report/escape.hpp>
#include <comodal/report/image_bytes.hpp>
#include <comodal/report/mask_runs.hpp>
#include <comodal/report/shown_case.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// How large the data of one case may be.
struct volume_limits {
  index voxels = 4'500'000;        // of a volume; of a larger one every second, third ... voxel is kept
  std::size_t lossless = 150'000;  // bytes of a PNG, above which a volume becomes a JPEG
  std::size_t images = 1'400'000;  // bytes of all JPEGs of a case: their quality falls from 85 until they fit
  int least_quality = 45;          // below which it does not fall
};

/// All slices of a volume in one grey picture: axial slice k is in column k mod `columns`, row k / `columns`; in it x
/// runs to the right of the patient and y to the front.
[[nodiscard]] inline picture sprite_of(const image_volume& v, const grey_window& window, index columns) {
  const auto& [nx, ny, nz] = v.geometry.size;
  picture out(nx * columns, ny * ((nz + columns - 1) / columns));
  for (index k = 0; k < nz; ++k)
    for (index j = 0; j < ny; ++j)
      for (index i = 0; i < nx; ++i)
        *out.at(k % columns * nx + i, k / columns * ny + j) = window(static_cast<double>(v.at(i, j, k)));
  return out;
}

namespace detail {

/// By how much each axis is thinned so that at most `most` voxels are left: the finest axis first.
[[nodiscard]] inline std::array<index, 3> thinning(const geometry& g, index most) {
  std::array<index, 3> every{1, 1, 1};
  const auto spacing = g.spacing();
  const auto left = [&] {
    index n = 1;
    for (std::size_t a = 0; a < 3; ++a) n *= (g.size[a] + every[a] - 1) / every[a];
    return n;
  };
  while (left() > most) {
    std::size_t finest = 0;
    for (std::size_t a = 1; a < 3; ++a)
      if (spacing[a] * static_cast<double>(every[a]) < spacing[finest] * static_cast<double>(every[finest])) finest = a;
    ++every[finest];
  }
  return every;
}

template <class Scalar>
[[nodiscard]] volume<Scalar> thinned(const volume<Scalar>& v, const std::array<index, 3>& every) {
  volume<Scalar> out;
  out.geometry = v.geometry;
  for (std::size_t a = 0; a < 3; ++a) {
    out.geometry.size[a] = (v.geometry.size[a] + every[a] - 1) / every[a];
    for (std::size_t r = 0; r < 3; ++r) out.geometry.affine[r][a] *= static_cast<double>(every[a]);
  }
  out.values.reserve(static_cast<std::size_t>(out.geometry.voxels()));
  for (index k = 0; k < v.geometry.size[2]; k += every[2])
    for (index j = 0; j < v.geometry.size[1]; j += every[1])
      for (index i = 0; i < v.geometry.size[0]; i += every[0]) out.values.push_back(v.at(i, j, k));
  return out;
}

/// Adds to each image its picture: PNG, or where that is large JPEG. @returns the quality of the JPEGs; 100 without any
inline int encode_sprites(const std::vector<picture>& sprites, const volume_limits& limits,
                          std::vector<nlohmann::ordered_json>& images) {
  std::vector<std::size_t> large;
  for (std::size_t s = 0; s < sprites.size(); ++s) {
    const byte_buffer png = encode_png(sprites[s]);
    if (png.size() > limits.lossless)
      large.push_back(s);
    else
      images[s]["src"] = "data:image/png;base64," + base64(png);
  }
  int quality = large.empty() ? 100 : 85;
  for (bool fits = large.empty(); !fits;) {
    std::size_t bytes = 0;
    for (const std::size_t s : large) {
      const byte_buffer jpeg = encode_jpeg(sprites[s], quality);
      bytes += jpeg.size();
      images[s]["src"] = "data:image/jpeg;base64," + base64(jpeg);
    }
    fits = bytes <= limits.images || quality - 10 < limits.least_quality;
    if (!fits) quality -= 10;
  }
  return quality;
}

}  // namespace detail

/// What the viewer reads of a case; without truth it has no keys "truth" and "errors".
/// @param c prepared by `prepare_to_show` @param base the image that is shown first
[[nodiscard]] nlohmann::ordered_json volume_data(const shown_case& c, std::size_t base,
                                                 const volume_limits& limits = {});
#if COMODAL_BODIES
COMODAL_ONCE nlohmann::ordered_json volume_data(const shown_case& c, std::size_t base, const volume_limits& limits) {
  using json = nlohmann::ordered_json;
  const auto every = detail::thinning(c.reference().geometry, limits.voxels);
  std::vector<json> images;
  std::vector<picture> sprites;
  const auto add = [&](const shown_image& from, const std::string& name, bool map) {
    const image_volume v = detail::thinned(from.values, every);
    const auto columns = static_cast<index>(std::ceil(std::sqrt(static_cast<double>(v.geometry.size[2]))));
    sprites.push_back(sprite_of(v, from.window, columns));
    images.push_back({{"name", readable_name(name)}, {"map", map}, {"high", from.window.high}, {"columns", columns}});
  };
  for (const auto& i : c.images) add(i, i.name, false);
  for (const auto& m : c.methods)
    for (const auto& map : m.maps) add(map, c.methods.size() > 1 ? text(map.name, ", ", m.name) : map.name, true);
  const int quality = detail::encode_sprites(sprites, limits, images);
  const auto runs = [&](const label_volume& v) { return base64(encode_runs(detail::thinned(v, every).values)); };
  const geometry grid = detail::thinned(c.reference(), every).geometry;
  json out{{"case", readable_name(c.case_id)},
           {"size", grid.size},
           {"spacing", grid.spacing()},
           {"every", every},
           {"first", c.first},
           {"whole", c.whole},
           {"start", json::array()},
           {"base", base}};
  if (c.truth) out["errors"] = {{"false", false_colour}, {"missed", missed_colour}, {"wrong", wrong_colour}};
  out["classes"] = json::array();
  out["images"] = images;
  out["quality"] = quality;
  if (c.truth) out["truth"] = runs(*c.truth);
  out["methods"] = json::array();
  for (std::size_t a = 0; a < 3; ++a) out["start"].push_back(c.slices.place[a] / every[a]);
  for (std::size_t k = 0; k < c.classes.size(); ++k)
    out["classes"].push_back({{"value", c.classes[k].value},
                              {"name", readable_name(c.classes[k].name)},
                              {"colour", class_colour(static_cast<int>(k % class_colours) + 1)}});
  for (const auto& m : c.methods) {
    json masks = json::array();
    for (const auto& mask : m.masks)
      masks.push_back({{"output", readable_name(mask.output)}, {"runs", runs(mask.labels)}});
    out["methods"].push_back({{"name", readable_name(m.name)}, {"masks", masks}});
  }
  return out;
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
