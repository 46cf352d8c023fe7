// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_nifti
#include <comodal/data/nifti_write.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <limits>

namespace comodal::tests {
namespace {

const std::filesystem::path golden_folder = COMODAL_TEST_DATA "/nifti";

const nlohmann::json& golden() {
  static const nlohmann::json json = nlohmann::json::parse(std::ifstream(golden_folder / "expected.json"));
  return json;
}

void check_grid(const geometry& g, const nlohmann::json& size, const nlohmann::json& affine, const std::string& name) {
  BOOST_CHECK(g.size == (size.get<std::array<index, 3>>()));
  const auto rows = affine.get<std::vector<std::vector<double>>>();
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t c = 0; c < 4; ++c)
      BOOST_CHECK_MESSAGE(std::abs(g.affine[r][c] - rows[r][c]) < 1e-5,
                          name << " affine " << r << ' ' << c << ": " << g.affine[r][c] << ", " << rows[r][c]);
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_file_reads_as_nibabel_reads_it) {
  std::size_t files = 0;
  for (const auto& [name, expected] : golden().items()) {
    if (!expected.contains("values")) continue;
    ++files;
    BOOST_TEST_CONTEXT(name) {
      const image_volume v = read_nifti(golden_folder / name);
      check_grid(v.geometry, expected["size"], expected["affine"], name);
      const auto values = expected["values"].get<std::vector<float>>();
      BOOST_REQUIRE_EQUAL(v.values.size(), values.size());
      for (std::size_t i = 0; i < values.size(); ++i) BOOST_REQUIRE_EQUAL(v.values[i], values[i]);
      BOOST_CHECK_EQUAL(orientation_code(v.geometry), expected["orientation"].get<std::string>());
      if (!expected.contains("canonical_values")) continue;
      const image_volume canonical = to_canonical(v);
      check_grid(canonical.geometry, expected["canonical_size"], expected["canonical_affine"], name);
      BOOST_CHECK(canonical.values == expected["canonical_values"].get<std::vector<float>>());
    }
  }
  BOOST_CHECK_GE(files, 38);
}

BOOST_AUTO_TEST_CASE(codes_and_conflicts_are_kept) {
  const nifti_header both = read_nifti_header(golden_folder / "both.nii.gz");
  BOOST_CHECK_EQUAL(both.qform_code, 1);
  BOOST_CHECK_EQUAL(both.sform_code, 4);
  BOOST_CHECK(!both.conflict.empty());
  BOOST_CHECK(read_nifti_header(golden_folder / "nifti2.nii.gz").conflict.empty());
  const nifti_header neither = read_nifti_header(golden_folder / "neither.nii.gz");
  BOOST_CHECK_EQUAL(neither.qform_code + neither.sform_code, 0);
}

BOOST_AUTO_TEST_CASE(float_labels_are_rounded) {
  const label_volume labels = read_nifti_labels(golden_folder / "labels_float.nii.gz");
  BOOST_CHECK(labels.values == golden()["labels_float.nii.gz"]["labels"].get<std::vector<std::uint8_t>>());
}

BOOST_AUTO_TEST_CASE(values_that_are_no_labels_are_refused) {
  const test::folder folder("nifti-labels");
  const auto wrong = [&](float value) {
    image_volume v{test::label(1).geometry, std::vector<float>(20 * 18 * 12)};
    v.at(3, 2, 1) = value;
    v.at(5, 2, 1) = value;
    write_nifti(folder / "l.nii.gz", v);
  };
  wrong(1.002f);
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_nifti_labels(folder / "l.nii.gz")), io_error,
                        test::says("l.nii.gz: label value 1.002 at voxel (3, 2, 1) and 1 more"));
  wrong(1.0005f);
  BOOST_CHECK_EQUAL(read_nifti_labels(folder / "l.nii.gz").at(3, 2, 1), 1);
  for (const float value : {-1.0f, 256.0f, std::nanf(""), 1e30f}) {
    wrong(value);
    BOOST_CHECK_THROW(static_cast<void>(read_nifti_labels(folder / "l.nii.gz")), io_error);
  }
  wrong(255);
  BOOST_CHECK_EQUAL(read_nifti_labels(folder / "l.nii.gz").at(5, 2, 1), 255);
}

