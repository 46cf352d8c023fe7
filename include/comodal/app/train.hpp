// SPDX-License-Identifier: Apache-2.0
/// @file
/// The verb `train`: an experiment in, a folder with a model out.
#ifndef COMODAL_APP_TRAIN_HPP
#define COMODAL_APP_TRAIN_HPP

#include <comodal/app/begin_with.hpp>
#include <comodal/app/experiment.hpp>
#include <comodal/app/observer.hpp>
#include <comodal/app/provenance.hpp>
#include <comodal/app/run_settings.hpp>
#include <comodal/app/training_cases.hpp>
#include <comodal/app/validation.hpp>
#include <comodal/core/file_lock.hpp>
#include <comodal/core/runtime.hpp>
#include <comodal/data/folder.hpp>
#include <comodal/infer/predict_case.hpp>
#include <comodal/train/memory_budget.hpp>
#include <comodal/train/trainer.hpp>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// What `train` came to.
struct train_summary {
  train_result result;
  index parameters = 0;        // scalars that are trained
  std::size_t pool_bytes = 0;  // most that tensors took at once
  bool begun = false;          // false: cancelled before the first step; nothing was written
};

}  // namespace app

namespace app_detail {

// One run: what it is made of, in the order in which it is made.
template <tensor_backend Backend>
class training {
 public:
  training(const app::experiment& e, std::filesystem::path folder, bool resume, const registry<Backend>& names,
           const app::observer& watch, any_communicator<Backend> processes)
      : m_e(e),
        m_folder(std::move(folder)),
        m_names(names),
        m_watch(watch),
        m_processes(std::move(processes)),
        m_cohort(e.read_cohort(names)) {
    m_e.take_default_options(names);
    m_watch.warn(m_cohort.findings);
    refuse_errors(m_cohort.findings);
    app_detail::expect_classes(m_cohort);
    if (m_cohort.labelled.empty()) throw config_error(text(e.folder, ": has no labelled case to train on"));
    if (!resume) refuse_used_folder();
    expect_writable(m_folder);
    m_begun = resume && std::filesystem::exists(settings_file());
    if (resume && !m_begun && train_detail::has_checkpoint(m_folder / "checkpoint.safetensors"))
      throw config_error(text(settings_file().string(),
                              ": is missing beside a checkpoint, so nobody can tell what the "
                              "run was begun with; name a new folder"));
    if (!resume || !train_detail::has_checkpoint(m_folder / "checkpoint.safetensors")) expect_model_file(m_e.init);
    if (m_begun) refuse_other_settings(m_e.keys(), settings_file(), m_e.train.memory <= 0, names);
    if (!m_cohort.validation.empty() && m_e.train.validate_every == 0 && m_e.fold < 0)
      m_watch.warn(text("train.validate_every = 0: the ", m_cohort.validation.size(),
                        " validation cases are kept apart and not used"));
    if (m_cohort.validation.empty() && m_e.train.validate_every > 0)
      m_watch.warn(
          "train.validate_every: there is no validation case (data.validation, data.fold), so that nothing is "
          "validated");
    m_prepare = m_e.prepare(m_cohort, names);
    m_context.warn_by([this](const std::string& line) { m_watch.warn(line); });
    m_targets = target_map::of_labels(m_cohort.labels, !m_cohort.region_order.empty());
  }

  // What can be known before a volume is read; the constructor has done the rest.
  void check() const {
    context<Backend> ctx;
    tape<Backend> home(ctx);
    const batch_views views = make_method(home, m_e.network).views();
    refuse_few_unlabelled(views);
    refuse_partial_labels(views);
    refuse_absent_modalities(views);
  }

