// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_phantom_case
#include <comodal/data/phantom_case.hpp>

#include <boost/test/unit_test.hpp>

#include <omp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace comodal::tests {
namespace {

/// The default head on a grid that is coarser by the given factor.
phantom_options coarse(index factor) {
  phantom_options o;
  for (std::size_t a = 0; a < 3; ++a) {
    o.grid[a] /= factor;
    o.spacing[a] *= static_cast<double>(factor);
  }
  return o;
}

bool is_lesion(tissue t) { return t == tissue::oedema || t == tissue::rim || t == tissue::core; }

double lesion_ml(const phantom_anatomy& anatomy) {
  const auto& step = anatomy.grid.step;
  return static_cast<double>(std::count_if(anatomy.tissues.begin(), anatomy.tissues.end(), is_lesion)) * step[0] *
         step[1] * step[2] / 1000;
}

/// Calls visit(tissue, tissue) for every voxel of a lesion and each of its six neighbours.
template <class Visit>
void visit_lesion_neighbours(const phantom_anatomy& anatomy, Visit visit) {
  const sample_grid& g = anatomy.grid;
  constexpr std::array<std::array<index, 3>, 6> steps{
      {{1, 0, 0}, {-1, 0, 0}, {0, 1, 0}, {0, -1, 0}, {0, 0, 1}, {0, 0, -1}}};
  for (index k = 1; k + 1 < g.size[2]; ++k)
    for (index j = 1; j + 1 < g.size[1]; ++j)
      for (index i = 1; i + 1 < g.size[0]; ++i) {
        const tissue here = anatomy.tissues[static_cast<std::size_t>(g.offset(i, j, k))];
        if (!is_lesion(here)) continue;
        for (const auto& s : steps)
          visit(here, anatomy.tissues[static_cast<std::size_t>(g.offset(i + s[0], j + s[1], k + s[2]))]);
      }
}

}  // namespace

BOOST_AUTO_TEST_CASE(rows_of_a_field_agree_with_its_points) {
  const phantom_key key{3, 1};
  const smooth_field field(key.stream(phantom_stage::fold), {40, 50, 30}, 9, 2);
  const sample_grid grid{{37, 11, 7}, {2.5, 11, 12}, {-44, -60, -35}};
  field_rows rows(field, grid);
  std::vector<float> row(37);
  double square = 0;
  for (index k = 0; k < 7; ++k) {
    rows.slice(k);
    for (index j = 0; j < 11; ++j) {
      rows.row(j, row.data());
      for (index i = 0; i < 37; ++i) {
        const double value = field.at(grid.position(i, j, k));
        BOOST_TEST(std::abs(value - static_cast<double>(row[static_cast<std::size_t>(i)])) < 1e-5);
        square += value * value;
      }
    }
  }
  BOOST_TEST(std::sqrt(square / (37 * 11 * 7)) > 0.7);
  BOOST_TEST(std::sqrt(square / (37 * 11 * 7)) < 1.3);
}

BOOST_AUTO_TEST_CASE(a_case_is_a_function_of_seed_and_number) {
  const phantom_options o = coarse(2);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const phantom_case one = make_phantom_case(o, 7, 5);
  omp_set_num_threads(3);
  const phantom_case three = make_phantom_case(o, 7, 5);
  omp_set_num_threads(threads);
  for (std::size_t m = 0; m < 4; ++m) BOOST_TEST(one.images[m].values == three.images[m].values);
  BOOST_TEST(one.labels.values == three.labels.values);
  BOOST_TEST((one.labels.geometry.affine == three.labels.geometry.affine));

  const phantom_case other_case = make_phantom_case(o, 7, 6), other_seed = make_phantom_case(o, 8, 5);
  BOOST_TEST(one.labels.values != other_case.labels.values);
  BOOST_TEST(one.labels.values != other_seed.labels.values);

  phantom_options larger = o;
  larger.labelled = 9;
  larger.unlabelled = 90;
  larger.test = 1;
  const phantom_case in_a_larger_cohort = make_phantom_case(larger, 7, 5);
  for (std::size_t m = 0; m < 4; ++m) BOOST_TEST(one.images[m].values == in_a_larger_cohort.images[m].values);
}