BOOST_AUTO_TEST_CASE(what_is_no_scalar_volume_is_refused) {
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_nifti(golden_folder / "refuse_two_volumes.nii.gz")), io_error,
                        test::says("holds 2 volumes"));
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_nifti(golden_folder / "refuse_rgb.nii.gz")), io_error,
                        test::says("RGB24"));
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_nifti(golden_folder / "refuse_complex.nii.gz")), io_error,
                        test::says("COMPLEX64"));
}

BOOST_AUTO_TEST_CASE(written_masks_have_the_inputs_header) {
  const test::folder folder("nifti-like");
  for (const auto& [name, expected] : golden().items()) {
    if (!expected.contains("values")) continue;
    BOOST_TEST_CONTEXT(name) {
      const auto input = golden_folder / name, output = folder / "mask.nii.gz";
      const image_volume v = read_nifti(input);
      label_volume mask{v.geometry, {}};
      for (std::size_t i = 0; i < v.values.size(); ++i) mask.values.push_back(static_cast<std::uint8_t>(i % 5));
      write_nifti_labels(output, mask, input);
      const label_volume again = read_nifti_labels(output);
      BOOST_CHECK(again.values == mask.values);
      BOOST_CHECK(again.geometry.affine == v.geometry.affine);
      const nifti_header a = read_nifti_header(input), b = read_nifti_header(output);
      BOOST_CHECK_EQUAL(b.datatype, DT_UINT8);
      BOOST_CHECK_EQUAL(b.slope, 1);
      BOOST_CHECK_EQUAL(b.offset, b.raw.index() == 0 ? 352 : 544);
      BOOST_REQUIRE_EQUAL(a.raw.index(), b.raw.index());
      std::visit(
          [](auto& in, auto& out) {
            if constexpr (std::is_same_v<decltype(in), decltype(out)>) {
              BOOST_CHECK_EQUAL(out.dim[0], std::min<std::int64_t>(in.dim[0], 3));  // one volume
              for (int axis = 1; axis < 8; ++axis) BOOST_CHECK_EQUAL(out.dim[axis], axis < 4 ? in.dim[axis] : 1);
              BOOST_CHECK(std::memcmp(&in.pixdim, &out.pixdim, sizeof in.pixdim) == 0);
              BOOST_CHECK(std::memcmp(&in.quatern_b, &out.quatern_b, 6 * sizeof in.quatern_b) == 0);
              BOOST_CHECK(std::memcmp(&in.srow_x, &out.srow_x, 3 * sizeof in.srow_x) == 0);
              BOOST_CHECK_EQUAL(in.qform_code, out.qform_code);
              BOOST_CHECK_EQUAL(in.sform_code, out.sform_code);
              BOOST_CHECK_EQUAL(static_cast<int>(in.xyzt_units), static_cast<int>(out.xyzt_units));
            }
          },
          a.raw, b.raw);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_result_on_another_grid_is_refused) {
  const test::folder folder("nifti-grid");
  label_volume mask{{{3, 4, 6}, read_nifti(golden_folder / "las.nii.gz").geometry.affine},
                    std::vector<std::uint8_t>(72)};
  BOOST_CHECK_EXCEPTION(write_nifti_labels(folder / "m.nii.gz", mask, golden_folder / "las.nii.gz"), geometry_error,
                        test::says("size 3 x 4 x 6, expected 3 x 4 x 5"));
  BOOST_CHECK_EXCEPTION(write_nifti(folder / "m.png", mask), io_error, test::says(".nii or .nii.gz"));
  mask.values.pop_back();
  BOOST_CHECK_THROW(write_nifti(folder / "m.nii.gz", mask), geometry_error);
}

BOOST_AUTO_TEST_CASE(own_grids_round_trip) {
  const test::folder folder("nifti-own");
  const affine3x4 affines[] = {{{{0.9, 0, 0, 5}, {0, 1.1, 0, -6}, {0, 0, 3, 7}}},
                               {{{-0.8, -0.6, 0, 1}, {-0.6, 0.8, 0, 2}, {0, 0, 2, 3}}},
                               {{{1, 0.3, 0, 1}, {0, 1, 0, 2}, {0, 0.2, 2, 3}}}};
  const int qforms[] = {1, 1, 0};
  for (std::size_t a = 0; a < 3; ++a)
    for (const char* name : {"v.nii", "v.nii.gz"}) {
      const image_volume v = test::image(5, affines[a]);
      write_nifti(folder / name, v);
      const auto again = read_nifti_file(folder / name);
      BOOST_CHECK(again.content.values == v.values);
      BOOST_CHECK(same_grid(again.content.geometry, v.geometry, 1e-6));
      BOOST_CHECK_EQUAL(again.header.qform_code, qforms[a]);
      BOOST_CHECK_EQUAL(again.header.sform_code, 1);
      BOOST_CHECK(again.header.conflict.empty());
    }
  // More voxels along an axis than NIfTI-1 can say.
  const label_volume longer{{{40000, 2, 1}, affines[0]}, std::vector<std::uint8_t>(80000, 3)};
  write_nifti(folder / "long.nii.gz", longer);
  BOOST_CHECK(read_nifti_labels(folder / "long.nii.gz").values == longer.values);
  BOOST_CHECK_EQUAL(read_nifti_header(folder / "long.nii.gz").raw.index(), 1);
}

BOOST_AUTO_TEST_CASE(each_volume_of_a_4d_file_can_be_read) {
  const test::folder folder("nifti-4d");
  const auto golden_file = golden_folder / "refuse_two_volumes.nii.gz";
  const nifti_contents both(golden_file);
  BOOST_REQUIRE_EQUAL(both.header().volumes, 2);
  for (const index which : {0, 1}) {
    const image_volume v = read_nifti(golden_file, which);
    BOOST_TEST((v.geometry.size == both.header().grid.size));
    BOOST_TEST((to_image(both.view(which)).values == v.values));
  }
  BOOST_TEST(read_nifti(golden_file, 0).values != read_nifti(golden_file, 1).values);
  BOOST_CHECK_EXCEPTION(
      static_cast<void>(both.view()), io_error,
      test::says("holds 2 volumes in one file, expected one; write each modality to a file of its own"));
  for (const index which : {-1, 2})
    BOOST_CHECK_EXCEPTION(static_cast<void>(read_nifti(golden_file, which)), io_error,
                          test::says(text("has no volume ", which, "; its volumes are 0 to 1")));
  // A mask on the grid of such a file is one volume.
  const label_volume mask{both.header().grid, std::vector<std::uint8_t>(60, 1)};
  write_nifti_labels(folder / "mask.nii", mask, golden_file);
  BOOST_TEST(read_nifti_header(folder / "mask.nii").volumes == 1);
  BOOST_TEST((read_nifti_labels(folder / "mask.nii").values == mask.values));
  // A file of four volumes of which the last is cut short.
  byte_buffer plain = read_file(golden_folder / "type_int16.nii");
  plain[40] = 4, plain[48] = 4;  // dim[0], dim[4]
  for (int more = 0; more < 3; ++more)
    for (int byte = 0; byte < 120; ++byte) plain.push_back(static_cast<unsigned char>(byte % 2 ? 0 : more));
  write_file(folder / "four.nii", plain);
  BOOST_TEST((read_nifti(folder / "four.nii", 0).values == read_nifti(golden_folder / "type_int16.nii").values));
  BOOST_TEST((read_nifti(folder / "four.nii", 3).values == std::vector<float>(60, 2)));
  plain.pop_back();
  write_file(folder / "four.nii", plain);
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_nifti(folder / "four.nii", 0)), io_error,
                        test::says("479 bytes of voxels, expected 4 volumes of 3 x 4 x 5 voxels of 2 bytes"));
}

