// SPDX-License-Identifier: Apache-2.0
// Volumes in a caller's memory in, a mask in the caller's memory out, no file but the model
// (docs/how-to/inference-in-cpp.md):
//   predict_memory MODEL >MASK.raw
// A gateway has float arrays and what DICOM says of their place. Here a phantom stands for it: the case 5000 of
// `comodal phantom --seed 3 --phantom.grid '[32, 32, 24]' --phantom.spacing '[4.5, 4.5, 5.5]'`, without its T1ce.
#include <comodal/app/segment.hpp>
#include <comodal/core/runtime.hpp>
#include <comodal/data/phantom_case.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <span>
#include <vector>

// What a gateway holds of one series. Lengths in mm in DICOM's patient space (x to the left, y to the back, z up).
struct series {
  const float* pixels = nullptr;  // columns fastest, then rows, then slices; null: not recorded
  comodal::index columns = 0, rows = 0, slices = 0;
  comodal::point3 position{};     // ImagePositionPatient of the first slice
  comodal::point3 column_step{};  // from a column to the next: the first three of ImageOrientationPatient x spacing
  comodal::point3 row_step{};     // from a row to the next: the last three of ImageOrientationPatient x spacing
  comodal::point3 slice_step{};   // from ImagePositionPatient of a slice to that of the next
};

// comodal's patient space is NIfTI's: x to the right, y to the front, z up. Signs of x and y change.
comodal::geometry grid_of(const series& s) {
  comodal::geometry grid;
  grid.size = {s.columns, s.rows, s.slices};
  for (std::size_t r = 0; r < 3; ++r) {
    const double sign = r < 2 ? -1 : 1;
    grid.affine[r] = {sign * s.column_step[r], sign * s.row_step[r], sign * s.slice_step[r], sign * s.position[r]};
  }
  return grid;
}

class segmentation_service {
 public:
  explicit segmentation_service(const char* model) : m_segment(std::filesystem::path(model)) {}

  // Fills `mask`, one byte per voxel in the order of the pixels. @param all one series per modality of the model
  void segment(std::span<const series> all, std::span<std::uint8_t> mask) {
    comodal::case_files files{"in memory", {}};
    for (const series& s : all)
      files.images.push_back(s.pixels ? comodal::volume_view(s.pixels, comodal::scalar_type::float32, grid_of(s))
                                      : comodal::volume_view());
    const auto made = comodal::app::segment_case(m_segment, files);
    for (const auto& line : made.warnings) std::fprintf(stderr, "warning: %s\n", line.c_str());
    if (mask.size() != made.mask.values.size()) throw comodal::geometry_error("segment: the mask has another size");
    std::copy(made.mask.values.begin(), made.mask.values.end(), mask.begin());
  }

 private:
  comodal::app::segmenter<comodal::mixed_backend> m_segment;
};

// The phantom as a gateway would have it.
series series_of(const comodal::image_volume& image) {
  const auto& a = image.geometry.affine;
  const auto lps = [&](std::size_t c) { return comodal::point3{-a[0][c], -a[1][c], a[2][c]}; };
  const auto& size = image.geometry.size;
  return {image.values.data(), size[0], size[1], size[2], lps(3), lps(0), lps(1), lps(2)};
}

int main(int count, char** words) {
  if (count != 2) {
    std::fprintf(stderr, "usage: predict_memory MODEL >MASK.raw\n");
    return 2;
  }
  try {
    const comodal::runtime runtime;  // first of all, once per process; outlives all else
    comodal::phantom_options options;
    options.grid = {32, 32, 24};
    options.spacing = {4.5, 4.5, 5.5};
    const auto head = comodal::make_phantom_case(options, 3, 5000);
    std::vector<series> all;
    for (const auto& image : head.images) all.push_back(series_of(image));
    all[2].pixels = nullptr;
    std::vector<std::uint8_t> mask(head.labels.values.size());
    segmentation_service(words[1]).segment(all, mask);
    return std::fwrite(mask.data(), 1, mask.size(), stdout) == mask.size() ? 0 : 1;
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "predict_memory: %s\n", failure.what());
  }
  return 1;
}
