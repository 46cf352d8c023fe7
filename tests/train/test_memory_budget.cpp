// SPDX-License-Identifier: Apache-2.0
// The search for how many stages to compute again; tests/cli tries it on steps.
#define BOOST_TEST_MODULE train_memory_budget
#include <boost/test/unit_test.hpp>

#include <comodal/train/memory_budget.hpp>

#include <ssl/support.hpp>

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

// The most that tensors take in a run whose queue of negatives fills.
std::size_t peak_of_a_run(const named_options& options, const network_options& network) {
  context<default_backend> ctx;
  tape<default_backend> home(ctx);
  auto method = make_method<default_backend>(home, options, network, 2, target_map::of_classes(tiny_classes), 1);
  optimiser_set<default_backend> optimiser({}, method.trained());
  for (std::uint32_t step = 0; step < 36; ++step) {
    optimiser.zero_grad();
    (void)method.step(tiny_batch(step), {step, 36});
    (void)optimiser.update(0.01, step);
    method.after_update({step, 36});
  }
  return ctx.pool().statistics().peak;
}

BOOST_AUTO_TEST_CASE(a_step_is_measured_with_a_full_queue) {
  using backend = default_backend;
  contrastive_mutual_learning_options options{.queue = 64, .pool = 1};
  auto network = tiny_network();
  const auto measured = [&] {
    return step_bytes<backend>(
        [&](tape<backend>& home, index checkpointed) {
          network.checkpointed = checkpointed;
          return make_method<backend>(home, options, network, 2, target_map::of_classes(tiny_classes), 1);
        },
        [](const any_method<backend>& method) { return optimiser_set<backend>({}, method.trained()); }, 0,
        options.queue, tiny_batch(0));
  };
  const std::size_t full = measured();
  BOOST_TEST(full >= peak_of_a_run(options, network));
  options.queue = 1;
  // 64 maps of 4 x 8 x 8 voxels and 2 classes: in the queue, and once more where they stand beside the step's own.
  BOOST_TEST(full >= measured() + 2 * 64 * (4 * 8 * 8) * 2 * sizeof(float));
}

}  // namespace comodal::tests
