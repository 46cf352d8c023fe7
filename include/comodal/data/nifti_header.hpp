// SPDX-License-Identifier: Apache-2.0
/// @file
/// The header of a NIfTI file: what it says about the grid and the values, and the header that a result on the same
/// grid gets. Interpretation (byte order, quaternions, codes) is the NIfTI C library's.
#ifndef COMODAL_DATA_NIFTI_HEADER_HPP
#define COMODAL_DATA_NIFTI_HEADER_HPP

#include <comodal/data/geometry.hpp>

#include <nifti2_io.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace comodal::inline COMODAL_CONFIG {

/// A NIfTI-1 or NIfTI-2 header. Values are in the units that the format defines; `grid` is in mm whatever the file's
/// unit.
struct nifti_header {
  /// As stored, in this machine's byte order. Kept so that a result gets the same grid, codes and units to the last
  /// bit.
  std::variant<nifti_1_header, nifti_2_header> raw;
  /// Sizes and affine, by the rules of nifti1.h: the sform where its code is positive, else the qform where its code is
  /// positive, else voxel sizes alone, which say nothing about left and right (nibabel flips x there and we do not).
  geometry grid;
  index volumes = 1;            // of this grid in the file, one behind the other; several in 4-D files
  int datatype = 0;             // NIFTI_TYPE_*
  std::size_t value_bytes = 0;  // of one voxel
  double slope = 1, inter = 0;  // value = slope * stored + inter; 1 and 0 where the file's slope is 0
  std::size_t offset = 0;       // of the first voxel in the unpacked file
  bool swapped = false;         // stored in the other byte order
  int qform_code = 0, sform_code = 0;
  std::string conflict;  // how qform and sform differ where both are set; empty if they agree
};

namespace detail {

// The millimetres of a unit of space.
inline double mm_of(int unit) { return unit == NIFTI_UNITS_METER ? 1e3 : unit == NIFTI_UNITS_MICRON ? 1e-3 : 1; }

inline geometry grid_of(const nifti_image& n, const nifti_dmat44& m) {
  const double mm = mm_of(n.xyz_units);
  geometry g;
  g.size = {n.nx, std::max<index>(n.ny, 1), std::max<index>(n.nz, 1)};
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t c = 0; c < 4; ++c) g.affine[r][c] = mm * m.m[r][c];
  return g;
}

inline bool looks_like_text(std::span<const unsigned char> bytes) {
  for (const unsigned char c : bytes.first(std::min<std::size_t>(bytes.size(), 64))) {
    if (c == '<') return true;
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return false;
  }
  return false;
}

// Fills a header from the first bytes of a file, in this machine's byte order.
template <class Raw>
Raw raw_header(std::span<const unsigned char> bytes, bool swapped, const std::string& name) {
  if (bytes.size() < sizeof(Raw))
    throw io_error(
        text(name, ": truncated, ", bytes.size(), " bytes are less than a NIfTI header; copy or download it again"));
  Raw raw;
  std::memcpy(&raw, bytes.data(), sizeof raw);
  if (swapped) swap_nifti_header(&raw, sizeof(Raw) == 348 ? 1 : 2);
  return raw;
}

