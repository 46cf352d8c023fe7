// SPDX-License-Identifier: Apache-2.0
// Methods that are written outside of the library, trained by `trainer`: cross pseudo supervision with two students,
// and uncertainty-aware Mean Teacher with dropout. Both are short, learn, and resume to the same bytes.
#define BOOST_TEST_MODULE train_outside_methods
#include <boost/test/unit_test.hpp>

#include <comodal/ssl/method_registry.hpp>
#include <comodal/train/trainer.hpp>

#include <nn/support.hpp>
#include <train/noise_cases.hpp>
#include <train/outside/cross_pseudo_supervision.hpp>
#include <train/outside/uncertainty_aware_mean_teacher.hpp>

#include <fstream>

namespace comodal::tests {

using B = default_backend;
using cps = outside::cross_pseudo_supervision<B>;
using ua_mt = outside::uncertainty_aware_mean_teacher<B>;
static_assert(semi_supervised_method<cps, B>);
static_assert(semi_supervised_method<ua_mt, B>);

// A run in a folder, of its own context.
struct run : bench_of<B> {
  any_method<B> method;
  batch_maker<> maker;
  trainer<B> loop;

  run(const std::string& name, const noise_cases& data, const std::filesystem::path& folder)
      : method(make(name)),
        maker(crops(), data.labelled, data.unlabelled, 1),
        loop(method, rates(), maker, {.threads = 1, .depth = 2}, {.steps = 8, .log_every = 1}, plan(name), folder) {}

