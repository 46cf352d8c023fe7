// SPDX-License-Identifier: Apache-2.0
// A step stays where it runs: how often it waits for the device and sends something to it, and whether its kernels,
// recorded once, do the work of later steps.
#define BOOST_TEST_MODULE train_step
#include <boost/test/unit_test.hpp>

#include <comodal/core/recording.hpp>
#include <comodal/data/batch_maker.hpp>
#include <comodal/ssl/method_registry.hpp>
#include <comodal/train/trainer.hpp>

#include <ssl/support.hpp>

#include <deque>
#include <fstream>
#include <iterator>

namespace comodal::tests {

using B = mixed_backend;

const std::string everything = "contrastive with all", of_features = "contrastive of features",
                  of_prototypes = "contrastive of prototypes";
// Those of the library, one with everything, and two with other contrasts.
std::vector<std::string> all_methods() {
  auto names = method_names;
  names.insert(names.end(), {everything, of_features, of_prototypes});
  return names;
}

// Four small cases of two modalities, two of them with labels.
struct cohort {
  std::deque<image_volume> volumes;
  label_volume label;
  std::vector<labelled_training_case> labelled;
  std::vector<unlabelled_training_case> unlabelled;
  batch_options options;

  cohort() {
    label.geometry.size = {20, 20, 12};
    label.values.assign(20 * 20 * 12, 0);
    for (std::size_t v = 2000; v < 2600; ++v) label.values[v] = 1;
    for (int i = 0; i < 4; ++i) {
      std::vector<volume_view> images;
      for (int m = 0; m < 2; ++m) {
        auto& volume = volumes.emplace_back();
        volume.geometry.size = label.geometry.size;
        for (const double v : values(static_cast<index>(label.values.size()), static_cast<std::uint32_t>(2 * i + m)))
          volume.values.push_back(static_cast<float>(v));
        images.push_back(&volume);
      }
      if (i < 2)
        labelled.push_back({text("l", i), images, &label});
      else
        unlabelled.push_back({text("u", i), images});
    }
    options.patch_size = {8, 16, 16};
  }
  [[nodiscard]] batch_maker<> maker(const batch_views& views) const {
    return {options, labelled, unlabelled, 1, views};
  }
};

// A method with its optimisers, on a context of its own.
struct training {
  static constexpr std::uint32_t steps = 8;

  context<B> ctx;
  tape<B> home{ctx};
  any_method<B> method;
  optimiser_options options;
  optimiser_set<B> optimisers;
  named_scalars<B> values;
  std::vector<variable<B>> norms;

  training(const std::string& name, const std::string& precision, const std::string& optimiser)
      : method(make(home, name, precision)), options(of(optimiser)), optimisers(options, method.trained()) {}

  // "contrastive with all": every further term, and a network with everything else that a step may have.
  static any_method<B> make(tape<B>& home, const std::string& name, const std::string& precision) {
    network_options network;
    named_options chosen(name);
    if (name.starts_with("contrastive ")) chosen.name = "contrastive_mutual_learning";
    chosen.values = method_registry<B>::built_in().method_options_of(chosen.name);
    (void)chosen.values.set("queue", index{6});  // where the method has one; filled in the third step
    if (name == everything) {
      for (const auto& [key, value] : {std::pair{"target", "cps"}, {"agreement", "mse"}, {"confidence", "threshold"}})
        BOOST_REQUIRE(chosen.values.set(key, std::string(value)));
      network.encoder = "residual";
      network.fusion = "cross_modal";
      network.deep_supervision = true;
      network.checkpointed = 1;
    }
    if (name == of_features) BOOST_REQUIRE(chosen.values.set("contrast_kind", std::string("feature")));
    if (name == of_prototypes) BOOST_REQUIRE(chosen.values.set("contrast_kind", std::string("prototype")));
    network.stream_channels = {8, 16};
    network.fused_channels = {16, 32};
    if (name == "uncertainty_rectified_pyramid") {  // of three outputs
      network.deep_supervision = true;
      network.stream_channels.push_back(16);
      network.fused_channels.push_back(32);
    }
    network.precision = precision;
    network.dropout = 0.2;
    return make_method<B>(home, chosen, network, 2, target_map::of_classes(2), 1);
  }
  static optimiser_options of(const std::string& name) {
    optimiser_options o;
    o.name = name;
    o.warm_up = 0.5;
    return o;
  }

