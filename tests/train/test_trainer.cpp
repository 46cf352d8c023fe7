// SPDX-License-Identifier: Apache-2.0
// The training loop with a method of one weight w, whose loss is w^2: what is called when, and what is written.
#define BOOST_TEST_MODULE train_trainer
#include <boost/test/unit_test.hpp>

#include <comodal/train/trainer.hpp>

#include <nn/support.hpp>

namespace comodal::tests {

using B = bench::backend;

struct recorded_step {
  progress at;
  std::uint32_t batch = 0, guide = 0;  // the step and the guide that its batch was made of
  double before = 0, after = 0;        // the weight in `step` and in `after_update`
};

class square_of_a_weight {
 public:
  enum class damage { none, loss, gradient };
  square_of_a_weight(tape<B>& home, std::vector<recorded_step>& record, std::uint32_t damaged_step, damage kind)
      : m_record(&record),
        m_damaged_step(damaged_step),
        m_damage(kind),
        m_parameters(home, 1),
        m_averaged(home, 1),
        m_weight(m_parameters.constant("w", {1}, 1)) {
    (void)m_averaged.constant("w", {1}, 1);
  }
  named_scalars<B> step(const step_batch& batch, const progress& at) {
    m_record->push_back({at, batch.labelled.cases[0], batch.weak.cases[0], weight()});
    auto loss = multiply(m_weight, m_weight);
    if (at.step == m_damaged_step && m_damage == damage::loss) loss = log(scale(loss, -1));
    if (at.step == m_damaged_step && m_damage == damage::gradient) loss = scale(loss, 1e308);
    loss = reshape(loss, shape{});
    m_parameters.home().backward(loss);
    return {{"loss", loss}};
  }
  void after_update(const progress& at) {
    BOOST_TEST(at.step == m_record->back().at.step);
    m_record->back().after = weight();
  }
  network_output<B> predict(const std::vector<variable<B>>&, const presence<B>&, prediction_weights,
                            network_outputs) const {
    return {};
  }
  const parameter_store<B>& parameters() const { return m_parameters; }
  const parameter_store<B>& averaged() const { return m_averaged; }
  void save(safetensors_file&) const {}
  void load(const safetensors_file&) {}

 private:
  double weight() const { return to_host(m_weight.ctx().space(), m_weight.value())[0]; }

  std::vector<recorded_step>* m_record;
  std::uint32_t m_damaged_step;
  damage m_damage;
  parameter_store<B> m_parameters, m_averaged;
  variable<B> m_weight;
};
using damage = square_of_a_weight::damage;

struct numbered_batches {
  using batch_type = step_batch;
  std::uint32_t guide = 0;
  void make(std::uint32_t step, step_batch& batch) const {
    batch.labelled.cases = {step};
    batch.weak.cases = {guide};
  }
  void set_guide(std::uint32_t, const label_volume& mask) { guide = mask.values[0]; }
};

// One run in a folder: a method, its batches and its trainer.
struct run_of_ten_steps : bench {
  std::vector<recorded_step> record;
  numbered_batches maker;
  any_method<B> method;
  trainer<B, numbered_batches> loop;
  int guides = 0;

  explicit run_of_ten_steps(const temporary_folder& folder, train_options options = {.steps = 10},
                            std::uint32_t damaged_step = 100, damage kind = damage::none)
      : method(std::make_unique<square_of_a_weight>(home, record, damaged_step, kind)),
        loop(method, optimiser(), maker, {.threads = 1, .depth = 3}, options, plan(), folder.path()) {}

