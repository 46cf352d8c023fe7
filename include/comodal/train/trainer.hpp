// SPDX-License-Identifier: Apache-2.0
/// @file
/// The training loop: batches made ahead, a method's step, an update, logs, validation and checkpoints from which a run
/// goes on bit for bit.
#ifndef COMODAL_TRAIN_TRAINER_HPP
#define COMODAL_TRAIN_TRAINER_HPP

#include <comodal/core/communicator.hpp>
#include <comodal/data/batch_maker.hpp>
#include <comodal/data/folder.hpp>
#include <comodal/data/prefetch.hpp>
#include <comodal/ssl/any_method.hpp>
#include <comodal/train/checkpoint_file.hpp>
#include <comodal/train/guides.hpp>
#include <comodal/train/log.hpp>
#include <comodal/train/metadata.hpp>
#include <comodal/train/optimiser_set.hpp>
#include <comodal/train/run_plan.hpp>
#include <comodal/train/step_values.hpp>
#include <comodal/train/train_options.hpp>
#include <comodal/train/training_step.hpp>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Trains a method. All of a run's files are in one folder: `checkpoint.safetensors` (to resume), `model.safetensors`
/// (the result, the last weights), `best.safetensors` (best on validation, if there is one), `log.csv`, `log.jsonl`.
template <tensor_backend Backend, class Maker = batch_maker<>>
class trainer {
 public:
  /// Called between steps; what it returns is written to the log under "validation." and the name, and handed to the
  /// method; the first value is the one that "best" means.
  using validate_function = std::function<validation_scores()>;
  /// Called at fixed points of the run when crops are to be centred by the teacher: a coarse mask for every unlabelled
  /// case.
  using guide_function = std::function<std::vector<label_volume>()>;

  /// @param plan is written into the files; it names modalities and labels
  /// @param processes that train together: each has its share of the crops of a step; rank 0 writes
  /// @param folder is made unless it exists
  /// @throws config_error for options or a plan that make no sense, io_error if the folder cannot be made
  trainer(any_method<Backend>& method, const optimiser_options& optimiser, Maker& maker,
          const prefetch_options& prefetch, const train_options& options, model_plan plan, std::filesystem::path folder,
          const optimiser_registry<Backend>& names = optimiser_registry<Backend>::built_in(),
          any_communicator<Backend> processes = {})
      : m_method(&method),
        m_optimiser_options(optimiser),
        m_optimisers(optimiser, method.trained(), names),
        m_skipped(m_optimisers.trained().front().store->home()),
        m_maker(&maker),
        m_prefetch(prefetch),
        m_options(options),
        m_plan(std::move(plan)),
        m_folder(std::move(folder)),
        m_processes(std::move(processes)),
        m_steps(method, m_optimisers, m_skipped, m_processes, options.replay) {
    check(options);
    m_plan.predictors.clear();
    for (const auto& one : method.predictors()) m_plan.predictors.push_back(one.name);
    (void)saved_stores();  // refuses names that no checkpoint could hold
    train_detail::refuse_unreadable_plan(m_plan);
    if constexpr (requires { maker.set_views(method.views()); }) maker.set_views(method.views());
    if constexpr (requires { maker.set_share(0, 1); }) maker.set_share(m_processes.rank(), m_processes.size());
    if (m_processes.writes()) make_folder(m_folder);
  }

  validate_function validate;
  guide_function guide;
  /// Segments an unlabelled case with a predictor's weights; methods with the hook `between_rounds` need it.
  case_predictor predict;
  /// Called after each step that is logged.
  std::function<void(const train_progress&)> progress;
  /// Called with what is worth a look while the run goes on.
  std::function<void(const std::string&)> warning;
  /// Of the training cases by readable id: kept in checkpoints, and a resumed run with others is refused. Empty: they
  /// are not compared.
  case_checksums cases;

  /// Further entries of the metadata of model files.
  std::map<std::string, std::string> about;

  /// The number of scalars that are trained.
  [[nodiscard]] index trained_count() const { return m_optimisers.count(); }
  /// Steps that are done.
  [[nodiscard]] std::uint32_t step() const { return m_step; }
  /// Of those of this object, how many were replayed.
  [[nodiscard]] index replayed() const { return m_steps.replayed(); }
  [[nodiscard]] std::filesystem::path checkpoint_file() const { return m_folder / "checkpoint.safetensors"; }

  /// Goes back to the state of a checkpoint; where it is damaged, to that of the one before it. @return a warning of
  /// that, or where engines or processor are others than at its time, so that the last bits may differ; else empty.
  /// @throws io_error if both are damaged, or it belongs to another network, run length or other cases
  std::string resume(const std::filesystem::path& file) {
    std::string warnings;
    const safetensors_file content = train_detail::read_checkpoint(file, warnings);
    const std::uint32_t step = train_detail::step_of(file, content, m_options);
    train_detail::refuse_other_run(m_plan, file, content);
    train_detail::refuse_other_cases(cases, file, content);
    m_step = step;
    for (const auto& [name, store] : saved_stores()) load_parameters(*store, name + "/", content);
    m_optimisers.load(content);
    m_said = m_skipped.load(file, content);
    m_method->load(content);
    if (const auto found = content.metadata.find("comodal.best"); found != content.metadata.end())
      m_best = train_detail::hexadecimal_number(file, *found);
    if (auto masks = train_detail::guides_of(file, content); !masks.empty()) set_guides(std::move(masks));
    m_steps.forget();
    const auto then = content.metadata.find("comodal.engines");
    if (then == content.metadata.end() || then->second == engines()) return warnings;
    return text(warnings, warnings.empty() ? "" : "\n", file.string(), ": was written with ", then->second,
                ", this program has ", engines(),
                "; the run continues, but its last bits may differ from those of an unbroken one");
  }

