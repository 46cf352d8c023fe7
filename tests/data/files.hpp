// SPDX-License-Identifier: Apache-2.0
/// @file
/// Folders and files that the tests of the data layer make and remove.
#ifndef COMODAL_TESTS_DATA_FILES_HPP
#define COMODAL_TESTS_DATA_FILES_HPP

#include <comodal/core/random.hpp>
#include <comodal/data/nifti_write.hpp>

#include <filesystem>
#include <string>
#include <string_view>

namespace test {

/// A folder of its own, removed at the end.
class folder {
 public:
  explicit folder(std::string_view name)
      : m_path(std::filesystem::temp_directory_path() / comodal::text("comodal-", name, "-", ::getpid())) {
    std::filesystem::remove_all(m_path);
    std::filesystem::create_directories(m_path);
  }
  ~folder() {
    std::error_code ignored;
    std::filesystem::remove_all(m_path, ignored);
  }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;

  [[nodiscard]] std::filesystem::path operator/(const std::filesystem::path& name) const { return m_path / name; }
  [[nodiscard]] const std::filesystem::path& path() const { return m_path; }

 private:
  std::filesystem::path m_path;
};

inline void write_text(const std::filesystem::path& path, std::string_view words) {
  std::filesystem::create_directories(path.parent_path());
  comodal::write_file(path, {reinterpret_cast<const unsigned char*>(words.data()), words.size()});
}

/// A bright noisy ellipsoid in a dark noisy background, 20 x 18 x 12 voxels of 1 x 1 x 2 mm; another one for each key.
inline comodal::image_volume image(std::uint32_t key,
                                   comodal::affine3x4 affine = {{{-1, 0, 0, 9}, {0, 1, 0, -5}, {0, 0, 2, 4}}}) {
  comodal::image_volume v{{{20, 18, 12}, affine}, {}};
  v.values.resize(20 * 18 * 12);
  comodal::random_stream random(1, comodal::random_purpose::test, key);
  for (comodal::index k = 0; k < 12; ++k)
    for (comodal::index j = 0; j < 18; ++j)
      for (comodal::index i = 0; i < 20; ++i) {
        const double x = (i - 10.0) / 6, y = (j - 9.0) / 6, z = (k - 6.0) / 4;
        v.at(i, j, k) = static_cast<float>(x * x + y * y + z * z < 1 ? random.normal(500, 60) : random.uniform(0, 20));
      }
  return v;
}

/// Label `value` in a small block inside the ellipsoid.
inline comodal::label_volume label(std::uint8_t value,
                                   comodal::affine3x4 affine = {{{-1, 0, 0, 9}, {0, 1, 0, -5}, {0, 0, 2, 4}}}) {
  comodal::label_volume v{{{20, 18, 12}, affine}, std::vector<std::uint8_t>(20 * 18 * 12)};
  for (comodal::index k = 5; k < 7; ++k)
    for (comodal::index j = 8; j < 11; ++j)
      for (comodal::index i = 9; i < 12; ++i) v.at(i, j, k) = value;
  return v;
}

/// An nnU-Net raw folder: cases a, b, c of two modalities with labels, d without label and second modality, e in
/// imagesTs.
inline void make_nnunet_raw(const std::filesystem::path& root) {
  for (const char* sub : {"imagesTr", "labelsTr", "imagesTs"}) std::filesystem::create_directories(root / sub);
  write_text(root / "dataset.json", R"({"channel_names": {"0": "flair", "1": "t1"},
    "labels": {"background": 0, "core": 1, "oedema": 2, "rim": 3, "other": 4}, "numTraining": 3, "file_ending": ".nii.gz"})");
  std::uint32_t key = 0;
  for (const char* id : {"a", "b", "c"}) {
    comodal::write_nifti(root / "imagesTr" / comodal::text(id, "_0000.nii.gz"), image(++key));
    comodal::write_nifti(root / "imagesTr" / comodal::text(id, "_0001.nii.gz"), image(++key));
    comodal::write_nifti(root / "labelsTr" / comodal::text(id, ".nii.gz"), label(static_cast<std::uint8_t>(key / 2)));
  }
  comodal::write_nifti(root / "imagesTr" / "d_0000.nii.gz", image(++key));
  comodal::write_nifti(root / "imagesTs" / "e_0000.nii.gz", image(++key));
  comodal::write_nifti(root / "imagesTs" / "e_0001.nii.gz", image(++key));
}

/// True if an exception's message holds the words; for BOOST_CHECK_EXCEPTION.
inline auto says(std::string words) {
  return [words = std::move(words)](const std::exception& e) {
    const bool found = std::string_view(e.what()).find(words) != std::string_view::npos;
    if (!found) std::fprintf(stderr, "expected \"%s\" in \"%s\"\n", words.c_str(), e.what());
    return found;
  };
}

}  // namespace test

#endif