  static optimiser_options optimiser() {
    optimiser_options o;
    o.rate = 0.1;
    o.momentum = 0;
    o.decay = 0;
    return o;
  }
  static model_plan plan() {
    model_plan p;
    p.modalities = {"T1"};
    p.labels = {{"background", {0}}, {"lesion", {1}}};
    p.patch = {16, 16, 16};
    return p;
  }
  // The next masks of the teacher are full of 1, then of 2 ...
  void guide_by_number(int from) {
    guides = from;
    loop.guide = [this] {
      label_volume mask;
      mask.geometry.size = {1, 1, 1};
      mask.values = {static_cast<std::uint8_t>(++guides)};
      return std::vector{mask};
    };
  }
  static std::function<bool()> before_step(std::uint32_t step) {
    return [step, calls = std::uint32_t{0}]() mutable { return calls++ == step; };
  }
  static std::string step_of(const std::filesystem::path& checkpoint) {
    return read_safetensors(checkpoint).metadata.at("comodal.step");
  }
};

BOOST_AUTO_TEST_CASE(the_update_comes_between_step_and_after_update) {
  const temporary_folder folder;
  run_of_ten_steps run(folder);
  const auto result = run.loop.run();
  BOOST_TEST(result.finished);
  BOOST_TEST(result.steps_done == 10u);
  BOOST_REQUIRE(run.record.size() == 10u);
  double w = 1;
  for (std::uint32_t t = 0; t < 10; ++t) {
    const auto& one = run.record[t];
    BOOST_TEST(one.at.step == t);
    BOOST_TEST(one.at.steps == 10u);
    BOOST_TEST(one.batch == t);
    BOOST_TEST(one.before == w, boost::test_tools::tolerance(1e-12));
    w *= 1 - 2 * learning_rate(run_of_ten_steps::optimiser(), t, 10);
    BOOST_TEST(one.after == w, boost::test_tools::tolerance(1e-12));
  }
  BOOST_TEST(plan_of(read_safetensors(folder / "model.safetensors"), "model").steps == 10u);
}

BOOST_AUTO_TEST_CASE(a_run_that_stops_goes_on_to_the_same_bytes) {
  const temporary_folder whole_folder, folder;
  const train_options options{.steps = 10, .log_every = 1};
  run_of_ten_steps whole(whole_folder, options);
  (void)whole.loop.run();
  {
    run_of_ten_steps first(folder, options);
    const auto result = first.loop.run(run_of_ten_steps::before_step(4));
    BOOST_TEST(!result.finished);
    BOOST_TEST(result.steps_done == 4u);
    BOOST_TEST(!std::filesystem::exists(folder / "model.safetensors"));
  }
  run_of_ten_steps second(folder, options);
  second.loop.resume(second.loop.checkpoint_file());
  BOOST_TEST(second.loop.run().first_step == 4u);
  BOOST_TEST(second.record.front().batch == 4u);
  for (const char* file : {"model.safetensors", "log.csv", "log.jsonl"})
    BOOST_TEST(read_file(folder / file) == read_file(whole_folder / file), file);

  run_of_ten_steps other(folder, {.steps = 11});
  BOOST_CHECK_EXCEPTION(other.loop.resume(other.loop.checkpoint_file()), io_error,
                        says("belongs to a run of 10 steps"));
}

BOOST_AUTO_TEST_CASE(the_teacher_guides_from_two_fifths_of_the_run_on) {
  const temporary_folder folder;
  run_of_ten_steps run(folder);
  run.guide_by_number(0);
  (void)run.loop.run(run_of_ten_steps::before_step(9));
  const std::vector<std::uint32_t> expected{0, 0, 0, 0, 1, 2, 3, 4, 5};
  BOOST_REQUIRE(run.record.size() == expected.size());
  for (std::size_t t = 0; t < expected.size(); ++t) BOOST_TEST(run.record[t].guide == expected[t]);
  // The last masks are in the checkpoint.
  run_of_ten_steps later(folder);
  later.guide_by_number(7);
  later.loop.resume(later.loop.checkpoint_file());
  (void)later.loop.run();
  BOOST_REQUIRE(later.record.size() == 1u);
  BOOST_TEST(later.record[0].guide == 5u);
}

BOOST_AUTO_TEST_CASE(what_is_not_finite_never_replaces_a_checkpoint) {
  for (const damage kind : {damage::loss, damage::gradient}) {
    const temporary_folder folder;
    run_of_ten_steps run(folder, {.steps = 10, .log_every = 100, .checkpoint_every = 3}, 5, kind);
    BOOST_CHECK_EXCEPTION((void)run.loop.run(), error, says("at step 5; lower optimiser.rate"));
    BOOST_TEST(run_of_ten_steps::step_of(folder / "checkpoint.safetensors") == "3");
    BOOST_TEST(!std::filesystem::exists(folder / "model.safetensors"));
    // Nor does it where the run is stopped right after.
    run_of_ten_steps stopped(folder, {.steps = 10, .log_every = 100, .checkpoint_every = 3}, 4, kind);
    BOOST_CHECK_EXCEPTION((void)stopped.loop.run(run_of_ten_steps::before_step(5)), error,
                          says("at step 4; lower optimiser.rate"));
    BOOST_TEST(run_of_ten_steps::step_of(folder / "checkpoint.safetensors") == "3");
  }
}

BOOST_AUTO_TEST_CASE(the_best_on_validation_is_kept) {
  const temporary_folder folder;
  run_of_ten_steps run(folder, {.steps = 10, .validate_every = 3});
  const std::vector<double> scores{0.3, 0.5, 0.4, 0.45};
  std::size_t calls = 0;
  run.loop.validate = [&] { return std::vector<std::pair<std::string, double>>{{"dice", scores.at(calls++)}}; };
  BOOST_TEST(run.loop.run().best_validation == 0.5);
  BOOST_TEST(calls == 4u);  // after steps 3, 6, 9 and the last
  BOOST_TEST(plan_of(read_safetensors(folder / "best.safetensors"), "best").steps == 6u);
}

BOOST_AUTO_TEST_CASE(options_are_checked) {
  const temporary_folder folder;
  BOOST_CHECK_EXCEPTION(run_of_ten_steps(folder, {.steps = 0}), config_error, says("train.steps = 0"));
  BOOST_CHECK_EXCEPTION(run_of_ten_steps(folder, {.log_every = 0}), config_error, says("train.log_every = 0"));
  BOOST_CHECK_EXCEPTION(run_of_ten_steps(folder, {.checkpoint_every = 0}), config_error,
                        says("train.checkpoint_every = 0"));
}

}  // namespace comodal::tests
