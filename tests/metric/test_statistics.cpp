// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE metric_statistics
#include <boost/test/unit_test.hpp>

#include <comodal/metric/crossed_bootstrap.hpp>

#include <nlohmann/json.hpp>

#if defined(_OPENMP)
#include <omp.h>
#endif

#include <fstream>

using namespace comodal;

namespace {

nlohmann::json golden() {
  std::ifstream file(COMODAL_TEST_DATA "/metric_statistics.json");
  return nlohmann::json::parse(file);
}

}  // namespace

BOOST_AUTO_TEST_CASE(wilcoxon_agrees_with_scipy) {
  const nlohmann::json data = golden();
  BOOST_TEST(data["paired"].size() == 7u);
  for (const auto& c : data["paired"]) {
    BOOST_TEST_CONTEXT(c["name"].get<std::string>()) {
      const wilcoxon_result r =
          wilcoxon_signed_rank(c["a"].get<std::vector<double>>(), c["b"].get<std::vector<double>>());
      BOOST_TEST(r.pairs == c["pairs"].get<comodal::index>());
      BOOST_TEST(r.exact == c["exact"].get<bool>());
      BOOST_TEST(r.statistic == c["statistic"].get<double>(), boost::test_tools::tolerance(1e-12));
      BOOST_TEST(r.p == c["p"].get<double>(), boost::test_tools::tolerance(1e-10));
    }
  }
}

BOOST_AUTO_TEST_CASE(wilcoxon_of_equal_lists_and_of_lists_that_do_not_pair) {
  const wilcoxon_result r = wilcoxon_signed_rank({1, 2, 3}, {1, 2, 3});
  BOOST_TEST(r.pairs == 0);
  BOOST_TEST(r.p == 1.0);
  BOOST_TEST(wilcoxon_signed_rank({2}, {1}).p == 1.0);
  BOOST_CHECK_THROW(static_cast<void>(wilcoxon_signed_rank({1, 2}, {1})), shape_error);
}

BOOST_AUTO_TEST_CASE(means_and_percentiles_agree_with_numpy) {
  const nlohmann::json data = golden();
  for (const auto& c : data["paired"]) {
    const auto a = c["a"].get<std::vector<double>>(), b = c["b"].get<std::vector<double>>();
    std::vector<double> d(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) d[i] = a[i] - b[i];
    BOOST_TEST(std::abs(describe(d).mean - c["mean"].get<double>()) < 1e-14);
    BOOST_TEST(describe(d).deviation == c["sd"].get<double>(), boost::test_tools::tolerance(1e-12));
    std::sort(d.begin(), d.end());
    BOOST_TEST(std::abs(linear_percentile(d, 0.025) - c["percentile_2_5"].get<double>()) < 1e-14);
    BOOST_TEST(std::abs(linear_percentile(d, 0.95) - c["percentile_95"].get<double>()) < 1e-14);
  }
  BOOST_TEST(describe({3}).deviation == 0.0);
  BOOST_TEST(std::isnan(describe({}).mean));
  BOOST_CHECK_THROW(static_cast<void>(linear_percentile({}, 0.5)), config_error);
}

