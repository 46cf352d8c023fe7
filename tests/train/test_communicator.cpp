// SPDX-License-Identifier: Apache-2.0
// Two processes that train together, played by two threads: they end with the same weights, which are those of one
// process with all crops, and only rank 0 writes.
#define BOOST_TEST_MODULE train_communicator
#include <boost/test/unit_test.hpp>

#include <comodal/ssl/method_registry.hpp>
#include <comodal/train/trainer.hpp>

#include <nn/support.hpp>
#include <train/noise_cases.hpp>

#include <barrier>
#include <exception>
#include <map>
#include <thread>

namespace comodal::tests {

using B = default_backend;

// What the threads share: a place for the values of each, and points where they wait for each other.
struct meeting {
  std::barrier<> wait{2};
  std::array<std::vector<float>, 2> values;
};

// A communicator of two threads. It adds in the order of ranks.
class thread_communicator {
 public:
  thread_communicator(meeting& at, int rank) : m_at(&at), m_rank(rank) {}
  [[nodiscard]] int rank() const { return m_rank; }
  [[nodiscard]] static int size() { return 2; }
  void mean(context<B>& ctx, const context<B>::tensor_type& values) const {
    exchange(ctx, values, [](float a, float b) { return (a + b) / 2; });
  }
  void broadcast(context<B>& ctx, const context<B>::tensor_type& values) const {
    exchange(ctx, values, [](float a, float) { return a; });
  }

 private:
  template <class Join>
  void exchange(context<B>& ctx, const context<B>::tensor_type& values, const Join& join) const {
    m_at->values[static_cast<std::size_t>(m_rank)] = to_host(ctx.space(), values);
    m_at->wait.arrive_and_wait();
    std::vector<float> joined;
    for (std::size_t i = 0; i < m_at->values[0].size(); ++i)
      joined.push_back(join(m_at->values[0][i], m_at->values[1][i]));
    m_at->wait.arrive_and_wait();
    copy_from_host(ctx.space(), joined, values);
  }
  meeting* m_at;
  int m_rank;
};
static_assert(communicator<thread_communicator, B>);
static_assert(communicator<self_communicator, B>);

// Trains supervised for four steps. @param seed of the initial weights @return the weights
std::vector<float> train(const noise_cases& data, const std::filesystem::path& folder, index crops, std::uint64_t seed,
                         any_communicator<B> processes) {
  bench_of<B> at;
  network_options network;
  network.stream_channels = {4, 8};
  network.fused_channels = {8, 8};
  auto method =
      make_method<B>(at.home, supervised_options{.weights = "student"}, network, 2, target_map::of_classes(2), seed);
  batch_options batch;
  batch.patch_size = {8, 16, 16};
  batch.labelled = crops;
  batch_maker<> maker(batch, data.labelled, {}, 1, method.views());
  model_plan plan;
  plan.modalities = {"T1", "T2"};
  plan.labels = {{"background", {0}}, {"lesion", {1}}};
  plan.network = network;
  plan.method = "supervised";
  plan.patch_size = batch.patch_size;
  optimiser_options rates;
  rates.learning_rate = 0.05;
  rates.clip = 0;
  trainer<B> loop(method, rates, maker, {.threads = 0, .depth = 1}, {.steps = 4, .log_every = 1}, plan, folder,
                  optimiser_registry<B>::built_in(), std::move(processes));
  BOOST_TEST(loop.run().finished);
  return all_values(*method.trained()[0].store);
}

BOOST_AUTO_TEST_CASE(two_processes_train_as_one_with_all_crops) {
  const noise_cases data(4, 4);
  const temporary_folder alone, first, second;
  const auto expected = train(data, alone.path(), 4, 1, {});
  meeting at;
  std::array<std::vector<float>, 2> weights;
  std::array<std::exception_ptr, 2> failures;
  {
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < 2; ++rank)
      threads.emplace_back([&, rank] {
        const auto r = static_cast<std::size_t>(rank);
        try {
          // Rank 1 begins with other weights: rank 0's count.
          weights[r] = train(data, rank == 0 ? first.path() : second.path(), 2, rank == 0 ? 1 : 9,
                             any_communicator<B>(thread_communicator(at, rank)));
        } catch (...) {
          failures[r] = std::current_exception();
          at.wait.arrive_and_drop();
        }
      });
  }
  for (const auto& failure : failures)
    if (failure) std::rethrow_exception(failure);
  BOOST_TEST((weights[0] == weights[1]));
  BOOST_REQUIRE(weights[0].size() == expected.size());
  double apart = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    apart = std::max(apart, static_cast<double>(std::fabs(expected[i] - weights[0][i])));
  BOOST_TEST(apart < 1e-5);  // sums in another order
  BOOST_TEST(largest(expected) > 0.1);
  for (const char* file : {"model.safetensors", "checkpoint.safetensors", "log.csv", "log.jsonl"}) {
    BOOST_TEST(std::filesystem::exists(first.path() / file), file);
    BOOST_TEST(!std::filesystem::exists(second.path() / file), file);
  }
}

}  // namespace comodal::tests