  // What a step needs of the host.
  void begin(std::uint32_t step) {
    optimisers.prepare(learning_rate(options, step, steps), step);
    begin_step(ctx, step_request{step, steps});
  }
  void run(const step_batch& batch, std::uint32_t step) {
    const step_request at{step, steps};
    optimisers.zero_grad();
    values = method.step(batch, at);
    norms = optimisers.update(learning_rate(options, step, steps), step);
    method.after_update(at);
  }
  // Everything that is logged.
  [[nodiscard]] std::vector<double> logged() const {
    std::vector<variable<B>> all;
    for (const auto& [name, value] : values) all.push_back(value);
    for (const auto& norm : norms) all.push_back(slice(norm, 0, 0, 1));
    return items(all);
  }
  // Parameters, averages, and what optimisers and the method keep.
  [[nodiscard]] std::map<std::string, std::vector<std::uint8_t>> state() const {
    safetensors_file file;
    for (const auto& one : method.trained()) save_parameters(*one.store, one.name + "/", file);
    for (const auto& one : method.predictors()) save_parameters(one.network.parameters(), one.name + "/", file);
    optimisers.save(file);
    method.save(file);
    std::map<std::string, std::vector<std::uint8_t>> all;
    for (const auto& [name, array] : file.arrays) all.emplace(name, array.bytes);
    return all;
  }
};

BOOST_AUTO_TEST_CASE(a_step_waits_for_nothing_and_sends_its_batch_and_its_block) {
  const cohort data;
  for (const std::string precision : {"fp32", "bf16"})
    for (const std::string& name : all_methods()) {
      training one(name, precision, "sgd");
      const batch_maker<> maker = data.maker(one.method.views());
      step_batch batch;
      for (std::uint32_t step = 0; step < 6; ++step) {
        maker.make(step, batch);
        const index waits = host_synchronisations(), sent = uploads();
        one.begin(step);
        one.run(batch, step);
        if (step == 0) continue;  // makes tables and asks for its numbers one by one
        BOOST_TEST(host_synchronisations() - waits == 0, name << ", " << precision << ", step " << step);
        BOOST_TEST(uploads() - sent == 2, name << ", " << precision << ", step " << step);
        (void)one.logged();
        BOOST_TEST(host_synchronisations() - waits == 1, name << ", " << precision << ", step " << step);
      }
    }
}

// Takes its numbers as arguments: it has no prepare().
template <tensor_backend Backend>
struct optimiser_of_numbers {
  any_optimiser<Backend> inner;
  explicit optimiser_of_numbers(const optimiser_options& options)
      : inner(make_optimiser<Backend>([&] {
          optimiser_options of_inner = options;
          of_inner.name = "sgd";
          return of_inner;
        }())) {}
  variable<Backend> update(const parameter_store<Backend>& p, double rate, std::uint32_t step) {
    return inner.update(p, rate, step);
  }
  void save(const parameter_store<Backend>& p, safetensors_file& file) const { inner.save(p, file); }
  void load(const parameter_store<Backend>& p, const safetensors_file& file) { inner.load(p, file); }
};

// A run of a trainer in a folder of its own.
struct run_in_a_folder {
  temporary_folder folder;
  training one;
  batch_maker<> maker;
  trainer<B> loop;

