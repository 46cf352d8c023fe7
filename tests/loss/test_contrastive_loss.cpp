// SPDX-License-Identifier: Apache-2.0
// The area-similarity contrast: closed forms, PyTorch's values, small temperatures, and whom its gradient reaches.
#define BOOST_TEST_MODULE loss_contrastive_loss
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/check_gradient.hpp>
#include <comodal/loss/contrastive_loss.hpp>

#include <loss/golden.hpp>

namespace comodal::tests {

using B = bench::backend;
const std::vector<std::pair<std::string, map_similarity>> kinds{
    {"soft_dice", map_similarity::soft_dice}, {"cosine", map_similarity::cosine}, {"iou", map_similarity::iou}};

BOOST_FIXTURE_TEST_CASE(values_and_gradients_are_pytorchs, golden_bench) {
  for (const auto& [kind, similarity] : kinds) {
    const std::string name = "contrast_" + kind;
    compare(name, "anchor", [&, s = similarity](const auto& anchor) {
      return area_similarity_contrast{s, 0.25}(anchor, input(name, "partner"), input(name, "negatives"),
                                               input(name, "allowed"));
    });
  }
}

BOOST_FIXTURE_TEST_CASE(all_maps_receive_gradients_where_that_is_wanted, golden_bench) {
  const area_similarity_contrast contrast{map_similarity::soft_dice, 1, contrast_gradients::all};
  for (const std::string leaf : {"anchor", "partner", "negatives"}) {
    const std::string name = "mutual_contrast_" + leaf;
    compare(name, leaf, [&](const auto& x) {
      const auto of = [&](const std::string& which) { return which == leaf ? x : input(name, which); };
      return contrast(of("anchor"), of("partner"), of("negatives"), input(name, "allowed"));
    });
  }
}

struct closed_forms : bench {
  static constexpr index voxels = 6;
  variable<B> repeated(index count, const variable<B>& map) {
    return concat(std::vector<variable<B>>(static_cast<std::size_t>(count), map), 0);
  }
  variable<B> ones(const shape& extents) {
    return constant(extents, std::vector<double>(static_cast<std::size_t>(extents.size()), 1));
  }
};

BOOST_FIXTURE_TEST_CASE(equal_similarities_give_chance_level, closed_forms) {
  const auto map = constant({1, voxels, 2}, 3, 0.1, 1);
  for (const auto& [name, kind] : kinds)
    for (const double tau : {0.1, 0.5, 1.0})
      for (const index count : {1, 5, 32}) {
        const auto value = area_similarity_contrast{kind, tau}(map, map, repeated(count, map), ones({1, count, 2}));
        for (const double v : host(value))
          BOOST_TEST(v == tau * std::log(1.0 + static_cast<double>(count)), boost::test_tools::tolerance(1e-9));
      }
}

// Why the term is small beside the others: lesions of other patients lie elsewhere. With the 34 negatives of a step of
// the default method and no overlap with any, a partner of similarity 0.8 leaves 0.0011, of which the weight 0.1 takes
// 0.0001; the loss is of the order of 1.
BOOST_FIXTURE_TEST_CASE(maps_that_do_not_overlap_leave_little_to_learn, closed_forms) {
  const auto anchor = constant({1, voxels, 1}, {1, 1, 1, 1, 0, 0}),
             partner = constant({1, voxels, 1}, {1, 1, 1, 1, 2, 0}),
             negative = constant({1, voxels, 1}, {0, 0, 0, 0, 0, 1});
  const double alike = host(similarity(anchor, partner, map_similarity::soft_dice))[0];
  BOOST_TEST(alike == 8.0 / 12, boost::test_tools::tolerance(1e-5));
  const double v = host(area_similarity_contrast{}(anchor, partner, repeated(34, negative), ones({1, 34, 1})))[0];
  BOOST_TEST(v == 0.1 * std::log(1 + 34 * std::exp(-alike / 0.1)), boost::test_tools::tolerance(1e-4));
  BOOST_TEST(v < 0.005);
  BOOST_TEST(0.1 * std::log(1 + 34 * std::exp(-0.8 / 0.1)) < 0.0012);
}

BOOST_FIXTURE_TEST_CASE(agreement_and_difference_give_the_best_value, closed_forms) {
  // The partner is the anchor, negatives do not overlap with it: similarities 1 and 0.
  const auto anchor = constant({1, voxels, 1}, {1, 1, 1, 0, 0, 0}),
             negative = constant({1, voxels, 1}, {0, 0, 0, 1, 1, 1});
  for (const auto& [name, kind] : kinds)
    for (const double tau : {0.1, 0.5, 1.0})
      for (const index count : {1, 5, 32}) {
        const double v = host(
            area_similarity_contrast{kind, tau}(anchor, anchor, repeated(count, negative), ones({1, count, 1})))[0];
        BOOST_TEST(v == tau * std::log(1 + static_cast<double>(count) * std::exp(-1 / tau)),
                   boost::test_tools::tolerance(1e-4));
      }
}

BOOST_FIXTURE_TEST_CASE(similarities_by_hand, closed_forms) {
  const auto a = constant({1, 3, 1}, {1, 0.5, 0}), b = constant({1, 3, 1}, {0.5, 0.5, 1});
  const double ab = 0.75, aa = 1.25, bb = 1.5;
  BOOST_TEST(host(similarity(a, b, map_similarity::soft_dice))[0] == 2 * ab / (aa + bb),
             boost::test_tools::tolerance(1e-5));
  BOOST_TEST(host(similarity(a, b, map_similarity::iou))[0] == ab / (aa + bb - ab), boost::test_tools::tolerance(1e-5));
  BOOST_TEST(host(similarity(a, b, map_similarity::cosine))[0] == ab / std::sqrt(aa * bb),
             boost::test_tools::tolerance(1e-5));
  const auto nothing = constant({1, 3, 1}, {0, 0, 0});
  for (const auto& [name, kind] : kinds) BOOST_TEST(std::isfinite(host(similarity(nothing, nothing, kind))[0]));
}

BOOST_FIXTURE_TEST_CASE(only_allowed_negatives_count, closed_forms) {
  const auto anchor = constant({2, voxels, 2}, 4, 0, 1), partner = constant({2, voxels, 2}, 5, 0, 1),
             negatives = constant({3, voxels, 2}, 6, 0, 1);
  const area_similarity_contrast loss;
  // Sample 0: only negative 1 for class 0, none for class 1. Sample 1: all.
  const auto allowed = constant({2, 3, 2}, {0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1});
  const auto value = host(loss(anchor, partner, negatives, allowed));
  const auto single = host(loss(anchor, partner, slice(negatives, 0, 1, 2), ones({2, 1, 2})));
  BOOST_TEST(value[0] == single[0], boost::test_tools::tolerance(1e-12));
  BOOST_TEST(value[1] == 0);
  BOOST_TEST(value[2] > single[2]);
  // No negative at all.
  const auto none = loss(anchor, partner, {}, {});
  BOOST_TEST((none.shape() == shape{2, 2}));
  BOOST_TEST(largest(host(none)) == 0);
}

BOOST_FIXTURE_TEST_CASE(it_falls_when_the_partners_agree, closed_forms) {
  const auto anchor = constant({1, voxels, 1}, 4, 0, 1), partner = constant({1, voxels, 1}, 5, 0, 1),
             negatives = constant({2, voxels, 1}, 6, 0, 1);
  const area_similarity_contrast loss;
  const auto allowed = ones({1, 2, 1});
  const auto between = [&](double share) { return add(scale(anchor, 1 - share), scale(partner, share)); };
  double before = host(loss(anchor, partner, negatives, allowed))[0];
  for (const double share : {0.4, 0.8}) {
    const double now = host(loss(between(share), partner, negatives, allowed))[0];
    BOOST_TEST(now < before);
    before = now;
  }
}

BOOST_FIXTURE_TEST_CASE(partners_and_negatives_receive_no_gradient, closed_forms) {
  const auto anchor = leaf({1, voxels, 1}, 4, 0, 1), partner = leaf({1, voxels, 1}, 5, 0, 1),
             negatives = leaf({2, voxels, 1}, 6, 0, 1);
  home.backward(sum(area_similarity_contrast{}(anchor, partner, negatives, ones({1, 2, 1}))));
  BOOST_TEST(largest(gradient(anchor)) > 1e-3);
  BOOST_TEST(!partner.grad());
  BOOST_TEST(!negatives.grad());
}

BOOST_FIXTURE_TEST_CASE(gradients_are_those_of_finite_differences, closed_forms) {
  const auto anchor = leaf({2, voxels, 2}, 4, 0, 1);
  const auto partner = constant({2, voxels, 2}, 5, 0, 1), negatives = constant({3, voxels, 2}, 6, 0, 1);
  const auto allowed = constant({2, 3, 2}, {0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1});
  for (const auto& [name, kind] : kinds) {
    const area_similarity_contrast loss{kind, 0.1};
    const auto report =
        check_gradient<B>([&](const auto& v) { return loss(v[0], partner, negatives, allowed); }, {anchor}, 1e-6, 0);
    BOOST_TEST(report.passed(1e-6), name << ": " << report.worst << " at " << report.place);
  }
}

using single_precision = bench_of<kokkos_backend<default_space, float>>;

// In single precision e^(1 / tau) is too large a number for tau below 0.0113.
BOOST_FIXTURE_TEST_CASE(small_temperatures_stay_finite, single_precision) {
  const auto anchor = home.leaf(ctx.make({1, 4, 1}, {1, 1, 0, 0}));
  const auto partner = constant({1, 4, 1}, {0, 0, 1, 1}), negatives = constant({2, 4, 1}, {1, 1, 0, 0, 0, 1, 0, 0});
  for (const double tau : {0.01, 0.001}) {
    anchor.zero_grad();
    // The first negative is as like the anchor as can be, the partner as unlike: the loss is 1, the whole margin.
    const auto value = area_similarity_contrast{map_similarity::soft_dice, tau}(anchor, partner, negatives,
                                                                                constant({1, 2, 1}, {1, 1}));
    BOOST_TEST(host(value)[0] == 1.f, boost::test_tools::tolerance(1e-4f));
    home.backward(sum(value));
    BOOST_TEST(std::isfinite(largest(gradient(anchor))));
    BOOST_TEST(largest(gradient(anchor)) > 0.1);
    // The same negative, not allowed: nothing of it is left.
    const auto without = area_similarity_contrast{map_similarity::soft_dice, tau}(anchor, partner, negatives,
                                                                                  constant({1, 2, 1}, {0, 0}));
    BOOST_TEST(host(without)[0] == 0.f);
  }
}

BOOST_FIXTURE_TEST_CASE(shapes_that_do_not_fit_are_refused, closed_forms) {
  const auto anchor = constant({2, voxels, 2}, 4);
  const area_similarity_contrast loss;
  BOOST_CHECK_EXCEPTION((void)loss(anchor, constant({2, voxels, 1}, 4), {}, {}), shape_error, says("partner"));
  BOOST_CHECK_THROW((void)loss(anchor, anchor, constant({3, voxels + 1, 2}, 4), constant({2, 3, 2}, 4)), shape_error);
  BOOST_CHECK_THROW((void)loss(anchor, anchor, constant({3, voxels, 2}, 4), constant({2, 2, 2}, 4)), shape_error);
}

}  // namespace comodal::tests
