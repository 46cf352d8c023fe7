// SPDX-License-Identifier: Apache-2.0
/// @file
/// What an experiment file holds: every option of the library, by section.
#ifndef COMODAL_APP_EXPERIMENT_HPP
#define COMODAL_APP_EXPERIMENT_HPP

#include <comodal/app/registry.hpp>
#include <comodal/app/settings.hpp>
#include <comodal/data/augment_presets.hpp>
#include <comodal/data/batch_maker.hpp>
#include <comodal/data/case_data.hpp>
#include <comodal/data/layout_options.hpp>
#include <comodal/data/prefetch.hpp>
#include <comodal/data/split.hpp>
#include <comodal/model/model_plan.hpp>
#include <comodal/model/network_presets.hpp>
#include <comodal/train/train_options.hpp>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

[[nodiscard]] inline std::string preset_help(const std::vector<std::string>& names) {
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : ", ") + name;
  return list + ": sets all keys of this table that are not set";
}

// What a choice of a loss is, with the names that are built in.
[[nodiscard]] inline std::string loss_help(std::string_view key) {
  if (key == "segmentation") return "loss of predictions against labels: dice_cross_entropy";
  if (key == "consistency") return "loss of two predictions: mean_squared_error or cross_pseudo_supervision";
  return "contrast between modalities: area_similarity";
}

// True for a key that the size of a patch and the network have to agree on.
[[nodiscard]] inline bool is_size(std::string_view key) {
  constexpr std::array sizes{"batch.patch_size",  "model.stream_channels", "model.fused_channels", "model.strides",
                             "model.kernel_size", "model.blocks",          "model.checkpointed",   "model.preset"};
  return std::find(sizes.begin(), sizes.end(), key) != sizes.end();
}

// Before a volume is read. @throws config_error
inline void expect_classes(const cohort& c) {
  if (c.labels.empty())
    throw config_error(text(c.source,
                            ": says nothing of its label values; name the classes with data.classes, such as "
                            "[\"core=1\", \"oedema=2\"]"));
  if (constexpr std::size_t most = segmentation_sums_problem::most_classes; c.labels.size() > most)
    throw config_error(text(c.source, ": has ", c.labels.size(), " classes, expected ", most, " at most"));
}

}  // namespace app_detail

namespace app {

/// One experiment: what is trained, on what, and how. Paths are as given: relative ones start at the current folder.
struct experiment {
  // [data]
  std::string folder;     // a data set of a layout that a reader recognises
  layout_options layout;  // data.images, data.label ...: what the data set does not say itself
  std::string splits;     // JSON file of named lists of case ids, relative to the folder; empty: none
  // JSON file of the cases in which not all classes are annotated, {"case": ["class", ...]}, relative to the folder;
  // empty: all are
  std::string partial;
  std::vector<std::string>
      labelled;  // names of lists in `splits` (without it: case ids) whose labels train; empty: all that have one
  std::vector<std::string> validation;         // the same: labelled cases kept apart to validate on
  std::vector<std::string> exclude;            // the same: cases to leave out
  index fold = -1;                             // of nnU-Net's splits_final.json (or `splits`), from 0; -1: none
  std::vector<std::string> normalise{"head"};  // head, nonzero, ct ...: one, or one per modality
  index margin = 4;                            // voxels around the head box
  std::string resample_to;                     // modality whose grid the others are resampled to; empty: they share one
  std::array<double, 3> spacing{};             // mm along R, A, S that volumes are resampled to; 0: as they are
  std::string cache;                           // folder of prepared cases; empty: they are kept in memory
  std::string init;                            // [train] model file whose weights to begin with; empty: random ones
  // [compute]
  index threads = 0;  // 0: all cores

  std::string network_preset = "unet";     // where `network` comes from, but for keys that were set
  std::string augment_preset = "comodal";  // the same of `batch`
  network_options network;
  batch_options batch;
  prefetch_options prefetch;
  optimiser_options optimiser;
  named_options method = "contrastive_mutual_learning";
  loss_options losses;
  train_options train;

