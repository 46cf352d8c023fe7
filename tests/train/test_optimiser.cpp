// SPDX-License-Identifier: Apache-2.0
// Optimisers against PyTorch's (reference/make_losses.py), schedules, clipping, and their state in a checkpoint.
#define BOOST_TEST_MODULE train_optimiser
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/reduction.hpp>
#include <comodal/train/optimiser_registry.hpp>
#include <comodal/train/skipped_steps.hpp>

#include <loss/golden.hpp>

#include <cmath>
#include <map>

namespace comodal::tests {

using B = bench::backend;

struct two_parameters : bench {
  parameter_store<B> store{home, 1};
  variable<B> w = parameter_scope<B>(store).he_normal("w", {2, 3});
  variable<B> b = parameter_scope<B>(store).constant("b", {3}, 0);

  // Gives a parameter this gradient, through a backward pass.
  void set_gradient(const variable<B>& p, const std::vector<double>& g) {
    p.zero_grad();
    home.backward(sum(multiply(p, constant(p.shape(), g))));
  }
  void random_gradients(std::uint32_t step) {
    set_gradient(w, values(6, 100 + step));
    set_gradient(b, values(3, 200 + step));
  }
};

BOOST_FIXTURE_TEST_CASE(steps_are_pytorchs, two_parameters) {
  const json optimisers = golden_file("optimisers.json");
  for (const std::string name : {"sgd", "sgd_clipped", "adamw", "adamw_clipped"}) {
    BOOST_TEST_CONTEXT(name) {
      const json& one = optimisers.at(name);
      const json& given = one.at("options");
      optimiser_options o;
      o.name = name.substr(0, name.find('_'));
      visit_optimiser_options(o, [&](std::string_view key, auto& value, auto) {
        if (const auto found = given.find(std::string(key)); found != given.end()) found->get_to(value);
      });
      w.assign(ctx.make(w.shape(), numbers(one.at("w"))));
      b.assign(ctx.make(b.shape(), numbers(one.at("b"))));
      auto optimiser = make_optimiser<B>(o);
      // PyTorch clips by max / (norm + 1e-6).
      const double tolerance = o.clip > 0 ? 3e-6 : 1e-8;
      std::uint32_t t = 0;
      for (const json& step : one.at("steps")) {
        set_gradient(w, numbers(step.at("w_gradient")));
        set_gradient(b, numbers(step.at("b_gradient")));
        const auto found = host(optimiser.update(store, step.at("rate").get<double>(), t++));
        const double norm = step.at("norm").get<double>();
        BOOST_TEST(found[0] == norm, boost::test_tools::tolerance(1e-8));
        BOOST_TEST(found[1] == (o.clip > 0 ? std::min(1.0, o.clip / norm) : 1.0), boost::test_tools::tolerance(1e-8));
        BOOST_TEST(difference(host(w), numbers(step.at("w"))) < tolerance);
        BOOST_TEST(difference(host(b), numbers(step.at("b"))) < tolerance);
      }
      BOOST_TEST(t == 5u);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(parameters_without_a_gradient_stay, two_parameters) {
  for (const std::string name : {"sgd", "adamw"}) {
    optimiser_options o;
    o.name = name;
    auto optimiser = make_optimiser<B>(o);
    random_gradients(1);
    (void)optimiser.update(store, 0.1, 0);
    const auto w_before = host(w), b_before = host(b);
    store.zero_grad();
    set_gradient(w, {1, 2, 2, 0, 0, 0});
    const auto found = host(optimiser.update(store, 0.1, 1));
    BOOST_TEST(found[0] == 3.0, boost::test_tools::tolerance(1e-12));
    BOOST_TEST((host(b) == b_before));
    BOOST_TEST((host(w) != w_before));
    // No gradient anywhere: the norm is 0 and nothing moves.
    store.zero_grad();
    const auto w_now = host(w);
    BOOST_TEST(host(optimiser.update(store, 0.1, 2))[0] == 0);
    BOOST_TEST((host(w) == w_now));
  }
}

// Neither parameters nor the optimiser's own state: the next step is as if that one had not been.
BOOST_FIXTURE_TEST_CASE(a_gradient_that_is_not_finite_changes_nothing, two_parameters) {
  for (const std::string name : {"sgd", "adamw"})
    for (const double broken : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
      optimiser_options o;
      o.name = name;
      auto optimiser = make_optimiser<B>(o);
      random_gradients(1);
      (void)optimiser.update(store, 0.1, 0);
      const auto state = [&] {
        safetensors_file file;
        save_parameters(store, "", file);
        optimiser.save(store, file);
        std::map<std::string, std::vector<unsigned char>> bytes;
        for (const auto& [key, array] : file.arrays) bytes[key] = array.bytes;
        return bytes;
      };
      const auto before = state();
      store.zero_grad();
      set_gradient(b, {1, broken, 3});
      const auto found = host(optimiser.update(store, 0.1, 1));
      BOOST_TEST(!std::isfinite(found[0]));
      BOOST_TEST(found[1] == 0);
      BOOST_TEST((state() == before));
    }
}

// Of stores that are trained together all are skipped, but not those that nothing reached.
BOOST_FIXTURE_TEST_CASE(stores_agree_on_what_is_not_finite, two_parameters) {
  parameter_store<B> second(home, 2), third(home, 3);
  const auto v = parameter_scope<B>(second).constant("v", {2}, 1),
             unreached = parameter_scope<B>(third).constant("u", {2}, 1);
  for (const auto* one : {&store, &second, &third}) one->seal();
  const std::vector<named_store<B>> stores{{"first", &store}, {"second", &second}, {"third", &third}};
  skipped_steps<B> skipped(home);
  const auto factors = [&] {
    std::vector<double> all;
    std::vector<variable<B>> norms;
    for (const auto& one : stores) norms.push_back(clip_gradients(*one.store, 0));
    for (const auto& norm : norms) all.push_back(host(norm)[1]);
    skipped.count(norms);
    return all;
  };
  for (const double value : {std::nan(""), 2.0, HUGE_VAL}) {
    for (const auto* one : {&store, &second, &third}) one->zero_grad();
    set_gradient(w, {1, 2, 2, 0, 0, 0});
    set_gradient(v, {value, 1});
    skipped.agree(stores);
    const double expected = std::isfinite(value) ? 1 : 0;
    BOOST_TEST(factors() == (std::vector<double>{expected, expected, 1}), boost::test_tools::per_element());
    BOOST_TEST(items(skipped.numbers()) == (std::vector<double>{value == HUGE_VAL ? 2.0 : 1.0, 1 - expected}),
               boost::test_tools::per_element());
  }
  // A loss that is not finite breaks what it reached.
  for (const auto* one : {&store, &second, &third}) one->zero_grad();
  set_gradient(w, {1, 2, 2, 0, 0, 0});
  for (const auto& one : stores) skipped.judge(home.constant(ctx.make({}, {HUGE_VAL})), *one.store);
  BOOST_TEST(factors() == (std::vector<double>{0, 1, 1}), boost::test_tools::per_element());
  BOOST_CHECK_EXCEPTION(skipped.count({home.constant(ctx.make({1}, {1}))}), config_error,
                        says("an optimiser's update() returned (1), expected two numbers"));
}

BOOST_FIXTURE_TEST_CASE(the_norm_of_a_large_gradient, bench) {
  parameter_store<B> store(home, 1);
  const auto p = parameter_scope<B>(store).constant("p", {7, 11, 13, 17}, 1);
  const auto g = values(p.shape().size(), 3);
  home.backward(sum(multiply(p, constant(p.shape(), g))));
  double square = 0;
  for (const double v : g) square += v * v;
  const auto found = host(clip_gradients(store, 2));
  BOOST_TEST(found[0] == std::sqrt(square), boost::test_tools::tolerance(1e-12));
  BOOST_TEST(found[1] == 2 / std::sqrt(square), boost::test_tools::tolerance(1e-12));
  BOOST_TEST(host(clip_gradients(store, 0))[1] == 1);
}

BOOST_FIXTURE_TEST_CASE(a_resumed_run_is_an_unbroken_one, two_parameters) {
  for (const std::string name : {"sgd", "adamw"}) {
    BOOST_TEST_CONTEXT(name) {
      optimiser_options o;
      o.name = name;
      o.clip = 0.7;
      const auto w_start = host(w), b_start = host(b);
      auto unbroken = make_optimiser<B>(o);
      safetensors_file file;
      for (std::uint32_t t = 0; t < 4; ++t) {
        if (t == 2) {
          save_parameters(store, "student.", file);
          unbroken.save(store, file);
        }
        random_gradients(t);
        (void)unbroken.update(store, learning_rate(o, t, 4), t);
      }
      const auto expected = all_values(store);
      // Through the bytes of a file.
      const temporary_folder folder;
      write_safetensors(folder / "state", file);
      const auto read = read_safetensors(folder / "state");
      auto resumed = make_optimiser<B>(o);
      load_parameters(store, "student.", read);
      resumed.load(store, read);
      for (std::uint32_t t = 2; t < 4; ++t) {
        random_gradients(t);
        (void)resumed.update(store, learning_rate(o, t, 4), t);
      }
      BOOST_TEST((all_values(store) == expected));
      BOOST_TEST(file.arrays.size() == (name == "sgd" ? 4u : 6u));
      w.assign(ctx.make(w.shape(), w_start));
      b.assign(ctx.make(b.shape(), b_start));
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_state_of_other_shapes_is_refused, two_parameters) {
  for (const std::string name : {"sgd", "adamw"}) {
    auto optimiser = make_optimiser<B>({.name = name});
    safetensors_file file;
    random_gradients(1);
    (void)optimiser.update(store, 0.1, 0);
    optimiser.save(store, file);
    for (auto& [array_name, array] : file.arrays)
      for (const shape& other : {shape{3, 2}, shape{6}, shape{1, 2, 3}, shape{5}}) {
        safetensors_file damaged = file;
        damaged.arrays[array_name] =
            named_array::of(other, std::vector<double>(static_cast<std::size_t>(other.size()), 1));
        BOOST_CHECK_EXCEPTION(optimiser.load(store, damaged), io_error,
                              says(text("array '", array_name, "' is ", other.to_string(),
                                        ", the network's parameter is ", array.shape.to_string())));
      }
  }
}

BOOST_AUTO_TEST_CASE(schedules_have_their_golden_values) {
  optimiser_options o;
  BOOST_TEST(learning_rate(o, 1, 30000) == 0.0099997, boost::test_tools::tolerance(1e-7));
  BOOST_TEST(learning_rate(o, 15000, 30000) == 0.005358867, boost::test_tools::tolerance(1e-7));
  const std::vector<std::pair<std::uint32_t, double>> golden{
      {1, 0.009991}, {250, 0.007718895}, {500, 0.005358867}, {900, 0.001258925}, {999, 0.0000199526}};
  for (const auto& [epoch, rate] : golden)
    BOOST_TEST(learning_rate(o, epoch, 1000) == rate, boost::test_tools::tolerance(1e-5));
  BOOST_TEST(learning_rate(o, 0, 1000) == 0.01);
  o.schedule = "cosine";
  o.learning_rate = 2;
  const std::vector<std::pair<std::uint32_t, double>> cosine{
      {0, 2}, {25, 1.7071067811865475}, {50, 1}, {75, 0.2928932188134525}, {99, 0.00049343963}};
  for (const auto& [step, rate] : cosine)
    BOOST_TEST(learning_rate(o, step, 100) == rate, boost::test_tools::tolerance(1e-6));
  o.schedule = "constant";
  BOOST_TEST(learning_rate(o, 77, 100) == 2);
}

BOOST_AUTO_TEST_CASE(the_rate_rises_in_a_warm_up) {
  optimiser_options o;
  o.schedule = "constant";
  o.learning_rate = 1;
  o.warm_up = 0.1;
  double before = 0;
  for (std::uint32_t t = 0; t < 10; ++t) {
    BOOST_TEST(learning_rate(o, t, 100) == (t + 1) / 11.0, boost::test_tools::tolerance(1e-12));
    BOOST_TEST(learning_rate(o, t, 100) > before);
    before = learning_rate(o, t, 100);
  }
  BOOST_TEST(learning_rate(o, 10, 100) == 1);
}

BOOST_AUTO_TEST_CASE(names_that_are_not_known_are_refused) {
  optimiser_options o;
  o.name = "adam";
  BOOST_CHECK_EXCEPTION((void)make_optimiser<B>(o), config_error, says("optimiser.name = 'adam'"));
  o.name = "sgd";
  o.schedule = "poly";
  BOOST_CHECK_EXCEPTION((void)make_optimiser<B>(o), config_error, says("optimiser.schedule = 'poly'"));
}

BOOST_AUTO_TEST_CASE(numbers_that_make_no_sense_are_refused) {
  const double nan = std::nan(""), infinite = HUGE_VAL;
  const std::map<std::string, std::vector<double>> senseless{{"learning_rate", {0, -0.1, nan, infinite}},
                                                             {"momentum", {-0.1, 1, nan, infinite}},
                                                             {"weight_decay", {-1e-5, nan, infinite}},
                                                             {"beta1", {-0.1, 1, nan}},
                                                             {"beta2", {-0.1, 1, 2, nan}},
                                                             {"epsilon", {0, -1, nan, infinite}},
                                                             {"clip", {-1, nan, infinite}},
                                                             {"power", {-0.5, nan, infinite}},
                                                             {"warm_up", {-0.1, 1.5, nan}}};
  int options = 0;
  optimiser_options defaults;
  visit_optimiser_options(defaults, [&](std::string_view key, auto& unused, auto) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(unused)>, double>) {
      ++options;
      for (const double value : senseless.at(std::string(key))) {
        optimiser_options o;
        visit_optimiser_options(o, [&](std::string_view name, auto& number, auto) {
          if constexpr (std::is_same_v<std::remove_cvref_t<decltype(number)>, double>)
            if (name == key) number = value;
        });
        BOOST_CHECK_EXCEPTION((void)make_optimiser<B>(o), config_error,
                              says(text("optimiser.", key, " = ", value, ", expected ")));
      }
    }
  });
  BOOST_TEST(options == static_cast<int>(senseless.size()));
  check(optimiser_options{.name = "adamw", .momentum = 0, .weight_decay = 0, .clip = 0, .power = 0, .warm_up = 1});
}

static_assert(optimiser<sgd<B>, B>);
static_assert(optimiser<adamw<B>, B>);
static_assert(optimiser<any_optimiser<B>, B>);

}  // namespace comodal::tests
