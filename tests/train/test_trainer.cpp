// SPDX-License-Identifier: Apache-2.0
// The training loop with a method of one weight w, whose loss is w^2: what is called when, and what is written.
#define BOOST_TEST_MODULE train_trainer
#include <boost/test/unit_test.hpp>

#include <comodal/train/trainer.hpp>

#include <nn/support.hpp>

#include <cmath>
#include <fstream>

namespace comodal::tests {

using B = bench::backend;

struct recorded_step {
  progress at;
  std::uint32_t batch = 0, guide = 0;  // the step and the guide that its batch was made of
  double before = 0, after = 0;        // the weight in `step` and in `after_update`
};

// A network of one weight that segments nothing.
struct weight_network {
  std::shared_ptr<parameter_store<B>> store;
  index modalities() const { return 1; }
  const parameter_store<B>& parameters() const { return *store; }
  network_output<B> forward(const std::vector<variable<B>>&, const presence<B>&, const forward_request&) const {
    return {};
  }
};

class square_of_a_weight {
 public:
  enum class damage { none, loss, gradient, weight, exception };
  /// What `step` returns besides the loss, or instead of it.
  enum class returned {
    loss,
    others_first,
    others_alone,
    empty_loss,
    nothing,
    twice,
    taken,
    empty_other,
    vector,
    no_gradient,
    infinite_other,
    loss_alone_broken
  };
  returned what = returned::loss;
  std::uint32_t damaged_steps = 1;  // from the damaged step on
  square_of_a_weight(tape<B>& home, std::vector<recorded_step>& record, std::uint32_t damaged_step, damage kind)
      : m_record(&record),
        m_damaged_step(damaged_step),
        m_damage(kind),
        m_network{std::make_shared<parameter_store<B>>(home, 1)},
        m_weight(m_network.store->constant("w", {1}, 1)) {}
  batch_views views() const { return {}; }
  named_scalars<B> step(const step_batch& batch, const step_request& at) {
    m_record->push_back({at, batch.labelled.cases[0], batch.weak.cases[0], weight()});
    auto loss = multiply(m_weight, m_weight);
    if (is_damaged(at, damage::loss)) loss = log(scale(loss, -1));
    if (is_damaged(at, damage::gradient)) loss = scale(loss, 1e308);
    if (is_damaged(at, damage::exception)) throw error("no way on");
    loss = reshape(loss, shape{});
    if (what != returned::no_gradient) m_network.store->home().backward(loss);
    const auto other = m_network.store->home().constant(shape{}, {0.25});
    if (what == returned::others_first) return {{"aux", other}, {"loss", loss}, {"more", other}};
    if (what == returned::others_alone) return {{"aux", other}, {"total", loss}};
    if (what == returned::empty_loss) return {{"loss", {}}};
    if (what == returned::nothing) return {};
    if (what == returned::twice) return {{"loss", loss}, {"aux", other}, {"aux", other}};
    if (what == returned::taken) return {{"loss", loss}, {"rate", other}};
    if (what == returned::empty_other) return {{"loss", loss}, {"aux", {}}};
    if (what == returned::vector)
      return {{"loss", loss}, {"aux", concat<B>({reshape(other, {1}), reshape(other, {1})})}};
    if (what == returned::infinite_other && at.step == m_damaged_step)
      return {{"loss", loss}, {"good", other}, {"aux", log(scale(other, 0))}};
    if (what == returned::loss_alone_broken && at.step == m_damaged_step) return {{"loss", log(scale(other, -1))}};
    return {{"loss", loss}};
  }
  void after_update(const step_request& at) {
    BOOST_TEST(at.step == m_record->back().at.step);
    if (is_damaged(at, damage::weight)) m_weight.assign(m_weight.ctx().make({1}, {HUGE_VAL}));
    m_record->back().after = weight();
  }
  void on_validation(const validation_scores& scores) { seen = scores; }
  void between_rounds(const case_predictor& predict) { rounds.push_back(predict("student", 3).values[0]); }
  std::vector<named_store<B>> trained() const { return {{"student", m_network.store.get()}}; }
  std::vector<named_network<B>> predictors() const { return {{"student", m_network}}; }
  validation_scores seen;
  std::vector<int> rounds;  // what `predict` gave for case 3
  void save(safetensors_file&) const {}
  void load(const safetensors_file&) {}

