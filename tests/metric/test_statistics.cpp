// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE metric_statistics
#include <boost/test/unit_test.hpp>

#include <comodal/metric/statistics.hpp>

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
