// SPDX-License-Identifier: Apache-2.0
// Targets: labels as channels, the ramp, classes that count, inputs of several batches, negatives and reliabilities.
#define BOOST_TEST_MODULE ssl_targets
#include <boost/test/unit_test.hpp>

#include <comodal/ssl/parts/negative_queue.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/reliability.hpp>
#include <comodal/ssl/parts/sharpening.hpp>
#include <comodal/ssl/targets.hpp>

#include <nn/support.hpp>

namespace comodal::tests {

using B = bench::backend;

BOOST_AUTO_TEST_CASE(the_ramp_has_its_golden_values) {
  // A run of 500 steps whose ramp is 200 of them.
  const std::vector<std::pair<std::uint32_t, double>> golden{{0, 0.000673795},   {1, 0.000708252},   {50, 0.006005467},
                                                             {100, 0.028650480}, {150, 0.073161563}, {199, 0.099987501},
                                                             {200, 0.1},         {499, 0.1}};
  for (const auto& [t, value] : golden)
    BOOST_TEST((0.1 * ramp_up({t, 500}, 0.4)).value() == value, boost::test_tools::tolerance(1e-6));
}

BOOST_AUTO_TEST_CASE(ramps_are_fractions_of_the_run) {
  for (const double part : {0.0, 0.1, 0.25, 0.4, 0.9})
    BOOST_TEST(ramp_up({static_cast<std::uint32_t>(part * 1000), 1000}, 0.4).value() ==
                   ramp_up({static_cast<std::uint32_t>(part * 20000), 20000}, 0.4).value(),
               boost::test_tools::tolerance(1e-12));
  BOOST_TEST(ramp_up({0, 100}, 0).value() == 1);
  BOOST_TEST(ramp_up({0, 100}, 0.5).value() == std::exp(-5.0), boost::test_tools::tolerance(1e-12));
}

struct label_bench : bench {
  static crop_batch batch(const std::vector<std::uint8_t>& labels) {
    crop_batch b;
    b.resize(1, 1, {1, 1, static_cast<index>(labels.size())}, true, false);
    b.labels = labels;
    return b;
  }
  std::vector<double> target(const target_map& map, const std::vector<std::uint8_t>& labels) {
    const auto t = one_hot(ctx, map, batch(labels));
    BOOST_TEST((t.shape() == shape{1, 1, 1, static_cast<index>(labels.size()), map.channels}));
    return to_host(ctx.space(), t);
  }
};

BOOST_FIXTURE_TEST_CASE(labels_become_channels, label_bench) {
  BOOST_TEST((target(target_map::of_classes(3), {0, 2, 1}) == std::vector<double>{1, 0, 0, 0, 0, 1, 0, 1, 0}));
  // Whole, core, enhancing: 1 and 3 are in two and three of them.
  const auto regions = target_map::of_regions({{1, 2, 3}, {1, 3}, {3}});
  BOOST_TEST((regions.kind == label_kind::regions));
  BOOST_TEST((target(regions, {0, 1, 2, 3}) == std::vector<double>{0, 0, 0, 1, 1, 0, 1, 0, 0, 1, 1, 1}));
}

BOOST_FIXTURE_TEST_CASE(declared_labels_become_channels, label_bench) {
  // BraTS counts 0, 1, 2, 4.
  const std::vector<label_class> brats{{"background", {0}}, {"core", {1}}, {"oedema", {2}}, {"enhancing", {4}}};
  BOOST_TEST((target(target_map::of_labels(brats, false), {4, 1}) == std::vector<double>{0, 0, 0, 1, 0, 1, 0, 0}));
  const std::vector<label_class> regions{{"background", {0}}, {"whole", {1, 2, 4}}, {"enhancing", {4}}};
  const auto map = target_map::of_labels(regions, true);
  BOOST_TEST(map.channels == 2);
  BOOST_TEST((target(map, {0, 2, 4}) == std::vector<double>{0, 0, 1, 0, 1, 1}));
  BOOST_CHECK_EXCEPTION((void)target_map::of_labels(regions, false), config_error, says("'whole' stands for 3 values"));
}

BOOST_AUTO_TEST_CASE(labels_that_are_no_bytes_are_refused) {
  const auto of = [](const std::vector<int>& values, bool regions) {
    return target_map::of_labels({{"background", {0}}, {"core", values}}, regions);
  };
  for (const bool regions : {false, true}) {
    BOOST_CHECK_EXCEPTION((void)of({300}, regions), config_error, says("class 'core' has the label value 300"));
    BOOST_CHECK_EXCEPTION((void)of({-1}, regions), config_error, says("class 'core' has the label value -1"));
    BOOST_CHECK_EXCEPTION((void)of({}, regions), config_error, says("class 'core' has no label values"));
  }
  BOOST_CHECK_EXCEPTION((void)target_map::of_labels({}, false), config_error, says("0 classes"));
  BOOST_CHECK_EXCEPTION((void)target_map::of_labels({}, true), config_error, says("no regions"));
  BOOST_TEST(target_map::of_classes(256).table.back() == 1);
  BOOST_CHECK_EXCEPTION((void)target_map::of_classes(257), config_error, says("257 classes, expected 1 to 256"));
  BOOST_CHECK_EXCEPTION((void)target_map::of_classes(-1), config_error, says("-1 classes"));
}

BOOST_FIXTURE_TEST_CASE(classes_count_by_the_mass_of_their_target, bench) {
  // 200 voxels; masses: background 120, class 1: 48 halves and so 24, class 2: 56.
  std::vector<double> y;
  for (int i = 0; i < 200; ++i) {
    if (i < 96)
      y.insert(y.end(), {0.5, i < 48 ? 0.5 : 0.0, i < 48 ? 0.0 : 0.5});
    else
      y.insert(y.end(), {i < 168 ? 1.0 : 0.0, 0, i < 168 ? 0.0 : 1.0});
  }
  const auto target = constant({1, 1, 1, 200, 3}, y);
  const auto no = constant({1, 1}, std::vector<double>{0}), yes = constant({1, 1}, std::vector<double>{1});
  BOOST_TEST((host(counting_classes(target, no, 32)) == std::vector<double>{1, 0, 1}));
  BOOST_TEST((host(counting_classes(target, no, 24)) == std::vector<double>{1, 1, 1}));
  BOOST_TEST((host(counting_classes(target, no, 24, 0.3)) == std::vector<double>{1, 0, 0}));
  BOOST_TEST((host(counting_classes(target, yes, 32)) == std::vector<double>{1, 1, 1}));
  BOOST_TEST(!counting_classes(target, no, 32).requires_grad());
}

BOOST_FIXTURE_TEST_CASE(batches_are_joined_sample_by_sample, bench) {
  crop_batch a, b;
  a.resize(1, 2, {1, 1, 2}, false, false);
  b.resize(2, 2, {1, 1, 2}, false, false);
  a.images = {{1, 2}, {3, 4}};
  b.images = {{5, 6, 7, 8}, {9, 10, 11, 12}};
  a.present = {1, 0};
  b.present = {0, 1, 1, 1};
  const network_input<B> input(home, {&a, &b});
  BOOST_REQUIRE(input.volumes.size() == 2u);
  BOOST_TEST((input.volumes[0].shape() == shape{3, 1, 1, 2, 1}));
  BOOST_TEST((host(input.volumes[0]) == std::vector<double>{1, 2, 5, 6, 7, 8}));
  BOOST_TEST((host(input.volumes[1]) == std::vector<double>{3, 4, 9, 10, 11, 12}));
  BOOST_TEST((host(input.present.mask()) == std::vector<double>{1, 0, 0, 1, 1, 1}));
  b.resize(2, 2, {1, 2, 1}, false, false);
  BOOST_CHECK_THROW((network_input<B>(home, {&a, &b})), shape_error);
}

// Sharpened targets are a distribution at any temperature, in single precision too.
BOOST_AUTO_TEST_CASE(sharpened_targets_sum_to_1) {
  const std::vector<float> q{0.3f, 0.25f, 0.25f, 0.2f};
  for (const double temperature : {1.0, 0.5, 0.02, 0.005, 0.0005}) {
    std::vector<float> sharp(4);
    ssl_detail::sharpen_body<float>{label_kind::classes, 4, 1 / temperature, q.data(), sharp.data()}(0);
    float total = 0;
    for (const float v : sharp) total += v;
    BOOST_TEST(total == 1.f, boost::test_tools::tolerance(1e-5f));
    BOOST_TEST(sharp[0] >= q[0] - 1e-6f);
    if (temperature == 0.5) BOOST_TEST(sharp[3] == 0.04f / 0.255f, boost::test_tools::tolerance(1e-5f));
  }
  float region = 0;
  const float p = 0.7f;
  ssl_detail::sharpen_body<float>{label_kind::regions, 1, 2, &p, &region}(0);
  BOOST_TEST(region == 0.49f / 0.58f, boost::test_tools::tolerance(1e-5f));
  ssl_detail::sharpen_body<float>{label_kind::regions, 1, 2000, &p, &region}(0);
  BOOST_TEST(region == 1.f);
}

struct queue_bench : bench {
  // Maps (N, 2, 1) whose values are their cases.
  variable<B> maps(const std::vector<std::uint32_t>& cases) {
    std::vector<double> v;
    for (const auto c : cases) v.insert(v.end(), 2, c);
    return constant({static_cast<index>(cases.size()), 2, 1}, v);
  }
  case_numbers<B> cases(const std::vector<std::int64_t>& numbers) {
    auto out = ctx.make_of<std::int64_t>({static_cast<index>(numbers.size())});
    copy_from_host(ctx.space(), numbers, out);
    return out;
  }
  variable<B> counts(const std::vector<double>& v) { return constant({static_cast<index>(v.size()), 1}, v); }
  static std::vector<double> firsts(const std::vector<double>& v) {
    std::vector<double> out;
    for (std::size_t i = 0; i < v.size(); i += 2) out.push_back(v[i]);
    return out;
  }
};

BOOST_FIXTURE_TEST_CASE(a_negative_is_of_another_case, queue_bench) {
  negative_queue<B> queue(4);
  auto chosen = queue.select(maps({1, 2}), counts({1, 1}), cases({1, 2}));
  // The places of the queue are there before anything is in them.
  BOOST_TEST((chosen.maps.shape() == shape{6, 2, 1}));
  BOOST_TEST((host(chosen.allowed) == std::vector<double>{0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0}));
  chosen = queue.select(maps({3, 3}), counts({1, 1}), cases({3, 3}));
  BOOST_TEST(largest(host(chosen.allowed)) == 0);
  queue.push(maps({1, 2}), counts({1, 1}), cases({1, 2}));
  queue.push(maps({3, 1}), counts({1, 1}), cases({3, 1}));
  chosen = queue.select(maps({2, 5}), counts({1, 1}), cases({2, 5}));
  BOOST_TEST((firsts(host(chosen.maps)) == std::vector<double>{2, 5, 1, 2, 3, 1}));
  BOOST_TEST((host(chosen.allowed) == std::vector<double>{0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1}));
  BOOST_TEST(!chosen.maps.requires_grad());
}

BOOST_FIXTURE_TEST_CASE(a_negative_counts_class_by_class, queue_bench) {
  negative_queue<B> queue(3);
  queue.push(maps({1, 2, 3}), counts({0, 1, 0}), cases({1, 2, 3}));
  const auto chosen = queue.select(maps({8, 9}), counts({1, 0}), cases({8, 9}));
  BOOST_TEST((host(chosen.allowed) == std::vector<double>{0, 0, 0, 1, 0, 1, 0, 0, 1, 0}));
}

BOOST_FIXTURE_TEST_CASE(the_oldest_negatives_leave, queue_bench) {
  negative_queue<B> queue(3), none(0), one(1);
  for (auto* q : {&queue, &none, &one}) {
    q->push(maps({1, 2}), counts({1, 1}), cases({1, 2}));
    q->push(maps({3, 4}), counts({1, 0}), cases({3, 4}));
  }
  BOOST_TEST(queue.size(ctx) == 3);
  BOOST_TEST(none.size(ctx) == 0);
  BOOST_TEST(one.size(ctx) == 1);
  const auto chosen = queue.select(maps({9}), counts({1}), cases({9}));
  BOOST_TEST((firsts(host(chosen.maps)) == std::vector<double>{9, 2, 3, 4}));
  BOOST_TEST((host(chosen.allowed) == std::vector<double>{0, 1, 1, 0}));
  BOOST_TEST((host(none.select(maps({9}), counts({1}), cases({9})).allowed) == std::vector<double>{0}));
}

BOOST_FIXTURE_TEST_CASE(a_queue_travels_through_a_checkpoint, queue_bench) {
  negative_queue<B> queue(4), copy(4), empty(4);
  queue.push(maps({1, 2, 3}), counts({1, 0, 1}), cases({1, 2, 3}));
  safetensors_file file, nothing;
  queue.save(ctx, file);
  empty.save(ctx, nothing);
  copy.load(ctx, file);
  const auto a = queue.select(maps({3}), counts({1}), cases({3})), b = copy.select(maps({3}), counts({1}), cases({3}));
  BOOST_TEST((host(a.maps) == host(b.maps)));
  BOOST_TEST((host(a.allowed) == host(b.allowed)));
  copy.load(ctx, nothing);
  BOOST_TEST(copy.size(ctx) == 0);
  auto other = file;
  other.arrays.erase("queue.maps");
  BOOST_CHECK_EXCEPTION(copy.load(ctx, other), io_error, says("the file has no array 'queue.maps'"));
  other = file;
  other.arrays["queue.counts"] = named_array::of(shape{3, 2}, std::vector<double>(6, 1));
  BOOST_CHECK_EXCEPTION(copy.load(ctx, other), io_error, says("the checkpoint's queue has maps"));
  other = file;
  other.arrays["queue.cases"] = named_array::of(shape{2}, std::vector<std::int64_t>{1, 2});
  BOOST_CHECK_EXCEPTION(copy.load(ctx, other), io_error, says("the checkpoint's queue has maps"));
}

BOOST_FIXTURE_TEST_CASE(reliabilities_are_running_means, bench) {
  reliability<B> rho(home, 3);
  const auto at = [&](index k) { return host(rho.value(k))[0]; };
  for (index k = 0; k < 3; ++k) BOOST_TEST(at(k) == 0.5);
  // Two samples, two classes; class 1 is not in the second target, and the third sample is no labelled one.
  const auto dice = constant({3, 2}, {0.9, 0.5, 0.4, 0.0, 0.0, 0.0}), in_target = constant({3, 2}, {1, 1, 1, 0, 1, 1});
  rho.update(1, dice, in_target, constant({3}, {1, 1, 0}));
  BOOST_TEST(at(1) == 0.99 * 0.5 + 0.01 * 0.6, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(at(0) == 0.5);
  BOOST_TEST(at(2) == 0.5);
  const double before = at(1);
  rho.update(1, dice, constant({3, 2}, std::vector<double>(6, 0)), constant({3}, {1, 1, 1}));
  rho.update(1, dice, in_target, constant({3}, {0, 0, 0}));
  BOOST_TEST(at(1) == before);
}

BOOST_FIXTURE_TEST_CASE(who_teaches_whom, bench) {
  reliability<B> rho(home, 4);
  safetensors_file file;
  file.arrays["reliability"] = named_array::of(shape{4}, std::vector<double>{0.5, 0.6, 0.65, 0.2});
  rho.load(file);
  const auto w = [&](index m, index n) { return host(rho.weight(m, n))[0]; };
  BOOST_TEST(w(1, 1) == 0.5);
  BOOST_TEST(w(1, 2) == 0.75, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(w(2, 1) == 0.25, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(w(3, 1) == 1);
  BOOST_TEST(w(1, 3) == 0);
  BOOST_TEST(!rho.weight(1, 2).requires_grad());
  safetensors_file again;
  rho.save(again);
  BOOST_TEST((again.arrays.at("reliability").bytes == file.arrays.at("reliability").bytes));
}

BOOST_FIXTURE_TEST_CASE(reliabilities_of_another_run_are_refused, bench) {
  reliability<B> rho(home, 3);
  safetensors_file file;
  BOOST_CHECK_THROW(rho.load(file), io_error);
  file.arrays["reliability"] = named_array::of(shape{4}, std::vector<double>(4, 0.5));
  BOOST_CHECK_THROW(rho.load(file), io_error);
}

}  // namespace comodal::tests
