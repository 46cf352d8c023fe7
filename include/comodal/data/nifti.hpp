// SPDX-License-Identifier: Apache-2.0
/// @file
/// NIfTI files are read: .nii and .nii.gz, NIfTI-1 and NIfTI-2, either byte order, images and label maps.
#ifndef COMODAL_DATA_NIFTI_HPP
#define COMODAL_DATA_NIFTI_HPP

#include <comodal/data/file.hpp>
#include <comodal/data/foreign_file.hpp>
#include <comodal/data/mapped_file.hpp>
#include <comodal/data/nifti_header.hpp>
#include <comodal/data/volume_view.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

inline bool ends_with_gz(const std::filesystem::path& path) { return path.extension() == ".gz"; }

// Bytes from the beginning of the file to the end of its last voxel; a double, because a header may claim anything.
inline double claimed_bytes(const nifti_header& h) {
  double voxels = static_cast<double>(h.volumes) * static_cast<double>(h.value_bytes);
  for (const index size : h.grid.size) voxels *= static_cast<double>(size);
  return static_cast<double>(h.offset) + voxels;
}

// Refuses a volume that this machine cannot hold, as packed bytes may claim any size.
inline void expect_memory_for(double bytes, const std::string& name) {
  if (const double memory = machine_memory(); memory > 0 && bytes > memory)
    throw io_error(text(name, ": its header asks for ", static_cast<std::int64_t>(bytes / (1 << 30)),
                        " GiB of voxels, this machine has ", static_cast<std::int64_t>(memory / (1 << 30)),
                        " GiB of memory; the header is damaged, or the volume must be cut"));
}

// Bytes behind the voxels that mean nothing: fewer than a slice of the header's, and than a page.
inline double padding_of(const nifti_header& h) {
  return std::min(4096.0, static_cast<double>(h.grid.size[0]) * static_cast<double>(h.grid.size[1]) *
                                  static_cast<double>(h.value_bytes) -
                              1);
}

// Unpacks as many bytes as the header asks for, and enough to see that there are more: a small file that unpacks to
// something huge takes neither memory nor time.
inline byte_buffer unpacked_nifti(const byte_buffer& packed, const std::string& name) {
  std::size_t most = 4096;  // enough to say what it is, if it is no NIfTI file
  double claimed = 0;
  const byte_buffer front = gunzip_front(packed, 544);
  try {
    const nifti_header h = parse_nifti_header(front, name);
    claimed = claimed_bytes(h);
    most = claimed < 1e18 ? static_cast<std::size_t>(claimed + padding_of(h)) : most;
  } catch (const error&) {  // said by the caller
  }
  if (is_gzip(front)) throw io_error(text(name, ": is gzip-compressed more than once; unpack it until it is a .nii"));
  expect_memory_for(claimed, name);
  return gunzip(packed, name, most);
}

// The unpacked bytes of a .nii or .nii.gz file; the name must say what the file is.
byte_buffer nifti_bytes(const std::filesystem::path& path);
#if COMODAL_BODIES
COMODAL_ONCE byte_buffer nifti_bytes(const std::filesystem::path& path) {
  byte_buffer bytes = read_file(path);
  if (const auto words = foreign_file(bytes); !words.empty()) throw io_error(text(path.string(), ": ", words));
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
#endif

inline scalar_type scalar_type_of_nifti(int datatype) {
  switch (datatype) {
    case DT_UINT8:
      return scalar_type::uint8;
    case DT_INT8:
      return scalar_type::int8;
    case DT_UINT16:
      return scalar_type::uint16;
    case DT_INT16:
      return scalar_type::int16;
    case DT_UINT32:
      return scalar_type::uint32;
    case DT_INT32:
      return scalar_type::int32;
    case DT_UINT64:
      return scalar_type::uint64;
    case DT_INT64:
      return scalar_type::int64;
    case DT_FLOAT32:
      return scalar_type::float32;
    default:
      return scalar_type::float64;
  }
}

// Refuses a file that is shorter or longer than its header says.
inline void check_length(const nifti_header& h, std::size_t bytes, const std::string& name) {
  const double surplus = static_cast<double>(bytes) - claimed_bytes(h);
  if (surplus > padding_of(h))
    throw io_error(text(name, ": damaged header, it describes ", listed(h.grid.size, " x "), " voxels of ",
                        h.value_bytes, " bytes", h.volumes > 1 ? text(" in ", h.volumes, " volumes") : "",
                        ", and the file has more behind them; copy the file again, or repair the header"));
  if (surplus >= 0) return;
  const double found = static_cast<double>(bytes) - static_cast<double>(h.offset);
  throw io_error(text(name, ": truncated, ", static_cast<std::int64_t>(std::max(found, 0.0)),
                      " bytes of voxels, expected ", h.volumes > 1 ? text(h.volumes, " volumes of ") : "",
                      listed(h.grid.size, " x "), " voxels of ", h.value_bytes, " bytes; copy or download it again"));
}

// A volume of verified bytes in this machine's byte order; `owner` is what they belong to.
volume_view view_of(const nifti_header& h, std::span<const unsigned char> bytes, std::optional<index> which,
                    const std::string& name, std::shared_ptr<const void> owner);
#if COMODAL_BODIES
COMODAL_ONCE volume_view view_of(const nifti_header& h, std::span<const unsigned char> bytes,
                                 std::optional<index> which, const std::string& name,
                                 std::shared_ptr<const void> owner) {
  if (!which && h.volumes > 1)
    throw io_error(text(name, ": holds ", h.volumes, h.volumes >= 1000 ? " or more" : "",
                        " volumes in one file, expected one; write each modality to a file of its own"));
  if (which && (*which < 0 || *which >= h.volumes))
    throw io_error(text(name, ": has no volume ", *which, "; its volumes are 0 to ", h.volumes - 1));
  const auto skipped = static_cast<std::size_t>(which.value_or(0)) * static_cast<std::size_t>(h.grid.voxels());
  return {bytes.data() + h.offset + skipped * h.value_bytes,
          scalar_type_of_nifti(h.datatype),
          h.grid,
          std::move(owner),
          {h.slope, h.inter}};
}
#endif

}  // namespace detail