  app::train_summary run(bool resume) {
    std::optional<any_method<Backend>> method = make_method(m_home, m_e.network);
    const batch_views views = method->views();
    refuse_few_unlabelled(views);
    refuse_partial_labels(views);
    refuse_absent_modalities(views);
    const training_cases cases(m_cohort, m_prepare, views.has_unlabelled(), m_e.cache, m_watch);
    if (!cases.finished()) return {};
    if (const std::string words = cases.patch_warning(m_e.batch.patch_size); !words.empty()) m_watch.warn(words);
    const auto seed = static_cast<std::uint64_t>(m_e.train.seed);
    batch_maker<> maker(m_e.batch, cases.labelled_crops(), cases.unlabelled_crops(), seed, views);
    if (m_e.train.memory > 0) {
      method.reset();  // a trial has the memory for itself
      m_context.pool().release();
      fit_memory(maker);
      method = make_method(m_home, m_e.network);
      if (m_begun) refuse_other_settings(m_e.keys(), settings_file(), true, m_names);
    }
    if (m_watch.stops()) return {};  // before the first step there is nothing to keep
    std::optional<file_lock> lock;
    if (m_processes.writes()) take_folder(resume, lock);
    const model_plan plan = plan_of(cases, seed);
    comodal::trainer<Backend> trainer(*method, m_e.optimiser, maker, m_e.prefetch, m_e.train, plan, m_folder, m_names,
                                      m_processes);
    trainer.cases = cases.checksums();
    trainer.about[model_provenance_key] =
        provenance_of_model(m_e.keys(), m_cohort.labelled.size(), m_cohort.unlabelled.size(), trainer.cases);
    set_functions(trainer, *method, cases, plan);
    if (resume && train_detail::has_checkpoint(trainer.checkpoint_file())) {
      if (const std::string words = trainer.resume(trainer.checkpoint_file()); !words.empty()) m_watch.warn(words);
    } else {
      if (m_begun) m_watch.warn(text(m_folder.string(), ": has no checkpoint; the run begins anew"));
      begin_with(m_e.init, *method, plan, m_names, m_watch);
    }
    if (resume && is_finished(trainer.step())) return finished(trainer);
    std::optional<run_record> record;
    if (m_processes.writes()) {
      write_text(settings_file(), m_e.keys().resolved());
      record.emplace(m_folder, trainer.step(), [this](const std::string& words) { m_watch.warn(words); });
    }
    m_watch.tell(text(m_e.method.name, ": ", trainer.trained_count(), " parameters, ",
                      counted(host_threads(), "thread"), ", ", counted(m_e.train.steps, "step"),
                      trainer.step() == 0 ? "" : text(", continued behind ", trainer.step())));
    const auto result = trainer.run([&] { return m_watch.stops(); });
    if (record) record->end(result.steps_done, result.seconds, result.finished);
    return {result, trainer.trained_count(), m_context.pool().statistics().peak, true};
  }