BOOST_AUTO_TEST_CASE(mapped_files_hold_what_read_files_hold) {
  const test::folder folder("nifti-map");
  for (const auto& [name, expected] : golden().items()) {
    if (!expected.contains("values")) continue;
    BOOST_TEST_CONTEXT(name) {
      const auto path = golden_folder / name;
      const nifti_file<float> file = read_nifti_file(path);
      if (path.extension() == ".gz") {
        BOOST_CHECK_EXCEPTION(static_cast<void>(map_nifti(path)), io_error, test::says("cannot be mapped; unpack it"));
        continue;
      }
      if (file.header.swapped && file.header.value_bytes > 1) {
        BOOST_CHECK_EXCEPTION(static_cast<void>(map_nifti(path)), io_error, test::says("the other byte order"));
        continue;
      }
      volume_view view;
      {
        view = map_nifti(path).values;
      }  // the view keeps the mapping
      const image_volume image = to_image(view);
      BOOST_TEST((image.values == file.content.values));
      BOOST_TEST((image.geometry.affine == file.content.geometry.affine));
    }
  }
  BOOST_CHECK_EXCEPTION(static_cast<void>(map_nifti(folder / "none.nii")), io_error,
                        test::says("there is no such file"));
  BOOST_CHECK_EXCEPTION(static_cast<void>(map_nifti(folder.path())), io_error,
                        test::says("is a folder, expected a file"));
  write_file(folder / "empty.nii", {});
  BOOST_CHECK_EXCEPTION(static_cast<void>(map_nifti(folder / "empty.nii")), io_error, test::says("not a NIfTI file"));
  byte_buffer cut = read_file(golden_folder / "type_int16.nii");
  cut.pop_back();
  write_file(folder / "cut.nii", cut);
  BOOST_CHECK_EXCEPTION(static_cast<void>(map_nifti(folder / "cut.nii")), io_error, test::says("truncated, 119 bytes"));
}

