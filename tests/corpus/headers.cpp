// SPDX-License-Identifier: Apache-2.0
// Headers of NIfTI files.
#include "corpus.hpp"

#include <cmath>
#include <limits>

namespace corpus {

void add_headers(list& all) {
  const std::vector<std::string> check{"check", "DATA"};
  using header = nifti_1_header;
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinite = std::numeric_limits<float>::infinity();
  const auto with = [](const std::function<void(header&)>& how) {
    return [how](const fs::path& here) { change_header(place(here, first_image), how); };
  };
  const auto word = [](float v) { return std::isnan(v) ? std::string("nan") : comodal::text(v); };

  all.kind("magic", check)
      .add("none", {"has no NIfTI magic (an ANALYZE file?)"}, with([](header& h) { std::memset(h.magic, 0, 4); }))
      .add("pair", {"is one half of a .hdr/.img pair"}, with([](header& h) { std::memcpy(h.magic, "ni1", 4); }))
      .add("of version 2", {"has no NIfTI magic"}, with([](header& h) { std::memcpy(h.magic, "n+2", 4); }))
      .add("of version 3", {"has no NIfTI magic"}, with([](header& h) { std::memcpy(h.magic, "n+3", 4); }))
      .add("letters", {"has no NIfTI magic"}, with([](header& h) { std::memcpy(h.magic, "abcd", 4); }));
  all.kind("size of the header", check);
  for (const int size : {0, 347, 349, -1, 348 << 16, 1000000})
    all.add(std::to_string(size), {"is not a NIfTI file (its first bytes are no NIfTI header)"},
            with([=](header& h) { h.sizeof_hdr = size; }));
  all.kind("number of axes", check);
  for (const short axes : {0, -1, 8, 9, 32767})
    all.add(std::to_string(axes), {"damaged header, dim[0] is ", ", expected 1 to 7"},
            with([=](header& h) { h.dim[0] = axes; }));
  all.kind("lengths of axes", check)
      .add("none along i", {"dim[1] is 0, expected 1 or more"}, with([](header& h) { h.dim[1] = 0; }))
      .add("negative along i", {"dim[1] is -1, expected 1 or more"}, with([](header& h) { h.dim[1] = -1; }))
      .add("negative along j", {"dim[2] is -5, expected 1 or more"}, with([](header& h) { h.dim[2] = -5; }))
      .add("negative along k", {"dim[3] is -32768"}, with([](header& h) { h.dim[3] = -32768; }))
      .add("one more slice than there is", {"truncated"}, with([](header& h) { h.dim[3] = 13; }))
      .add("huge", {"expected fewer than 2^31"}, with([](header& h) { h.dim[1] = h.dim[2] = h.dim[3] = 32767; }))
      .add("more than memory", {"GiB of voxels, this machine has"}, with([](header& h) {
             h.dim[0] = 6;
             h.dim[1] = h.dim[2] = h.dim[3] = 1200;
             h.dim[4] = h.dim[5] = h.dim[6] = 32767;
           }));
  const auto stacked = [&](std::vector<short> further) {
    return [=](const fs::path& here) {
      const auto file = place(here, first_image);
      auto bytes = comodal::gunzip(comodal::read_file(file), "x");
      header h;
      std::memcpy(&h, bytes.data(), sizeof h);
      std::size_t volumes = 1;
      for (std::size_t a = 0; a < further.size(); ++a)
        h.dim[4 + a] = further[a], volumes *= static_cast<std::size_t>(std::max<short>(further[a], 1));
      h.dim[0] = static_cast<short>(3 + further.size());
      std::memcpy(bytes.data(), &h, sizeof h);
      const byte_buffer voxels(bytes.begin() + 352, bytes.end());
      for (std::size_t v = 1; v < volumes; ++v) bytes.insert(bytes.end(), voxels.begin(), voxels.end());
      comodal::write_file(file, comodal::gzip(bytes));
    };
  };
  all.kind("several volumes in a file", check);
  for (const auto& [name, further] : std::map<std::string, std::vector<short>>{
           {"two", {2}}, {"four", {4}}, {"five axes", {1, 3}}, {"six axes", {2, 1, 2}}, {"seven axes", {1, 1, 1, 2}}})
    all.add(name, {" volumes in one file, expected one; write each modality to a file of its own"}, stacked(further));
  all.kind("axes of one voxel", check, 0);
  for (const auto& [name, further] : std::map<std::string, std::vector<short>>{
           {"time", {1}}, {"vector", {1, 1}}, {"all", {1, 1, 1, 1}}, {"zero", {0}}, {"zeros", {0, 0, 0}}})
    all.add(name, {"0 errors, 0 warnings"}, stacked(further));

  all.kind("value types that are no scalars", check);
  for (const auto& [name, type] : std::map<std::string, short>{{"RGB24", 128},
                                                               {"RGBA32", 2304},
                                                               {"COMPLEX64", 32},
                                                               {"COMPLEX128", 1792},
                                                               {"FLOAT128", 1536},
                                                               {"none", 0},
                                                               {"unknown", 3}})
    all.add(name, {"datatype " + std::to_string(type), "cannot be used; expected integers or floats of 8 to 64 bits"},
            with([type](header& h) { h.datatype = type; }));

  const auto sform = [](header& h) {
    h.sform_code = 1;
    std::memset(&h.srow_x, 0, sizeof(float) * 12);
    h.srow_x[0] = -1, h.srow_y[1] = 1, h.srow_z[2] = 2;
  };
  all.kind("an sform that is no number", check);
  for (const float v : {nan, infinite, -infinite})
    for (const int c : {0, 3})
      all.add(word(v) + comodal::text(c), {comodal::text("damaged header, srow_y[", c, "] is "), "repair the header"},
              with([=](header& h) { sform(h), h.srow_y[c] = v; }));
  const auto qform = [](header& h) {
    h.sform_code = 0, h.qform_code = 1;
    h.pixdim[0] = h.pixdim[1] = h.pixdim[2] = 1, h.pixdim[3] = 2;
  };
  all.kind("a qform that is no number", check);
  for (const float v : {nan, infinite, -infinite, 1.5f})
    all.add("quaternion " + word(v), {"damaged header, a quaternion is "},
            with([=](header& h) { qform(h), h.quatern_c = v; }));
  for (const float v : {nan, infinite, -1e20f})
    all.add("offset " + word(v), {"damaged header, qoffset_z is "},
            with([=](header& h) { qform(h), h.qoffset_z = v; }));
  all.kind("voxel sizes", check);
  for (const float v : {nan, infinite, 0.f, -1.f, 1e20f}) {
    all.add("with qform " + word(v), {"damaged header, pixdim[2] is "},
            with([=](header& h) { qform(h), h.pixdim[2] = v; }));
    all.add("alone " + word(v), {"damaged header, pixdim[1] is "},
            with([=](header& h) { h.sform_code = h.qform_code = 0, h.pixdim[1] = v; }));
  }
  all.kind("axes that span no volume", check)
      .add("no axis", {"its sform is singular"}, with([&](header& h) { sform(h), h.srow_x[0] = 0; }))
      .add("equal axes", {"its sform is singular"},
           with([&](header& h) { sform(h), h.srow_x[1] = -1, h.srow_y[1] = 0; }))
      .add("in one plane", {"its sform is singular"},
           with([&](header& h) { sform(h), h.srow_z[2] = 0, h.srow_x[2] = 1; }))
      .add("all zero", {"its sform is singular"},
           with([](header& h) { h.sform_code = 1, std::memset(&h.srow_x, 0, 48); }))
      .add("far too small", {"a voxel of "}, with([&](header& h) { sform(h), h.srow_y[1] = 1e-12f; }))
      .add("far too large", {"a voxel of "}, with([&](header& h) { sform(h), h.srow_y[1] = 1e8f; }));
  all.kind("codes of the forms", check);
  for (const short code : {-1, 6, 127, 1000, -32768})
    all.add(std::to_string(code), {"sform_code is ", ", expected 0 to 5"},
            with([=](header& h) { h.sform_code = code; }));
  all.kind("slope and intercept", check, 0)
      .add("slope 0", {"0 errors"}, with([](header& h) { h.scl_slope = 0, h.scl_inter = 100; }))
      .add("slope nan", {"0 errors"}, with([=](header& h) { h.scl_slope = nan, h.scl_inter = nan; }))
      .add("slope inf", {"damaged header, scl_slope is inf, so that nobody knows the values"},
           with([=](header& h) { h.scl_slope = infinite; }))
      .ends(2)
      .add("negative slope", {"0 errors"}, with([](header& h) { h.scl_slope = -1; }))
      .add("intercept nan", {"scl_inter is nan beside a scl_slope of 2"},
           with([=](header& h) { h.scl_slope = 2, h.scl_inter = nan; }))
      .ends(2)
      .add("intercept inf", {"scl_inter is inf beside a scl_slope of 1"},
           with([=](header& h) { h.scl_slope = 1, h.scl_inter = infinite; }))
      .ends(2)
      .add("values beyond float", {" infinite values among ", "give them the value of the background"},
           with([](header& h) { h.scl_slope = 3e38f; }))
      .ends(2);
  all.kind("place of the first voxel", check, 0)
      .add("0", {"0 errors"}, with([](header& h) { h.vox_offset = 0; }))
      .add("negative", {"damaged header, vox_offset is -100, expected a whole number from 352 on"},
           with([](header& h) { h.vox_offset = -100; }))
      .ends(2)
      .add("nan", {"damaged header, vox_offset is nan"}, with([=](header& h) { h.vox_offset = nan; }))
      .ends(2)
      .add("within the header", {"damaged header, vox_offset is 100"}, with([](header& h) { h.vox_offset = 100; }))
      .ends(2)
      .add("a fraction", {"damaged header, vox_offset is 352.5"}, with([](header& h) { h.vox_offset = 352.5F; }))
      .ends(2)
      .add("behind the end", {"truncated"}, with([](header& h) { h.vox_offset = 1e6f; }))
      .ends(2)
      .add("far behind the end", {"GiB of voxels, this machine has"}, with([](header& h) { h.vox_offset = 1e14f; }))
      .ends(2);
  all.kind("unused fields that are no numbers", check, 0)
      .add("time", {"0 errors"}, with([=](header& h) { h.toffset = nan, h.slice_duration = infinite; }))
      .add("other axes", {"0 errors"}, with([=](header& h) { h.pixdim[4] = nan, h.pixdim[7] = infinite; }))
      .add("qform without a code", {"0 errors"}, with([=](header& h) {
             sform(h), h.srow_x[3] = 9, h.srow_y[3] = -5, h.srow_z[3] = 4, h.qform_code = 0, h.quatern_b = nan;
           }))
      .add("display", {"0 errors"}, with([=](header& h) { h.cal_max = nan, h.cal_min = nan; }))
      .add("intent", {"0 errors"}, with([=](header& h) { h.intent_p1 = h.intent_p2 = nan; }));
  all.kind("doubtful forms", check, 0)
      .add("neither", {"has neither qform nor sform: where left and right are is unknown"},
           with([](header& h) { h.sform_code = h.qform_code = 0; }))
      .ends(2)  // the other modality has a grid of its own then
      .add("shifted", {"its qform and sform disagree"},
           with([](header& h) { h.qform_code = 1, h.sform_code = 1, h.qoffset_x += 30; }))
      .add("turned", {"its qform and sform disagree"}, with([](header& h) { h.qform_code = 1, h.quatern_b = 0.5f; }))
      .add("of another size", {"its qform and sform disagree"},
           with([](header& h) { h.qform_code = 1, h.pixdim[1] = 1.5f; }))
      .add("flipped", {"its qform and sform disagree"},
           with([](header& h) { h.qform_code = 1, h.pixdim[0] = -h.pixdim[0]; }));
}

}  // namespace corpus