  static network_options network(const std::string& name) {
    network_options o;
    o.stream_channels = {4, 8};
    o.fused_channels = {8, 8};
    o.dropout = name == "ua_mt" ? 0.3 : 0;
    return o;
  }
  any_method<B> make(const std::string& name) {
    auto names = method_registry<B>::built_in();
    names.method<generic<outside::cross_pseudo_supervision>>("cps");
    names.method<generic<outside::uncertainty_aware_mean_teacher>>("ua_mt");
    return make_method<B>(home, name, network(name), 2, target_map::of_classes(2), 1, {}, names);
  }
  static batch_options crops() {
    batch_options o;
    o.patch_size = {8, 16, 16};
    return o;
  }
  static optimiser_options rates() {
    optimiser_options o;
    o.learning_rate = 0.05;
    return o;
  }
  static model_plan plan(const std::string& name) {
    model_plan p;
    p.modalities = {"T1", "T2"};
    p.labels = {{"background", {0}}, {"lesion", {1}}};
    p.network = network(name);
    p.method = name;
    p.patch_size = crops().patch_size;
    return p;
  }
};

// The rows of a log of one name, step by step.
std::vector<double> column(const std::filesystem::path& folder, const std::string& name) {
  std::ifstream in(folder / "log.jsonl");
  std::vector<double> values;
  for (std::string line; std::getline(in, line);) {
    const auto row = nlohmann::json::parse(line);
    if (row.contains(name)) values.push_back(row.at(name).get<double>());
  }
  return values;
}

BOOST_AUTO_TEST_CASE(a_stopped_run_goes_on_to_the_same_bytes) {
  const noise_cases data(4, 2);
  for (const std::string name : {"cps", "ua_mt"}) {
    BOOST_TEST_CONTEXT(name) {
      const temporary_folder whole_folder, folder;
      run whole(name, data, whole_folder.path());
      BOOST_TEST(whole.loop.run().finished);
      {
        run first(name, data, folder.path());
        (void)first.loop.run([calls = 0]() mutable { return calls++ == 3; });
      }
      run second(name, data, folder.path());
      second.loop.resume(second.loop.checkpoint_file());
      BOOST_TEST(second.loop.run().first_step == 3u);
      for (const char* file : {"model.safetensors", "checkpoint.safetensors", "log.csv", "log.jsonl"})
        BOOST_TEST((read_file(folder / file) == read_file(whole_folder / file)), file);

      const auto loss = column(folder.path(), "loss");
      BOOST_REQUIRE(loss.size() == 8u);
      BOOST_TEST(loss.back() < loss.front());
    }
  }
}

BOOST_AUTO_TEST_CASE(two_students_are_trained_and_saved_under_their_names) {
  const noise_cases data(4, 2);
  const temporary_folder folder;
  run cross("cps", data, folder.path());
  const auto before = all_values(*cross.method.trained()[1].store);
  (void)cross.loop.run();
  BOOST_TEST((all_values(*cross.method.trained()[1].store) != before));
  const auto model = read_safetensors(folder / "model.safetensors"),
             checkpoint = read_safetensors(folder / "checkpoint.safetensors");
  for (const char* student : {"student_a", "student_b"}) {
    BOOST_TEST(model.arrays.contains(text(student, "/decoder.0.head.weight")));
    BOOST_TEST(checkpoint.arrays.contains(text(student, "/optimiser.velocity.decoder.0.head.weight")));
    BOOST_TEST(column(folder.path(), text("gradient_norm.", student)).size() == 8u);
  }
  BOOST_TEST((model.arrays.at("student_a/decoder.0.head.weight").bytes !=
              model.arrays.at("student_b/decoder.0.head.weight").bytes));
  const auto plan = plan_of(model, "model");
  BOOST_TEST(plan.predictors == (std::vector<std::string>{"student_a", "student_b"}), boost::test_tools::per_element());
  // The model file predicts what the trained network does.
  const auto again = make_network<B>(cross.home, plan.network, 2, 2, 9);
  load_parameters(again.parameters(), "student_b/", model);
  const std::vector<variable<B>> volumes{cross.constant({1, 8, 8, 8, 1}, 1), cross.constant({1, 8, 8, 8, 1}, 2)};
  const presence<B> present(cross.home, 1, 2, {1, 1});
  BOOST_TEST((cross.host(again.forward(volumes, present).fused) ==
              cross.host(cross.method.predict(volumes, present, network_outputs::all, "student_b").fused)));
}

BOOST_AUTO_TEST_CASE(the_teacher_is_uncertain_through_dropout) {
  const noise_cases data(4, 2);
  const temporary_folder folder;
  run uncertain("ua_mt", data, folder.path());
  (void)uncertain.loop.run();
  const auto certain = column(folder.path(), "certain");
  BOOST_TEST(*std::min_element(certain.begin(), certain.end()) < 1.0);
  BOOST_TEST(*std::max_element(certain.begin(), certain.end()) > 0.0);
}

BOOST_AUTO_TEST_CASE(each_method_takes_at_most_80_lines) {
  const auto folder = std::filesystem::path(COMODAL_TEST_DATA).parent_path() / "train" / "outside";
  for (const char* name : {"cross_pseudo_supervision.hpp", "uncertainty_aware_mean_teacher.hpp"}) {
    std::ifstream in(folder / name);
    BOOST_REQUIRE_MESSAGE(in.good(), name);
    int lines = 0;
    for (std::string line; std::getline(in, line);) {
      const auto first = line.find_first_not_of(' ');
      lines += first != std::string::npos && line.compare(first, 2, "//") != 0;
      BOOST_TEST(line.find("detail") == std::string::npos, line);
    }
    BOOST_TEST(lines <= 80, name);
    BOOST_TEST(lines > 20, name);
  }
}

BOOST_AUTO_TEST_CASE(names_of_stores_are_checked) {
  bench_of<B> at;
  parameter_store<B> store(at.home, 1);
  using stores = std::vector<named_store<B>>;
  BOOST_CHECK_EXCEPTION(optimiser_set<B>({}, stores{}), config_error, says("the method trains nothing"));
  BOOST_CHECK_EXCEPTION(optimiser_set<B>({}, stores{{"a", &store}, {"a", &store}}), config_error,
                        says("'a' names a store, expected a name of its own"));
  BOOST_CHECK_EXCEPTION(optimiser_set<B>({}, stores{{"a/b", &store}}), config_error, says("without '/'"));
}

}  // namespace comodal::tests
