// SPDX-License-Identifier: Apache-2.0
/// @file
/// NIfTI files, .nii and .nii.gz, NIfTI-1 and NIfTI-2, either byte order: images, label maps, and results on an input's
/// own grid.
#ifndef COMODAL_DATA_NIFTI_HPP
#define COMODAL_DATA_NIFTI_HPP

#include <comodal/data/file.hpp>
#include <comodal/data/nifti_header.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <type_traits>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

inline bool ends_with_gz(const std::filesystem::path& path) { return path.extension() == ".gz"; }

// Bytes from the beginning of the file to the end of its last voxel; a double, because a header may claim anything.
inline double claimed_bytes(const nifti_header& h) {
  return static_cast<double>(h.offset) + static_cast<double>(h.grid.size[0]) * static_cast<double>(h.grid.size[1]) *
                                             static_cast<double>(h.grid.size[2]) * static_cast<double>(h.value_bytes);
}

// Unpacks as many bytes as the header asks for: a small file that unpacks to something huge takes no more memory.
inline byte_buffer unpacked_nifti(const byte_buffer& packed, const std::string& name) {
  std::size_t most = 4096;  // enough to say what it is, if it is no NIfTI file
  try {
    const double claimed = claimed_bytes(parse_nifti_header(gunzip_front(packed, 544), name));
    most = claimed < 1e18 ? static_cast<std::size_t>(claimed) : std::numeric_limits<std::size_t>::max();
  } catch (const error&) {  // said by the caller, after the stream was verified
  }
  return gunzip(packed, name, most);
}

// The unpacked bytes of a .nii or .nii.gz file; the name must say what the file is.
inline byte_buffer nifti_bytes(const std::filesystem::path& path) {
  byte_buffer bytes = read_file(path);
  if (!ends_with_gz(path)) {
    if (is_gzip(bytes)) throw io_error(text(path.string(), ": is gzip-compressed but not named .nii.gz; rename it"));
    return bytes;
  }
  if (is_gzip(bytes)) return unpacked_nifti(bytes, path.string());
  if (bytes.empty()) throw io_error(text(path.string(), ": is empty; copy or download it again"));
  if (looks_like_text(bytes))
    throw io_error(text(path.string(), ": is a web page, not a gzip file (a failed download?)"));
  std::string fix = "it is damaged; copy or download it again";
  try {
    static_cast<void>(parse_nifti_header(bytes, ""));
    fix = "it is an uncompressed NIfTI file; rename it to .nii or compress it";
  } catch (const error&) {
  }
  throw io_error(text(path.string(), ": is named .gz but is not gzip-compressed; ", fix));
}

struct nifti_contents {
  nifti_header header;
  byte_buffer bytes;

  [[nodiscard]] std::size_t count() const { return static_cast<std::size_t>(header.grid.voxels()); }
};

// A whole file, verified: all voxels are there, in this machine's byte order.
inline nifti_contents nifti_whole(const std::filesystem::path& path) {
  nifti_contents c;
  c.bytes = nifti_bytes(path);
  c.header = parse_nifti_header(c.bytes, path.string());
  const double found = static_cast<double>(c.bytes.size()) - static_cast<double>(c.header.offset);
  if (static_cast<double>(c.bytes.size()) < claimed_bytes(c.header))
    throw io_error(text(path.string(), ": truncated, ", static_cast<std::int64_t>(std::max(found, 0.0)),
                        " bytes of voxels, expected ", listed(c.header.grid.size, " x "), " voxels of ",
                        c.header.value_bytes, " bytes; copy or download it again"));
  if (c.header.swapped && c.header.value_bytes > 1)
    nifti_swap_Nbytes(static_cast<std::int64_t>(c.count()), static_cast<int>(c.header.value_bytes),
                      c.bytes.data() + c.header.offset);
  return c;
}

// Calls body(voxel number, stored value) for every voxel.
template <class Stored, class Body>
void for_stored(const nifti_contents& c, Body& body) {
  const unsigned char* data = c.bytes.data() + c.header.offset;
  const std::size_t count = c.count();
  for (std::size_t i = 0; i < count; ++i) {
    Stored stored;
    std::memcpy(&stored, data + i * sizeof stored, sizeof stored);
    body(i, stored);
  }
}