// The NIfTI library takes 0 for an origin or a direction that is no number, and 1 mm for a voxel size that is none:
// wrong millimetres. Fields that the grid does not come from are not looked at.
template <class Raw>
void check_geometry_fields(const Raw& raw, const std::string& name) {
  const auto damaged = [&](const std::string& field, double value, const char* expected) {
    throw geometry_error(text(name, ": damaged header, ", field, " is ", value, ", expected ", expected,
                              "; repair the header, or convert the images again"));
  };
  constexpr double far = 1e9;  // mm, or whatever the unit is
  const auto expect_place = [&](const std::string& field, double value) {
    if (!(std::abs(value) <= far)) damaged(field, value, "a finite number of at most 1e9");
  };
  if (raw.sform_code < 0 || raw.sform_code > 5) damaged("sform_code", raw.sform_code, "0 to 5");
  if (raw.sform_code > 0)
    for (int c = 0; c < 4; ++c) {
      expect_place(text("srow_x[", c, "]"), raw.srow_x[c]);
      expect_place(text("srow_y[", c, "]"), raw.srow_y[c]);
      expect_place(text("srow_z[", c, "]"), raw.srow_z[c]);
    }
  if (raw.sform_code <= 0 && (raw.qform_code < 0 || raw.qform_code > 5))
    damaged("qform_code", raw.qform_code, "0 to 5");
  if (raw.sform_code <= 0 && raw.qform_code > 0) {
    const double b = raw.quatern_b, c = raw.quatern_c, d = raw.quatern_d, sign = raw.pixdim[0];
    for (const double part : {b, c, d})
      if (!(std::abs(part) <= 1 + 1e-4)) damaged("a quaternion", part, "-1 to 1");
    if (b * b + c * c + d * d > 1 + 1e-3)
      damaged("the quaternion's squared length", b * b + c * c + d * d, "1 at most");
    // Minus one turns the third axis around; what else converters leave there (0, a number of axes) does not.
    if (sign != -1 && !(sign >= 0 && sign <= 7)) damaged("pixdim[0]", sign, "-1 or 1");
    expect_place("qoffset_x", raw.qoffset_x);
    expect_place("qoffset_y", raw.qoffset_y);
    expect_place("qoffset_z", raw.qoffset_z);
  }
  for (int a = 1; a <= std::min<int>(3, static_cast<int>(raw.dim[0])) && raw.sform_code <= 0; ++a)
    if (const double size = raw.pixdim[a]; !(size >= 0 && size <= 1e6) || (size == 0 && raw.dim[a] > 1))
      damaged(text("pixdim[", a, "]"), size, "a voxel size above 0 and up to 1e6");
  if (std::isinf(raw.scl_slope))
    throw io_error(text(name, ": damaged header, scl_slope is ", raw.scl_slope,
                        ", so that nobody knows the values; repair the header, or convert the images again"));
  if (!std::isfinite(raw.scl_inter) && std::isfinite(raw.scl_slope) && raw.scl_slope != 0)
    throw io_error(text(name, ": damaged header, scl_inter is ", raw.scl_inter, " beside a scl_slope of ",
                        raw.scl_slope,
                        ", so that nobody knows the values; repair the header, or convert the images again"));
}

// Fields that the grid does not come from may hold no numbers; a result does not inherit those.
template <class Raw>
void replace_no_numbers(Raw& raw, const geometry& grid) {
  const auto expect = [](auto& field, double otherwise) {
    const bool good = std::isfinite(field);
    if (!good) field = static_cast<std::remove_reference_t<decltype(field)>>(otherwise);
    return good;
  };
  const auto spacing = grid.spacing();
  const double unit = mm_of(XYZT_TO_SPACE(raw.xyzt_units));
  for (int a = 1; a <= 7; ++a) expect(raw.pixdim[a], a <= 3 ? spacing[static_cast<std::size_t>(a - 1)] / unit : 1);
  expect(raw.slice_duration, 0), expect(raw.toffset, 0);
  for (int c = 0; c < 4; ++c) expect(raw.srow_x[c], 0), expect(raw.srow_y[c], 0), expect(raw.srow_z[c], 0);
  bool qform = expect(raw.pixdim[0], 1);
  for (auto* field : {&raw.quatern_b, &raw.quatern_c, &raw.quatern_d, &raw.qoffset_x, &raw.qoffset_y, &raw.qoffset_z})
    qform = expect(*field, 0) && qform;
  if (!qform) raw.qform_code = 0;
}

// Where the voxels begin. NIfTI-1 files may say 0 for the first place behind the header.
template <class Raw>
std::size_t first_voxel(const Raw& raw, const std::string& name) {
  constexpr std::size_t least = sizeof(Raw) == sizeof(nifti_2_header) ? 544 : 352;
  const auto place = static_cast<double>(raw.vox_offset);
  if (place == 0) return least;
  if (!(place >= least && place < 1e15) || place != std::floor(place))
    throw io_error(text(name, ": damaged header, vox_offset is ", place, ", expected a whole number from ", least,
                        " on; repair the header, or convert the images again"));
  return static_cast<std::size_t>(place);
}