BOOST_AUTO_TEST_CASE(rank_correlation_agrees_with_scipy) {
  std::ifstream file(COMODAL_TEST_DATA "/uncertainty.json");
  const nlohmann::json data = nlohmann::json::parse(file);
  BOOST_TEST(data["pairs"].size() == 3u);
  for (const auto& c : data["pairs"])
    BOOST_TEST(
        spearman(c["a"].get<std::vector<double>>(), c["b"].get<std::vector<double>>()) == c["spearman"].get<double>(),
        boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(ranks_and_their_correlation_in_closed_form) {
  BOOST_TEST(mean_ranks({30, 10, 20, 10}) == (std::vector<double>{4, 1.5, 3, 1.5}), boost::test_tools::per_element());
  BOOST_TEST(spearman({1, 2, 3, 4}, {10, 20, 30, 1000}) == 1.0);
  BOOST_TEST(spearman({1, 2, 3, 4}, {4, 3, 2, 1}) == -1.0);
  BOOST_TEST(spearman({1, 2, 3}, {1, 3, 2}) == 0.5);  // 1 - 6 * 2 / (3 * 8)
  BOOST_TEST(std::isnan(spearman({1}, {1})));
  BOOST_TEST(std::isnan(spearman({1, 2}, {3, 3})));
  BOOST_CHECK_THROW(static_cast<void>(spearman({1, 2}, {1})), shape_error);
  BOOST_CHECK_THROW(static_cast<void>(spearman({1, std::nan("")}, {1, 2})), config_error);
}

BOOST_AUTO_TEST_CASE(the_bootstrap_interval_is_near_scipys) {
  const nlohmann::json data = golden();
  const auto& c = data["paired"][data["bootstrap"]["case"].get<std::size_t>()];
  const auto a = c["a"].get<std::vector<double>>(), b = c["b"].get<std::vector<double>>();
  const interval found = bootstrap_difference(a, b, 7, 20000);
  // Two resampling runs differ by their own noise: about 1 % of the interval's width here.
  const double width = data["bootstrap"]["high"].get<double>() - data["bootstrap"]["low"].get<double>();
  BOOST_TEST(std::abs(found.low - data["bootstrap"]["low"].get<double>()) < 0.03 * width);
  BOOST_TEST(std::abs(found.high - data["bootstrap"]["high"].get<double>()) < 0.03 * width);
  BOOST_TEST(found.mean == c["mean"].get<double>(), boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(the_bootstrap_depends_on_the_seed_alone) {
  std::vector<double> a, b(20, 0);
  for (int i = 0; i < 20; ++i) a.push_back(0.01 * i * i);
  const interval first = bootstrap_difference(a, b, 1);
#if defined(_OPENMP)
  const int threads = omp_get_max_threads();
  omp_set_num_threads(threads == 1 ? 3 : 1);
#endif
  const interval again = bootstrap_difference(a, b, 1), other = bootstrap_difference(a, b, 2);
#if defined(_OPENMP)
  omp_set_num_threads(threads);
#endif
  BOOST_TEST(first.low == again.low);
  BOOST_TEST(first.high == again.high);
  BOOST_TEST(first.low != other.low);
  BOOST_TEST(first.low < first.mean);
  BOOST_TEST(first.mean < first.high);
  const interval constant = bootstrap_difference({3, 4, 5}, {1, 2, 3}, 1, 100);
  BOOST_TEST(constant.low == 2.0);
  BOOST_TEST(constant.high == 2.0);
  BOOST_CHECK_THROW(static_cast<void>(bootstrap_difference({}, {}, 1)), shape_error);
  BOOST_CHECK_THROW(static_cast<void>(bootstrap_difference({1}, {1, 2}, 1)), shape_error);
  BOOST_CHECK_THROW(static_cast<void>(bootstrap_difference({1}, {1}, 1, 0)), config_error);
  BOOST_CHECK_THROW(static_cast<void>(bootstrap_difference({1}, {1}, 1, 10, 1)), config_error);
}

BOOST_AUTO_TEST_CASE(the_crossed_bootstrap_of_one_row_is_that_of_its_columns) {
  const std::vector<double> a{0.2, 0.5, 0.1, 0.7, 0.4}, none(5, 0);
  const interval one = crossed_bootstrap({a}, 3, 2000), plain = bootstrap_difference(a, none, 3, 2000);
  BOOST_TEST(one.mean == plain.mean);
  BOOST_TEST(one.low == plain.low);
  BOOST_TEST(one.high == plain.high);
}

BOOST_AUTO_TEST_CASE(the_crossed_bootstrap_draws_rows_and_columns) {
  // 0.1 everywhere but for one cell with 0.3: the mean is 0.1 + 0.05 k m, where k and m of two draws hit its row and
  // its column. 7 of 16 draws give 0.1, one of 16 gives 0.3, so that the interval ends there.
  const interval crossed = crossed_bootstrap({{0.1, 0.1}, {0.1, 0.3}}, 1);
  BOOST_TEST(crossed.mean == 0.15, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(crossed.low == 0.1, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(crossed.high == 0.3, boost::test_tools::tolerance(1e-12));
  // One of four rows is 1: the mean of draws is binomial, B(4, 1/4) / 4, with 2.5 % and 97.5 % at 0 and 0.75.
  const interval rows = crossed_bootstrap({{1, 1, 1}, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}}, 2);
  BOOST_TEST(rows.mean == 0.25);
  BOOST_TEST(rows.low == 0.0);
  BOOST_TEST(rows.high == 0.75);
  // The same, all draws listed: 27 of rows times 256 of columns.
  const std::vector<std::vector<double>> d{{0.1, 0.4, -0.2, 0.3}, {0.2, 0.5, 0.0, 0.1}, {0.6, 0.3, -0.1, 0.2}};
  std::vector<double> all;
  for (int r = 0; r < 27; ++r)
    for (int c = 0; c < 256; ++c) {
      double sum = 0;
      for (const int i : {r % 3, r / 3 % 3, r / 9})
        for (const int j : {c % 4, c / 4 % 4, c / 16 % 4, c / 64})
          sum += d[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)];
      all.push_back(sum / 12);
    }
  std::sort(all.begin(), all.end());
  const interval drawn = crossed_bootstrap(d, 5, 100000);
  const double width = linear_percentile(all, 0.975) - linear_percentile(all, 0.025);
  BOOST_TEST(std::abs(drawn.low - linear_percentile(all, 0.025)) < 0.03 * width);
  BOOST_TEST(std::abs(drawn.high - linear_percentile(all, 0.975)) < 0.03 * width);
}

BOOST_AUTO_TEST_CASE(the_crossed_bootstrap_refuses_what_is_no_matrix) {
  BOOST_CHECK_THROW(static_cast<void>(crossed_bootstrap({}, 1)), shape_error);
  BOOST_CHECK_THROW(static_cast<void>(crossed_bootstrap({{}}, 1)), shape_error);
  BOOST_CHECK_THROW(static_cast<void>(crossed_bootstrap({{1, 2}, {1}}, 1)), shape_error);
  BOOST_CHECK_THROW(static_cast<void>(crossed_bootstrap({{1}}, 1, 0)), config_error);
  BOOST_CHECK_THROW(static_cast<void>(crossed_bootstrap({{1}}, 1, 10, 1)), config_error);
}