 private:
  bool is_damaged(const progress& at, damage kind) const {
    return m_damage == kind && at.step >= m_damaged_step && at.step - m_damaged_step < damaged_steps;
  }
  double weight() const { return to_host(m_weight.ctx().space(), m_weight.value())[0]; }

  std::vector<recorded_step>* m_record;
  std::uint32_t m_damaged_step;
  damage m_damage;
  weight_network m_network;
  variable<B> m_weight;
};
using damage = square_of_a_weight::damage;
using returned = square_of_a_weight::returned;

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
  std::unique_ptr<square_of_a_weight> made;
  square_of_a_weight* weight;
  any_method<B> method;
  trainer<B, numbered_batches> loop;
  int guides = 0;

  explicit run_of_ten_steps(const temporary_folder& folder, train_options options = {.steps = 10},
                            std::uint32_t damaged_step = 100, damage kind = damage::none,
                            returned what = returned::loss)
      : run_of_ten_steps(folder.path(), plan(), options, damaged_step, kind, what) {}
  run_of_ten_steps(const std::filesystem::path& folder, const model_plan& with, train_options options = {.steps = 10},
                   std::uint32_t damaged_step = 100, damage kind = damage::none, returned what = returned::loss)
      : made(std::make_unique<square_of_a_weight>(home, record, damaged_step, kind)),
        weight(made.get()),
        method(std::move(made)),
        loop(method, optimiser(), maker, {.threads = 1, .depth = 3}, options, with, folder) {
    weight->what = what;
    loop.predict = [](const std::string&, std::uint32_t unlabelled_case) {
      label_volume mask;
      mask.values = {static_cast<std::uint8_t>(10 + unlabelled_case)};
      return mask;
    };
  }