template <class Body>
void for_stored(const nifti_contents& c, Body body) {
  switch (c.header.datatype) {
    case DT_UINT8:
      return for_stored<std::uint8_t>(c, body);
    case DT_INT8:
      return for_stored<std::int8_t>(c, body);
    case DT_UINT16:
      return for_stored<std::uint16_t>(c, body);
    case DT_INT16:
      return for_stored<std::int16_t>(c, body);
    case DT_UINT32:
      return for_stored<std::uint32_t>(c, body);
    case DT_INT32:
      return for_stored<std::int32_t>(c, body);
    case DT_UINT64:
      return for_stored<std::uint64_t>(c, body);
    case DT_INT64:
      return for_stored<std::int64_t>(c, body);
    case DT_FLOAT32:
      return for_stored<float>(c, body);
    default:
      return for_stored<double>(c, body);
  }
}

}  // namespace detail

/// The header of a NIfTI file. Unpacks and verifies the file as a whole.
/// @throws io_error or geometry_error as `read_nifti`
[[nodiscard]] inline nifti_header read_nifti_header(const std::filesystem::path& path) {
  return detail::nifti_whole(path).header;
}

/// An image with the header that its results will need.
template <class Scalar>
struct nifti_file {
  nifti_header header;
  volume<Scalar> content;
};

/// Reads an image: values with slope and intercept applied, any NaN and infinities as they are; affine as
/// `nifti_header::grid`. Accepts every integer and float type of 8 to 64 bits and 4-D files of one volume.
/// @throws io_error if the file is missing, truncated, damaged, misnamed, of several volumes or of RGB or complex
/// values
/// @throws geometry_error if its affine is singular
[[nodiscard]] inline nifti_file<float> read_nifti_file(const std::filesystem::path& path) {
  const detail::nifti_contents c = detail::nifti_whole(path);
  nifti_file<float> file{c.header, {c.header.grid, std::vector<float>(c.count())}};
  float* out = file.content.values.data();
  const double slope = c.header.slope, inter = c.header.inter;
  if (slope == 1 && inter == 0)
    detail::for_stored(c, [out](std::size_t i, auto stored) { out[i] = static_cast<float>(stored); });
  else
    detail::for_stored(c, [=](std::size_t i, auto stored) {
      out[i] = static_cast<float>(static_cast<double>(stored) * slope + inter);
    });
  return file;
}

/// Reads an image as `read_nifti_file` does, without its header.
[[nodiscard]] inline image_volume read_nifti(const std::filesystem::path& path) {
  return read_nifti_file(path).content;
}

/// Reads a label map: integers 0 to 255. Values within 0.001 of an integer (labels stored as floats) are rounded.
/// @throws io_error as `read_nifti`, and for values that are no integers, negative or above 255, with one of them and
/// their number
[[nodiscard]] inline label_volume read_nifti_labels(const std::filesystem::path& path) {
  const detail::nifti_contents c = detail::nifti_whole(path);
  label_volume labels{c.header.grid, std::vector<std::uint8_t>(c.count())};
  std::size_t wrong = 0, place = 0;
  double example = 0;
  detail::for_stored(c, [&](std::size_t i, auto stored) {
    const double value = static_cast<double>(stored) * c.header.slope + c.header.inter, rounded = std::round(value);
    if (std::abs(value - rounded) <= 1e-3 && rounded >= 0 && rounded <= 255) {
      labels.values[i] = static_cast<std::uint8_t>(rounded);
    } else if (wrong++ == 0) {
      example = value;
      place = i;
    }
  });
  if (wrong > 0) {
    const auto nx = static_cast<std::size_t>(c.header.grid.size[0]),
               ny = static_cast<std::size_t>(c.header.grid.size[1]);
    throw io_error(text(path.string(), ": label value ", example, " at voxel (", place % nx, ", ", place / nx % ny,
                        ", ", place / nx / ny, ") and ", wrong - 1, " more voxels: labels are integers from 0 to 255"));
  }
  return labels;
}

