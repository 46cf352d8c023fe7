// SPDX-License-Identifier: Apache-2.0
/// @file
/// The steps of a run and their updates: run, or recorded once and replayed while the sizes of their batches hold.
#ifndef COMODAL_TRAIN_TRAINING_STEP_HPP
#define COMODAL_TRAIN_TRAINING_STEP_HPP

#include <comodal/core/communicator.hpp>
#include <comodal/core/compiled.hpp>
#include <comodal/core/recording.hpp>
#include <comodal/ssl/any_method.hpp>
#include <comodal/ssl/device_batch.hpp>
#include <comodal/train/optimiser_set.hpp>
#include <comodal/train/skipped_steps.hpp>
#include <comodal/train/step_values.hpp>
#include <comodal/train/train_options.hpp>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// What is left of a step; on the device until somebody reads it.
template <tensor_backend Backend>
struct finished_step {
  double rate = 0;
  named_scalars<Backend> values;
  variable<Backend> loss;
  std::vector<variable<Backend>> norms;  // per trained store: (norm, factor that clipped it)
};

namespace train_detail {

// What decides which kernels a step launches, with which sizes.
[[nodiscard]] inline std::vector<std::size_t> sizes_of(const step_batch& batch) {
  std::vector<std::size_t> all;
  const auto add = [&](const crop_batch& crops) {
    for (const index v : {crops.samples, crops.modalities, crops.size[0], crops.size[1], crops.size[2]})
      all.push_back(static_cast<std::size_t>(v));
    for (const std::size_t v : {crops.labels.size(), crops.known.size(), crops.box.size(), crops.annotated.size()})
      all.push_back(v);
    for (const auto& [name, values] : crops.fields) all.insert(all.end(), {hash_name(name), values.size()});
  };
  add(batch.labelled);
  add(batch.weak);
  add(batch.strong);
  for (const auto& [name, crops] : batch.more) {
    all.push_back(hash_name(name));
    add(crops);
  }
  return all;
}

}  // namespace train_detail

/// Makes the steps of a run. Where steps are to be replayed (`train_options::replay`), the second step whose batch has
/// the sizes of the one before is recorded, and later ones are replayed until those sizes change. A step that cannot be
/// recorded runs each time: its method waits for the device or sends something to it, or its optimiser takes numbers as
/// arguments. The recorded step keeps its memory apart until it is forgotten.
template <tensor_backend Backend>
class training_steps {
 public:
  /// All of them must outlive it.
  training_steps(any_method<Backend>& method, optimiser_set<Backend>& optimisers, skipped_steps<Backend>& skipped,
                 const any_communicator<Backend>& processes, step_replay replay)
      : m_method(&method), m_optimisers(&optimisers), m_skipped(&skipped), m_processes(&processes), m_replay(replay) {}

  /// Called once with a reason where steps were to be replayed and are not, or not as a graph.
  std::function<void(const std::string&)> warning;

  /// One step and its update.
  /// @throws error as the method does; of a step that cannot be recorded, where `step_replay::on` is asked for
  [[nodiscard]] finished_step<Backend> run(const step_batch& batch, const step_request& request, double rate) {
    m_optimisers->prepare(rate, request.step);
    begin_step(ctx(), request);
    auto sizes = train_detail::sizes_of(batch);
    sizes.push_back(static_cast<std::size_t>(ctx().choice_version()));  // other engines are another step
    if (replays() && sizes == m_sizes) return m_recording ? replay(batch, request, rate) : record(batch, request, rate);
    forget();
    m_sizes = std::move(sizes);
    return run_once(batch, request, rate);
  }

  /// Later steps are recorded anew, and the memory of the recorded one serves others until then: for changes of what a
  /// method keeps that are not made in place, and before work that needs memory of its own.
  void forget() {
    m_recording.reset();
    m_recorded = {};
    m_sizes.clear();
  }
  /// Steps that were replayed.
  [[nodiscard]] index replayed() const { return m_replayed; }

 private:
  [[nodiscard]] tape<Backend>& home() const { return m_optimisers->trained().front().store->home(); }
  [[nodiscard]] context<Backend>& ctx() const { return home().ctx(); }

  // Gradients of several processes meet on the host, and a recorder of profiles waits after each operation.
  [[nodiscard]] bool replays() {
    const bool wanted =
        m_replay == step_replay::on || (m_replay == step_replay::automatic && !is_host_v<typename Backend::space_type>);
    if (wanted && !m_given_up && !m_optimisers->prepares())
      give_up("the optimiser has no prepare(), so that its numbers would stay those of one step");
    return wanted && !m_given_up && m_processes->size() == 1 && !ctx().recorder;
  }
  void give_up(const std::string& why) {
    if (m_replay == step_replay::on) throw error("train.replay = \"on\": " + why);
    m_given_up = true;
    if (warning) warning("steps are not replayed: " + why);
  }

  finished_step<Backend> run_once(const step_batch& batch, const step_request& request, double rate) {
    m_optimisers->zero_grad();
    auto values = step(batch, request);
    auto loss = detach(loss_of(values));
    for (const auto& one : m_optimisers->trained()) {
      m_skipped->judge(loss, *one.store);
      m_processes->mean(ctx(), one.store->gradients());
    }
    m_skipped->agree(m_optimisers->trained());
    auto norms = m_optimisers->update(rate, request.step);
    m_skipped->count(norms);
    m_method->after_update(request);
    return {rate, std::move(values), std::move(loss), std::move(norms)};
  }

  // A step that throws leaves nothing on the tape.
  named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    try {
      auto values = m_method->step(batch, request);
      train_detail::check_step(values, m_optimisers->trained());
      return values;
    } catch (...) {
      home().clear();
      throw;
    }
  }

  finished_step<Backend> record(const step_batch& batch, const step_request& request, double rate) {
    m_place = upload_batch(home(), batch);
    std::optional<finished_step<Backend>> made;
    try {
      m_recording.emplace(ctx(), [&] { made = run_once(batch, request, rate); });
      m_recorded = *made;
    } catch (const error& failure) {
      forget_batch(home());
      if (!made) throw;
      give_up(failure.what());  // the step itself is done
    } catch (...) {
      forget_batch(home());
      throw;
    }
    return *std::move(made);
  }

  finished_step<Backend> replay(const step_batch& batch, const step_request& request, double rate) {
    if (upload_batch(home(), batch) != m_place) {  // somebody holds crops of an earlier step
      forget();
      return run_once(batch, request, rate);
    }
    m_recording->replay();
    ++m_replayed;
    if (!m_recording->why_no_graph().empty() && !std::exchange(m_said, true) && warning)
      warning(text("steps are replayed, but not as a graph of the device: ", m_recording->why_no_graph()));
    finished_step<Backend> made = m_recorded;
    made.rate = rate;
    return made;
  }

  any_method<Backend>* m_method;
  optimiser_set<Backend>* m_optimisers;
  skipped_steps<Backend>* m_skipped;
  const any_communicator<Backend>* m_processes;
  step_replay m_replay;
  bool m_given_up = false, m_said = false;
  index m_replayed = 0;
  const void* m_place = nullptr;  // of the batch that the recorded step reads
  std::optional<step_recording<Backend>> m_recording;
  finished_step<Backend> m_recorded;
  std::vector<std::size_t> m_sizes;  // of the step before
};

#define COMODAL_TRAINING_STEPS(kind, Backend) kind class training_steps<Backend>;
COMODAL_COMPILED_ELSEWHERE(COMODAL_TRAINING_STEPS)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
