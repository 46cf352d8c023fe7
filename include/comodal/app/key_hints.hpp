// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a key that an experiment file does not have may be meant to be.
#ifndef COMODAL_APP_KEY_HINTS_HPP
#define COMODAL_APP_KEY_HINTS_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/nearest_name.hpp>
#include <comodal/core/readable_name.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

// The part of a key behind its last dot.
[[nodiscard]] inline std::string_view last_part(std::string_view key) { return key.substr(key.rfind('.') + 1); }

// A key for a message, on one line and cut short.
[[nodiscard]] inline std::string shown_key(std::string_view key) {
  constexpr std::size_t most = 80;
  return readable_name(key.substr(0, most)) + (key.size() > most ? "..." : "");
}

// How far a key is from a known one. A part of its name is as near as one wrong letter (ema: ema_decay); another table
// counts less than another name.
[[nodiscard]] inline std::size_t key_distance(std::string_view key, std::string_view known) {
  const auto name = last_part(key), other = last_part(known);
  const auto table = key.substr(0, key.size() - name.size()), others = known.substr(0, known.size() - other.size());
  const bool is_part = name.size() > 2 && name != other && other.find(name) != std::string_view::npos;
  const std::size_t names = is_part ? 1 : edit_distance(name, other);
  return 4 * names + (table == others ? 0 : 1 + std::min<std::size_t>(2, edit_distance(table, others)));
}

// What other programs call an option that has another name here. `table`: only in this one; empty: in any.
struct key_synonym {
  std::string_view table, name, words;
};
inline constexpr std::array key_synonyms{
    key_synonym{"", "batch_size", "batch.labelled and batch.unlabelled say how many crops of each kind a step has"},
    key_synonym{"", "lr", "the key is 'optimiser.learning_rate'"},
    key_synonym{"", "initial_lr", "the key is 'optimiser.learning_rate'"},
    key_synonym{"", "learning_rate", "the key is 'optimiser.learning_rate'"},
    key_synonym{"batch.", "size", "batch.labelled and batch.unlabelled say how many crops of each kind a step has"},
    key_synonym{"", "optimizer", "the key is 'optimiser.name'"},
    key_synonym{"", "mirroring", "in training 'augment.mirror'; `predict --mirror i j k` averages over flips"},
    key_synonym{"", "tta", "`predict --mirror i j k` averages over flips"},
    key_synonym{"", "disable_tta", "`predict` averages over flips only if --mirror asks for it"},
    key_synonym{"", "oversample_foreground_percent", "the keys are those of [sampling], 'sampling.foreground' first"},
    key_synonym{"", "oversample", "the keys are those of [sampling], 'sampling.foreground' first"},
    key_synonym{"", "normalisation", "the key is 'data.normalise'"},
    key_synonym{"", "augmentation", "the keys are those of [augment]; 'augment.preset' sets them together"},
    key_synonym{"", "weight_decay", "the key is 'optimiser.weight_decay'"},
    key_synonym{"", "epochs", "the length of a run is 'train.steps', the number of updates"},
    key_synonym{"", "num_epochs", "the length of a run is 'train.steps', the number of updates"},
    key_synonym{"", "max_epochs", "the length of a run is 'train.steps', the number of updates"},
    key_synonym{"", "iterations", "the length of a run is 'train.steps', the number of updates"},
    key_synonym{"", "max_iterations", "the length of a run is 'train.steps', the number of updates"},
    key_synonym{"", "seed", "the key is 'train.seed'"},
    key_synonym{"", "random_seed", "the key is 'train.seed'"},
    key_synonym{"", "fold", "the key is 'data.fold'"},
    key_synonym{"", "device", "the GPU is chosen by the option --device N; `info` names it"},
    key_synonym{"", "gpu", "the GPU is chosen by the option --device N; `info` names it"},
    key_synonym{"", "num_workers", "the key is 'prefetch.threads'"},
    key_synonym{"", "workers", "the key is 'prefetch.threads'"},
    key_synonym{"", "num_threads", "the key is 'compute.threads'"},
    key_synonym{"", "num_classes", "classes are the \"labels\" of dataset.json, or data.classes"},
    key_synonym{"", "out_channels", "classes are the \"labels\" of dataset.json, or data.classes"},
    key_synonym{"", "in_channels", "modalities are the \"channel_names\" of dataset.json, or data.images"},
    key_synonym{"", "num_modalities", "modalities are the \"channel_names\" of dataset.json, or data.images"},
    key_synonym{"data.", "modalities", "modalities are the \"channel_names\" of dataset.json, or data.images"},
    key_synonym{"", "pretrained", "the key is 'train.init'"},
    key_synonym{"", "resume", "a run goes on by `comodal train FILE FOLDER --resume`"},
    key_synonym{"", "early_stopping",
                "there is none: with train.validate_every, best.safetensors has the best weights"},
    key_synonym{"", "patience", "there is none: with train.validate_every, best.safetensors has the best weights"},
    key_synonym{"", "output_dir", "the folder of a run is the second word of `comodal train FILE FOLDER`"},
    key_synonym{"", "save_dir", "the folder of a run is the second word of `comodal train FILE FOLDER`"},
    key_synonym{"", "amp", "the key is 'model.precision'"},
    key_synonym{"", "fp16", "the key is 'model.precision', which knows bf16"},
    key_synonym{"", "mixed_precision", "the key is 'model.precision'"},
    key_synonym{"", "crop_size", "the key is 'batch.patch_size'"},
    key_synonym{"", "roi_size", "the key is 'batch.patch_size'"},
    key_synonym{"", "roi", "the key is 'batch.patch_size'"},
    key_synonym{"", "img_size", "the key is 'batch.patch_size'"},
    key_synonym{"", "image_size", "the key is 'batch.patch_size'"},
    key_synonym{"", "scheduler", "the key is 'optimiser.schedule'"},
    key_synonym{"", "lr_scheduler", "the key is 'optimiser.schedule'"},
    key_synonym{"", "warmup", "the key is 'optimiser.warm_up'"},
    key_synonym{"", "warmup_steps", "the key is 'optimiser.warm_up', a fraction of the run"},
    key_synonym{"", "grad_clip", "the key is 'optimiser.clip'"},
    key_synonym{"", "clip_grad", "the key is 'optimiser.clip'"},
    key_synonym{"", "gradient_clip", "the key is 'optimiser.clip'"},
    key_synonym{"", "wd", "the key is 'optimiser.weight_decay'"},
    key_synonym{"", "normalization", "the key is 'data.normalise'"},
    key_synonym{"", "num_channels", "the keys are 'model.stream_channels' and 'model.fused_channels'"},
    key_synonym{"", "base_channels", "the keys are 'model.stream_channels' and 'model.fused_channels'"},
    key_synonym{"", "criterion", "the key is 'loss.segmentation'"},
    key_synonym{"", "loss_function", "the key is 'loss.segmentation'"},
    key_synonym{"", "val_interval", "the key is 'train.validate_every'"},
    key_synonym{"", "eval_interval", "the key is 'train.validate_every'"},
    key_synonym{"", "checkpoint", "the key is 'train.init'"},
    key_synonym{"data.", "path", "the key is 'data.folder'"},
    key_synonym{"data.", "root", "the key is 'data.folder'"},
    key_synonym{"data.", "dir", "the key is 'data.folder'"},
    key_synonym{"data.", "dataset", "the key is 'data.folder'"},
    key_synonym{"data.", "test", "`predict` is given the folder of the test images"},
    key_synonym{"data.", "val", "the key is 'data.validation'"},
    key_synonym{"data.", "target_spacing", "the key is 'data.spacing'"},
    key_synonym{"data.", "pixdim", "the key is 'data.spacing'"},
    key_synonym{"model.", "depth", "a network has as many stages as 'model.stream_channels' has entries"},
    key_synonym{"model.", "stages", "a network has as many stages as 'model.stream_channels' has entries"},
    key_synonym{"model.", "channels", "the keys are 'model.stream_channels' and 'model.fused_channels'"},
    key_synonym{"model.", "features", "the keys are 'model.stream_channels' and 'model.fused_channels'"},
    key_synonym{"model.", "name", "a network is chosen by 'model.preset', its parts by the other keys of [model]"},
    key_synonym{"model.", "type", "a network is chosen by 'model.preset', its parts by the other keys of [model]"},
    key_synonym{"loss.", "name", "the keys are 'loss.segmentation', 'loss.consistency' and 'loss.contrastive'"},
    key_synonym{"augment.", "rotate", "the key is 'augment.rotation_degrees'"},
    key_synonym{"augment.", "rotation", "the key is 'augment.rotation_degrees'"},
    key_synonym{"augment.", "flip", "the key is 'augment.mirror'"},
    key_synonym{"augment.", "gamma", "the key is 'augment.log_gamma'"}};

