// SPDX-License-Identifier: Apache-2.0
// Values, grids and names of images and labels.
#include "corpus.hpp"

#include <cmath>
#include <fstream>
#include <limits>

namespace corpus {

namespace {

using comodal::image_volume;

std::function<void(const fs::path&)> values(const std::string& file, std::function<void(image_volume&)> how) {
  return [=](const fs::path& here) { change_values(place(here, file), how); };
}

// A label map that may hold any numbers, written as an image.
std::function<void(const fs::path&)> label(std::function<void(image_volume&)> how) {
  return [=](const fs::path& here) { change_values(place(here, first_label), how); };
}

std::function<void(const fs::path&)> grid(const std::string& file, std::function<void(comodal::geometry&)> how) {
  return [=](const fs::path& here) {
    auto v = comodal::read_nifti(place(here, file));
    how(v.geometry);
    v.values.resize(static_cast<std::size_t>(v.geometry.voxels()), 1);
    comodal::write_nifti(place(here, file), v);
  };
}

}  // namespace

void add_values(list& all) {
  const std::vector<std::string> check{"check", "DATA"};
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinite = std::numeric_limits<float>::infinity();

  all.kind("values that are no numbers", check)
      .add("one nan", {"holds 1 NaN and 0 infinite values among 4320 voxels; give them the value of the background"},
           values(first_image, [=](auto& v) { v.values[77] = nan; }))
      .add("one infinite", {"holds 0 NaN and 1 infinite values"},
           values(first_image, [=](auto& v) { v.values[0] = infinite; }))
      .add("negative infinite", {"holds 0 NaN and 1 infinite values"},
           values(first_image, [=](auto& v) { v.values[9] = -infinite; }))
      .add("all nan", {"holds 4320 NaN"},
           values(first_image, [=](auto& v) { std::fill(v.values.begin(), v.values.end(), nan); }))
      .add("nan outside the head", {" NaN and 0 infinite values"}, values(second_image, [=](auto& v) {
             for (float& x : v.values) x = x < 20 ? nan : x;
           }));

  all.kind("voxels far outside the range", check, 0);
  for (const float v : {-2000.f, -32768.f, -1e6f, -3e38f, 65535.f, 1e9f, 3e38f})
    all.add(comodal::text("one ", v),
            {"warning: ", "a_0000.nii.gz: holds 1 voxel far outside the range of the others", "at voxel (3, 2, 1)"},
            values(first_image, [=](auto& i) { i.at(3, 2, 1) = v; }));
  for (const float v : {-2000.f, 4095.f})
    all.add(comodal::text("rim ", v),
            {"voxels far outside the range of the others", "look whether they are a fill value or damage"},
            values(first_image, [=](auto& i) {
              for (std::size_t at = 0; at < 600; ++at) i.values[at] = v;
            }));
  all.add("wrapped", {"holds 16 voxels far outside"}, values(first_image, [](auto& i) {
            for (comodal::index x = 8; x < 12; ++x)
              for (comodal::index y = 8; y < 12; ++y) i.at(x, y, 6) -= 65536;
          }));

  all.kind("constant images", check, 0);
  for (const float v : {0.f, 7.f, -1.f, 1e30f, -32768.f})
    all.add(comodal::text(v), {"is constant: every voxel is ", "; leave the file out if the modality is absent"},
            values(first_image, [=](auto& i) { std::fill(i.values.begin(), i.values.end(), v); }));

  all.kind("modalities on different grids", check)
      .add("slices", {"a_0001.nii.gz: is on another grid than a_0000.nii.gz: size 20 x 18 x 11, expected 20 x 18 x 12"},
           grid(second_image, [](auto& g) { g.size[2] = 11; }))
      .add("spacing", {"spacing 1 x 1 x 2.5 mm, expected 1 x 1 x 2 mm"},
           grid(second_image, [](auto& g) { g.affine[2][2] = 2.5; }))
      .add("origin", {"origin (12, -5, 4) mm, expected (9, -5, 4) mm"},
           grid(second_image, [](auto& g) { g.affine[0][3] = 12; }))
      .add("flipped", {"orientation RAS, expected LAS"}, grid(second_image, [](auto& g) { g.affine[0][0] = 1; }))
      .add("axes", {"orientation ALS, expected LAS"},
           grid(second_image,
                [](auto& g) { std::swap(g.affine[0][0], g.affine[0][1]), std::swap(g.affine[1][0], g.affine[1][1]); }))
      .add("tilted", {"axes tilted by "}, grid(second_image, [](auto& g) { g.affine[0][1] = 0.2; }));
  all.kind("labels on another grid", check)
      .add("slices", {"a.nii.gz: is on another grid than a_0000.nii.gz: size 20 x 18 x 13"},
           grid(first_label, [](auto& g) { g.size[2] = 13; }))
      .add("spacing", {"a.nii.gz: is on another grid"}, grid(first_label, [](auto& g) { g.affine[1][1] = 1.1; }))
      .add("origin", {"a.nii.gz: is on another grid"}, grid(first_label, [](auto& g) { g.affine[2][3] = 40; }))
      .add("flipped", {"orientation LPS, expected LAS"}, grid(first_label, [](auto& g) { g.affine[1][1] = -1; }))
      .add("transposed", {"a.nii.gz: is on another grid"},
           grid(first_label, [](auto& g) { std::swap(g.size[0], g.size[1]); }));

  all.kind("label values", check)
      .add("undeclared", {"a.nii.gz: holds label 7 in 1 voxels; declared are 0, 1, 2"},
           label([](auto& v) { v.values[5] = 7; }))
      .add("255", {"holds label 255 in "}, label([](auto& v) {
             for (float& x : v.values) x = x > 0 ? 255 : 0;
           }))
      .add("300", {"label value 300"}, label([](auto& v) { v.values[5] = 300; }))
      .add("-1", {"label value -1"}, label([](auto& v) { v.values[5] = -1; }))
      .add("half", {"label value 0.5 at voxel (5, 0, 0)"}, label([](auto& v) { v.values[5] = 0.5; }))
      .add("nan", {"label value nan"}, label([=](auto& v) { v.values[5] = nan; }))
      .add("huge", {"label value 1e+30"}, label([](auto& v) { v.values[5] = 1e30f; }))
      .add("an image", {"label value "}, [](const fs::path& here) {
        fs::copy_file(place(here, first_image), place(here, first_label), fs::copy_options::overwrite_existing);
      });

  all.kind("labels and images that do not belong together", check)
      .add("empty label", {"a.nii.gz: is empty: every voxel is background"},
           label([](auto& v) { std::fill(v.values.begin(), v.values.end(), 0.f); }))
      .ends(0)
      .add("label without images", {"z.nii.gz: is a label without images: imagesTr holds no z_0000.nii.gz"},
           [](const fs::path& here) { fs::copy(place(here, first_label), here / "DATA/labelsTr/z.nii.gz"); })
      .add("label of another name", {"A.nii.gz: is a label without images"},
           [](const fs::path& here) { fs::rename(place(here, first_label), here / "DATA/labelsTr/A.nii.gz"); })
      .add("label named as an image", {"a_0000.nii.gz: is a label without images"},
           [](const fs::path& here) { fs::rename(place(here, first_label), here / "DATA/labelsTr/a_0000.nii.gz"); })
      .add("no images", {"imagesTr: holds no image named CASE_0000.nii.gz"}, [](const fs::path& here) {
        fs::remove_all(here / "DATA/imagesTr");
        fs::create_directory(here / "DATA/imagesTr");
      });

  const auto renamed = [](const std::string& to) {
    return [=](const fs::path& here) { fs::rename(place(here, first_image), here / "DATA/imagesTr" / to); };
  };
  all.kind("names of images", check, 0);
  for (const std::string name : {"a_0000.NII.GZ", "a.nii.gz", "a_000.nii.gz", "a_00000.nii", "a-0000.nii.gz",
                                 "a_000x.nii.gz", "a_0000.nii.gz.old", "notes.txt"})
    all.add(name, {name + ": is ignored: not named CASE_0000.nii.gz"}, renamed(name));

  const auto copied = [](const std::string& to) {
    return [=](const fs::path& here) { fs::copy(place(here, first_image), here / "DATA" / to); };
  };
  all.kind("numbers of modalities", check);
  for (const std::string name : {"imagesTr/a_0002.nii.gz", "imagesTr/a_0010.nii.gz", "imagesTr/b_9999.nii.gz",
                                 "imagesTs/e_0002.nii.gz", "imagesTr/new_0002.nii.gz"})
    all.add(name, {"has modality number ", ", but 2 modalities are declared, from 0000 on"}, copied(name));

  const auto hidden = [](const std::string& to) {
    return [=](const fs::path& here) { put(here / "DATA" / to, std::string("\0\5\26\7\0\2\0\0Mac OS X        ", 24)); };
  };
  all.kind("hidden files", check, 0);
  for (const std::string name : {"imagesTr/._a_0000.nii.gz", "labelsTr/._a.nii.gz", "imagesTs/._e_0000.nii.gz",
                                 "imagesTr/.DS_Store", "._dataset.json", "labelsTr/.gitignore"})
    all.add(name, {"0 errors, 0 warnings"}, hidden(name));
}

}  // namespace corpus