template <class Raw>
void interpret(nifti_header& h, Raw raw, const std::string& name) {
  constexpr bool second = sizeof(Raw) == sizeof(nifti_2_header);
  const std::string_view magic(raw.magic, 4);
  if (magic == std::string_view("ni1", 4) || magic == std::string_view("ni2", 4))
    throw io_error(text(name, ": is one half of a .hdr/.img pair; convert it to one .nii or .nii.gz file"));
  if (magic != std::string_view(second ? "n+2" : "n+1", 4))
    throw io_error(
        text(name, ": has no NIfTI magic (an ANALYZE file?), so its orientation is unknown; convert it to NIfTI"));
  if (raw.dim[0] < 1 || raw.dim[0] > 7)
    throw io_error(text(name, ": damaged header, dim[0] is ", raw.dim[0],
                        ", expected 1 to 7; repair the header, or convert the images again"));
  double volumes = 1, voxels = 1;
  for (int a = 1; a <= raw.dim[0]; ++a) {
    if (a > 1 && raw.dim[a] == 0) raw.dim[a] = 1;  // as the NIfTI library reads it
    const index extent = raw.dim[a];
    if (extent < 1 || extent > std::numeric_limits<std::int32_t>::max())
      throw io_error(
          text(name, ": damaged header, dim[", a, "] is ", extent, ", expected 1 or more; copy the file again"));
    (a > 3 ? volumes : voxels) *= static_cast<double>(extent);
  }
  if (voxels >= 2147483648.0)
    throw io_error(text(name, ": its header asks for ", voxels,
                        " voxels, expected fewer than 2^31; the header is damaged, or the volume must be resampled"));
  check_geometry_fields(raw, name);
  for (int a = 1; a <= 3; ++a)  // an axis of one voxel may have no size
    if (raw.pixdim[a] == 0 && (a > raw.dim[0] || raw.dim[a] == 1)) raw.pixdim[a] = 1;
  int bytes = 0, swap = 0;
  nifti_datatype_sizes(raw.datatype, &bytes, &swap);
  const bool scalar = raw.datatype != DT_RGB24 && raw.datatype != DT_RGBA32 && raw.datatype != DT_COMPLEX64 &&
                      raw.datatype != DT_COMPLEX128 && raw.datatype != DT_COMPLEX256 && raw.datatype != DT_FLOAT128;
  if (bytes == 0 || !scalar)
    throw io_error(text(name, ": datatype ", raw.datatype, " (", nifti_datatype_string(raw.datatype),
                        ") cannot be used; expected integers or floats of 8 to 64 bits; convert the images"));

  nifti_image* made;
  if constexpr (second)
    made = nifti_convert_n2hdr2nim(raw, nullptr);
  else
    made = nifti_convert_n1hdr2nim(raw, nullptr);
  const std::unique_ptr<nifti_image, void (*)(nifti_image*)> n(made, &nifti_image_free);
  if (!n) throw io_error(text(name, ": the NIfTI library cannot interpret the header"));
  h.raw = raw;
  h.volumes = static_cast<index>(std::min(volumes, 1e12));  // more are more than any file has
  h.datatype = raw.datatype;
  h.value_bytes = static_cast<std::size_t>(bytes);
  if (n->scl_slope != 0) h.slope = n->scl_slope, h.inter = n->scl_inter;
  h.offset = first_voxel(raw, name);
  h.qform_code = n->qform_code;
  h.sform_code = n->sform_code;
  const geometry q = grid_of(*n, n->qto_xyz);
  h.grid = n->sform_code > 0 ? grid_of(*n, n->sto_xyz) : q;
  if (!invertible(h.grid.affine))
    throw geometry_error(text(name, ": its ", n->sform_code > 0 ? "sform" : "qform",
                              " is singular, the axes span no volume; repair the header"));
  for (const double size : h.grid.spacing())
    if (!(size >= 1e-6 && size <= 1e6))
      throw geometry_error(text(name, ": damaged header, a voxel of ", size,
                                " mm, expected 1e-6 to 1e6 mm; repair the header, or convert the images again"));
  if (n->sform_code > 0 && n->qform_code > 0) h.conflict = grid_difference(q, h.grid, 1e-2);
}

}  // namespace detail