// The words of a synonym; empty for all other keys.
[[nodiscard]] inline std::string_view synonym_of(std::string_view key) {
  const std::string_view name = last_part(key), table = key.substr(0, key.size() - name.size());
  for (const auto& one : key_synonyms)
    if (one.name == name && (one.table.empty() || one.table == table)) return one.words;
  return {};
}

// What to do about an unknown key.
// @param known all keys, such as "train.steps"
[[nodiscard]] inline std::string hint_for(const std::string& key, const std::vector<std::string>& known) {
  const auto is_table = [&](const std::string& name) {
    return std::any_of(known.begin(), known.end(), [&](const auto& one) { return one.starts_with(name + "."); });
  };
  const std::string table = key.substr(0, key.rfind('.'));
  if (is_table(key))
    return text("'", key, "' is a table: write [", key, "], and its keys below; on the command line --", key,
                ".KEY VALUE");
  if (key.size() > 100) return "--help lists all keys";
  const bool experiment = std::find(known.begin(), known.end(), "train.steps") != known.end();
  const std::string nearest = nearest_name(key, known, key_distance);
  const bool typing_error = key.size() > 6 && edit_distance(key, nearest) <= 2;
  const bool well_known = last_part(key).size() > 8;  // batch_size is not a mistake for patch_size
  if (const auto words = synonym_of(key); experiment && (!typing_error || well_known) && !words.empty())
    return std::string(words);
  if (table == "method" && key != table && !typing_error)
    return "options of a method are in a table of its name, such as [method.mean_teacher]";
  const std::size_t distance = edit_distance(last_part(key), last_part(nearest));
  const bool is_part = last_part(nearest).find(last_part(key)) != std::string_view::npos;
  if (distance > std::max<std::size_t>(2, last_part(key).size() / 2) && !is_part)
    return experiment ? "`comodal keys WORD` finds keys by name and by meaning" : "--help lists all keys";
  return text("did you mean '", nearest, "'? (--help lists all keys)");
}

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