  /// Trains to the end, or until `stop()` says so between two steps; then a checkpoint is written and `finished` is
  /// false.
  /// A step whose loss or gradient is not finite changes nothing; the log counts them.
  /// @throws error if ten such steps in a row are found where the log, a checkpoint or a validation looks, after a
  /// checkpoint; if what would be written is not finite
  train_result run(const std::function<bool()>& stop = [] { return false; }) {
    const auto start = std::chrono::steady_clock::now();
    m_waited = {};
    training_log log(m_folder, m_step, m_processes.writes());
    log.warning = m_steps.warning = warning;
    for (const auto& [name, store] : saved_stores()) m_processes.broadcast(ctx(), store->values());
    prefetcher<Maker> batches(*m_maker, m_step, m_prefetch);
    train_result result;
    result.first_step = m_step;
    const auto ended = [&](bool finished) {
      log.finish();
      result.steps_done = m_step;
      result.skipped = m_said;
      result.waited = m_waited.count();
      result.finished = finished;
      result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      result.best_validation = m_best;
      return result;
    };
    finished_step<Backend> last;
    while (m_step < steps()) {
      if (stop()) {
        if (last.loss) (void)judged(last);  // else there was no step yet
        save_checkpoint();
        return ended(false);
      }
      if (is_round_step(m_step)) begin_round(batches);
      last = one_step(batches);
      const bool saves = is_due(m_options.checkpoint_every), validates = validate && is_due(m_options.validate_every);
      if (is_due(m_options.log_every))
        log_step(last, log, result);
      else if (saves || validates)
        if (last.loss) (void)judged(last);
      last.values.clear();  // the next step finds their memory free
      if (validates) validate_now(log);
      if (saves) save_checkpoint();
    }
    refuse_skipped_end();
    save_model(m_folder / "model.safetensors");
    return ended(true);
  }

 private:
  [[nodiscard]] std::uint32_t steps() const { return static_cast<std::uint32_t>(m_options.steps); }
  [[nodiscard]] bool is_due(index every) const { return every > 0 && (m_step % every == 0 || m_step == steps()); }

  finished_step<Backend> one_step(prefetcher<Maker>& batches) {
    const auto asked = std::chrono::steady_clock::now();
    auto batch = batches.next();
    m_waited += std::chrono::steady_clock::now() - asked;
    const step_request request{m_step, steps(), static_cast<std::uint64_t>(m_options.seed)};
    auto made = m_steps.run(batch, request, learning_rate(m_optimiser_options, m_step, steps()));
    batches.recycle(std::move(batch));
    ++m_step;
    return made;
  }

  void log_step(const finished_step<Backend>& last, training_log& log, train_result& result) {
    const train_detail::read_step read = judged(last);
    result.last_loss = read.loss;
    result.logged = true;
    log.write(read.row);
    if (progress) progress({result.first_step, m_step, steps(), read.loss, last.rate});
  }

  [[nodiscard]] context<Backend>& ctx() const { return m_optimisers.trained().front().store->home().ctx(); }

  // Reads a step from the device at once, and says or refuses what is not finite.
  train_detail::read_step judged(const finished_step<Backend>& last) {
    named_scalars<Backend> values = last.values;
    if (values.empty()) values.emplace_back("loss", last.loss);
    const auto& trained = m_optimisers.trained();
    for (std::size_t i = 0; i < last.norms.size(); ++i)
      values.emplace_back(trained.size() == 1 ? "gradient_norm" : "gradient_norm." + trained[i].name,
                          slice(last.norms[i], 0, 0, 1));
    auto read = train_detail::read_values(m_step, last.rate, values, m_skipped.numbers());
    if (read.in_a_row >= skipped_steps<Backend>::most_in_a_row) {
      save_checkpoint();
      train_detail::refuse_skipped(
          read.in_a_row, m_step, text(read.broken, "; they were skipped, the checkpoint has the weights from before"));
    }
    if (m_step == steps() && 2 * read.in_a_row >= m_step)  // too few updates were made for a result
      train_detail::refuse_skipped(read.in_a_row, m_step, text(read.broken, "; there is no model"));
    if (read.skipped > m_said && warning)
      warning(text("steps whose loss or gradient is not finite were skipped: ", read.skipped - m_said, " up to step ",
                   m_step, read.broken));
    m_said = read.skipped;
    return read;
  }

