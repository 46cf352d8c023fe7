// SPDX-License-Identifier: Apache-2.0
// `comodal train`.
#include "commands.hpp"
#include "experiment.hpp"
#include "session.hpp"

#include <comodal/core/runtime.hpp>
#include <comodal/data/ct_statistics.hpp>
#include <comodal/infer/predict_case.hpp>
#include <comodal/metric/score.hpp>

#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <set>

namespace cli {
namespace {

volatile std::sig_atomic_t stop_asked = 0;
void ask_to_stop(int) { stop_asked = 1; }

comodal::labelled_training_case training_case(const comodal::labelled_case_data& one) {
  return {one.data.id, image_views(one.data), &one.label};
}

// Says so where the voxel sizes of the cases differ: volumes are not resampled.
void print_spacing_warning(const std::vector<const comodal::case_data*>& cases, const std::array<double, 3>& median) {
  std::string first;
  std::size_t number = 0;
  for (const auto* one : cases)
    if (const std::string words = comodal::spacing_warning(one->preparation.canonical(), median);
        !words.empty() && number++ == 0)
      first = one->id + ": " + words;
  if (number > 0)
    std::fprintf(stderr, "warning: %s (%zu of %zu cases differ so)\n", first.c_str(), number, cases.size());
}

// The mean Dice over cases and foreground classes of the fused output on cases that were kept apart.
double mean_dice(const std::vector<comodal::labelled_case_data>& cases, const comodal::model_plan& plan,
                 const std::function<comodal::label_volume(const comodal::case_data&)>& segment) {
  double sum = 0;
  int number = 0;
  for (const auto& one : cases) {
    const auto predicted = segment(one.data);
    for (std::size_t c = 1; c < plan.labels.size(); ++c) {
      sum += comodal::dice(comodal::count_overlap(predicted, one.label, plan.labels[c]));
      ++number;
    }
  }
  return number > 0 ? sum / number : 0;
}

// Every fourth voxel along each axis: where the teacher finds foreground.
comodal::label_volume coarse_mask(const comodal::label_volume& fine) {
  comodal::label_volume mask;
  for (std::size_t a = 0; a < 3; ++a) mask.geometry.size[a] = (fine.geometry.size[a] + 3) / 4;
  mask.values.assign(static_cast<std::size_t>(mask.geometry.voxels()), 0);
  for (comodal::index k = 0; k < fine.geometry.size[2]; ++k)
    for (comodal::index j = 0; j < fine.geometry.size[1]; ++j)
      for (comodal::index i = 0; i < fine.geometry.size[0]; ++i)
        if (fine.at(i, j, k) != 0) mask.at(i / 4, j / 4, k / 4) = fine.at(i, j, k);
  return mask;
}

// What a run was begun with decides its bytes: a resumed one takes the same, but for where files are and how often it
// reports. `fitted`: whether model.checkpointed is known, which a budget of memory chooses when the cases have been
// read.
void refuse_other_settings(const settings& now, const path& file, bool fitted) {
  experiment begun;
  settings before = begun.keys();
  before.read_file(file);
  std::set<std::string> free{"data.folder",    "data.splits",     "compute.threads",        "prefetch.threads",
                             "prefetch.depth", "train.log_every", "train.checkpoint_every", "train.validate_every"};
  if (!fitted) free.insert("model.checkpointed");
  const auto [here, there] = now.first_difference(before, free);
  if (!here.empty())
    throw config_error(text(file.string(), ": the run was begun with ", there, ", --resume was given ", here,
                            "; take the same settings, or name a new folder"));
}

}  // namespace

std::string train_keys() { return experiment{}.keys().resolved(); }

int train(const train_arguments& arguments, const std::vector<std::string>& overrides) {
  experiment e;
  settings keys = e.keys();
  keys.read_file(arguments.config);
  keys.read_overrides(overrides);
  if (arguments.memory > 0) e.train.memory = arguments.memory;
  e.method.check();
  const bool unlabelled_crops = e.method.views().has_unlabelled() && e.batch.unlabelled > 0;
  e.refuse_bad_patch();
  comodal::check(e.optimiser);
  comodal::check(e.train);

  const comodal::runtime scope(e.threads);
  const auto cohort = e.read_cohort();
  print_warnings(cohort.findings);
  comodal::refuse_errors(cohort.findings);
  if (cohort.labelled.empty()) throw config_error(text(e.folder, ": has no labelled case to train on"));
  const bool exists = std::filesystem::exists(arguments.folder) && !std::filesystem::is_empty(arguments.folder);
  if (exists && !arguments.resume)
    throw config_error(
        text(arguments.folder.string(), ": exists already; name a new folder, or continue with --resume"));
  const bool budget = e.train.memory > 0,
             begun = arguments.resume && std::filesystem::exists(arguments.folder / "experiment.toml");
  if (begun) refuse_other_settings(keys, arguments.folder / "experiment.toml", !budget);
  auto prepare = e.prepare(cohort);
  std::filesystem::create_directories(arguments.folder);

  for (std::size_t m = 0; m < cohort.modalities.size(); ++m)
    if (prepare.normalise[prepare.normalise.size() == 1 ? 0 : m] == comodal::normalisation::ct) {
      prepare.ct.resize(cohort.modalities.size());
      prepare.ct[m] = comodal::ct_statistics_of(cohort.labelled, m);
    }

  std::fprintf(stderr, "reading %zu labelled, %zu unlabelled and %zu validation cases\n", cohort.labelled.size(),
               cohort.unlabelled.size(), cohort.validation.size());
  const auto labelled = comodal::prepare_cases(cohort.labelled, prepare);
  const auto unlabelled =
      unlabelled_crops ? comodal::prepare_cases(cohort.unlabelled, prepare) : std::vector<comodal::case_data>{};
  const auto validation = comodal::prepare_cases(cohort.validation, prepare);
  std::vector<const comodal::case_data*> all;
  for (const auto& one : labelled) all.push_back(&one.data);
  for (const auto& one : unlabelled) all.push_back(&one);
  std::vector<comodal::geometry> grids;
  for (const auto* one : all) grids.push_back(one->preparation.canonical());
  const auto spacing = comodal::median_spacing(grids);
  for (const auto& one : validation) all.push_back(&one.data);
  for (const auto* one : all) print_warnings(one->warnings);
  print_spacing_warning(all, spacing);
  std::vector<comodal::labelled_training_case> labelled_cases;
  std::vector<comodal::unlabelled_training_case> unlabelled_cases;
  for (const auto& one : labelled) labelled_cases.push_back(training_case(one));
  for (const auto& one : unlabelled) unlabelled_cases.push_back({one.id, image_views(one)});
  const auto seed = static_cast<std::uint64_t>(e.train.seed);
  comodal::batch_maker<> maker(e.batch, std::move(labelled_cases), std::move(unlabelled_cases), seed, e.method.views());

  const auto targets = comodal::target_map::of_labels(cohort.labels, !cohort.region_order.empty());
  e.fit_memory(maker, static_cast<comodal::index>(cohort.modalities.size()), targets);
  if (begun && budget) refuse_other_settings(keys, arguments.folder / "experiment.toml", true);

  comodal::model_plan plan;
  plan.modalities = cohort.modalities;
  plan.labels = cohort.labels;
  plan.region_order = cohort.region_order;
  plan.network = e.network;
  plan.prepare = prepare;
  plan.patch_size = e.batch.patch_size;
  plan.spacing = spacing;
  plan.method = e.method.name;
  plan.seed = seed;

  session on;
  auto method = comodal::make_method<backend>(on.tape, e.method, e.network,
                                              static_cast<comodal::index>(cohort.modalities.size()), targets, seed);
  comodal::trainer<backend> trainer(method, e.optimiser, maker, e.prefetch, e.train, plan, arguments.folder);
  const auto segment_with = [&](const comodal::case_data& one, double step, const std::string& weights = "") {
    return comodal::predict_case<backend>(on.tape, plan, one, {}, {plan.patch_size, step, {}},
                                          [&](const auto& volumes, const auto& present, auto outputs) {
                                            return method.predict(volumes, present, outputs, weights);
                                          })[0]
        .labels;
  };
  const auto segment = [&](const comodal::case_data& one) { return segment_with(one, 0.5); };
  if (!validation.empty())
    trainer.validate = [&] { return comodal::validation_scores{{"dice", mean_dice(validation, plan, segment)}}; };
  trainer.predict = [&](const std::string& weights, std::uint32_t number) {
    return segment_with(unlabelled.at(number), 0.5, weights);
  };
  if (unlabelled_crops && e.batch.centre == comodal::unlabelled_sampling::teacher)
    trainer.guide = [&] {
      std::vector<comodal::label_volume> masks;
      for (const auto& one : unlabelled)
        masks.push_back(coarse_mask(segment_with(one, 1)));  // a coarse mask needs no overlap
      return masks;
    };
  if (arguments.resume && std::filesystem::exists(trainer.checkpoint_file()))
    if (const std::string words = trainer.resume(trainer.checkpoint_file()); !words.empty())
      std::fprintf(stderr, "warning: %s\n", words.c_str());

  comodal::write_text(arguments.folder / "experiment.toml", keys.resolved());
  std::fprintf(stderr, "%s: %ld parameters, %d threads, %ld steps\n", e.method.name.c_str(),
               static_cast<long>(trainer.trained_count()), comodal::host_threads(), static_cast<long>(e.train.steps));
  std::signal(SIGINT, ask_to_stop);
  std::signal(SIGTERM, ask_to_stop);
  const auto result = trainer.run([] { return stop_asked != 0; });
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);

  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double steps = std::max(1.0, static_cast<double>(result.steps_done - result.first_step));
  const std::string loss = result.logged ? text("loss ", result.last_loss) : "no loss logged";
  std::printf("%s: step %u of %ld, %s, %.1f s (%.3f s per step), process peak %.2f GiB, tensor pool peak %.2f GiB\n",
              arguments.folder.c_str(), result.steps_done, static_cast<long>(e.train.steps), loss.c_str(),
              result.seconds, result.seconds / steps, static_cast<double>(usage.ru_maxrss) / (1 << 20),
              static_cast<double>(on.context.pool().statistics().peak) / (1 << 30));
  if (result.best_validation >= 0)
    std::printf("best validation Dice %.4f (best.safetensors; the result is model.safetensors, the last weights)\n",
                result.best_validation);
  if (!result.finished)
    std::printf("stopped on request; continue with: comodal train %s %s --resume\n", arguments.config.c_str(),
                arguments.folder.c_str());
  return result.finished ? 0 : 1;
}

}  // namespace cli