BOOST_AUTO_TEST_CASE(files_in_memory_are_files) {
  const auto path = golden_folder / "big_int16.nii.gz";
  const nifti_contents c(gunzip(read_file(path), "x"), "memory");
  BOOST_TEST((to_image(c.view()).values == read_nifti(path).values));
  BOOST_CHECK_EXCEPTION(nifti_contents(byte_buffer(100), "memory"), io_error,
                        test::says("memory: is not a NIfTI file"));
  const image_volume v = test::image(3);
  const nifti_contents again(nifti_file_bytes(v, make_nifti_header(v.geometry), "v"), "v");
  BOOST_TEST((to_image(again.view()).values == v.values));
}

BOOST_AUTO_TEST_CASE(a_file_takes_no_more_memory_than_its_header_asks_for) {
  const test::folder folder("nifti-bomb");
  byte_buffer bytes = read_file(golden_folder / "type_int16.nii");
  const std::size_t size = bytes.size();
  bytes.resize(std::size_t{1} << 24);
  write_file(folder / "bomb.nii.gz", gzip(bytes));
  BOOST_TEST(detail::nifti_bytes(folder / "bomb.nii.gz").size() == size + 3 * 4 * 2);  // a slice more says enough
  for (const std::size_t more : {std::size_t{24}, std::size_t{5000}, bytes.size() - size}) {
    bytes.resize(size + more);
    write_file(folder / "longer.nii.gz", gzip(bytes));
    write_file(folder / "longer.nii", bytes);
    for (const char* name : {"longer.nii.gz", "longer.nii"})
      BOOST_CHECK_EXCEPTION(static_cast<void>(read_nifti(folder / name)), io_error,
                            test::says("damaged header, it describes 3 x 4 x 5 voxels of 2 bytes, and the file has "
                                       "more behind them"));
  }
  bytes.resize(size + 23);  // less than a slice is padding
  write_file(folder / "padded.nii.gz", gzip(bytes));
  BOOST_TEST((read_nifti(folder / "padded.nii.gz").values == read_nifti(golden_folder / "type_int16.nii").values));
  std::fill(bytes.begin(), bytes.end(), static_cast<unsigned char>(0));
  write_file(folder / "zeros.nii.gz", gzip(bytes));
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_nifti(folder / "zeros.nii.gz")), io_error,
                        test::says("is not a NIfTI file"));
  BOOST_TEST(detail::nifti_bytes(folder / "zeros.nii.gz").size() <= 4096u);
}