  run_in_a_folder(const cohort& data, const std::string& name, train_options options,
                  const std::string& precision = "fp32", const std::string& optimiser = "adamw")
      : one(name, precision, "adamw"),
        maker(data.maker(one.method.views())),
        loop(one.method, training::of(optimiser), maker, {.threads = 0, .depth = 1}, options, plan(), folder.path(),
             optimisers()) {
    loop.validate = [] { return validation_scores{{"dice", 0.5}}; };
    loop.predict = [](const std::string&, std::uint32_t) {
      label_volume mask;
      mask.geometry.size = {20, 20, 12};
      mask.values.assign(20 * 20 * 12, 1);
      return mask;
    };
  }
  static model_plan plan() {
    model_plan plan;
    plan.modalities = {"T1", "T2"};
    plan.labels = {{"background", {0}}, {"lesion", {1}}};
    plan.patch_size = {16, 16, 8};
    return plan;
  }
  static optimiser_registry<B> optimisers() {
    auto names = optimiser_registry<B>::built_in();
    names.optimiser<generic<optimiser_of_numbers>>("of_numbers");
    return names;
  }
  [[nodiscard]] std::string bytes_of(const std::string& file) const {
    std::ifstream in(folder.path() / file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

BOOST_AUTO_TEST_CASE(a_trainer_waits_once_per_step_that_logs) {
  const cohort data;
  for (const std::string& name : all_methods()) {
    run_in_a_folder run(data, name, {.steps = 10, .log_every = 3, .checkpoint_every = 100});
    std::vector<index> waits, sent;  // before each step
    (void)run.loop.run([&] {
      waits.push_back(host_synchronisations());
      sent.push_back(uploads());
      return false;
    });
    BOOST_REQUIRE(waits.size() == 10u);
    for (std::size_t step = 1; step + 1 < waits.size(); ++step) {
      BOOST_TEST(waits[step + 1] - waits[step] == ((step + 1) % 3 == 0 ? 1 : 0), name << ", step " << step);
      BOOST_TEST(sent[step + 1] - sent[step] == 2, name << ", step " << step);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_trainer_that_replays_writes_the_same_bytes) {
  const cohort data;
  for (const std::string& name : all_methods()) BOOST_TEST_CONTEXT(name) {
      train_options options{.steps = 20, .log_every = 1, .checkpoint_every = 7, .replay = step_replay::off};
      run_in_a_folder runs(data, name, options);
      (void)runs.loop.run();
      options.replay = step_replay::on;
      run_in_a_folder replays(data, name, options);
      std::vector<std::string> words;
      replays.loop.warning = [&](const std::string& line) { words.push_back(line); };
      (void)replays.loop.run();
      BOOST_TEST(words.empty());
      BOOST_TEST(runs.loop.replayed() == 0);
      // At five points from two fifths of the run on, methods with rounds change what they keep: two steps run anew.
      BOOST_TEST(replays.loop.replayed() == (replays.one.method.has_rounds() ? 8 : 18));
      for (const std::string file : {"model.safetensors", "checkpoint.safetensors", "log.csv"})
        BOOST_TEST((replays.bytes_of(file) == runs.bytes_of(file)), file);
    }
}

// A validation uses the weights between two steps, and takes the memory of the recorded one.
BOOST_AUTO_TEST_CASE(steps_around_a_validation_are_recorded_anew) {
  const cohort data;
  for (const std::string precision : {"fp32", "bf16"}) {
    train_options options{.steps = 12, .log_every = 1, .validate_every = 5, .replay = step_replay::off};
    run_in_a_folder runs(data, "mean_teacher", options, precision);
    (void)runs.loop.run();
    options.replay = step_replay::on;
    run_in_a_folder replays(data, "mean_teacher", options, precision);
    (void)replays.loop.run();
    BOOST_TEST(replays.loop.replayed() == 6);  // of 5, 5 and 2 steps, all but two each
    for (const std::string file : {"model.safetensors", "best.safetensors", "log.csv"})
      BOOST_TEST((replays.bytes_of(file) == runs.bytes_of(file)), precision << ": " << file);
  }
}

BOOST_AUTO_TEST_CASE(an_optimiser_that_takes_numbers_is_not_replayed) {
  const cohort data;
  run_in_a_folder asked(data, "supervised", {.steps = 4, .replay = step_replay::on}, "fp32", "of_numbers");
  BOOST_CHECK_EXCEPTION((void)asked.loop.run(), error, says("train.replay = \"on\": the optimiser has no prepare()"));
  run_in_a_folder usual(data, "supervised", {.steps = 4}, "fp32", "of_numbers");
  BOOST_TEST(usual.loop.run().finished);
  BOOST_TEST(usual.loop.replayed() == 0);
}

// A batch of other sizes runs, and steps are recorded anew when two in a row have the same.
BOOST_AUTO_TEST_CASE(steps_of_other_sizes_are_not_replayed) {
  const cohort data;
  training eager("mean_teacher", "fp32", "sgd"), replayed("mean_teacher", "fp32", "sgd");
  skipped_steps<B> of_eager(eager.home), of_replayed(replayed.home);
  const any_communicator<B> alone;
  training_steps<B> a(eager.method, eager.optimisers, of_eager, alone, step_replay::off),
      b(replayed.method, replayed.optimisers, of_replayed, alone, step_replay::on);
  const batch_maker<> maker = data.maker(eager.method.views());
  std::vector<index> counts;
  for (std::uint32_t step = 0; step < 9; ++step) {
    step_batch batch = maker.make(step);
    if (step == 4) batch.labelled.annotated.assign(static_cast<std::size_t>(batch.labelled.samples) * 2, 1.f);
    const step_request request{step, 10};
    const auto x = a.run(batch, request, 0.01), y = b.run(batch, request, 0.01);
    BOOST_TEST(item(x.loss) == item(y.loss), "step " << step);
    counts.push_back(b.replayed());
  }
  BOOST_TEST((counts == std::vector<index>{0, 0, 1, 2, 2, 2, 2, 3, 4}), boost::test_tools::per_element());
  BOOST_TEST((eager.state() == replayed.state()));
}

BOOST_AUTO_TEST_CASE(steps_that_are_replayed_equal_steps_that_run) {
  const cohort data;
  for (const std::string precision : {"fp32", "bf16"})
    for (const std::string& name : all_methods())
      for (const std::string optimiser : {"sgd", "adamw"})
        BOOST_TEST_CONTEXT(name << ", " << precision << ", " << optimiser) {
          training eager(name, precision, optimiser), replayed(name, precision, optimiser);
          const batch_maker<> maker = data.maker(eager.method.views());
          std::vector<step_batch> batches(5);
          for (std::uint32_t step = 0; step < 5; ++step) maker.make(step, batches[step]);
          std::vector<std::vector<double>> expected, found;
          for (std::uint32_t step = 0; step < 5; ++step) {
            eager.begin(step);
            eager.run(batches[step], step);
            expected.push_back(eager.logged());
          }
          // Step 0 makes what all steps use, step 1 is recorded, the others are that recording.
          const auto ready = [&](std::uint32_t step) {
            upload_batch(replayed.home, batches[step]);
            replayed.begin(step);
          };
          ready(0);
          replayed.run(batches[0], 0);
          found.push_back(replayed.logged());
          {  // Who predicts between two steps makes the copies of the weights that the next one needs.
            const no_grad_scope<B> quiet(replayed.home);
            const device_batch<B> crops(replayed.home, batches[1]);
            for (const auto& predictor : replayed.method.predictors())
              (void)predictor.network.forward(crops.labelled.volumes, crops.labelled.present,
                                              network_outputs::fused_only);
          }
          ready(1);
          step_recording<B> recording(replayed.ctx, [&] { replayed.run(batches[1], 1); });
          found.push_back(replayed.logged());
          for (std::uint32_t step = 2; step < 5; ++step) {
            ready(step);
            const index waits = host_synchronisations(), sent = uploads();
            recording.replay();
            BOOST_TEST(host_synchronisations() == waits);
            BOOST_TEST(uploads() == sent);
            found.push_back(replayed.logged());
          }
          for (std::size_t step = 0; step < 5; ++step) BOOST_TEST((found[step] == expected[step]), "step " << step);
          const auto a = eager.state(), b = replayed.state();
          BOOST_TEST(a.size() == b.size());
          for (const auto& [array, bytes] : a) BOOST_TEST((b.at(array) == bytes), array);
          // The steps differ, or the comparison would say nothing.
          BOOST_TEST((expected[3] != expected[4]));
          // A replayed step and one that runs can follow each other.
          eager.begin(5);
          eager.run(batches[0], 5);
          upload_batch(replayed.home, batches[0]);
          replayed.begin(5);
          replayed.run(batches[0], 5);
          BOOST_TEST((replayed.logged() == eager.logged()));
          BOOST_TEST((replayed.state() == eager.state()));
          // A replay uses the batch up: another one at the same address is sent again.
          step_batch place = batches[1];
          upload_batch(replayed.home, place);
          replayed.begin(6);
          recording.replay();
          place = batches[2];
          replayed.begin(7);
          replayed.run(place, 7);
          for (const std::uint32_t step : {6u, 7u}) {
            eager.begin(step);
            eager.run(batches[step - 5], step);
          }
          BOOST_TEST((replayed.state() == eager.state()));
        }
}

}  // namespace comodal::tests