/// A NIfTI file in memory, verified: all voxels are there, in this machine's byte order.
class nifti_contents {
 public:
  /// @param bytes of the unpacked file
  /// @param name names the file in messages
  /// @throws as `read_nifti`, but for several volumes
  nifti_contents(byte_buffer bytes, std::string name) : m_name(std::move(name)) {
    m_header = parse_nifti_header(bytes, m_name);
    detail::check_length(m_header, bytes.size(), m_name);
    if (m_header.swapped && m_header.value_bytes > 1)
      nifti_swap_Nbytes(static_cast<std::int64_t>(m_header.grid.voxels()) * m_header.volumes,
                        static_cast<int>(m_header.value_bytes), bytes.data() + m_header.offset);
    m_bytes = std::make_shared<const byte_buffer>(std::move(bytes));
  }
  /// Reads a whole .nii or .nii.gz file. @throws as `read_nifti`, but for several volumes
  explicit nifti_contents(const std::filesystem::path& path)
      : nifti_contents(detail::nifti_bytes(path), path.string()) {}

  [[nodiscard]] const nifti_header& header() const { return m_header; }
  /// The values as stored, without a copy; the view keeps the file's bytes.
  /// @param which number of the volume in a 4-D file, from 0; unset: the file's only one
  /// @throws io_error if there is no such volume, or several and none is chosen
  [[nodiscard]] volume_view view(std::optional<index> which = {}) const {
    return detail::view_of(m_header, *m_bytes, which, m_name, m_bytes);
  }

 private:
  std::string m_name;
  nifti_header m_header;
  std::shared_ptr<const byte_buffer> m_bytes;
};

/// The header of a NIfTI file. Unpacks and verifies the file as a whole.
/// @throws io_error or geometry_error as `read_nifti`, but for several volumes
[[nodiscard]] inline nifti_header read_nifti_header(const std::filesystem::path& path) {
  return nifti_contents(path).header();
}

/// A volume of a file as it lies in memory, with the header that results on its grid will need.
struct nifti_view {
  nifti_header header;
  volume_view values;
};

/// Maps an uncompressed .nii file into memory, read-only and without a copy. See `mapped_file` for what must not happen
/// to the file meanwhile.
/// @param which number of the volume in a 4-D file, from 0; unset: the file's only one
/// @throws io_error, geometry_error as `read_nifti`, and io_error for a compressed file or one in the other byte order
[[nodiscard]] inline nifti_view map_nifti(const std::filesystem::path& path, std::optional<index> which = {}) {
  auto file = std::make_shared<const mapped_file>(path);
  const std::string name = path.string();
  if (is_gzip(file->bytes()))
    throw io_error(text(name, ": is gzip-compressed, so it cannot be mapped; unpack it, or read it"));
  nifti_header header = parse_nifti_header(file->bytes(), name);
  detail::check_length(header, file->bytes().size(), name);
  if (header.swapped && header.value_bytes > 1)
    throw io_error(text(name, ": is stored in the other byte order, so it cannot be mapped; read it"));
  volume_view view = detail::view_of(header, file->bytes(), which, name, file);
  return {std::move(header), std::move(view)};
}

/// An image with the header that its results will need.
template <class Scalar>
struct nifti_file {
  nifti_header header;
  volume<Scalar> content;
};

/// Reads an image: values with slope and intercept applied, any NaN and infinities as they are; affine as
/// `nifti_header::grid`. Accepts every integer and float type of 8 to 64 bits.
/// @param which number of the volume in a 4-D file, from 0; unset: the file's only one
/// @throws io_error if the file is missing, truncated, damaged, misnamed, of RGB or complex values, or of several
/// volumes while none is chosen
/// @throws geometry_error if its affine is singular
[[nodiscard]] inline nifti_file<float> read_nifti_file(const std::filesystem::path& path,
                                                       std::optional<index> which = {}) {
  const nifti_contents c(path);
  return {c.header(), to_image(c.view(which))};
}

/// Reads an image as `read_nifti_file` does, without its header.
[[nodiscard]] inline image_volume read_nifti(const std::filesystem::path& path, std::optional<index> which = {}) {
  return read_nifti_file(path, which).content;
}

/// Reads a label map: integers 0 to 255. Values within 0.001 of an integer (labels stored as floats) are rounded.
/// @throws io_error as `read_nifti`, and for values that are no integers, negative or above 255, with one of them and
/// their number
[[nodiscard]] inline label_volume read_nifti_labels(const std::filesystem::path& path,
                                                    std::optional<index> which = {}) {
  return to_labels(nifti_contents(path).view(which), path.string());
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