 private:
  void refuse_used_folder() const {
    if (!std::filesystem::exists(m_folder)) return;
    if (!std::filesystem::is_directory(m_folder) || !visible_entries(m_folder).empty())
      throw config_error(text(m_folder.string(), ": exists already; name a new folder, or continue with --resume"));
  }
  // True where no step is left and the model of the last one is there: what was chosen for it since stays in it.
  [[nodiscard]] bool is_finished(std::uint32_t step) const {
    const std::filesystem::path model = m_folder / "model.safetensors";
    if (static_cast<index>(step) < m_e.train.steps || !std::filesystem::exists(model)) return false;
    try {
      return comodal::plan_of(read_model_file(model), model, m_names.normalisations).steps == step;
    } catch (const error&) {
      return false;  // damaged: it is written again
    }
  }
  [[nodiscard]] app::train_summary finished(const comodal::trainer<Backend>& trainer) {
    m_watch.tell(text(m_folder.string(), ": the run is finished; nothing is written"));
    train_result result;
    result.first_step = result.steps_done = trainer.step();
    result.finished = true;
    return {result, trainer.trained_count(), m_context.pool().statistics().peak, true};
  }
  // Makes the folder, and keeps it to this process until the run ends.
  void take_folder(bool resume, std::optional<file_lock>& lock) const {
    make_folder(m_folder);
    lock.emplace(m_folder / ".lock");
    if (!lock->taken())
      throw config_error(text(m_folder.string(),
                              ": another training writes to this folder now; wait for its end, or name a new folder"));
    if (!lock->works())
      m_watch.warn(
          text(m_folder.string(), ": the file system knows no locks; see to it that no other training writes here"));
    if (!resume) refuse_used_folder();  // another one may have come and gone while volumes were read
    remove_partial_files(m_folder);
  }
  // Before a volume is read.
  void refuse_absent_modalities(const batch_views& views) const {
    std::string lines;
    for (std::size_t m = 0; m < m_cohort.modalities.size(); ++m) {
      const auto has = [&](const auto& one) { return one.files.present(m); };
      if (std::any_of(m_cohort.labelled.begin(), m_cohort.labelled.end(), has)) continue;
      const bool unlabelled =
          views.has_unlabelled() && std::any_of(m_cohort.unlabelled.begin(), m_cohort.unlabelled.end(), has);
      const std::string what = text(m_e.folder, ": no ", unlabelled ? "labelled " : "",
                                    "training case has the modality '", m_cohort.modalities[m], "'");
      if (unlabelled)
        m_watch.warn(what + ": only unlabelled cases teach it");
      else
        lines += text(lines.empty() ? "" : "\n", what,
                      ", so that nothing would teach it; take it out of the data set's modalities, or train on cases "
                      "that have it");
    }
    if (!lines.empty()) throw config_error(lines);
  }
  void refuse_few_unlabelled(const batch_views& views) const {
    if (!views.has_unlabelled()) return;
    const index wanted = m_e.batch.unlabelled, there = static_cast<index>(m_cohort.unlabelled.size());
    if (wanted < views.least_unlabelled)
      throw config_error(text("batch.unlabelled = ", wanted, ": the method '", m_e.method.name,
                              "' learns from unlabelled crops; set it to ", views.least_unlabelled,
                              " or more, or choose method.name = \"supervised\""));
    if (wanted * m_processes.size() > there)
      throw config_error(text("batch.unlabelled = ", wanted, ": the method '", m_e.method.name,
                              "' needs as many "
                              "unlabelled cases, and ",
                              m_e.folder, " has ", there, "; lower it, or choose method.name = \"supervised\""));
  }
  void refuse_partial_labels(const batch_views& views) const {
    if (m_cohort.ignored && (!views.partial_labels || !views.fields.empty()))
      throw config_error(text(m_cohort.source, ": has an ignored label, ", *m_cohort.ignored, ", and the method '",
                              m_e.method.name,
                              "' would take its voxels for something; choose another method, such as "
                              "\"contrastive_mutual_learning\", or give such cases no label"));
    if (m_cohort.has_partial_labels() && !views.partial_labels)
      throw config_error(text("data.partial = \"", m_e.partial, "\": the method '", m_e.method.name,
                              "' does not know of partial labels: it would take classes that are not annotated for "
                              "background; choose another method, or set partial_labels in its views() once its loss "
                              "heeds them"));
  }
  [[nodiscard]] std::filesystem::path settings_file() const { return m_folder / "experiment.toml"; }
  [[nodiscard]] index modalities() const { return static_cast<index>(m_cohort.modalities.size()); }

  [[nodiscard]] any_method<Backend> make_method(tape<Backend>& home, const network_options& network) const {
    return comodal::make_method<Backend>(home, m_e.method, network, modalities(), m_targets,
                                         static_cast<std::uint64_t>(m_e.train.seed), m_e.losses, m_names);
  }
  // Sets `model.checkpointed` so that a step stays within `train.memory`.
  void fit_memory(const batch_maker<>& maker) {
    step_batch batch;
    maker.make(0, batch);
    m_e.network.checkpointed = fitted_stages<Backend>(
        m_e, m_names, batch,
        [&](tape<Backend>& home, const network_options& network) { return make_method(home, network); });
  }