// A NIfTI-1 header of 3 x 4 x 5 voxels with neither qform nor sform, and its values.
nifti_1_header plain_header() {
  nifti_1_header h;
  std::memset(&h, 0, sizeof h);
  h.sizeof_hdr = 348;
  h.dim[0] = 3;
  h.dim[1] = 3, h.dim[2] = 4, h.dim[3] = 5;
  for (int axis = 4; axis < 8; ++axis) h.dim[axis] = 1;
  for (int axis = 0; axis < 8; ++axis) h.pixdim[axis] = 1;
  h.datatype = DT_INT16;
  h.bitpix = 16;
  h.vox_offset = 352;
  std::memcpy(h.magic, "n+1", 4);
  return h;
}
byte_buffer file_of(const nifti_1_header& h, std::size_t voxels = 60) {
  byte_buffer bytes(352 + voxels * 2);
  std::memcpy(bytes.data(), &h, sizeof h);
  return bytes;
}

BOOST_AUTO_TEST_CASE(geometry_fields_that_make_no_sense_are_refused) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinite = std::numeric_limits<float>::infinity();
  int refusals = 0;
  const auto refused = [&](const std::string& field, const auto& change) {
    nifti_1_header h = plain_header();
    change(h);
    BOOST_CHECK_EXCEPTION(static_cast<void>(parse_nifti_header(file_of(h), "x.nii")), error,
                          test::says("x.nii: damaged header, " + field));
    ++refusals;
  };
  BOOST_TEST(parse_nifti_header(file_of(plain_header()), "x").grid.voxels() == 60);
  const auto with_sform = [](nifti_1_header& h) {
    h.sform_code = 1;
    h.srow_x[0] = h.srow_y[1] = h.srow_z[2] = 1;
  };
  for (const float value : {nan, infinite, -infinite, 1e10f}) {
    for (int c = 0; c < 4; ++c) {
      refused(text("srow_x[", c, "] is "), [&](auto& h) { with_sform(h), h.srow_x[c] = value; });
      refused(text("srow_z[", c, "] is "), [&](auto& h) { with_sform(h), h.srow_z[c] = value; });
    }
    refused("a quaternion is ", [&](auto& h) { h.qform_code = 1, h.quatern_b = value; });
    refused("qoffset_y is ", [&](auto& h) { h.qform_code = 1, h.qoffset_y = value; });
    for (int axis = 1; axis < 4; ++axis) {
      refused(text("pixdim[", axis, "] is "), [&](auto& h) { h.pixdim[axis] = value; });
      refused(text("pixdim[", axis, "] is "), [&](auto& h) { h.qform_code = 1, h.pixdim[axis] = value; });
    }
  }
  for (const float value : {0.f, -1.f}) refused("pixdim[2] is ", [&](auto& h) { h.pixdim[2] = value; });
  refused("a quaternion is 1.5", [](auto& h) { h.qform_code = 1, h.quatern_d = 1.5f; });
  refused("the quaternion's squared length is 1.", [](auto& h) { h.qform_code = 1, h.quatern_b = h.quatern_c = 0.9f; });
  for (const float value : {nan, infinite, -5e20f, -2.f, 8.f})
    refused("pixdim[0] is ", [&](auto& h) { h.qform_code = 1, h.pixdim[0] = value; });
  for (const int code : {-1, 6, 300}) {
    refused(text("sform_code is ", code), [&](auto& h) { with_sform(h), h.sform_code = static_cast<short>(code); });
    refused(text("qform_code is ", code), [&](auto& h) { h.qform_code = static_cast<short>(code); });
  }
  refused("a voxel of 1e-08 mm", [&](auto& h) { with_sform(h), h.srow_y[1] = 1e-8f; });
  for (const float value : {nan, infinite})
    refused("scl_inter is ", [&](auto& h) { h.scl_slope = 2, h.scl_inter = value; });
  BOOST_TEST(refusals > 60);
  // What the grid does not come from is not looked at; a slope that is no number means none, as for nibabel.
  nifti_1_header h = plain_header();
  with_sform(h);
  h.pixdim[1] = nan, h.quatern_b = nan, h.scl_slope = nan, h.scl_inter = nan;
  BOOST_TEST(parse_nifti_header(file_of(h), "x").grid.spacing()[0] == 1.0);
  h = plain_header();
  h.dim[0] = 2, h.dim[3] = 0, h.pixdim[3] = 0;  // a slice
  BOOST_TEST(parse_nifti_header(file_of(h, 12), "x").grid.voxels() == 12);
}