BOOST_AUTO_TEST_CASE(lesions_are_nested_and_inside_the_brain) {
  for (std::uint32_t c = 0; c < 6; ++c) {
    const phantom_options o = coarse(2);
    const phantom_key key{11, c};
    const phantom_head head(o, key);
    const phantom_anatomy anatomy = make_phantom_anatomy(o, key);
    visit_lesion_neighbours(anatomy, [](tissue here, tissue next) {
      if (here == tissue::core) BOOST_REQUIRE(next == tissue::core || next == tissue::rim);
      if (here == tissue::rim) BOOST_REQUIRE(is_lesion(next));
    });
    const sample_grid& g = anatomy.grid;
    for (index k = 0; k < g.size[2]; ++k)
      for (index j = 0; j < g.size[1]; ++j)
        for (index i = 0; i < g.size[0]; ++i)
          if (is_lesion(anatomy.tissues[static_cast<std::size_t>(g.offset(i, j, k))])) {
            const tissue before = head.at(g.position(i, j, k));
            BOOST_REQUIRE(before != tissue::air && before != tissue::fat && before != tissue::scalp &&
                          before != tissue::skull);
          }
  }
}

BOOST_AUTO_TEST_CASE(labels_of_the_default_grid_are_nested_too) {
  const phantom_case made = make_phantom_case({}, 1, 1);
  const auto& size = made.labels.geometry.size;
  std::array<index, 4> count{};
  index core_faces = 0, open_faces = 0;
  for (index k = 1; k + 1 < size[2]; ++k)
    for (index j = 1; j + 1 < size[1]; ++j)
      for (index i = 1; i + 1 < size[0]; ++i) {
        const std::uint8_t here = made.labels.at(i, j, k);
        ++count[here];
        if (here != 1) continue;
        for (const std::uint8_t next :
             {made.labels.at(i + 1, j, k), made.labels.at(i - 1, j, k), made.labels.at(i, j + 1, k),
              made.labels.at(i, j - 1, k), made.labels.at(i, j, k + 1), made.labels.at(i, j, k - 1)}) {
          ++core_faces;
          open_faces += next == 0 ? 1 : 0;
        }
      }
  for (std::size_t l = 1; l < 4; ++l) BOOST_TEST(count[l] > 20);
  BOOST_TEST(core_faces > 0);
  BOOST_TEST(open_faces * 100 <= core_faces);
}

BOOST_AUTO_TEST_CASE(a_hundred_and_fifty_cases_have_the_planned_volumes_and_faults) {
  phantom_options small = coarse(4);
  small.supersampling = 1;
  std::vector<double> volumes;
  int missing = 0, oblique = 0;
  constexpr int cases = 150;
  for (std::uint32_t c = 0; c < cases; ++c) {
    const phantom_case made = make_phantom_case(small, 2, c);
    const auto absent = std::count(made.present.begin(), made.present.end(), false);
    BOOST_TEST(absent <= 1);
    missing += absent == 1 ? 1 : 0;
    const auto& affine = made.labels.geometry.affine;
    oblique += affine[0][1] != 0 ? 1 : 0;
    const auto spacing = made.labels.geometry.spacing();
    for (std::size_t a = 0; a < 3; ++a) BOOST_TEST(std::abs(spacing[a] - small.spacing[a]) < 1e-5);
    for (const auto& image : made.images) {
      BOOST_TEST((image.geometry.affine == affine));
      BOOST_TEST(std::all_of(image.values.begin(), image.values.end(),
                             [](float v) { return v >= 0 && v < 32767 && v == std::round(v); }));
    }
    if (c < 60) {
      phantom_options medium = coarse(2);
      medium.supersampling = 1;
      volumes.push_back(lesion_ml(make_phantom_anatomy(medium, {2, c})));
    }
  }
  // Binomial: four standard deviations around the expected share.
  BOOST_TEST(std::abs(missing - 0.15 * cases) < 4 * std::sqrt(cases * 0.15 * 0.85));
  BOOST_TEST(std::abs(oblique - 0.10 * cases) < 4 * std::sqrt(cases * 0.10 * 0.90));
  BOOST_TEST(oblique > 0);
  std::sort(volumes.begin(), volumes.end());
  const double median = volumes[volumes.size() / 2];
  BOOST_TEST(median > 6.5);
  BOOST_TEST(median < 12);
  BOOST_TEST(volumes.front() > 2);
  BOOST_TEST(volumes.back() < 41);
  BOOST_TEST(volumes.back() > 2 * volumes.front());
}