namespace detail {

template <class Scalar>
byte_buffer nifti_encoded(const volume<Scalar>& v, const nifti_header& like) {
  static_assert(std::same_as<Scalar, float> || std::same_as<Scalar, std::uint8_t>,
                "NIfTI files are written as float or uint8");
  return std::visit(
      [&](auto raw) {
        constexpr bool second = std::same_as<decltype(raw), nifti_2_header>;
        constexpr std::size_t offset = second ? 544 : 352;
        if constexpr (!second) {
          std::memset(raw.data_type, 0, sizeof raw.data_type);
          std::memset(raw.db_name, 0, sizeof raw.db_name);
          raw.extents = raw.glmax = raw.glmin = 0;
          raw.session_error = 0;
          raw.regular = 0;
        }
        raw.datatype = std::same_as<Scalar, float> ? DT_FLOAT32 : DT_UINT8;
        raw.bitpix = 8 * sizeof(Scalar);
        raw.scl_slope = 1;
        raw.scl_inter = 0;
        raw.cal_min = raw.cal_max = 0;
        raw.intent_code = 0;
        raw.intent_p1 = raw.intent_p2 = raw.intent_p3 = 0;
        raw.vox_offset = offset;
        std::memset(raw.intent_name, 0, sizeof raw.intent_name);
        std::memset(raw.descrip, 0, sizeof raw.descrip);
        std::memset(raw.aux_file, 0, sizeof raw.aux_file);
        std::memcpy(raw.descrip, "comodal " COMODAL_VERSION, sizeof "comodal " COMODAL_VERSION);
        std::memcpy(raw.magic, second ? "n+2\0\r\n\032\n" : "n+1", second ? 8 : 4);
        const std::size_t size = v.values.size() * sizeof(Scalar);
        byte_buffer bytes(offset + size);
        std::memcpy(bytes.data(), &raw, sizeof raw);
        std::memcpy(bytes.data() + offset, v.values.data(), size);
        return bytes;
      },
      like.raw);
}

}  // namespace detail

/// Writes a volume, float or label map, on the grid of a header: sizes, qform, sform, codes, voxel sizes and units are
/// exactly the header's; type, scaling, description and intent are the result's own, and extensions are not carried
/// over. The name ends in .nii or .nii.gz. Written in one step.
/// @throws geometry_error if the volume is not on that grid; io_error for another ending or a file that cannot be
/// written
template <class Scalar>
void write_nifti(const std::filesystem::path& path, const volume<Scalar>& v, const nifti_header& like) {
  const bool packed = detail::ends_with_gz(path);
  if (path.extension() != ".nii" && !(packed && path.stem().extension() == ".nii"))
    throw io_error(text(path.string(), ": expected a name that ends in .nii or .nii.gz"));
  if (const std::string how = grid_difference(v.geometry, like.grid); !how.empty())
    throw geometry_error(text(path.string(), ": the volume is not on the grid that it shall be written on: ", how));
  if (v.values.size() != static_cast<std::size_t>(v.geometry.voxels()))
    throw geometry_error(text(path.string(), ": the volume has ", v.values.size(), " values, its grid ",
                              v.geometry.voxels(), " voxels"));
  const byte_buffer bytes = detail::nifti_encoded(v, like);
  write_file(path, packed ? gzip(bytes) : bytes);
}

/// Writes a volume, float or label map, on its own grid (see `make_nifti_header`). @throws as the overload with a
/// header
template <class Scalar>
void write_nifti(const std::filesystem::path& path, const volume<Scalar>& v) {
  write_nifti(path, v, make_nifti_header(v.geometry));
}

/// Writes a label map as uint8 with the header and grid of the image it belongs to. @throws as `write_nifti`
inline void write_nifti_labels(const std::filesystem::path& path, const label_volume& labels,
                               const nifti_header& like) {
  write_nifti(path, labels, like);
}
/// The same, with the header read from a file.
inline void write_nifti_labels(const std::filesystem::path& path, const label_volume& labels,
                               const std::filesystem::path& like) {
  write_nifti(path, labels, read_nifti_header(like));
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
