// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_case_data
#include <comodal/data/case_data.hpp>
#include <comodal/data/nnunet_raw.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>

namespace comodal::tests {
namespace {

template <class T>
concept has_label = requires(const T& c) { c.label; };
static_assert(has_label<labelled_case_data> && !has_label<case_data>);

// Stored as (front to back, down to up reversed, left): nothing is where RAS has it.
const affine3x4 odd{{{0, 0, 2, -3}, {-1, 0.1, 0, 4}, {0.1, -1, 0, 5}}};

// The box that is kept of the canonical grid.
box kept(const case_data& c) { return std::get<crop_step>(c.preparation.steps().at(1)).kept; }

}  // namespace

BOOST_AUTO_TEST_CASE(volumes_become_canonical_cropped_and_normalised) {
  const test::folder folder("case");
  write_nifti(folder / "x_0000.nii.gz", test::image(1, odd));
  write_nifti(folder / "x_0002.nii.gz", test::image(2, odd));
  write_nifti(folder / "x.nii.gz", test::label(2, odd));
  const labelled_case one{{"x", {folder / "x_0000.nii.gz", "", folder / "x_0002.nii.gz"}}, folder / "x.nii.gz"};
  prepare_options options;
  options.margin = 1;
  const labelled_case_data c = prepare_case(one, options);
  BOOST_CHECK((c.data.present == std::vector<bool>{true, false, true}));
  BOOST_CHECK(c.data.images[1].values.empty());
  const geometry prepared = c.data.preparation.prepared();
  BOOST_CHECK_EQUAL(orientation_code(prepared), "RAS");
  for (std::size_t m : {0, 2}) {
    BOOST_CHECK(c.data.images[m].geometry.size == prepared.size);
    BOOST_CHECK(c.data.images[m].geometry.affine == prepared.affine);
    BOOST_CHECK_EQUAL(c.data.images[m].values.size(), static_cast<std::size_t>(prepared.voxels()));
  }
  // The ellipsoid of half axes 6, 6, 4 along i, j, k is what is left, with its margin.
  for (std::size_t a = 0; a < 3; ++a) {
    BOOST_CHECK_LE(prepared.size[a], 15);
    BOOST_CHECK_GE(prepared.size[a], 9);
  }
  // The same voxel through the affines: the label stays on the same millimetres.
  const label_volume original = read_nifti_labels(folder / "x.nii.gz");
  const affine3x4 way = compose(inverse(prepared.affine), original.geometry.affine);
  std::size_t labelled = 0;
  for (index k = 0; k < 12; ++k)
    for (index j = 0; j < 18; ++j)
      for (index i = 0; i < 20; ++i)
        if (original.at(i, j, k) != 0) {
          const point3 p = transform(way, {static_cast<double>(i), static_cast<double>(j), static_cast<double>(k)});
          BOOST_CHECK_EQUAL(c.label.at(std::lround(p[0]), std::lround(p[1]), std::lround(p[2])), 2);
          ++labelled;
        }
  std::size_t kept = 0;
  for (const auto v : c.label.values) kept += v != 0;
  BOOST_CHECK_EQUAL(kept, labelled);
  // The head's median is 0 and the background far below.
  const index x = prepared.size[0] / 2, y = prepared.size[1] / 2, z = prepared.size[2] / 2;
  BOOST_CHECK_LT(std::abs(c.data.images[0].at(x, y, z)), 4);
  BOOST_CHECK_LT(c.data.images[0].at(0, 0, 0), -4);
}

BOOST_AUTO_TEST_CASE(results_return_to_the_files_own_grid) {
  const test::folder folder("case-restore");
  write_nifti(folder / "x_0000.nii.gz", test::image(1, odd));
  write_nifti(folder / "x.nii.gz", test::label(3, odd));
  const labelled_case one{{"x", {folder / "x_0000.nii.gz"}}, folder / "x.nii.gz"};
  const labelled_case_data c = prepare_case(one, {});
  const label_volume back = restore(c.label, c.data.preparation), original = read_nifti_labels(folder / "x.nii.gz");
  BOOST_CHECK(back.values == original.values);
  write_nifti_labels(folder / "y.nii.gz", back, c.data.header);
  const nifti_header in = read_nifti_header(folder / "x_0000.nii.gz"), out = read_nifti_header(folder / "y.nii.gz");
  BOOST_CHECK(in.grid.affine == out.grid.affine && in.grid.size == out.grid.size);
  image_volume probability{c.label.geometry, std::vector<float>(c.label.values.size(), 0.25f)};
  const image_volume outside = restore(probability, c.data.preparation, 0.5f);
  std::size_t quarter = 0;
  for (const float v : outside.values) quarter += v == 0.25f;
  BOOST_CHECK_EQUAL(quarter, probability.values.size());
  BOOST_CHECK_EQUAL(outside.values.size() - quarter,
                    static_cast<std::size_t>(std::count(outside.values.begin(), outside.values.end(), 0.5f)));
  probability.geometry.size[0] -= 1;
  BOOST_CHECK_THROW(static_cast<void>(restore(probability, c.data.preparation)), geometry_error);
}

BOOST_AUTO_TEST_CASE(labels_change_nothing_in_the_images) {
  const test::folder folder("case-leak");
  test::make_nnunet_raw(folder.path());
  const cohort with = read_nnunet_raw(folder.path());
  const case_data a = prepare_case(with.labelled[0], {}).data;
  test::write_text(folder / "labelsTr/a.nii.gz", "garbage");
  const cohort without = read_nnunet_raw(folder.path(), {.labelled = std::vector<std::string>{}});
  const case_data b = prepare_case(without.unlabelled[0], {});
  BOOST_CHECK_EQUAL(a.id, b.id);
  BOOST_CHECK(a.images[0].values == b.images[0].values);
  BOOST_CHECK(kept(a) == kept(b));
}

BOOST_AUTO_TEST_CASE(specks_do_not_stretch_the_box) {
  const test::folder folder("case-specks");
  image_volume v = test::image(1);
  write_nifti(folder / "clean.nii", v);
  v.at(0, 0, 0) = v.at(19, 17, 11) = 600;
  write_nifti(folder / "specks.nii", v);
  prepare_options options;
  options.margin = 0;
  const case_data clean = prepare_case(unlabelled_case{{"x", {folder / "clean.nii"}}}, options);
  const case_data specks = prepare_case(unlabelled_case{{"x", {folder / "specks.nii"}}}, options);
  BOOST_CHECK(kept(clean) == kept(specks));
  BOOST_CHECK_LT(kept(specks).size()[0], 20);
}

BOOST_AUTO_TEST_CASE(warnings_come_along) {
  const test::folder folder("case-warnings");
  image_volume v = test::image(1);
  for (float& x : v.values) x = x < 100 ? 0 : (x - 500) / 60;
  write_nifti(folder / "x.nii", v);
  std::fill(v.values.begin(), v.values.end(), 2.0f);
  write_nifti(folder / "y.nii", v);
  const unlabelled_case one{{"x", {folder / "x.nii", folder / "y.nii"}}};
  prepare_options options;
  const case_data head = prepare_case(one, options);
  BOOST_REQUIRE_EQUAL(head.warnings.size(), 2);
  BOOST_CHECK(head.warnings[0].reason.starts_with("is constant"));
  BOOST_CHECK_EQUAL(head.warnings[1].file.filename().string(), "x.nii");
  BOOST_CHECK(head.warnings[1].reason.ends_with("use normalise = \"nonzero\""));
  options.normalise = {normalisation::nonzero};
  BOOST_CHECK_EQUAL(prepare_case(one, options).warnings.size(), 1);
}

BOOST_AUTO_TEST_CASE(labels_outside_the_head_box_are_said) {
  const test::folder folder("case-outside");
  write_nifti(folder / "x_0000.nii", test::image(1));
  label_volume label = test::label(1);
  label.at(0, 0, 0) = label.at(19, 17, 11) = 1;
  write_nifti(folder / "x.nii", label);
  const labelled_case one{{"x", {folder / "x_0000.nii"}}, folder / "x.nii"};
  prepare_options options;
  options.margin = 0;
  const auto found = prepare_case(one, options).data.warnings;
  BOOST_REQUIRE_EQUAL(found.size(), 1);
  BOOST_CHECK_EQUAL(found[0].file.filename().string(), "x.nii");
  BOOST_CHECK(found[0].reason.starts_with("has 2 of 20 foreground voxels outside the head box"));
  options.margin = 20;
  BOOST_CHECK(prepare_case(one, options).data.warnings.empty());
}

// Coarser voxels are fewer, and none of them is lost; a label that none of them shows is.
BOOST_AUTO_TEST_CASE(resampled_labels_are_not_taken_for_lost) {
  const test::folder folder("case-resampled");
  write_nifti(folder / "x_0000.nii.gz", test::image(1));
  label_volume label = test::label(1);
  write_nifti(folder / "x.nii.gz", label);
  prepare_options options;
  options.spacing = {1.5, 1.5, 2.5};
  const labelled_case one{{"x", {folder / "x_0000.nii.gz"}}, folder / "x.nii.gz"};
  const auto c = prepare_case(one, options);
  BOOST_TEST(c.data.warnings.empty());
  BOOST_TEST(foreground_voxels(c.label) < foreground_voxels(label));
  label.at(10, 9, 6) = 7;  // one voxel
  write_nifti(folder / "x.nii.gz", label);
  options.spacing = {4, 4, 8};
  const auto coarse = prepare_case(one, options);
  BOOST_TEST(std::any_of(coarse.data.warnings.begin(), coarse.data.warnings.end(), [](const finding& f) {
    return f.reason == "label 7 vanishes when it is resampled; make data.spacing finer";
  }));
}

BOOST_AUTO_TEST_CASE(options_are_checked) {
  const test::folder folder("case-options");
  test::make_nnunet_raw(folder.path());
  const cohort c = read_nnunet_raw(folder.path());
  prepare_options options;
  options.normalise = {normalisation::head, normalisation::head, normalisation::head};
  BOOST_CHECK_EXCEPTION(static_cast<void>(prepare_cases(c.unlabelled, options)), config_error,
                        test::says("3 values for 2 modalities"));
  options.normalise = {normalisation::ct};
  BOOST_CHECK_EXCEPTION(static_cast<void>(prepare_case(c.unlabelled[0], options)), config_error,
                        test::says("statistics of 0 modalities"));
  options.normalise = {normalisation::nonzero, normalisation::none};
  BOOST_CHECK_EQUAL(prepare_cases(c.labelled, options).size(), 3);
}

BOOST_AUTO_TEST_CASE(stripped_volumes_are_cropped_to_what_is_not_zero) {
  const test::folder folder("case-stripped");
  image_volume v = test::image(1);
  for (float& x : v.values) x = x < 100 ? 0 : x;
  write_nifti(folder / "x.nii", v);
  prepare_options options;
  options.normalise = {normalisation::nonzero};
  options.margin = 0;
  const case_data c = prepare_case(unlabelled_case{{"x", {folder / "x.nii"}}}, options);
  BOOST_CHECK((kept(c).size() == std::array<index, 3>{11, 11, 7}));
  BOOST_CHECK_EQUAL(c.images[0].at(0, 0, 0), 0);
}

}  // namespace comodal::tests
