// SPDX-License-Identifier: Apache-2.0
/// @file
/// Files of other kinds under a NIfTI file's name: pointers of version control, archives, other image formats.
#ifndef COMODAL_DATA_FOREIGN_FILE_HPP
#define COMODAL_DATA_FOREIGN_FILE_HPP

#include <comodal/core/config.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

namespace comodal::inline COMODAL_CONFIG {

/// What a file is that is no NIfTI file at all, by its first bytes, and what to do; empty if nobody knows.
[[nodiscard]] inline std::string_view foreign_file(std::span<const unsigned char> bytes) {
  const std::string_view front(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 132));
  if (front.starts_with("version https://git-lfs"))
    return "is a pointer of Git LFS, not the file itself; fetch it (git lfs pull)";
  if (front.starts_with("/annex/") || front.starts_with("../.git/annex") || front.find("/annex/objects/") < 60)
    return "is a pointer of git-annex, not the file itself; fetch it (git annex get)";
  if (front.starts_with("NRRD")) return "is an NRRD file; convert it to NIfTI";
  if (front.starts_with("\x28\xb5\x2f\xfd")) return "is compressed with zstd; unpack it, and compress it with gzip";
  if (front.starts_with("PK\x03\x04")) return "is a zip archive; unpack it";
  if (front.starts_with("BZh")) return "is compressed with bzip2; unpack it, and compress it with gzip";
  if (front.starts_with("\xfd"
                        "7zXZ"))
    return "is compressed with xz; unpack it, and compress it with gzip";
  if (front.starts_with("ObjectType")) return "is a MetaImage file; convert it to NIfTI";
  if (front.starts_with("\x89HDF") || front.starts_with("CDF")) return "is a MINC or HDF5 file; convert it to NIfTI";
  if (front.size() == 132 && front.substr(128) == "DICM") return "is a DICOM file; convert the series to NIfTI";
  return {};
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