  // What a run that failed at its last step left is no result when it is resumed.
  void refuse_skipped_end() const {
    const double in_a_row = items(m_skipped.numbers())[1];
    if (in_a_row >= skipped_steps<Backend>::most_in_a_row || 2 * in_a_row >= m_step)
      train_detail::refuse_skipped(in_a_row, m_step, "; there is no model");
  }

  // A round begins at five points from two fifths of the run on: masks that guide crops are made anew, and the method
  // may segment unlabelled cases.
  void begin_round(prefetcher<Maker>& batches) {
    if (m_method->has_rounds() && !predict)
      throw config_error("the method has a hook between_rounds: set trainer::predict, which segments unlabelled cases");
    if (!guide && !m_method->has_rounds()) return;
    m_steps.forget();
    batches.between_steps([&] {
      if (guide) set_guides(guide());
      m_method->between_rounds(predict);
    });
  }
  [[nodiscard]] bool is_round_step(std::uint32_t step) const {
    const auto steps = static_cast<std::uint64_t>(m_options.steps);
    for (std::uint64_t k = 4; k < 9; ++k)
      if (step == steps * k / 10) return true;
    return false;
  }

  void set_guides(std::vector<label_volume> masks) {
    m_guides = std::move(masks);
    for (std::size_t i = 0; i < m_guides.size(); ++i) m_maker->set_guide(static_cast<std::uint32_t>(i), m_guides[i]);
  }

  void validate_now(training_log& log) {
    m_steps.forget();  // validation needs the memory, and the method may change what it keeps
    log_row row{m_step, {}};
    const auto scores = validate();
    for (const auto& [name, value] : scores) row.values.emplace_back("validation." + name, value);
    log.write(row);
    m_method->on_validation(scores);
    if (!scores.empty() && (!m_best || scores[0].second > *m_best)) {
      m_best = scores[0].second;
      save_model(m_folder / "best.safetensors");
    }
  }

  // What a checkpoint keeps: predictors and trained stores. Those of one name are one store.
  [[nodiscard]] std::map<std::string, const parameter_store<Backend>*> saved_stores() const {
    std::map<std::string, const parameter_store<Backend>*> stores;
    const auto add = [&](const std::string& name, const parameter_store<Backend>& store) {
      const auto [at, fresh] = stores.emplace(name, &store);
      if (name.empty() || name.find('/') != std::string::npos || (!fresh && at->second != &store))
        throw config_error(text("predictors(): '", name, "' is empty, has a '/', or names two networks"));
    };
    for (const auto& one : m_optimisers.trained()) add(one.name, *one.store);
    for (const auto& one : m_method->predictors()) add(one.name, one.network.parameters());
    return stores;
  }

  // The predictors with their plan.
  [[nodiscard]] safetensors_file weights() const {
    safetensors_file file;
    for (const auto& one : m_method->predictors()) save_parameters(one.network.parameters(), one.name + "/", file);
    model_plan plan = m_plan;
    plan.steps = m_step;
    write_plan(plan, file);
    return file;
  }
  void save_model(const std::filesystem::path& file) const {
    safetensors_file all = weights();
    all.metadata.insert(about.begin(), about.end());
    train_detail::refuse_diverged(all, m_step);  // in every process, so that none waits for one that stopped
    if (m_processes.writes()) write_checked_safetensors(file, all);
  }

  // What decides the last bits besides the settings: engines, processor, and what this was compiled for.
  [[nodiscard]] std::string engines() const {
    std::string words = engine_configuration(ctx());
#if defined(COMODAL_ARCH_NAME)
    words += ", compiled for " COMODAL_ARCH_NAME;
#endif
    return words;
  }

  void save_checkpoint() const {
    safetensors_file file = weights();
    for (const auto& one : m_optimisers.trained()) save_parameters(*one.store, one.name + "/", file);
    m_optimisers.save(file);
    m_skipped.save(file);
    m_method->save(file);
    train_detail::save_guides(m_guides, file);
    file.metadata["comodal.step"] = std::to_string(m_step);
    file.metadata["comodal.steps"] = std::to_string(m_options.steps);
    file.metadata["comodal.seed"] = std::to_string(m_options.seed);
    file.metadata["comodal.engines"] = engines();
    if (m_best) file.metadata["comodal.best"] = text(std::hexfloat, *m_best);
    train_detail::save_cases(cases, file);
    train_detail::refuse_diverged(file, m_step);
    if (m_processes.writes()) train_detail::write_checkpoint(checkpoint_file(), std::move(file));
  }

  any_method<Backend>* m_method;
  optimiser_options m_optimiser_options;
  optimiser_set<Backend> m_optimisers;
  skipped_steps<Backend> m_skipped;
  std::uint32_t m_said = 0;                  // skipped steps that were warned of
  std::chrono::duration<double> m_waited{};  // for batches, in this run
  Maker* m_maker;
  prefetch_options m_prefetch;
  train_options m_options;
  model_plan m_plan;
  std::filesystem::path m_folder;
  any_communicator<Backend> m_processes;
  training_steps<Backend> m_steps;
  std::uint32_t m_step = 0;
  std::optional<double> m_best;  // of the first score of validations
  std::vector<label_volume> m_guides;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
