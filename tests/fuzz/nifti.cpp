// SPDX-License-Identifier: Apache-2.0
// The bytes of a NIfTI file, packed or not: header, values as image and as labels, and a mask on the same grid that is
// read again.
#include "fuzz.hpp"

#include <comodal/data/nifti_write.hpp>

using namespace comodal;  // but `index`, which is in the C library, too

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view words(reinterpret_cast<const char*>(data), size);
  const byte_buffer bytes(data, data + size);
  fuzz::answered(words, [&] {
    const nifti_contents file(is_gzip(bytes) ? detail::unpacked_nifti(bytes, "input") : bytes, "input");
    const nifti_header& header = file.header();
    fuzz::expect(header.grid.voxels() > 0, "voxels");
    for (const double length : header.grid.spacing()) fuzz::expect(length > 0 && length < 1e7, "voxel sizes");
    for (comodal::index v = 0; v < std::min<comodal::index>(header.volumes, 2); ++v) {
      fuzz::answered(words, [&] { (void)to_labels(file.view(v), "input"); });
      const image_volume image = to_image(file.view(v));
      fuzz::expect(static_cast<comodal::index>(image.values.size()) == header.grid.voxels(), "a value for every voxel");
      label_volume mask{header.grid, {}};
      for (const float value : image.values) mask.values.push_back(value > 0 ? 1 : 0);
      const nifti_contents again(nifti_file_bytes(mask, header, "mask"), "mask");
      fuzz::expect(grid_difference(again.header().grid, header.grid).empty(), "the grid of the image");
      fuzz::expect(to_labels(again.view(), "mask").values == mask.values, "the values that were written");
    }
  });
  return 0;
}