BOOST_AUTO_TEST_CASE(axes_without_length_count_as_one) {
  const test::folder folder("nifti-zero-axes");
  nifti_1_header h = plain_header();
  h.dim[0] = 5, h.dim[4] = 0, h.dim[5] = 1;
  write_file(folder / "x.nii", file_of(h));
  const nifti_header read = read_nifti_header(folder / "x.nii");
  BOOST_TEST(read.volumes == 1);
  BOOST_TEST(read.grid.voxels() == 60);
  write_nifti_labels(folder / "mask.nii", label_volume{read.grid, std::vector<std::uint8_t>(60)}, read);
  const auto raw = std::get<nifti_1_header>(read_nifti_header(folder / "mask.nii").raw);
  BOOST_TEST(raw.dim[0] == 3);
  for (int axis = 4; axis < 8; ++axis) BOOST_TEST(raw.dim[axis] == 1);
  for (const short extent : {-1, -32768}) {
    h.dim[4] = extent;
    BOOST_CHECK_EXCEPTION(static_cast<void>(parse_nifti_header(file_of(h), "x")), io_error,
                          test::says(text("dim[4] is ", extent, ", expected 1 or more")));
  }
}

BOOST_AUTO_TEST_CASE(sizes_that_no_machine_holds_are_refused) {
  nifti_1_header h = plain_header();
  h.dim[1] = h.dim[2] = h.dim[3] = 32767;
  BOOST_CHECK_EXCEPTION(static_cast<void>(parse_nifti_header(file_of(h), "x")), io_error,
                        test::says("expected fewer than 2^31"));
  // As many volumes as would fill any memory, in a small file.
  const test::folder folder("nifti-huge");
  h.dim[0] = 7;
  h.dim[1] = h.dim[2] = h.dim[3] = 1000;
  h.dim[4] = h.dim[5] = h.dim[6] = 32767, h.dim[7] = 1;
  write_file(folder / "x.nii.gz", gzip(file_of(h)));
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_nifti(folder / "x.nii.gz")), io_error, test::says("GiB of memory"));
}