  /// An experiment of defaults and presets with the values of `raw`, which win over a preset. The options of the method
  /// and of the losses that it names come from their own tables, such as [method.mean_teacher]; tables of others are
  /// refused.
  /// @throws config_error for a key that there is not, a value of another kind, a name that the program lacks
  template <tensor_backend Backend>
  [[nodiscard]] static experiment from(const raw_settings& raw, const registry<Backend>& names) {
    experiment e;
    e.method.name = raw.text_of("method.name", e.method.name);
    visit_loss_choices(e.losses, [&](std::string_view key, named_options& chosen) {
      chosen.name = raw.text_of(text("loss.", key), chosen.name);
    });
    e.take_default_options(names);
    settings keys = e.keys();
    for (const auto& other : names.method_names())
      if (other != e.method.name)
        keys.refuse("method." + other, text("belongs to the method '", other, "', but method.name = '", e.method.name,
                                            "'; leave it out, or choose that method"));
    visit_loss_choices(e.losses, [&](std::string_view key, const named_options& chosen) {
      for (const auto& other : names.loss_names_of(key))
        if (other != chosen.name)
          keys.refuse("loss." + other, text("belongs to the loss '", other,
                                            "', which is not chosen; leave it out, or "
                                            "set loss.",
                                            key, " = \"", other, "\""));
    });
    keys.refuse("experiment", "is a table of `experiment`, which compares methods; here, leave it out");
    keys.apply(raw);  // says what a preset looks at, its name and the size of a patch
    e.network = comodal::network_preset(e.network_preset);
    e.batch = comodal::augment_preset(e.augment_preset, e.batch.patch_size);
    keys.apply(raw);  // a key that is set wins over its preset
    return e;
  }

  /// Gives `method` and `losses` the default options of what they name, where they have none.
  /// @throws config_error for a name that the program lacks
  template <tensor_backend Backend>
  void take_default_options(const registry<Backend>& names) {
    const auto fill = [](named_options& chosen, any_options defaults) {
      if (chosen.values.template get_if<no_options>() != nullptr) chosen.values = std::move(defaults);
    };
    fill(method, names.method_options_of(method.name));
    visit_loss_choices(losses, [&](std::string_view key, named_options& chosen) {
      fill(chosen, names.loss_options_of(key, chosen.name));
    });
  }

  /// Every key, bound to this object. Triples are written along NIfTI's axes i, j, k.
  [[nodiscard]] settings keys() {
    settings s;
    bind_data(s);
    bind_batch(s);
    s.bind("method.name", method.name, "how unlabelled cases are used; supervised: not at all");
    s.bind_all("method." + method.name, method.values);
    visit_loss_choices(losses, [&](std::string_view key, named_options& chosen) {
      s.bind(text("loss.", key), chosen.name, app_detail::loss_help(key));
    });
    visit_loss_choices(
        losses, [&](std::string_view, named_options& chosen) { s.bind_all("loss." + chosen.name, chosen.values); });
    visit_optimiser_options(optimiser, [&](std::string_view name, auto& value, std::string_view help) {
      s.bind(text("optimiser.", name), value, std::string(help));
    });
    visit_train_options(train, [&](std::string_view name, auto& value, std::string_view help) {
      s.bind(text("train.", name), value, std::string(help));
    });
    s.bind("train.init", init, "model file whose weights to begin with, by names of modalities and classes");
    s.bind("compute.threads", threads, "threads of the computation; 0: all cores");
    return s;
  }

