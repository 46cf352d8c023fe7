// SPDX-License-Identifier: Apache-2.0
#include "experiment.hpp"
#include "session.hpp"

#include <comodal/train/memory_budget.hpp>

namespace cli {
settings experiment::keys() {
  settings s;
  s.bind("data.folder", folder);
  s.bind("data.splits", splits);
  s.bind("data.labelled", labelled);
  s.bind("data.validation", validation);
  s.bind("data.exclude", exclude);
  s.bind("data.normalise", normalise);
  s.bind("data.margin", margin);
  comodal::visit_network_options(
      network, [&](std::string_view name, auto& value) { s.bind("model." + std::string(name), value); });
  comodal::visit_batch_options(batch, [&](std::string_view name, auto& value) {
    using type = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_same_v<type, comodal::extent3> || std::is_same_v<type, std::array<bool, 3>> ||
                  std::is_same_v<type, std::array<double, 3>>)
      s.bind_reversed(std::string(name), value);
    else
      s.bind(std::string(name), value);
  });
  comodal::visit_prefetch_options(prefetch,
                                  [&](std::string_view name, auto& value) { s.bind(std::string(name), value); });
  comodal::visit_method_options(
      method, [&](std::string_view name, auto& value) { s.bind("method." + std::string(name), value); });
  comodal::visit_optimiser_options(
      optimiser, [&](std::string_view name, auto& value) { s.bind("optimiser." + std::string(name), value); });
  comodal::visit_train_options(
      train, [&](std::string_view name, auto& value) { s.bind("train." + std::string(name), value); });
  s.bind("compute.threads", threads);
  return s;
}

comodal::cohort experiment::read_cohort() const {
  if (folder.empty())
    throw config_error(
        "data.folder is not set: name an nnU-Net raw folder in the experiment file, or give --data.folder");
  if (!comodal::nnunet_raw_reader::recognises(folder))
    throw config_error(text("data.folder = '", folder,
                            "': is no nnU-Net raw folder (it has no dataset.json with imagesTr beside it)"));
  const auto lists = splits.empty() ? std::filesystem::path() : std::filesystem::path(folder) / splits;
  comodal::cohort_split split;
  if (!labelled.empty()) split.labelled = comodal::split_ids(lists, labelled);
  split.validation = comodal::split_ids(lists, validation);
  split.exclude = comodal::split_ids(lists, exclude);
  return comodal::read_nnunet_raw(folder, split);
}

void experiment::refuse_bad_patch() const {
  network.check();
  const auto stride = network.total_stride();
  const char* axes = "kji";
  for (std::size_t a = 0; a < 3; ++a)
    if (batch.patch_size[a] % stride[a] != 0)
      throw config_error(text("batch.patch_size: ", batch.patch_size[a], " voxels along ", axes[a],
                              " are no multiple of the network's total stride ", stride[a]));
}

void experiment::fit_memory(const comodal::batch_maker<>& maker, comodal::index modalities,
                            const comodal::target_map& targets) {
  if (train.memory <= 0) return;
  comodal::step_batch batch;
  maker.make(0, batch);
  network.checkpointed =
      comodal::checkpointed_within<backend>(train.memory, method, network, optimiser, modalities, targets, batch);
}

comodal::prepare_options experiment::prepare(const comodal::cohort& cohort) const {
  if (normalise.size() != 1 && normalise.size() != cohort.modalities.size())
    throw config_error(text("data.normalise: ", normalise.size(), " entries for ", cohort.modalities.size(),
                            " modalities; give one, or one per modality"));
  if (margin < 0 || margin > 8192) throw config_error(text("data.margin = ", margin, ", expected 0 to 8192 voxels"));
  comodal::prepare_options options;
  options.normalise.clear();
  for (const auto& name : normalise) options.normalise.push_back(comodal::normalisation_from(name));
  options.margin = margin;
  options.labels = cohort.labels;
  return options;
}

}  // namespace cli