BOOST_AUTO_TEST_CASE(files_of_other_kinds_are_named) {
  const test::folder folder("nifti-foreign");
  const auto refused = [&](const std::string& bytes, const std::string& words) {
    for (const char* name : {"x.nii", "x.nii.gz"}) {
      test::write_text(folder / name, bytes);
      BOOST_CHECK_EXCEPTION(static_cast<void>(read_nifti(folder / name)), io_error, test::says(words));
    }
  };
  const std::string filling(500, '\0');
  refused("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git lfs pull");
  refused("/annex/objects/MD5E-s123--abc.nii.gz\n", "git annex get");
  refused("../.git/annex/objects/Wx/1Q/MD5E-s123--abc.nii.gz", "git annex get");
  refused("NRRD0004\n# Complete NRRD file format\n" + filling, "NRRD");
  refused("\x28\xb5\x2f\xfd" + filling, "zstd");
  refused(std::string("PK\x03\x04", 4) + filling, "zip archive");
  refused("BZh9" + filling, "bzip2");
  refused(
      "\xfd"
      "7zXZ" +
          filling,
      "xz");
  refused("ObjectType = Image\n", "MetaImage");
  refused("\x89HDF" + filling, "MINC");
  refused(std::string(128, '\0') + "DICM" + filling, "DICOM");
  write_file(folder / "twice.nii.gz", gzip(gzip(file_of(plain_header()))));
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_nifti(folder / "twice.nii.gz")), io_error,
                        test::says("gzip-compressed more than once"));
  std::filesystem::create_symlink("nowhere.nii.gz", folder / "link.nii.gz");
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_nifti(folder / "link.nii.gz")), io_error,
                        test::says("is a link to nowhere.nii.gz, which does not exist"));
  BOOST_REQUIRE_EQUAL(::mkfifo((folder / "pipe.nii").c_str(), 0600), 0);
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_nifti(folder / "pipe.nii")), io_error, test::says("is a pipe"));
  BOOST_CHECK_EXCEPTION(static_cast<void>(map_nifti(folder / "pipe.nii")), io_error, test::says("is a pipe"));
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_nifti(folder.path())), io_error, test::says("is a folder"));
}

BOOST_AUTO_TEST_CASE(damaged_files_are_refused) {
  const test::folder folder("nifti-damaged");
  const byte_buffer plain = read_file(golden_folder / "type_int16.nii"), packed = gzip(plain);
  const auto refused = [&](const char* name, const byte_buffer& bytes, const std::string& words) {
    write_file(folder / name, bytes);
    BOOST_CHECK_EXCEPTION(static_cast<void>(read_nifti(folder / name)), io_error, test::says(words));
  };
  refused("a.nii.gz", byte_buffer(packed.begin(), packed.end() - 20), "it ends early");
  refused("b.nii.gz", plain, "rename it to .nii");
  refused("c.nii", packed, "rename it");
  refused("d.nii", byte_buffer(plain.begin(), plain.end() - 1),
          "truncated, 119 bytes of voxels, expected 3 x 4 x 5 voxels of 2 bytes");
  refused("e.nii.gz", gzip(byte_buffer(plain.begin(), plain.end() - 1)), "truncated");
  refused("f.nii.gz", {}, "is empty");
  refused("g.nii", {}, "is not a NIfTI file");
  refused("h.nii", byte_buffer(plain.begin(), plain.begin() + 200), "truncated, 200 bytes");
  const std::string page = "\n<!DOCTYPE html><html><body>404</body></html>";
  refused("i.nii.gz", byte_buffer(page.begin(), page.end()), "web page");
  refused("j.nii", byte_buffer(page.begin(), page.end()), "web page");
  refused("k.nii.gz", gzip(byte_buffer(page.begin(), page.end())), "web page");
  const auto patched = [&](std::size_t at, std::vector<unsigned char> with) {
    byte_buffer b = plain;
    std::copy(with.begin(), with.end(), b.begin() + static_cast<std::ptrdiff_t>(at));
    return b;
  };
  refused("l.nii", patched(344, {0, 0, 0, 0}), "no NIfTI magic");
  refused("m.nii", patched(344, {'n', 'i', '1', 0}), ".hdr/.img");
  refused("n.nii", patched(40, {9, 0}), "dim[0] is 9");
  refused("o.nii", patched(42, {0, 0}), "dim[1] is 0");
  refused("p.nii", patched(42, {0xff, 0x3, 0xff, 0x3, 0xff, 0x3}), "truncated");
  refused("q.nii", patched(70, {3, 0}), "datatype 3");
  write_file(folder / "r.nii", patched(280, std::vector<unsigned char>(48, 0)));
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_nifti(folder / "r.nii")), geometry_error,
                        test::says("sform is singular"));
  BOOST_CHECK_THROW(static_cast<void>(read_nifti(folder / "missing.nii.gz")), io_error);
}

}  // namespace comodal::tests
