// SPDX-License-Identifier: Apache-2.0
// One seed is one run: the same bytes again, with another number of threads, and after a stop in the middle.
#define BOOST_TEST_MODULE ssl_determinism
#include <boost/test/unit_test.hpp>

#include <comodal/train/optimiser_set.hpp>

#include <ssl/support.hpp>

#include <fstream>
#include <iterator>

namespace comodal::tests {

using B = default_backend;
// Those of the library, and the default method with its other contrasts.
const std::vector<std::string> names = [] {
  auto all = method_names;
  for (const std::string kind : {"feature", "prototype"}) all.push_back("contrastive_mutual_learning with " + kind);
  return all;
}();

// A run of its own context: method, optimisers, and all that a checkpoint keeps of them.
struct run : method_bench<B> {
  any_method<B> method;
  optimiser_options rates;
  optimiser_set<B> optimisers;
  bool partial = false;  // not all classes are annotated in the second labelled crop

  run(const std::string& name, const std::string& optimiser_name, std::uint64_t seed = 3)
      : method(make(options(name), seed, network())),
        rates(chosen(optimiser_name)),
        optimisers(rates, method.trained()) {}

  static named_options options(const std::string& name) {
    const std::size_t with = name.find(" with ");
    auto o = named(name.substr(0, with));
    set_ramp(o, 0.4);
    set_agreement(o);
    BOOST_REQUIRE(o.values.set("queue", index{5}) == (o.name == "contrastive_mutual_learning"));
    if (with != std::string::npos) BOOST_REQUIRE(o.values.set("contrast_kind", name.substr(with + 6)));
    return o;
  }
  static network_options network() {
    auto o = tiny_network();
    o.stream_channels = {4, 6};
    o.fused_channels = {6, 8};
    return o;
  }
  static optimiser_options chosen(const std::string& name) {
    optimiser_options o;
    o.name = name;
    return o;
  }
  void steps(std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t t = first; t < last; ++t) {
      auto batch = tiny_batch(t, true, {4, 16, 16});
      batch.labelled.present = {1, 1, static_cast<float>(t % 2), 1};
      if (partial) batch.labelled.annotated = {1, 1, 1, 1, static_cast<float>(t % 2), static_cast<float>(1 - t % 2)};
      optimisers.zero_grad();
      (void)step(method, batch, {t, 6});
      (void)optimisers.update(learning_rate(rates, t, 6), t);
      method.after_update({t, 6});
    }
  }
  [[nodiscard]] safetensors_file state() const {
    safetensors_file file;
    for (const auto& one : method.trained()) save_parameters(*one.store, one.name + ".", file);
    save_parameters(average(method), "teacher.", file);
    optimisers.save(file);
    method.save(file);
    return file;
  }
  void resume(const safetensors_file& file) {
    for (const auto& one : method.trained()) load_parameters(*one.store, one.name + ".", file);
    load_parameters(average(method), "teacher.", file);
    optimisers.load(file);
    method.load(file);
  }
};

// The name of the first array that differs; empty if none does.
std::string first_difference(const safetensors_file& a, const safetensors_file& b) {
  if (a.arrays.size() != b.arrays.size()) return "number of arrays";
  for (const auto& [name, array] : a.arrays) {
    const auto other = b.arrays.find(name);
    if (other == b.arrays.end() || !(other->second.shape == array.shape) || other->second.bytes != array.bytes)
      return name;
  }
  return "";
}

safetensors_file whole(const std::string& name, const std::string& optimiser, std::uint64_t seed = 3,
                       std::uint32_t steps = 3) {
  run r(name, optimiser, seed);
  r.steps(0, steps);
  return r.state();
}

BOOST_AUTO_TEST_CASE(the_same_run_again_is_the_same_bytes) {
  for (const std::string& name : names) {
    const auto once = whole(name, "sgd"), again = whole(name, "sgd"), other = whole(name, "sgd", 4);
    BOOST_TEST(first_difference(once, again) == "");
    BOOST_TEST(first_difference(once, other) != "");
    const run start(name, "sgd");
    BOOST_TEST((once.arrays.at("student.decoder.0.head.weight").bytes !=
                start.state().arrays.at("student.decoder.0.head.weight").bytes));
  }
}

#if defined(_OPENMP)
BOOST_AUTO_TEST_CASE(the_number_of_threads_changes_no_byte) {
  const int before = omp_get_max_threads();
  for (const std::string& name : names) {
    omp_set_num_threads(1);
    const auto one = whole(name, "sgd", 3, 2);
    omp_set_num_threads(2);
    BOOST_TEST(first_difference(one, whole(name, "sgd", 3, 2)) == "", name);
  }
  omp_set_num_threads(before);
}
#endif

BOOST_AUTO_TEST_CASE(a_resumed_run_is_an_unbroken_one) {
  const temporary_folder folder;
  for (const std::string& name : names)
    for (const std::string optimiser : {"sgd", "adamw"}) {
      BOOST_TEST_CONTEXT(name << " with " << optimiser) {
        run unbroken(name, optimiser);
        unbroken.steps(0, 2);
        write_safetensors(folder / "checkpoint", unbroken.state());
        unbroken.steps(2, 4);
        // Another seed: everything must come from the checkpoint.
        run resumed(name, optimiser, 77);
        resumed.resume(read_safetensors(folder / "checkpoint"));
        resumed.steps(2, 4);
        BOOST_TEST(first_difference(unbroken.state(), resumed.state()) == "");
      }
    }
}

BOOST_AUTO_TEST_CASE(a_resumed_run_with_partial_labels_is_an_unbroken_one) {
  for (const std::string& name : names) {
    run unbroken(name, "sgd"), resumed(name, "sgd", 77), full(name, "sgd");
    unbroken.partial = resumed.partial = true;
    unbroken.steps(0, 1);
    full.steps(0, 1);
    BOOST_TEST(first_difference(unbroken.state(), full.state()) != "", name);
    resumed.resume(unbroken.state());
    unbroken.steps(1, 3);
    resumed.steps(1, 3);
    BOOST_TEST(first_difference(unbroken.state(), resumed.state()) == "", name);
  }
}

BOOST_AUTO_TEST_CASE(a_resumed_run_forgets_what_it_did_before) {
  run first("contrastive_mutual_learning", "sgd"), other("contrastive_mutual_learning", "sgd");
  first.steps(0, 1);
  const auto checkpoint = first.state();
  first.steps(1, 2);
  other.steps(3, 5);
  other.resume(checkpoint);
  other.steps(1, 2);
  BOOST_TEST(first_difference(first.state(), other.state()) == "");
}

}  // namespace comodal::tests
