// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE metric_surface_distance
#include <boost/test/unit_test.hpp>

#include <comodal/metric/surface_distance.hpp>

#include "masks.hpp"

#if defined(_OPENMP)
#include <omp.h>
#endif

#include <string>

using namespace comodal;
using masks::box;
using masks::sphere;

namespace {

const label_class one{"one", {1}};

surface_distances measure(const label_volume& p, const label_volume& r) {
  return measure_surfaces(p, r, one, r.geometry.spacing());
}

struct pair {
  label_volume p, r;
  pair(std::array<comodal::index, 3> size, std::array<double, 3> spacing)
      : p(masks::empty(size, spacing)), r(masks::empty(size, spacing)) {}
};

// What an independent program found for the same masks; six decimals, as printed.
struct golden {
  double dice, iou;
  comodal::index surface_p, surface_r;
  double hd_pr, hd_rp, medpy, monai_pr, monai_rp, asd_pr, asd_rp, assd, nsd, tolerance;
};

void check(const std::string& name, const pair& m, const golden& g) {
  BOOST_TEST_CONTEXT(name) {
    const auto close = [](double found, double expected) {
      BOOST_TEST(std::abs(found - expected) < 0.6e-6, found << " != " << expected);
    };
    const confusion c = count_overlap(m.p, m.r, one);
    close(dice(c), g.dice);
    close(iou(c), g.iou);
    const surface_distances d = measure(m.p, m.r);
    BOOST_TEST(d.prediction_surface == g.surface_p);
    BOOST_TEST(d.reference_surface == g.surface_r);
    close(d.prediction_to_reference.back(), g.hd_pr);
    close(d.reference_to_prediction.back(), g.hd_rp);
    close(hausdorff(d), std::max(g.hd_pr, g.hd_rp));
    close(hd95(d, hd95_convention::medpy), g.medpy);
    close(linear_percentile(d.prediction_to_reference, 0.95), g.monai_pr);
    close(linear_percentile(d.reference_to_prediction, 0.95), g.monai_rp);
    close(hd95(d), std::max(g.monai_pr, g.monai_rp));
    close(mean_distance(d.prediction_to_reference), g.asd_pr);
    close(mean_distance(d.reference_to_prediction), g.asd_rp);
    close(assd(d), g.assd);
    close(surface_dice(d, g.tolerance), g.nsd);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(golden_v1_half_spaces) {
  pair m({100, 100, 100}, {2, 1, 1});
  masks::add(m.r, box{{0, 0, 0}, {50, 100, 100}});
  masks::add(m.p, box{{0, 0, 0}, {51, 100, 100}});
  check("V1", m, {.990099, .980392, 39404, 39008, 2, 2, 2, 2, 2, .507563, .482465, .495077, .754935, 1});
}

BOOST_AUTO_TEST_CASE(golden_v2_single_voxels) {
  pair m({128, 128, 128}, {3, 2, 1});
  masks::add(m.r, box{{50, 60, 70}, {51, 61, 71}});
  masks::add(m.p, box{{50, 60, 72}, {51, 61, 73}});
  check("V2", m, {0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 0, 1});
}

BOOST_AUTO_TEST_CASE(golden_v3_spheres_one_in_the_other) {
  pair m({99, 99, 99}, {1, 1, 1});
  masks::add(m.p, sphere{{20, 33, 22}, 20});
  masks::add(m.r, sphere{{20, 33, 22}, 40});
  check("V3", m,
        {.295721, .173517, 4026, 15614, 20.099751, 20.223748, 20.049938, 19.924859, 20.099751, 12.040034, 15.911314,
         15.117741, .024644, 2});
  BOOST_TEST(std::abs(assd(measure(m.p, m.r), assd_convention::mean_of_directed) - 13.975674) < 1e-6);
}

BOOST_AUTO_TEST_CASE(golden_v4_shifted_spheres) {
  pair m({99, 99, 99}, {1, 1, 1});
  masks::add(m.p, sphere{{20, 20, 20}, 20});
  masks::add(m.r, sphere{{19, 19, 19}, 20});
  check("V4", m,
        {.934984, .877906, 4026, 4026, 1.732051, 1.732051, 1.732051, 1.732051, 1.732051, .895861, .895625, .895743,
         .754844, 1});
}

BOOST_AUTO_TEST_CASE(golden_v5_spheres_in_millimetres) {
  pair m({99, 99, 99}, {.85, 1.2, .9});
  masks::add(m.p, sphere{{20, 33, 22}, 15}, 1, {.85, 1.2, .9});
  masks::add(m.r, sphere{{20, 33, 22}, 30}, 1, {.85, 1.2, .9});
  check("V5", m,
        {.245991, .140245, 2440, 9962, 15.439641, 15.625940, 15.167152, 15.024114, 15.215206, 12.548569, 13.722911,
         13.491868, 0, 2});
}

BOOST_AUTO_TEST_CASE(golden_g1_g2_boxes) {
  for (const bool anisotropic : {false, true}) {
    pair m({32, 32, 32}, anisotropic ? std::array<double, 3>{3, 1.5, 1} : std::array<double, 3>{1, 1, 1});
    masks::add(m.p, box{{8, 8, 8}, {24, 24, 24}});
    masks::add(m.r, box{{10, 8, 9}, {24, 26, 24}});
    if (anisotropic)
      check("G2", m, {.853225, .744021, 1352, 1284, 6.082763, 6, 6, 6, 4, 1.730711, 1.181464, 1.463172, .713961, 2});
    else
      check("G1", m, {.853225, .744021, 1352, 1284, 2.236068, 2, 2, 2, 2, .793199, .764798, .779364, .720789, 1});
  }
}

BOOST_AUTO_TEST_CASE(golden_g3_g4_g5_spheres_and_a_false_positive) {
  pair m({48, 48, 48}, {1, 1, 1});
  masks::add(m.p, sphere{{20, 20, 20}, 10});
  masks::add(m.r, sphere{{22, 20, 19}, 11});
  check("G3", m, {.808703, .678842, 978, 1182, 3.464102, 3.605551, 3, 3, 3, 1.236550, 1.439240, 1.347467, .544444, 1});
  masks::add(m.p, box{{40, 40, 40}, {43, 43, 43}});
  check("G4", m,
        {.806468, .675699, 1004, 1182, 26.608269, 3.605551, 3, 3, 3, 1.849424, 1.439240, 1.627632, .537969, 1});
  for (label_volume* v : {&m.p, &m.r}) v->geometry = masks::empty({48, 48, 48}, {2.5, .8, .8}).geometry;
  check("G5", m,
        {.806468, .675699, 1004, 1182, 33.347264, 7.542546, 5.249762, 4, 5.310367, 2.016697, 1.718040, 1.855209,
         .483989, 1});
  const surface_distances d = measure(m.p, m.r);
  BOOST_TEST(std::abs(hd95(d, hd95_convention::pymic) - 5.310367) < 1e-6);
  BOOST_TEST(std::abs(assd(d, assd_convention::mean_of_directed) - 1.867369) < 1e-6);
}

BOOST_AUTO_TEST_CASE(golden_g6_single_voxels) {
  pair m({16, 16, 16}, {1, 1, 1});
  masks::add(m.p, box{{4, 4, 4}, {5, 5, 5}});
  masks::add(m.r, box{{4, 7, 8}, {5, 8, 9}});
  check("G6", m, {0, 0, 1, 1, 5, 5, 5, 5, 5, 5, 5, 5, 0, 1});
}

BOOST_AUTO_TEST_CASE(golden_g7_at_the_border_of_the_image) {
  pair m({16, 16, 16}, {1, 1, 1});
  masks::add(m.p, box{{0, 0, 0}, {8, 8, 8}});
  masks::add(m.r, box{{0, 0, 0}, {9, 8, 8}});
  check("G7", m, {.941176, .888889, 296, 324, 1, 1, 1, 1, 1, .121622, .197531, .161290, .838710, .5});
}

BOOST_AUTO_TEST_CASE(identical_masks_full_volumes_and_thin_sheets) {
  pair m({6, 7, 8}, {5, 1, 1});
  masks::add(m.p, box{{0, 0, 0}, {6, 7, 8}});
  m.r = m.p;
  surface_distances d = measure(m.p, m.r);
  BOOST_TEST(hausdorff(d) == 0.0);
  BOOST_TEST(hd95(d) == 0.0);
  BOOST_TEST(assd(d) == 0.0);
  BOOST_TEST(surface_dice(d, 0) == 1.0);
  BOOST_TEST(d.prediction_surface == 6 * 7 * 8 - 4 * 5 * 6);

  pair sheets({10, 12, 12}, {5, 1, 1});  // one voxel thick, two slices of 5 mm apart
  masks::add(sheets.p, box{{3, 0, 0}, {4, 12, 12}});
  masks::add(sheets.r, box{{5, 0, 0}, {6, 12, 12}});
  d = measure(sheets.p, sheets.r);
  BOOST_TEST(d.prediction_surface == 144);
  BOOST_TEST(hd95(d) == 10.0);
  BOOST_TEST(assd(d) == 10.0);
  BOOST_TEST(surface_dice(d, 9.99) == 0.0);
  BOOST_TEST(surface_dice(d, 10) == 1.0);
  const surface_distances voxels = measure_surfaces(sheets.p, sheets.r, one, {1, 1, 1});
  BOOST_TEST(hd95(voxels) == 2.0);
}

BOOST_AUTO_TEST_CASE(six_neighbours_make_a_border_not_twenty_six) {
  // A 3 x 3 x 3 cube without a corner: its centre has all six neighbours, so it is inside.
  pair m({5, 5, 5}, {1, 1, 1});
  masks::add(m.p, box{{1, 1, 1}, {4, 4, 4}});
  m.p.at(1, 1, 1) = 0;
  m.r = m.p;
  BOOST_TEST(measure(m.p, m.r).prediction_surface == 25);
}

BOOST_AUTO_TEST_CASE(an_empty_mask_has_no_distance) {
  pair m({5, 5, 5}, {1, 1, 1});
  masks::add(m.p, box{{1, 1, 1}, {4, 4, 4}});
  const surface_distances d = measure(m.p, m.r);
  BOOST_TEST(d.prediction_surface == 26);
  BOOST_TEST(d.reference_surface == 0);
  BOOST_CHECK_THROW(static_cast<void>(hd95(d)), config_error);
  BOOST_CHECK_THROW(static_cast<void>(hausdorff(d)), config_error);
  BOOST_CHECK_THROW(static_cast<void>(assd(d)), config_error);
  BOOST_CHECK_THROW(static_cast<void>(surface_dice(d, 1)), config_error);
  BOOST_CHECK_THROW(static_cast<void>(mean_distance(d.reference_to_prediction)), config_error);
}

#if defined(_OPENMP)
BOOST_AUTO_TEST_CASE(threads_change_nothing) {
  pair m({64, 64, 64}, {2.5, .8, .8});
  masks::add(m.p, sphere{{20, 30, 22}, 17});
  masks::add(m.r, sphere{{26, 33, 31}, 25});
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const surface_distances single = measure(m.p, m.r);
  omp_set_num_threads(3);
  const surface_distances several = measure(m.p, m.r);
  omp_set_num_threads(threads);
  BOOST_TEST(single.prediction_to_reference == several.prediction_to_reference);
  BOOST_TEST(single.reference_to_prediction == several.reference_to_prediction);
}
#endif