  [[nodiscard]] model_plan plan_of(const training_cases& cases, std::uint64_t seed) const {
    model_plan plan;
    plan.modalities = m_cohort.modalities;
    plan.labels = m_cohort.labels;
    plan.region_order = m_cohort.region_order;
    plan.network = m_e.network;
    plan.prepare = cases.prepare();
    plan.patch_size = m_e.batch.patch_size;
    plan.spacing = cases.spacing();
    plan.method = m_e.method.name;
    plan.seed = seed;
    return plan;
  }

  void set_functions(comodal::trainer<Backend>& trainer, const any_method<Backend>& method, const training_cases& cases,
                     const model_plan& plan) {
    const auto segment = [&](const case_data& one, double step, const std::string& weights) {
      return predict_case<Backend>(m_home, plan, one, {.prepared_grid = true}, {plan.patch_size, step, {}},
                                   [&](const auto& volumes, const auto& present, auto outputs) {
                                     return method.predict(volumes, present, outputs, weights);
                                   })[0]
          .labels;
    };
    if (!cases.validation().empty())
      trainer.validate = [this, &cases, &plan, segment] {
        const auto fused = [&](const case_data& one) { return segment(one, 0.5, ""); };
        const double dice = mean_dice(cases.validation(), plan, fused);
        m_watch.tell(text("validation Dice ", dice));
        return validation_scores{{"dice", dice}};
      };
    trainer.predict = [&cases, segment](const std::string& weights, std::uint32_t number) {
      return segment(*cases.unlabelled().at(number)->images(), 0.5, weights);
    };
    if (!cases.unlabelled().empty() && m_e.batch.centre == unlabelled_sampling::teacher)
      trainer.guide = [&cases, segment] {
        std::vector<label_volume> masks;
        for (const prepared_case* one : cases.unlabelled())
          masks.push_back(coarse_mask(segment(*one->images(), 1, "")));  // a coarse mask needs no overlap
        return masks;
      };
    trainer.warning = [this](const std::string& words) { m_watch.warn(words); };
    trainer.progress = [this](const train_progress& at) {
      m_watch.show({"step", at.first, at.done, at.steps, {{"loss", at.loss}, {"rate", at.rate}}});
    };
  }

  app::experiment m_e;
  std::filesystem::path m_folder;
  const registry<Backend>& m_names;
  const app::observer& m_watch;
  any_communicator<Backend> m_processes;
  cohort m_cohort;
  bool m_begun = false;
  prepare_options m_prepare;
  target_map m_targets;
  context<Backend> m_context;
  tape<Backend> m_home{m_context};
};

}  // namespace app_detail

namespace app {

/// Refuses what `train` would refuse before it reads a volume, and writes nothing. Arguments and exceptions are those
/// of `train`.
template <tensor_backend Backend>
void check_training(const experiment& e, const std::filesystem::path& folder, bool resume,
                    const registry<Backend>& names, const observer& watch = {}) {
  expect_runtime();
  e.check(names);
  app_detail::training<Backend>(e, folder, resume, names, watch, {}).check();
}

/// Trains what an experiment describes. All files of the run are in `folder`: `experiment.toml`, the log, checkpoints,
/// `model.safetensors` when it is finished. Nothing is written before all keys and files have been checked. Where
/// `watch.cancelled` says so, a checkpoint is written and `result.finished` is false; before the first step, nothing is
/// written.
/// @param processes that train together; rank 0 writes
/// @param folder new or empty; with `resume` that of an earlier run, which continues bit for bit
/// @throws config_error, io_error for input that cannot be used; error if loss or gradient of ten steps in a row are
/// not finite, or if what would be written is not
template <tensor_backend Backend>
[[nodiscard]] train_summary train(const experiment& e, const std::filesystem::path& folder, bool resume = false,
                                  const registry<Backend>& names = registry<Backend>::built_in(),
                                  const observer& watch = {}, any_communicator<Backend> processes = {}) {
  expect_runtime();
  const host_threads_scope threads(e.threads);
  e.check(names);
  return app_detail::training<Backend>(e, folder, resume, names, watch, std::move(processes)).run(resume);
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
