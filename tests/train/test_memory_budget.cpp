// SPDX-License-Identifier: Apache-2.0
// The search for how many stages to compute again; tests/cli tries it on steps.
#define BOOST_TEST_MODULE train_memory_budget
#include <boost/test/unit_test.hpp>

#include <comodal/train/memory_budget.hpp>

namespace comodal::tests {

struct searched {
  std::optional<index> found;
  double least;
  std::vector<index> tried;
  // `bytes`: what 0, 1, 2 ... take
  searched(const std::vector<double>& bytes, double budget) {
    const auto result = detail::search_down(static_cast<index>(bytes.size()) - 1, budget, [&](index number) {
      tried.push_back(number);
      return bytes[static_cast<std::size_t>(number)];
    });
    found = result.found;
    least = result.least;
  }
};

BOOST_AUTO_TEST_CASE(the_fewest_stages_that_fit_are_found_from_above) {
  const searched middle({10, 7, 6, 5}, 6.5), tight({10, 7, 6, 5}, 5), ample({10, 7, 6, 5}, 20);
  BOOST_TEST((middle.found == 2));
  BOOST_TEST((middle.tried == std::vector<index>{3, 2, 1}));
  BOOST_TEST((tight.found == 3));
  BOOST_TEST((tight.tried == std::vector<index>{3, 2}));
  BOOST_TEST((ample.found == 0));
}

BOOST_AUTO_TEST_CASE(numbers_that_take_more_than_a_smaller_one_are_passed_over) {
  BOOST_TEST((searched({10, 7, 6, 6.5}, 6.2).found == 2));
}

BOOST_AUTO_TEST_CASE(without_a_fit_all_are_tried_and_the_least_is_named) {
  const searched result({10, 7, 6, 6.5}, 5);
  BOOST_TEST(!result.found);
  BOOST_TEST(result.least == 6);
  BOOST_TEST(result.tried.size() == 4u);
}

}  // namespace comodal::tests