  /// Checks everything that needs no data. @throws config_error naming the key that makes no sense, or the name that
  /// the program lacks
  template <tensor_backend Backend>
  void check(const registry<Backend>& names) const {
    network.check();
    names.check_network_names(network);
    names.check_optimiser_name(optimiser);
    for (const auto& name : normalise) (void)names.normalisations.at(name);
    if (fold < -1) throw config_error(text("data.fold = ", fold, ", expected 0 or more, or -1: none"));
    if (!splits.empty() && fold < 0 && labelled.empty() && validation.empty() && exclude.empty())
      throw config_error(text("data.splits = \"", splits,
                              "\" has lists that nothing names; set data.fold, or data.labelled, data.validation or "
                              "data.exclude, or leave it out"));
    if (fold >= 0 && (!labelled.empty() || !validation.empty()))
      throw config_error(
          text("data.fold = ", fold,
               " names the labelled and the validation cases; leave data.labelled and data.validation out"));
    if (margin < 0 || margin > 8192) throw config_error(text("data.margin = ", margin, ", expected 0 to 8192 voxels"));
    for (const double s : spacing)
      if (!(s >= 0 && s <= 1000))
        throw config_error(text("data.spacing: ", s, " mm, expected 0 (voxels as they are) to 1000"));
    method.values.check();
    visit_loss_choices(losses, [](std::string_view, const named_options& chosen) { chosen.values.check(); });
    comodal::check(batch);
    refuse_bad_patch();
    comodal::check(prefetch);
    comodal::check(optimiser);
    comodal::check(train);
  }

  /// An experiment as `from`, checked. Values that make no sense are told together, each with its place.
  /// @throws config_error with a line for each
  template <tensor_backend Backend>
  [[nodiscard]] static experiment checked(raw_settings raw, const registry<Backend>& names) {
    std::string lines;
    experiment e;
    try {
      e = from(raw, names);
    } catch (const settings_error& failure) {  // the values of the others are looked at, too
      lines = failure.what();
      const std::set<std::string> refused(failure.keys.begin(), failure.keys.end());
      (void)raw.take([&](const raw_settings::entry& one) { return refused.contains(one.key); });
      e = from(raw, names);
    }
    bool sizes = false;  // one of the values that patch and network have to agree on was told
    for (;;) try {
        e.check(names);
        break;
      } catch (const config_error& failure) {
        const auto* at = raw.named_first_in(failure.what());
        const std::string key = at == nullptr ? "" : at->key;
        const bool size = app_detail::is_size(key);
        if (key.empty() && !lines.empty()) break;  // it may be about what stands in for a value, as may a second size
        if (!(size && sizes))
          lines += text(lines.empty() ? "" : "\n", at == nullptr ? "" : at->where + ": ", failure.what());
        if (key.empty()) break;
        sizes = sizes || size;
        (void)raw.take([&](const raw_settings::entry& one) { return one.key == key; });
        e = from(raw, names);
      }
    if (!lines.empty()) throw config_error(lines);
    return e;
  }

  /// The cases that the section `data` names. @throws config_error, io_error as the reader that recognises the folder
  template <tensor_backend Backend>
  [[nodiscard]] cohort read_cohort(const registry<Backend>& names) const {
    if (folder.empty())
      throw config_error(
          "data.folder is not set: name the folder of a data set in the experiment file, or give --data.folder");
    const auto listing = names.readers.list(folder, "data.folder", layout);
    const auto base = std::filesystem::is_directory(folder) ? std::filesystem::path(folder)
                                                            : std::filesystem::path(folder).parent_path();
    const auto lists = splits.empty() ? std::filesystem::path() : base / splits;
    cohort_split split;
    if (fold >= 0) {
      const auto file = lists.empty() ? base / "splits_final.json" : lists;
      if (!std::filesystem::exists(file))
        throw config_error(text(file.string(),
                                ": there is no such file, which data.fold needs; name it with data.splits (nnU-Net "
                                "keeps it in nnUNet_preprocessed)"));
      auto [train, kept_apart] = read_fold(file, fold);
      split.source = text(file.string(), ": fold ", fold);
      split.labelled = std::move(train);
      split.validation = std::move(kept_apart);
      split.exclude = exclude;  // ids: such a file has no other lists
    } else {
      if (!labelled.empty()) split.labelled = split_ids(lists, labelled);
      split.validation = split_ids(lists, validation);
      split.exclude = split_ids(lists, exclude);
      split.source = lists.string();
    }
    if (!partial.empty()) split.partial = read_partial_labels(base / partial);
    return apply_split(listing, split);
  }

