// SPDX-License-Identifier: Apache-2.0
/// @file
/// A head that looks different from every side, in any stored orientation: what the tests of pictures draw.
#ifndef COMODAL_TESTS_REPORT_SCENE_HPP
#define COMODAL_TESTS_REPORT_SCENE_HPP

#include <comodal/report/shown_case.hpp>

#include <array>
#include <string>
#include <vector>

namespace comodal::tests {

/// The same volume, stored with axes in another order and direction. Canonical axis a becomes stored axis `order[a]`,
/// backwards where `flip[a]`.
template <class Scalar>
volume<Scalar> stored_as(const volume<Scalar>& ras, std::array<std::size_t, 3> order, std::array<bool, 3> flip) {
  volume<Scalar> out;
  out.values.resize(ras.values.size());
  for (std::size_t a = 0; a < 3; ++a) {
    out.geometry.size[order[a]] = ras.geometry.size[a];
    for (std::size_t r = 0; r < 3; ++r) {
      out.geometry.affine[r][order[a]] = (flip[a] ? -1 : 1) * ras.geometry.affine[r][a];
      if (flip[a])
        out.geometry.affine[r][3] += static_cast<double>(ras.geometry.size[a] - 1) * ras.geometry.affine[r][a];
    }
  }
  const auto& size = ras.geometry.size;
  std::array<index, 3> p{};
  for (p[2] = 0; p[2] < size[2]; ++p[2])
    for (p[1] = 0; p[1] < size[1]; ++p[1])
      for (p[0] = 0; p[0] < size[0]; ++p[0]) {
        std::array<index, 3> q{};
        for (std::size_t a = 0; a < 3; ++a) q[order[a]] = flip[a] ? size[a] - 1 - p[a] : p[a];
        out.at(q[0], q[1], q[2]) = ras.at(p[0], p[1], p[2]);
      }
  return out;
}

/// 12 x 10 x 8 voxels of 1 x 2 x 4 mm in RAS+ order, all tissue; a lesion of class 1 at the right, in front and above,
/// with one voxel of class 2. The prediction lies one voxel further to the left of the patient.
struct scene {
  image_volume t1, flair;
  label_volume truth, prediction;

  scene() {
    geometry g{{12, 10, 8}, {{{1, 0, 0, 0}, {0, 2, 0, 0}, {0, 0, 4, 0}}}};
    const auto n = static_cast<std::size_t>(g.voxels());
    t1 = flair = {g, std::vector<float>(n, 100)};
    truth = prediction = {g, std::vector<std::uint8_t>(n)};
    for (index k = 5; k < 7; ++k)
      for (index j = 6; j < 9; ++j)
        for (index i = 8; i < 11; ++i) {
          truth.at(i, j, k) = 1;
          prediction.at(i - 1, j, k) = 1;
          flair.at(i, j, k) = 900;
        }
    truth.at(9, 7, 6) = 2;
    for (std::size_t v = 0; v < n; ++v) {  // something to see everywhere
      t1.values[v] += static_cast<float>(v % 7);
      flair.values[v] += static_cast<float>(v % 5);
    }
  }
  [[nodiscard]] shown_case as_case() const {
    shown_case c;
    c.case_id = "patient_07";
    c.images = {{"T1", t1}, {"FLAIR", flair}};
    c.missing = {"T2"};
    c.truth = truth;
    c.methods = {{"ours", {{"fused", prediction}, {"branch T1", truth}}, {}, 0.5}};
    c.methods[0].maps.push_back({"uncertainty", flair});
    c.classes = shown_classes({{"background", {0}}, {"core", {1}}, {"rim & <b>", {2}}});
    return c;
  }
};

}  // namespace comodal::tests

#endif
