// SPDX-License-Identifier: Apache-2.0
// What an experiment file holds: every option of the library, by section.
#ifndef COMODAL_EXAMPLES_CLI_EXPERIMENT_HPP
#define COMODAL_EXAMPLES_CLI_EXPERIMENT_HPP

#include "settings.hpp"

#include <comodal/data/nnunet_raw.hpp>
#include <comodal/train/memory_budget.hpp>
#include <comodal/train/trainer.hpp>

namespace cli {

/// One experiment. Paths are as given: relative ones start at the current folder.
struct experiment {
  // [data]
  std::string folder;                            // an nnU-Net raw folder
  std::string splits;                            // JSON file of named lists of case ids, relative to the folder; empty: none
  std::vector<std::string> labelled;             // names of lists in `splits` (without it: case ids) whose labels train; empty: all that have one
  std::vector<std::string> validation;           // the same: labelled cases kept apart to validate on
  std::vector<std::string> exclude;              // the same: left out
  std::vector<std::string> normalise{"head"};    // head, nonzero, ct or none: one, or one a modality
  comodal::index margin = 4;                     // voxels around the head box
  // [compute]
  comodal::index threads = 0;                    // 0: all cores

  comodal::network_options network;
  comodal::batch_options batch;
  comodal::prefetch_options prefetch;
  comodal::optimiser_options optimiser;
  comodal::method_options method;
  comodal::train_options train;

  /// Every key, bound to this object. Triples are written along NIfTI's axes i, j, k.
  [[nodiscard]] settings keys() {
    settings s;
    comodal::visit_batch_options(batch, [&](std::string_view name, auto& value) {
      if (name.find('.') == std::string_view::npos) s.bind(std::string(name), value);
    });
    s.bind("data.folder", folder);
    s.bind("data.splits", splits);
    s.bind("data.labelled", labelled);
    s.bind("data.validation", validation);
    s.bind("data.exclude", exclude);
    s.bind("data.normalise", normalise);
    s.bind("data.margin", margin);
    comodal::visit_network_options(network, [&](std::string_view name, auto& value) { s.bind("model." + std::string(name), value); });
    comodal::visit_batch_options(batch, [&](std::string_view name, auto& value) {
      using type = std::remove_cvref_t<decltype(value)>;
      if (name.find('.') == std::string_view::npos) return;
      if constexpr (std::is_same_v<type, comodal::extent3> || std::is_same_v<type, std::array<bool, 3>> || std::is_same_v<type, std::array<double, 3>>)
        s.bind_reversed(std::string(name), value);
      else
        s.bind(std::string(name), value);
    });
    comodal::visit_prefetch_options(prefetch, [&](std::string_view name, auto& value) { s.bind(std::string(name), value); });
    comodal::visit_method_options(method, [&](std::string_view name, auto& value) { s.bind("method." + std::string(name), value); });
    comodal::visit_optimiser_options(optimiser, [&](std::string_view name, auto& value) { s.bind("optimiser." + std::string(name), value); });
    comodal::visit_train_options(train, [&](std::string_view name, auto& value) { s.bind("train." + std::string(name), value); });
    s.bind("compute.threads", threads);
    return s;
  }

  /// The cases that the section `data` names. @throws config_error, io_error
  [[nodiscard]] comodal::cohort read_cohort() const {
    if (folder.empty()) throw config_error("data.folder is not set: name an nnU-Net raw folder in the experiment file, or give --data.folder");
    if (!comodal::nnunet_raw_reader::recognises(folder))
      throw config_error(text("data.folder = '", folder, "': is no nnU-Net raw folder (it has no dataset.json with imagesTr beside it)"));
    comodal::nnunet_options options;
    if (!labelled.empty()) options.labelled = ids_of(labelled);
    options.validation = ids_of(validation);
    options.exclude = ids_of(exclude);
    return comodal::read_nnunet_raw(folder, options);
  }

  /// @throws config_error for a patch that the network's strides do not divide
  void refuse_bad_patch() const {
    const auto stride = network.total_stride();
    const char* axes = "kji";
    for (std::size_t a = 0; a < 3; ++a)
      if (batch.patch[a] % stride[a] != 0)
        throw config_error(text("batch.patch: ", batch.patch[a], " voxels along ", axes[a], " are no multiple of the network's total stride ", stride[a]));
  }

  /// Sets `model.checkpointed` so that a step stays within `train.memory`, if that is set. @throws config_error if nothing is enough
  template <comodal::tensor_backend Backend>
  void fit_memory(const comodal::batch_maker<>& maker, comodal::index modalities, const comodal::target_map& targets) {
    if (train.memory <= 0) return;
    comodal::step_batch batch;
    maker.make(0, batch);
    network.checkpointed = comodal::checkpointed_within<Backend>(train.memory, method, network, optimiser, modalities, targets, batch);
  }

  [[nodiscard]] comodal::prepare_options prepare(const comodal::cohort& cohort) const {
    comodal::prepare_options options;
    options.normalise.clear();
    for (const auto& name : normalise) options.normalise.push_back(comodal::normalisation_from(name));
    options.margin = margin;
    options.labels = cohort.labels;
    return options;
  }

 private:
  // Case ids, with names of lists in the splits file replaced by their entries.
  [[nodiscard]] std::vector<std::string> ids_of(const std::vector<std::string>& names) const {
    std::vector<std::string> ids;
    for (const std::string& name : names) {
      if (splits.empty()) {
        ids.push_back(name);
        continue;
      }
      const auto list = comodal::read_split(std::filesystem::path(folder) / splits, name);
      ids.insert(ids.end(), list.begin(), list.end());
    }
    return ids;
  }
};

}  // namespace cli

#endif
