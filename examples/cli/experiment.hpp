// SPDX-License-Identifier: Apache-2.0
// What an experiment file holds: every option of the library, by section.
#ifndef COMODAL_EXAMPLES_CLI_EXPERIMENT_HPP
#define COMODAL_EXAMPLES_CLI_EXPERIMENT_HPP

#include "settings.hpp"

#include <comodal/data/nnunet_raw.hpp>
#include <comodal/train/trainer.hpp>

namespace cli {

/// One experiment. Paths are as given: relative ones start at the current folder.
struct experiment {
  // [data]
  std::string folder;  // an nnU-Net raw folder
  std::string splits;  // JSON file of named lists of case ids, relative to the folder; empty: none
  std::vector<std::string>
      labelled;  // names of lists in `splits` (without it: case ids) whose labels train; empty: all that have one
  std::vector<std::string> validation;         // the same: labelled cases kept apart to validate on
  std::vector<std::string> exclude;            // the same: cases to leave out
  std::vector<std::string> normalise{"head"};  // head, nonzero, ct or none: one, or one per modality
  comodal::index margin = 4;                   // voxels around the head box
  // [compute]
  comodal::index threads = 0;  // 0: all cores

  comodal::network_options network;
  comodal::batch_options batch;
  comodal::prefetch_options prefetch;
  comodal::optimiser_options optimiser;
  comodal::method_options method;
  comodal::train_options train;

  /// Every key, bound to this object. Triples are written along NIfTI's axes i, j, k.
  [[nodiscard]] settings keys();

  /// The cases that the section `data` names. @throws config_error, io_error
  [[nodiscard]] comodal::cohort read_cohort() const;

  /// @throws config_error for a network that cannot be made, or a patch that its strides do not divide
  void refuse_bad_patch() const;

  /// Sets `model.checkpointed` so that a step stays within `train.memory`, if that is set. @throws config_error if
  /// nothing is enough
  void fit_memory(const comodal::batch_maker<>& maker, comodal::index modalities, const comodal::target_map& targets);

  /// How cases are prepared, but for the statistics of CT, which are counted on the labelled cases. @throws
  /// config_error
  [[nodiscard]] comodal::prepare_options prepare(const comodal::cohort& cohort) const;
};

}  // namespace cli

#endif