/// Interprets the first bytes of an unpacked file.
/// @param name names the file in messages
/// @throws io_error if this is no NIfTI-1 or NIfTI-2 header of scalar volumes; geometry_error for a singular affine
[[nodiscard]] nifti_header parse_nifti_header(std::span<const unsigned char> bytes, const std::string& name);
#if COMODAL_BODIES
COMODAL_ONCE nifti_header parse_nifti_header(std::span<const unsigned char> bytes, const std::string& name) {
  static const bool quiet = (nifti_set_debug_level(0), true);
  static_cast<void>(quiet);
  if (detail::looks_like_text(bytes))
    throw io_error(text(name, ": is a web page, not a NIfTI file (a failed download?)"));
  std::int32_t first = 0;
  if (bytes.size() >= 4) std::memcpy(&first, bytes.data(), 4);
  std::int32_t turned = first;
  nifti_swap_4bytes(1, &turned);
  nifti_header h;
  h.swapped = turned == 348 || turned == 540;
  const std::int32_t kind = h.swapped ? turned : first;
  if (kind == 348)
    detail::interpret(h, detail::raw_header<nifti_1_header>(bytes, h.swapped, name), name);
  else if (kind == 540)
    detail::interpret(h, detail::raw_header<nifti_2_header>(bytes, h.swapped, name), name);
  else
    throw io_error(text(name, ": is not a NIfTI file (",
                        bytes.size() < 4 ? "it is empty or nearly so" : "its first bytes are no NIfTI header",
                        "); convert the images to NIfTI, or copy the file again"));
  return h;
}
#endif

/// A header for a grid that comes from no file: sform (code 1), and the qform too where the axes are orthogonal; mm.
/// NIfTI-1, or NIfTI-2 where an axis has more than 32767 voxels.
[[nodiscard]] inline nifti_header make_nifti_header(const geometry& g) {
  if (!invertible(g.affine)) throw geometry_error("NIfTI header: the affine is singular");
  nifti_header h;
  const auto fill = [&](auto raw) {
    std::memset(&raw, 0, sizeof raw);
    raw.sizeof_hdr = sizeof raw;
    const auto spacing = g.spacing();
    raw.dim[0] = 3;
    for (int a = 1; a <= 7; ++a) {
      const auto s = static_cast<std::size_t>(a - 1);
      raw.dim[a] = static_cast<std::remove_reference_t<decltype(raw.dim[0])>>(a <= 3 ? g.size[s] : 1);
      raw.pixdim[a] = static_cast<std::remove_reference_t<decltype(raw.pixdim[0])>>(a <= 3 ? spacing[s] : 1);
    }
    const affine3x4 d = directions(g);
    nifti_dmat44 m{};
    double skew = 0;
    for (std::size_t r = 0; r < 3; ++r) {
      const std::size_t c = (r + 1) % 3;
      skew = std::max(skew, std::abs(d[0][r] * d[0][c] + d[1][r] * d[1][c] + d[2][r] * d[2][c]));
      for (std::size_t k = 0; k < 4; ++k) m.m[r][k] = g.affine[r][k];
    }
    m.m[3][3] = 1;
    using real = std::remove_reference_t<decltype(raw.pixdim[0])>;
    raw.pixdim[0] = 1;
    if (skew < 1e-6) {
      double b, c, e, x, y, z, dx, dy, dz, qfac;
      nifti_dmat44_to_quatern(m, &b, &c, &e, &x, &y, &z, &dx, &dy, &dz, &qfac);
      raw.qform_code = NIFTI_XFORM_SCANNER_ANAT;
      raw.pixdim[0] = static_cast<real>(qfac);
      raw.quatern_b = static_cast<real>(b), raw.quatern_c = static_cast<real>(c), raw.quatern_d = static_cast<real>(e);
      raw.qoffset_x = static_cast<real>(x), raw.qoffset_y = static_cast<real>(y), raw.qoffset_z = static_cast<real>(z);
    }
    raw.sform_code = NIFTI_XFORM_SCANNER_ANAT;
    for (std::size_t k = 0; k < 4; ++k) {
      raw.srow_x[k] = static_cast<real>(g.affine[0][k]);
      raw.srow_y[k] = static_cast<real>(g.affine[1][k]);
      raw.srow_z[k] = static_cast<real>(g.affine[2][k]);
    }
    raw.xyzt_units = NIFTI_UNITS_MM;
    h.qform_code = raw.qform_code;
    h.sform_code = raw.sform_code;
    h.raw = raw;
  };
  if (std::max({g.size[0], g.size[1], g.size[2]}) > 32767)
    fill(nifti_2_header{});
  else
    fill(nifti_1_header{});
  h.grid = g;
  return h;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
