// SPDX-License-Identifier: Apache-2.0
/// @file
/// NIfTI files are written: results on an input's own grid, in one volume or several.
#ifndef COMODAL_DATA_NIFTI_WRITE_HPP
#define COMODAL_DATA_NIFTI_WRITE_HPP

#include <comodal/data/nifti.hpp>

#include <concepts>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <type_traits>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

// The bytes in front of the values of a file on the grid of a header. @param volumes of a 4-D file; unset: it has three
// axes
template <class Scalar>
byte_buffer nifti_front(const nifti_header& like, std::optional<index> volumes = {}) {
  static_assert(std::same_as<Scalar, float> || std::same_as<Scalar, std::uint8_t>,
                "NIfTI files are written as float or uint8");
  return std::visit(
      [&](auto raw) {
        replace_no_numbers(raw, like.grid);
        constexpr bool second = std::same_as<decltype(raw), nifti_2_header>;
        constexpr std::size_t offset = second ? 544 : 352;
        if constexpr (!second) {
          std::memset(raw.data_type, 0, sizeof raw.data_type);
          std::memset(raw.db_name, 0, sizeof raw.db_name);
          raw.extents = raw.glmax = raw.glmin = 0;
          raw.session_error = 0;
          raw.regular = 0;
        }
        if (raw.dim[0] > 3) raw.dim[0] = 3;  // a result has no time axis
        for (int axis = 4; axis < 8; ++axis) raw.dim[axis] = 1;
        if (volumes) {
          for (int axis = raw.dim[0] + 1; axis < 4; ++axis) raw.dim[axis] = 1;
          raw.dim[0] = 4;
          raw.dim[4] = static_cast<std::remove_reference_t<decltype(raw.dim[4])>>(*volumes);
          raw.pixdim[4] = 1;
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
        byte_buffer bytes(offset);
        std::memcpy(bytes.data(), &raw, sizeof raw);
        return bytes;
      },
      like.raw);
}

// @throws geometry_error
template <class Scalar>
void expect_on_grid(const volume<Scalar>& v, const nifti_header& like, const std::string& name) {
  if (const std::string how = grid_difference(v.geometry, like.grid); !how.empty())
    throw geometry_error(text(name, ": the volume is not on the grid that it shall be written on: ", how));
  if (v.values.size() != static_cast<std::size_t>(v.geometry.voxels()))
    throw geometry_error(
        text(name, ": the volume has ", v.values.size(), " values, its grid ", v.geometry.voxels(), " voxels"));
}
template <class Scalar>
std::span<const unsigned char> value_bytes(const volume<Scalar>& v) {
  return {reinterpret_cast<const unsigned char*>(v.values.data()), v.values.size() * sizeof(Scalar)};
}

// A .nii or .nii.gz file that is written piece by piece.
class nifti_output {
 public:
  // @throws io_error for another ending
  explicit nifti_output(const std::filesystem::path& path) {
    const bool packed = ends_with_gz(path);
    if (path.extension() != ".nii" && !(packed && path.stem().extension() == ".nii"))
      throw io_error(text(path.string(), ": expected a name that ends in .nii or .nii.gz"));
    m_file.emplace(path);
    if (packed) m_gzip.emplace();
  }
  void add(std::span<const unsigned char> bytes) {
    if (m_gzip)
      m_gzip->add(bytes, [&](std::span<const unsigned char> packed) { m_file->add(packed); });
    else
      m_file->add(bytes);
  }
  void commit() {
    if (m_gzip) m_gzip->finish([&](std::span<const unsigned char> packed) { m_file->add(packed); });
    m_file->commit();
  }

 private:
  std::optional<output_file> m_file;
  std::optional<gzip_stream> m_gzip;
};

}  // namespace detail

/// The bytes of the .nii file that `write_nifti` writes. @param name names the volume in messages
/// @throws geometry_error if the volume is not on the header's grid or does not fill it
template <class Scalar>
[[nodiscard]] byte_buffer nifti_file_bytes(const volume<Scalar>& v, const nifti_header& like, const std::string& name) {
  detail::expect_on_grid(v, like, name);
  byte_buffer bytes = detail::nifti_front<Scalar>(like);
  const auto values = detail::value_bytes(v);
  bytes.insert(bytes.end(), values.begin(), values.end());
  return bytes;
}

/// Writes a volume, float or label map, on the grid of a header: sizes, qform, sform, codes, voxel sizes and units are
/// exactly the header's, but for fields that are no numbers; type, scaling, description and intent are the result's
/// own, and extensions are not carried over. The name ends in .nii or .nii.gz. Written in one step.
/// @throws geometry_error if the volume is not on that grid; io_error for another ending or a file that cannot be
/// written
template <class Scalar>
void write_nifti(const std::filesystem::path& path, const volume<Scalar>& v, const nifti_header& like) {
  detail::expect_on_grid(v, like, path.string());
  detail::nifti_output file(path);
  file.add(detail::nifti_front<Scalar>(like));
  file.add(detail::value_bytes(v));
  file.commit();
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

/// Writes several volumes of floats as one 4-D file, on the grid of a header, without holding more than one in memory.
/// @param make `image_volume(index number)`, called once for each in order @throws as `write_nifti`
template <class Make>
void write_nifti_series(const std::filesystem::path& path, const nifti_header& like, index volumes, const Make& make) {
  detail::nifti_output file(path);
  file.add(detail::nifti_front<float>(like, volumes));
  for (index v = 0; v < volumes; ++v) {
    const image_volume one = make(v);
    detail::expect_on_grid(one, like, path.string());
    file.add(detail::value_bytes(one));
  }
  file.commit();
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