BOOST_AUTO_TEST_CASE(a_clean_image_shows_the_table_of_contrasts) {
  phantom_options o = coarse(2);
  o.noise = o.bias = {0, 0};
  o.shift = o.contrast_jitter = 0;
  const phantom_key key{5, 2};
  const phantom_anatomy anatomy = make_phantom_anatomy(o, key);
  const std::array tissues{tissue::csf, tissue::grey, tissue::white, tissue::oedema, tissue::rim, tissue::core};
  for (std::size_t m = 0; m < 4; ++m) {
    const image_volume image = acquire_phantom(o, key, anatomy, m);
    std::array<index, tissue_count> pure{};
    for (index k = 0; k < o.grid[2]; ++k)
      for (index j = 0; j < o.grid[1]; ++j)
        for (index i = 0; i < o.grid[0]; ++i) {
          const auto at = [&](index a) {
            return anatomy.tissues[static_cast<std::size_t>(
                anatomy.grid.offset(2 * i + (a & 1), 2 * j + (a >> 1 & 1), 2 * k + (a >> 2)))];
          };
          const tissue t = at(0);
          bool same = true;
          for (index a = 1; a < 8; ++a) same = same && at(a) == t;
          if (!same) continue;
          ++pure[static_cast<std::size_t>(t)];
          const float value = image.at(i, j, k);
          for (std::size_t n = 0; n < tissues.size(); ++n)
            if (t == tissues[n]) BOOST_REQUIRE(std::abs(static_cast<double>(value) - 1000 * o.contrast[m][n]) < 0.6);
          if (t == tissue::air) BOOST_REQUIRE(value == 0.0f);
          if (t == tissue::vessel)
            BOOST_REQUIRE(std::abs(static_cast<double>(value) - 1000 * (m == 2 ? o.contrast[2][4] : o.contrast[m][1])) <
                          0.6);
          if (t == tissue::spot)
            BOOST_REQUIRE(std::abs(static_cast<double>(value) - 1000 * (m == 0 ? o.contrast[0][3] : o.contrast[m][2])) <
                          0.6);
        }
    for (const tissue t : {tissue::air, tissue::csf, tissue::grey, tissue::white, tissue::oedema, tissue::rim})
      BOOST_TEST(pure[static_cast<std::size_t>(t)] > 0);
  }
}

BOOST_AUTO_TEST_CASE(a_case_keeps_its_contrasts_within_the_jitter) {
  const phantom_options o;
  std::set<double> seen;
  for (std::uint32_t c = 0; c < 20; ++c)
    for (std::size_t m = 0; m < 4; ++m) {
      const auto contrast = phantom_contrast(o, {1, c}, m);
      const std::array tissues{tissue::csf, tissue::grey, tissue::white, tissue::oedema, tissue::rim, tissue::core};
      for (std::size_t n = 0; n < tissues.size(); ++n) {
        const double found = contrast[static_cast<std::size_t>(tissues[n])], expected = o.contrast[m][n];
        BOOST_TEST(std::abs(found - expected) <= 0.1 * (expected + o.contrast[m][2]) + 1e-12);
        seen.insert(found);
      }
      BOOST_TEST(contrast[static_cast<std::size_t>(tissue::air)] == 0.0);
    }
  BOOST_TEST(seen.size() == 20u * 4u * 6u);
}

BOOST_AUTO_TEST_CASE(each_image_shows_its_part_of_the_lesion) {
  const phantom_case made = make_phantom_case({}, 4, 3);
  std::array<std::array<double, 4>, 4> mean{};
  for (std::size_t m = 0; m < 4; ++m) {
    std::array<double, 4> count{};
    for (std::size_t n = 0; n < made.labels.values.size(); ++n) {
      const std::size_t l = made.labels.values[n];
      mean[m][l] += static_cast<double>(made.images[m].values[n]);
      ++count[l];
    }
    for (std::size_t l = 0; l < 4; ++l) mean[m][l] /= count[l];
  }
  BOOST_TEST(mean[0][2] > mean[0][1]);         // FLAIR: oedema above core
  BOOST_TEST(mean[2][3] > 1.2 * mean[1][3]);   // the rim takes up contrast,
  BOOST_TEST(mean[2][2] < 1.25 * mean[1][2]);  // oedema does not
  BOOST_TEST(mean[3][1] > mean[3][3]);         // T2: the core is brighter than the rim
}

BOOST_AUTO_TEST_CASE(shifting_by_whole_voxels_moves_the_image) {
  const auto still = detail::covered(5, 2, 0), half = detail::covered(5, 2, 0.5), back = detail::covered(5, 2, -0.25);
  BOOST_TEST(still.first == 10);
  BOOST_TEST(still.weight == (std::vector<double>{0.5, 0.5, 0}));
  BOOST_TEST(half.first == 11);
  BOOST_TEST(half.weight == (std::vector<double>{0.5, 0.5, 0}));
  BOOST_TEST(back.first == 9);
  BOOST_TEST(back.weight == (std::vector<double>{0.25, 0.5, 0.25}));
}