  static optimiser_options optimiser() {
    optimiser_options o;
    o.learning_rate = 0.1;
    o.momentum = 0;
    o.weight_decay = 0;
    return o;
  }
  static model_plan plan() {
    model_plan p;
    p.modalities = {"T1"};
    p.labels = {{"background", {0}}, {"lesion", {1}}};
    p.patch_size = {16, 16, 16};
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

// This method looks at its weight on the host, in each step.
BOOST_AUTO_TEST_CASE(a_step_that_waits_is_not_replayed) {
  const temporary_folder folder;
  run_of_ten_steps asked(folder, {.steps = 10, .replay = step_replay::on});
  BOOST_CHECK_EXCEPTION((void)asked.loop.run(), error, says("recording: the step waited for the device"));
  run_of_ten_steps usual(folder, {.steps = 10, .replay = step_replay::automatic});
  BOOST_TEST(usual.loop.run().finished);
  BOOST_TEST(usual.loop.replayed() == 0);
}

BOOST_AUTO_TEST_CASE(the_update_comes_between_step_and_after_update) {
  const temporary_folder folder;
  run_of_ten_steps run(folder);
  const auto result = run.loop.run();
  BOOST_TEST(result.finished);
  BOOST_TEST(result.steps_done == 10u);
  BOOST_TEST(result.last_loss == run.record.back().before * run.record.back().before,
             boost::test_tools::tolerance(1e-12));
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
  BOOST_TEST(second.loop.resume(second.loop.checkpoint_file()) == "");
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
  BOOST_TEST(run.weight->rounds == (std::vector<int>{13, 13, 13, 13, 13}), boost::test_tools::per_element());
  // The last masks are in the checkpoint.
  run_of_ten_steps later(folder);
  later.guide_by_number(7);
  later.loop.resume(later.loop.checkpoint_file());
  (void)later.loop.run();
  BOOST_REQUIRE(later.record.size() == 1u);
  BOOST_TEST(later.record[0].guide == 5u);
}

// What a run says of each step: the lines of its log that belong to it.
std::vector<std::string> rows_of(const std::filesystem::path& folder, int step) {
  std::ifstream log(folder / "log.csv");
  std::vector<std::string> rows;
  for (std::string line; std::getline(log, line);)
    if (line.starts_with(std::to_string(step) + ",")) rows.push_back(line.substr(line.find(',') + 1));
  return rows;
}

BOOST_AUTO_TEST_CASE(a_step_whose_gradient_is_not_finite_changes_nothing_and_is_counted) {
  for (const damage kind : {damage::loss, damage::gradient}) {
    const temporary_folder folder;
    run_of_ten_steps run(folder, {.steps = 10, .log_every = 1}, 5, kind);
    std::vector<std::string> warnings;
    run.loop.warning = [&](const std::string& words) { warnings.push_back(words); };
    const auto result = run.loop.run();
    BOOST_TEST(result.finished);
    BOOST_TEST(result.skipped == 1u);
    BOOST_TEST(run.record[5].before == run.record[5].after);
    BOOST_TEST(run.record[6].before == run.record[5].after);
    BOOST_TEST(run.record[6].after < run.record[6].before);
    BOOST_TEST(warnings == (std::vector<std::string>{
                               "steps whose loss or gradient is not finite were skipped: 1 up to step 6"}),
               boost::test_tools::per_element());
    BOOST_TEST(rows_of(folder.path(), 5).size() == 3u);  // rate, loss, gradient_norm
    const auto broken = rows_of(folder.path(), 6);       // the loss is finite where the gradient alone is not
    BOOST_TEST(broken.size() == (kind == damage::loss ? 2u : 3u));
    BOOST_TEST(broken.back() == "skipped,1");
    BOOST_TEST(rows_of(folder.path(), 10).back() == "skipped,1");
    BOOST_TEST(std::filesystem::exists(folder / "model.safetensors"));
  }
}

BOOST_AUTO_TEST_CASE(ten_skipped_steps_in_a_row_end_the_run_with_a_checkpoint) {
  const temporary_folder folder;
  const train_options options{.steps = 30, .log_every = 4, .checkpoint_every = 100};
  {
    run_of_ten_steps run(folder, options, 5, damage::gradient);
    run.weight->damaged_steps = 100;
    BOOST_CHECK_EXCEPTION((void)run.loop.run(), error,
                          says("loss or gradient of the last 11 steps up to step 16 are not finite; they were skipped, "
                               "the checkpoint has the weights from before; lower optimiser.learning_rate"));
    BOOST_TEST(run_of_ten_steps::step_of(folder / "checkpoint.safetensors") == "16");
    BOOST_TEST(!std::filesystem::exists(folder / "model.safetensors"));
    BOOST_TEST(run.record.back().after == run.record[4].after);
  }
  run_of_ten_steps later(folder, options);
  BOOST_TEST(later.loop.resume(later.loop.checkpoint_file()) == "");
  const auto result = later.loop.run();
  BOOST_TEST(result.finished);
  BOOST_TEST(result.skipped == 11u);
}

BOOST_AUTO_TEST_CASE(a_run_that_ends_in_skipped_steps_has_no_model) {
  {
    const temporary_folder folder;  // half of its steps and more: nothing is written
    run_of_ten_steps run(folder, {.steps = 6, .log_every = 100}, 2, damage::gradient);
    run.weight->damaged_steps = 100;
    BOOST_CHECK_EXCEPTION((void)run.loop.run(), error,
                          says("the last 4 steps up to step 6 are not finite; there is no"));
    BOOST_TEST(!std::filesystem::exists(folder / "model.safetensors"));
    BOOST_TEST(!std::filesystem::exists(folder / "checkpoint.safetensors"));
  }
  {
    const temporary_folder folder;  // one of them: the model has the weights from before
    run_of_ten_steps run(folder, {.steps = 6, .log_every = 100}, 5, damage::gradient);
    BOOST_TEST(run.loop.run().finished);
    BOOST_TEST(std::filesystem::exists(folder / "model.safetensors"));
  }
  // A checkpoint of the last step, with ten skipped steps, has no model either when it is resumed.
  const temporary_folder folder;
  const train_options options{.steps = 30, .log_every = 100};
  run_of_ten_steps run(folder, options, 19, damage::gradient);
  run.weight->damaged_steps = 100;
  BOOST_CHECK_EXCEPTION((void)run.loop.run(), error, says("the last 11 steps up to step 30 are not finite; they were"));
  run_of_ten_steps later(folder, options);
  later.loop.resume(later.loop.checkpoint_file());
  BOOST_CHECK_EXCEPTION((void)later.loop.run(), error, says("there is no model"));
  BOOST_TEST(!std::filesystem::exists(folder / "model.safetensors"));
}

BOOST_AUTO_TEST_CASE(a_resumed_run_counts_on) {
  const train_options options{.steps = 14, .log_every = 1};
  const auto prepare = [](run_of_ten_steps& run) { run.weight->damaged_steps = 6; };
  const temporary_folder whole_folder, folder;
  run_of_ten_steps whole(whole_folder, options, 3, damage::loss);
  prepare(whole);
  (void)whole.loop.run();
  {
    run_of_ten_steps first(folder, options, 3, damage::loss);
    prepare(first);
    (void)first.loop.run(run_of_ten_steps::before_step(6));
  }
  run_of_ten_steps second(folder, options, 3, damage::loss);
  prepare(second);
  std::string said;
  second.loop.warning = [&](const std::string& words) { said += words + "\n"; };
  BOOST_TEST(second.loop.resume(second.loop.checkpoint_file()) == "");
  BOOST_TEST(second.loop.run().skipped == 6u);
  BOOST_TEST(said.find("skipped: 1 up to step 7\n") != std::string::npos);  // not the three of before
  for (const char* file : {"model.safetensors", "checkpoint.safetensors", "log.csv", "log.jsonl"})
    BOOST_TEST(read_file(folder / file) == read_file(whole_folder / file), file);
}

BOOST_AUTO_TEST_CASE(what_is_not_finite_is_never_written) {
  const temporary_folder folder;
  run_of_ten_steps run(folder, {.steps = 10, .log_every = 100, .checkpoint_every = 3}, 4, damage::weight);
  BOOST_CHECK_EXCEPTION((void)run.loop.run(), error,
                        says("'student/w' is not finite after step 6, and is not written; lower optimiser.learning"));
  BOOST_TEST(run_of_ten_steps::step_of(folder / "checkpoint.safetensors") == "3");
  BOOST_TEST(!std::filesystem::exists(folder / "model.safetensors"));
  // Nor where the run is stopped right after, nor at its end.
  run_of_ten_steps stopped(folder, {.steps = 10, .log_every = 100, .checkpoint_every = 3}, 4, damage::weight);
  BOOST_CHECK_EXCEPTION((void)stopped.loop.run(run_of_ten_steps::before_step(5)), error, says("after step 5"));
  BOOST_TEST(run_of_ten_steps::step_of(folder / "checkpoint.safetensors") == "3");
  run_of_ten_steps last(folder, {.steps = 10, .log_every = 100, .checkpoint_every = 100}, 9, damage::weight);
  BOOST_CHECK_EXCEPTION((void)last.loop.run(), error, says("after step 10"));
  BOOST_TEST(!std::filesystem::exists(folder / "model.safetensors"));
}

BOOST_AUTO_TEST_CASE(a_step_whose_loss_alone_is_no_number_is_skipped) {
  const temporary_folder folder;
  run_of_ten_steps run(folder, {.steps = 10, .log_every = 1}, 5, damage::none, returned::loss_alone_broken);
  BOOST_TEST(run.loop.run().skipped == 1u);
  BOOST_TEST(run.record[5].before == run.record[5].after);
}

BOOST_AUTO_TEST_CASE(the_loss_is_found_by_its_name) {
  const train_options options{.steps = 10, .log_every = 1, .checkpoint_every = 3};
  {
    const temporary_folder folder;
    run_of_ten_steps run(folder, options, 100, damage::none, returned::others_first);
    const auto result = run.loop.run();
    const double last = run.record.back().before;
    BOOST_TEST(result.last_loss == last * last, boost::test_tools::tolerance(1e-12));
  }
  const temporary_folder folder;
  run_of_ten_steps damaged(folder, options, 5, damage::loss, returned::others_first);
  BOOST_TEST(damaged.loop.run().skipped == 1u);
}

BOOST_AUTO_TEST_CASE(a_step_that_logs_reads_once_from_the_device) {
  const auto waits = [](index log_every, index checkpoint_every) {
    const temporary_folder folder;
    run_of_ten_steps run(folder, {.steps = 10, .log_every = log_every, .checkpoint_every = checkpoint_every}, 100,
                         damage::none, returned::others_first);
    const index before = host_synchronisations();
    (void)run.loop.run();
    return host_synchronisations() - before;
  };
  const index least = waits(10, 10);  // the last step logs and writes a checkpoint
  BOOST_TEST(waits(1, 10) - least == 9);
  BOOST_TEST(waits(5, 10) - least == 1);
}

BOOST_AUTO_TEST_CASE(a_method_without_a_loss_is_refused) {
  const std::vector<std::pair<returned, std::string>> cases{
      {returned::others_alone, "no value named 'loss' (it returned aux, total)"},
      {returned::empty_loss, "no value named 'loss' (it returned loss (empty))"},
      {returned::nothing, "no value named 'loss' (it returned nothing)"}};
  for (const auto& [what, words] : cases) {
    const temporary_folder folder;
    run_of_ten_steps run(folder, {.steps = 10}, 100, damage::none, what);
    BOOST_CHECK_EXCEPTION((void)run.loop.run(), error, says(words));
  }
}

BOOST_AUTO_TEST_CASE(values_that_a_log_cannot_hold_and_steps_without_gradients_are_refused) {
  const std::vector<std::pair<returned, std::string>> cases{
      {returned::twice, "step() returns two values named 'aux'"},
      {returned::taken, "step() returns a value named 'rate', expected another name"},
      {returned::empty_other, "step() returns an empty value 'aux'"},
      {returned::vector, "step() returns 'aux' of the shape (2), expected a scalar"},
      {returned::no_gradient, "step() left no gradient in 'student'; call backward(loss)"}};
  for (const auto& [what, words] : cases) {
    const temporary_folder folder;
    run_of_ten_steps run(folder, {.steps = 10}, 100, damage::none, what);
    BOOST_CHECK_EXCEPTION((void)run.loop.run(), config_error, says(words));
    BOOST_TEST(run.record.size() == 1u);
    BOOST_TEST(run.home.size() == 0u);
  }
}

BOOST_AUTO_TEST_CASE(the_term_that_is_no_number_is_named) {
  const temporary_folder folder;
  run_of_ten_steps run(folder, {.steps = 10, .log_every = 1}, 3, damage::loss, returned::infinite_other);
  std::string said;
  run.loop.warning = [&](const std::string& words) { said += words; };
  (void)run.loop.run();
  BOOST_TEST(said == "steps whose loss or gradient is not finite were skipped: 1 up to step 4 ('aux' is -inf)");
}

BOOST_AUTO_TEST_CASE(a_step_that_throws_leaves_the_tape_empty) {
  const temporary_folder folder;
  run_of_ten_steps run(folder, {.steps = 10}, 3, damage::exception);
  BOOST_CHECK_EXCEPTION((void)run.loop.run(), error, says("no way on"));
  BOOST_TEST(run.home.size() == 0u);
}

BOOST_AUTO_TEST_CASE(a_plan_that_nobody_could_read_is_refused_before_the_run) {
  const temporary_folder folder;
  auto plan = run_of_ten_steps::plan();
  plan.labels.clear();
  BOOST_CHECK_EXCEPTION(run_of_ten_steps(folder.path(), plan), config_error,
                        says("trainer: the plan has 0 labels, expected the background and at least one more"));
  plan = run_of_ten_steps::plan();
  plan.labels.pop_back();
  BOOST_CHECK_EXCEPTION(run_of_ten_steps(folder.path(), plan), config_error, says("the plan has 1 labels"));
  plan = run_of_ten_steps::plan();
  plan.modalities.clear();
  BOOST_CHECK_EXCEPTION(run_of_ten_steps(folder.path(), plan), config_error,
                        says("trainer: the plan names no modality"));
}

BOOST_AUTO_TEST_CASE(the_folder_of_a_run_is_made_or_refused_before_the_run) {
  const temporary_folder folder;
  run_of_ten_steps run(folder / "new" / "run", run_of_ten_steps::plan());
  (void)run.loop.run();
  BOOST_TEST(std::filesystem::exists(folder / "new" / "run" / "model.safetensors"));
  write_text(folder / "file", "");
  for (const auto& place : {folder / "file", folder / "file" / "run"})
    BOOST_CHECK_EXCEPTION(run_of_ten_steps(place, run_of_ten_steps::plan()), io_error,
                          says(place.string() + ": this folder cannot be made"));
}

// Other engines or another processor choose other kernels: the bytes may differ, and somebody should know.
BOOST_AUTO_TEST_CASE(a_checkpoint_of_other_engines_is_resumed_with_a_warning) {
  const temporary_folder folder;
  run_of_ten_steps run(folder, {.steps = 10});
  (void)run.loop.run(run_of_ten_steps::before_step(4));
  const auto file = run.loop.checkpoint_file();
  safetensors_file content = read_safetensors(file);
  BOOST_TEST(content.metadata.at("comodal.engines").starts_with(engine_configuration(run.ctx)));
#if defined(COMODAL_ARCH_NAME)
  BOOST_TEST(content.metadata.at("comodal.engines").ends_with(", compiled for " COMODAL_ARCH_NAME));
#endif
  content.metadata["comodal.engines"] = "engines abacus";
  write_checked_safetensors(file, content);
  run_of_ten_steps again(folder, {.steps = 10});
  const std::string warning = again.loop.resume(file);
  BOOST_TEST(warning.find("was written with engines abacus, this program has engines ") != std::string::npos, warning);
  BOOST_TEST(again.loop.run().first_step == 4u);
  content.metadata.erase("comodal.engines");  // as 0.1.0 wrote it
  write_checked_safetensors(file, content);
  BOOST_TEST(run_of_ten_steps(folder, {.steps = 10}).loop.resume(file) == "");
}

BOOST_AUTO_TEST_CASE(damaged_checkpoints_are_refused_in_plain_words) {
  const temporary_folder folder;
  run_of_ten_steps run(folder, {.steps = 10, .validate_every = 3});
  run.loop.validate = [] { return std::vector<std::pair<std::string, double>>{{"dice", 0.75}}; };
  run.guide_by_number(0);
  (void)run.loop.run(run_of_ten_steps::before_step(7));
  const auto file = run.loop.checkpoint_file();
  const safetensors_file whole = read_safetensors(file);
  const auto refused = [&](const std::string& words, const std::function<void(safetensors_file&)>& damage) {
    auto content = whole;
    damage(content);
    write_checked_safetensors(file, content);
    run_of_ten_steps again(folder, {.steps = 10});
    BOOST_CHECK_EXCEPTION(again.loop.resume(file), io_error, says(words));
  };
  for (const std::string entry : {"comodal.step", "comodal.steps", "comodal.seed"})
    for (const std::string words : {"", "seven", "7 ", "0x7", "99999999999999999999", "7.5"})
      refused(text(entry, " = '", words, "', expected a whole number"), [&](auto& f) { f.metadata[entry] = words; });
  for (const std::string words : {"", "best", "0.75", "0x", "0x1p-1 ", "0x1p99999", "nan"})
    refused(text("comodal.best = '", words, "', expected a hexadecimal number"),
            [&](auto& f) { f.metadata["comodal.best"] = words; });
  for (const std::string words : {"-1", "11", "4294967296"})
    refused(text("comodal.step = ", words, " of 10"), [&](auto& f) { f.metadata["comodal.step"] = words; });
  refused("is no checkpoint (it has no comodal.step)", [](auto& f) { f.metadata.erase("comodal.step"); });
  refused("array 'guide.0' is (1), expected three axes", [](auto& f) { f.arrays["guide.0"].shape = shape{1}; });
  write_checked_safetensors(file, whole);
  run_of_ten_steps again(folder, {.steps = 10});
  again.loop.resume(file);
  BOOST_TEST((again.loop.run().best_validation == 0.75));
}

BOOST_AUTO_TEST_CASE(no_flipped_bit_of_a_checkpoint_is_trained_on) {
  const temporary_folder folder;
  run_of_ten_steps run(folder, {.steps = 10, .checkpoint_every = 100});
  run.guide_by_number(0);
  (void)run.loop.run(run_of_ten_steps::before_step(7));
  const auto file = run.loop.checkpoint_file();
  BOOST_TEST(!std::filesystem::exists(folder / "checkpoint.previous.safetensors"));  // it is the first
  const byte_buffer whole = read_file(file);
  // Without the key of the check sum all other bytes are as they were written.
  const std::string_view key = "comodal.checksum";
  const auto found = std::search(whole.begin(), whole.end(), key.begin(), key.end());
  const auto from = static_cast<std::size_t>(found - whole.begin()), to = from + key.size();
  BOOST_REQUIRE(to < whole.size());
  for (std::size_t at = 8; at < whole.size(); at == from - 1 ? at = to : ++at)
    for (const unsigned char bit : {1, 16, 128}) {
      byte_buffer flipped = whole;
      flipped[at] ^= bit;
      write_file(file, flipped);
      run_of_ten_steps again(folder, {.steps = 10});
      BOOST_REQUIRE_THROW(again.loop.resume(file), error);
    }
  write_file(file, whole);
  BOOST_TEST(run_of_ten_steps(folder, {.steps = 10}).loop.resume(file) == "");
}

BOOST_AUTO_TEST_CASE(a_damaged_checkpoint_gives_way_to_the_one_before_it) {
  const temporary_folder whole_folder, folder;
  const train_options options{.steps = 10, .log_every = 1, .checkpoint_every = 3};
  run_of_ten_steps whole(whole_folder, options);
  (void)whole.loop.run();
  {
    run_of_ten_steps first(folder, options);
    (void)first.loop.run(run_of_ten_steps::before_step(8));  // checkpoints of steps 3, 6 and 8
  }
  const auto file = folder / "checkpoint.safetensors";
  BOOST_TEST(run_of_ten_steps::step_of(file) == "8");
  BOOST_TEST(run_of_ten_steps::step_of(folder / "checkpoint.previous.safetensors") == "6");
  byte_buffer bytes = read_file(file);
  bytes.back() ^= 1;
  write_file(file, bytes);
  run_of_ten_steps second(folder, options);
  const std::string warning = second.loop.resume(file);
  BOOST_TEST(warning.find("is damaged: its check sum is") != std::string::npos, warning);
  BOOST_TEST(warning.find("goes on from the checkpoint before it") != std::string::npos, warning);
  BOOST_TEST(second.loop.run().first_step == 6u);
  for (const char* name : {"model.safetensors", "log.csv", "log.jsonl"})
    BOOST_TEST(read_file(folder / name) == read_file(whole_folder / name), name);
  std::filesystem::remove(folder / "checkpoint.previous.safetensors");
  write_file(file, bytes);
  BOOST_CHECK_EXCEPTION(run_of_ten_steps(folder, options).loop.resume(file), io_error, says("is damaged"));
}

BOOST_AUTO_TEST_CASE(other_cases_than_those_of_the_start_are_refused) {
  const temporary_folder folder;
  const case_checksums cases{{"a", 17u}, {"b", 4294967295u}};
  {
    run_of_ten_steps run(folder);
    run.loop.cases = cases;
    (void)run.loop.run(run_of_ten_steps::before_step(4));
  }
  const auto resumed = [&](const case_checksums& with) {
    run_of_ten_steps again(folder);
    again.loop.cases = with;
    return again.loop.resume(again.loop.checkpoint_file());
  };
  BOOST_TEST(resumed(cases) == "");
  BOOST_TEST(resumed({}) == "");  // not compared
  BOOST_CHECK_EXCEPTION(resumed({{"a", 18u}, {"b", 4294967295u}}), io_error,
                        says("case a has changed its images, their grid or its label"));
  BOOST_CHECK_EXCEPTION(resumed({{"a", 17u}}), io_error, says("case b has gone"));
  BOOST_CHECK_EXCEPTION(resumed({{"a", 17u}, {"b", 4294967295u}, {"c", 1u}}), io_error, says("case c has come"));
}

BOOST_AUTO_TEST_CASE(steps_count_from_one_and_a_line_without_its_end_is_dropped) {
  const temporary_folder folder;
  const auto text_of = [&](const char* name) {
    const auto bytes = read_file(folder / name);
    return std::string(bytes.begin(), bytes.end());
  };
  {
    training_log log(folder.path(), 0);
    log.write({1, {{"loss", 2.5}}});
    log.write({2, {{"loss", std::nan("")}}});
    log.finish();
  }
  const std::string csv = "step,name,value\n1,loss,2.5\n2,loss,nan\n";
  BOOST_TEST(text_of("log.csv") == csv);
  BOOST_TEST(text_of("log.jsonl") == "{\"step\":1,\"loss\":2.5}\n{\"step\":2,\"loss\":null}\n");
  write_text(folder / "log.csv", csv + "3,loss,0.12");  // killed in the middle of 0.125
  write_text(folder / "log.jsonl", "{\"step\":1,\"loss\":2.5}\nno JSON\n{\"step\":2}\n{\"step\":3}\n{\"st");
  training_log(folder.path(), 2).finish();
  BOOST_TEST(text_of("log.csv") == csv);
  BOOST_TEST(text_of("log.jsonl") == "{\"step\":1,\"loss\":2.5}\n{\"step\":2}\n");
}

BOOST_AUTO_TEST_CASE(the_best_on_validation_is_kept) {
  const temporary_folder folder;
  run_of_ten_steps run(folder, {.steps = 10, .validate_every = 3});
  const std::vector<double> scores{0.3, 0.5, 0.4, 0.45};
  std::size_t calls = 0;
  run.loop.validate = [&] { return std::vector<std::pair<std::string, double>>{{"dice", scores.at(calls++)}}; };
  BOOST_TEST((run.loop.run().best_validation == 0.5));
  BOOST_TEST(calls == 4u);  // after steps 3, 6, 9 and the last
  BOOST_REQUIRE(run.weight->seen.size() == 1u);
  BOOST_TEST(run.weight->seen[0].second == 0.45);
  BOOST_TEST(plan_of(read_safetensors(folder / "best.safetensors"), "best").steps == 6u);
}

BOOST_AUTO_TEST_CASE(the_best_may_be_below_zero) {
  const temporary_folder folder;
  run_of_ten_steps run(folder, {.steps = 10, .validate_every = 5});
  run.loop.validate = [calls = 0]() mutable {
    return validation_scores{{"minus_distance", calls++ == 0 ? -7.0 : -9.0}};
  };
  BOOST_TEST((run.loop.run().best_validation == -7.0));
  BOOST_TEST(plan_of(read_safetensors(folder / "best.safetensors"), "best").steps == 5u);
  run_of_ten_steps never(folder);
  BOOST_TEST(!never.loop.run().best_validation.has_value());
}

BOOST_AUTO_TEST_CASE(a_checkpoint_of_another_run_is_refused) {
  const temporary_folder folder;
  {
    run_of_ten_steps run(folder);
    (void)run.loop.run();
  }
  const auto refused = [&](const std::string& words, const std::function<void(model_plan&)>& change) {
    auto plan = run_of_ten_steps::plan();
    change(plan);
    run_of_ten_steps again(folder.path(), plan);
    BOOST_CHECK_EXCEPTION(again.loop.resume(again.loop.checkpoint_file()), io_error, says(words));
  };
  refused("belongs to a run with another method ('", [](auto& p) { p.method = "another"; });
  refused("another list of modalities", [](auto& p) { p.modalities = {"T2"}; });
  refused("another list of labels", [](auto& p) { p.labels.back().name = "another"; });
}

BOOST_AUTO_TEST_CASE(a_plan_may_have_a_normalisation_of_its_own) {
  const temporary_folder folder;
  auto plan = run_of_ten_steps::plan();
  auto own = normalisation::none;
  own.name = "own";
  plan.prepare.normalise = {own};
  run_of_ten_steps run(folder.path(), plan);
  (void)run.loop.run();
  run_of_ten_steps again(folder.path(), plan);
  BOOST_TEST(again.loop.resume(again.loop.checkpoint_file()) == "");
}

BOOST_AUTO_TEST_CASE(a_method_with_rounds_needs_somebody_who_segments) {
  const temporary_folder folder;
  run_of_ten_steps run(folder);
  run.loop.predict = {};
  BOOST_CHECK_EXCEPTION((void)run.loop.run(), config_error, says("between_rounds: set trainer::predict"));
}

BOOST_AUTO_TEST_CASE(options_are_checked) {
  const temporary_folder folder;
  BOOST_CHECK_EXCEPTION(run_of_ten_steps(folder, {.steps = 0}), config_error, says("train.steps = 0"));
  BOOST_CHECK_EXCEPTION(run_of_ten_steps(folder, {.log_every = 0}), config_error, says("train.log_every = 0"));
  BOOST_CHECK_EXCEPTION(run_of_ten_steps(folder, {.checkpoint_every = 0}), config_error,
                        says("train.checkpoint_every = 0"));
  constexpr index many = index{1} << 32;
  BOOST_CHECK_EXCEPTION(run_of_ten_steps(folder, {.steps = many}), config_error,
                        says("train.steps = 4294967296, expected 1 to 4294967295"));
  BOOST_CHECK_EXCEPTION(run_of_ten_steps(folder, {.validate_every = -1}), config_error,
                        says("train.validate_every = -1"));
  for (const double memory : {-1.0, std::nan(""), HUGE_VAL})
    BOOST_CHECK_EXCEPTION(run_of_ten_steps(folder, {.memory = memory}), config_error,
                          says(text("train.memory = ", memory, ", expected GiB")));
}

}  // namespace comodal::tests
