// SPDX-License-Identifier: Apache-2.0
// What follows a backward pass - clipping, update, average - as kernels over arenas: their number, their bytes on any
// number of threads, what was not reached, and checkpoints of before the arenas.
#define BOOST_TEST_MODULE train_update
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/reduction.hpp>
#include <comodal/core/runtime.hpp>
#include <comodal/nn/averaging.hpp>
#include <comodal/train/optimiser_registry.hpp>

#include <nn/support.hpp>

#include <cmath>

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace comodal::tests {

using bench32 = bench_of<default_backend>;
using B = default_backend;

// A store of `number` parameters, and its average.
struct trained : bench32 {
  parameter_store<B> student{home, 1}, teacher{home, 1};

  explicit trained(int number) {
    for (auto* store : {&student, &teacher})
      for (int k = 0; k < number; ++k) {
        (void)store->normal(text("w", k), {3, 5, 7 + k}, 0.3);
        (void)store->constant(text("b", k), {11 + 37 * k}, 0.1);
      }
  }
  // Gradients that depend on the step, for the parameters of which `reaches(k)`.
  template <class Reaches>
  void backward(std::uint32_t step, const Reaches& reaches) {
    variable<B> loss;
    for (std::size_t k = 0; k < student.all().size(); ++k) {
      if (!reaches(k)) continue;
      const auto& p = student.all()[k].value;
      const auto term = sum(multiply(p, constant(p.shape(), 1000 * step + static_cast<std::uint32_t>(k))));
      loss = loss ? loss + term : term;
    }
    home.backward(loss);
  }
  void backward(std::uint32_t step) {
    backward(step, [](std::size_t) { return true; });
  }
  void follow(any_optimiser<B>& optimiser, std::uint32_t step) {
    (void)optimiser.update(student, 0.05, step);
    average_parameters(student, teacher, ema_factor(step, 0.9));
    student.zero_grad();
  }
};

any_optimiser<B> of_name(const std::string& name) {
  optimiser_options o;
  o.name = name;
  o.clip = 0.5;
  return make_optimiser<B>(o);
}

BOOST_AUTO_TEST_CASE(the_number_of_kernels_does_not_depend_on_the_number_of_parameters) {
  for (const std::string name : {"sgd", "adamw"}) {
    const auto kernels = [&](int number, bool all) {
      trained run(number);
      auto optimiser = of_name(name);
      std::vector<index> counts;
      for (std::uint32_t step = 0; step < 3; ++step) {
        run.backward(step, [all](std::size_t k) { return all || k != 1; });
        const index before = runs(run.ctx);
        run.follow(optimiser, step);
        counts.push_back(runs(run.ctx) - before);
      }
      BOOST_TEST(counts[1] == counts[2]);
      return counts[2];
    };
    // The sum of squares, its root and the factor, the update, the average, and zeros for the next gradients.
    BOOST_TEST(kernels(1, true) == 5, name);
    BOOST_TEST(kernels(40, true) == 5, name);
    BOOST_TEST(kernels(40, false) == 5, name);
  }
}

BOOST_AUTO_TEST_CASE(the_same_bytes_on_any_number_of_threads) {
#if defined(_OPENMP)
  const int before = omp_get_max_threads();
  for (const std::string name : {"sgd", "adamw"}) {
    std::vector<std::vector<float>> first;
    for (int threads = 1; threads <= 4; ++threads) {
      omp_set_num_threads(threads);
      trained run(60);
      auto optimiser = of_name(name);
      std::vector<float> norms;
      for (std::uint32_t step = 0; step < 3; ++step) {
        run.backward(step);
        norms.push_back(run.host(clip_gradients(run.student, 0.5))[0]);
        run.follow(optimiser, step);
      }
      const std::vector found{all_values(run.student), all_values(run.teacher), norms};
      if (threads == 1) first = found;
      BOOST_TEST((found == first), name << ", " << threads << " threads");
    }
  }
  omp_set_num_threads(before);
#else
  BOOST_TEST(host_threads() == 1);
#endif
}

// One parameter's update as the textbook writes it, in the scalar of the store.
struct by_hand {
  std::vector<float> w, v;
  void sgd(const std::vector<float>& g, float factor, float rate, float momentum, float decay) {
    for (std::size_t i = 0; i < w.size(); ++i) {
      const float d = g[i] * factor + decay * w[i];
      v[i] = momentum * v[i] + d;
      w[i] -= rate * (d + momentum * v[i]);
    }
  }
};

BOOST_AUTO_TEST_CASE(every_element_is_updated_as_by_hand_and_what_nothing_reached_stays) {
  trained run(5);
  optimiser_options o;
  o.clip = 0.5;
  o.weight_decay = 0.01;
  auto optimiser = make_optimiser<B>(o);
  std::vector<by_hand> expected;
  for (const auto& p : run.student.all())
    expected.push_back({run.host(p.value), std::vector<float>(static_cast<std::size_t>(p.value.shape().size()), 0)});
  for (std::uint32_t step = 0; step < 4; ++step) {
    // Others are left out in every step.
    run.backward(step, [step](std::size_t k) { return step == 0 || k % (step + 1) != 0; });
    std::vector<std::vector<float>> gradients;
    for (const auto& p : run.student.all()) gradients.push_back(run.gradient(p.value));
    const float factor = run.host(optimiser.update(run.student, 0.05, step))[1];
    BOOST_TEST(factor < 1);
    for (std::size_t k = 0; k < expected.size(); ++k) {
      const auto& p = run.student.all()[k];
      BOOST_TEST(gradients[k].empty() == !(step == 0 || k % (step + 1) != 0));
      if (!gradients[k].empty()) expected[k].sgd(gradients[k], factor, 0.05f, 0.9f, p.decay ? 0.01f : 0.f);
      BOOST_TEST(difference(run.host(p.value), expected[k].w) < 1e-6, p.name << " at step " << step);
    }
    run.student.zero_grad();
  }
  const auto arena = to_host(run.ctx.space(), run.student.values());
  std::vector<bool> used(arena.size(), false);
  for (const auto& p : run.student.all())
    for (index i = 0; i < p.value.shape().size(); ++i)
      used[static_cast<std::size_t>(p.value.value().data() - run.student.values().data() + i)] = true;
  for (std::size_t i = 0; i < arena.size(); ++i)
    if (!used[i]) BOOST_REQUIRE_EQUAL(arena[i], 0);
}

BOOST_AUTO_TEST_CASE(an_update_between_a_forward_and_its_backward_is_refused) {
  trained run(2);
  auto optimiser = of_name("sgd");
  run.backward(0);
  const auto& w = run.student.all()[0].value;
  const auto loss = sum(multiply(w, w));
  (void)optimiser.update(run.student, 0.05, 0);
  BOOST_CHECK_EXCEPTION(run.home.backward(loss), error, says("parameters changed after the forward pass"));
}

// Checkpoints name one array per parameter, in its own shape, as they did before there were arenas.
BOOST_AUTO_TEST_CASE(files_know_no_arena) {
  for (const std::string name : {"sgd", "adamw"}) {
    trained run(3);
    auto optimiser = of_name(name);
    run.backward(0);
    run.follow(optimiser, 0);
    safetensors_file file;
    optimiser.save(run.student, file);
    save_parameters(run.student, "student.", file);
    std::size_t arrays = 0;
    for (const auto& p : run.student.all())
      for (const std::string& prefix :
           name == "sgd" ? std::vector<std::string>{"optimiser.velocity.", "student."}
                         : std::vector<std::string>{"optimiser.first.", "optimiser.second.", "student."}) {
        BOOST_TEST((file.at(prefix + p.name).shape == p.value.shape()));
        ++arrays;
      }
    BOOST_TEST(file.arrays.size() == arrays);
    trained other(3);
    auto resumed = of_name(name);
    load_parameters(other.student, "student.", file);
    resumed.load(other.student, file);
    run.backward(1);
    run.follow(optimiser, 1);
    other.backward(1);
    other.follow(resumed, 1);
    BOOST_TEST((all_values(other.student) == all_values(run.student)));
  }
}

}  // namespace comodal::tests