BOOST_AUTO_TEST_CASE(rician_noise_has_its_moments) {
  constexpr index count = 40000;
  std::vector<float> air(count, 0.0f), bright(count, 1000.0f);
  random_stream stream(1, random_purpose::test);
  detail::add_rician_noise(stream, 50, count, air.data());
  detail::add_rician_noise(stream, 50, count, bright.data());
  const auto moments = [](const std::vector<float>& v) {
    double sum = 0, square = 0;
    for (const float x : v) sum += static_cast<double>(x), square += static_cast<double>(x) * static_cast<double>(x);
    const double mean = sum / count;
    return std::array{mean, std::sqrt(square / count - mean * mean)};
  };
  BOOST_TEST(std::abs(moments(air)[0] - 50 * std::sqrt(3.141592653589793 / 2)) < 1);  // Rayleigh
  BOOST_TEST(std::abs(moments(bright)[0] - (1000 + 50 * 50 / 2000.0)) < 1.5);
  BOOST_TEST(std::abs(moments(bright)[1] - 50) < 1);
}

BOOST_AUTO_TEST_CASE(copies_are_the_same_image) {
  phantom_options o = coarse(2);
  const phantom_case real = make_phantom_case(o, 9, 0);
  o.copies = true;
  const phantom_case copies = make_phantom_case(o, 9, 0);
  for (std::size_t m = 0; m < 4; ++m) BOOST_TEST(copies.images[m].values == real.images[0].values);
  BOOST_TEST(real.images[1].values != real.images[0].values);
  BOOST_TEST(copies.labels.values == real.labels.values);
}

BOOST_AUTO_TEST_CASE(a_coarser_grid_sees_the_same_head) {
  const phantom_options full, half = coarse(2);
  const phantom_case fine = make_phantom_case(full, 6, 4), rough = make_phantom_case(half, 6, 4);
  index both = 0, either = 0;
  for (index k = 0; k < half.grid[2]; ++k)
    for (index j = 0; j < half.grid[1]; ++j)
      for (index i = 0; i < half.grid[0]; ++i) {
        int votes = 0;
        for (index a = 0; a < 8; ++a)
          votes += fine.labels.at(2 * i + (a & 1), 2 * j + (a >> 1 & 1), 2 * k + (a >> 2)) != 0;
        const bool expected = votes >= 4, found = rough.labels.at(i, j, k) != 0;
        both += expected && found ? 2 : 0;
        either += (expected ? 1 : 0) + (found ? 1 : 0);
      }
  BOOST_TEST(either > 0);
  BOOST_TEST(static_cast<double>(both) / static_cast<double>(either) > 0.85);
}

BOOST_AUTO_TEST_CASE(every_option_has_a_name) {
  phantom_options o;
  std::set<std::string> names;
  std::size_t bytes = 0;
  visit_phantom_options(o, [&](std::string_view name, auto& value, auto) {
    BOOST_TEST(names.insert(std::string(name)).second);
    bytes += sizeof(value);
  });
  BOOST_TEST(bytes == sizeof(phantom_options) - (sizeof(double) - sizeof(bool)));
}

BOOST_AUTO_TEST_CASE(presets_are_valid_and_go_their_way) {
  const phantom_options usual;
  phantom_options easy, hard;
  make_easy(easy);
  make_hard(hard);
  BOOST_CHECK_NO_THROW(check(usual));
  BOOST_CHECK_NO_THROW(check(easy));
  BOOST_CHECK_NO_THROW(check(hard));
  BOOST_TEST(easy.noise[1] < usual.noise[0]);
  BOOST_TEST(hard.noise[0] >= usual.noise[1]);
  BOOST_TEST(easy.lesion_ml > usual.lesion_ml);
  BOOST_TEST(hard.lesion_ml < usual.lesion_ml);
}

BOOST_AUTO_TEST_CASE(nonsense_is_refused_by_name) {
  const auto refused = [](auto change, const std::string& name) {
    phantom_options o;
    change(o);
    BOOST_CHECK_EXCEPTION(check(o), config_error, [&](const config_error& e) {
      return std::string(e.what()).find("phantom." + name + " ") == 0;
    });
  };
  refused([](phantom_options& o) { o.noise = {0.2, 0.1}; }, "noise");
  refused([](phantom_options& o) { o.missing = 1.5; }, "missing");
  refused([](phantom_options& o) { o.lesion_sigma = -1; }, "lesion_sigma");
  refused([](phantom_options& o) { o.grid[1] = 0; }, "grid");
  refused([](phantom_options& o) { o.spacing[2] = std::nan(""); }, "spacing");
  refused([](phantom_options& o) { o.supersampling = 0; }, "supersampling");
  refused([](phantom_options& o) { o.contrast[2][4] = -1; }, "contrast_t1ce");
  refused([](phantom_options& o) { o.unlabelled = 6000; }, "unlabelled");
}

}  // namespace comodal::tests