  /// How cases are prepared, but for the statistics of CT, which are counted on the labelled cases. @throws
  /// config_error for a number of normalisations that does not fit, or a name that the program lacks
  template <tensor_backend Backend>
  [[nodiscard]] prepare_options prepare(const cohort& data, const registry<Backend>& names) const {
    if (normalise.size() != 1 && normalise.size() != data.modalities.size())
      throw config_error(text("data.normalise: ", normalise.size(), " entries for ", data.modalities.size(),
                              " modalities; give one, or one per modality"));
    prepare_options options;
    options.normalise.clear();
    for (const auto& name : normalise) options.normalise.push_back(names.normalisations.at(name));
    options.margin = margin;
    options.onto = number_of_modality(data.modalities, resample_to, "data.resample_to");
    options.spacing = spacing;
    options.labels = data.labels;
    options.ignored = data.ignored;
    return options;
  }

 private:
  void bind_data(settings& s) {
    s.bind("data.folder", folder, "folder of a data set, or a list of files; relative to the current folder");
    visit_layout_options(layout, [&](std::string_view name, auto& value, const char* help) {
      s.bind(text("data.", name), value, help);
    });
    s.bind("data.splits", splits, "JSON file of named lists of cases, or of folds; relative to data.folder");
    s.bind("data.partial", partial,
           "JSON file of the classes that are annotated in some cases only; relative to data.folder");
    s.bind("data.labelled", labelled, "cases, or lists of data.splits, whose labels train; empty: all that have one");
    s.bind("data.validation", validation, "labelled cases, or lists, that are kept apart to validate on");
    s.bind("data.exclude", exclude, "cases, or lists, that are left out");
    s.bind("data.fold", fold, "fold of splits_final.json, from 0; -1: none");
    s.bind("data.normalise", normalise,
           "head, nonzero, ct, pet, zscore or none: one for all modalities, or one per modality");
    s.bind("data.margin", margin, "voxels that are kept around the box of the head");
    s.bind("data.resample_to", resample_to, "modality whose grid the others are resampled to; empty: they share one");
    s.bind("data.spacing", spacing, "mm along R, A, S that volumes are resampled to; 0: as they are");
    s.bind("data.cache", cache, "folder of prepared cases, made once; empty: they are kept in memory");
    s.bind("model.preset", network_preset, app_detail::preset_help(network_preset_names()));
    visit_network_options(network, [&](std::string_view name, auto& value, std::string_view help) {
      s.bind(text("model.", name), value, std::string(help));
    });
  }
  void bind_batch(settings& s) {
    bool preset = false;
    visit_batch_options(batch, [&](std::string_view name, auto& value, std::string_view help) {
      using type = std::remove_cvref_t<decltype(value)>;
      if (name.starts_with("augment.") && !std::exchange(preset, true))
        s.bind("augment.preset", augment_preset, app_detail::preset_help(augment_preset_names()));
      if constexpr (std::is_same_v<type, extent3> || std::is_same_v<type, std::array<bool, 3>> ||
                    std::is_same_v<type, std::array<double, 3>>)
        s.bind_reversed(std::string(name), value, std::string(help));
      else
        s.bind(std::string(name), value, std::string(help));
    });
    visit_prefetch_options(prefetch, [&](std::string_view name, auto& value, std::string_view help) {
      s.bind(std::string(name), value, std::string(help));
    });
  }
  void refuse_bad_patch() const {
    const auto stride = network.total_stride();
    const char* axes = "kji";
    for (std::size_t a = 0; a < 3; ++a)
      if (batch.patch_size[a] % stride[a] != 0)
        throw config_error(text("batch.patch_size: ", batch.patch_size[a], " voxels along ", axes[a],
                                " are no multiple of the network's total stride ", stride[a]));
    if (const std::string words = too_many_voxels(batch.patch_size); !words.empty())
      throw config_error("batch.patch_size: " + words);
    expect_memory_for(network, batch.patch_size, batch.labelled + batch.unlabelled, "batch.patch_size");
  }
};

/// The experiment of a file with overrides on top, checked. @param file empty: the defaults
/// @throws config_error naming file or command line, key and value, a line for each that makes no sense
template <tensor_backend Backend>
[[nodiscard]] experiment read_experiment(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                                         const registry<Backend>& names) {
  raw_settings raw;
  if (!file.empty()) raw.read_file(file);
  raw.read_overrides(overrides);
  return experiment::checked(std::move(raw), names);
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
