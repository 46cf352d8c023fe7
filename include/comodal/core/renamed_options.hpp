// SPDX-License-Identifier: Apache-2.0
/// @file
/// Options that were called otherwise in 0.1.0: experiment files are refused with the new name, and files of format 1
/// are translated by the same table.
#ifndef COMODAL_CORE_RENAMED_OPTIONS_HPP
#define COMODAL_CORE_RENAMED_OPTIONS_HPP

#include <comodal/core/config.hpp>

#include <array>
#include <string>
#include <string_view>

namespace comodal::inline COMODAL_CONFIG {

/// A key of 0.1.0 and what it is called now.
struct renamed_option {
  std::string_view before, now;
};

/// "<method>" stands for the name of a method.
inline constexpr std::array renamed_options{
    renamed_option{"optimiser.rate", "optimiser.learning_rate"},
    renamed_option{"optimiser.decay", "optimiser.weight_decay"},
    renamed_option{"batch.patch", "batch.patch_size"},
    renamed_option{"model.filters", "model.kernel_size"},
    renamed_option{"modality_dropout", "augment.modality_dropout"},
    renamed_option{"mix", "augment.mix"},
    renamed_option{"mix_side", "augment.mix_side"},
    renamed_option{"mix_complement", "augment.mix_complement"},
    renamed_option{"method.ema", "method.<method>.ema_decay"},
    renamed_option{"method.branch_weight", "method.<method>.branch_weight"},
    renamed_option{"method.ramp", "method.<method>.ramp"},
    renamed_option{"method.consensus", "method.contrastive_mutual_learning.consensus"},
    renamed_option{"method.contrast", "method.contrastive_mutual_learning.contrast"},
    renamed_option{"method.temperature", "method.contrastive_mutual_learning.temperature"},
    renamed_option{"method.queue", "method.contrastive_mutual_learning.queue"},
    renamed_option{"method.pool", "method.contrastive_mutual_learning.pool"},
    renamed_option{"method.similarity", "method.contrastive_mutual_learning.similarity"},
    renamed_option{"method.sharpen", "method.contrastive_mutual_learning.sharpen"},
    renamed_option{"method.counted_voxels", "method.contrastive_mutual_learning.counted_voxels"},
    renamed_option{"method.confidence", "method.contrastive_mutual_learning.confidence"},
    renamed_option{"method.threshold", "method.contrastive_mutual_learning.threshold"},
    renamed_option{"method.agreement", "method.contrastive_mutual_learning.agreement"},
    renamed_option{"method.target", "method.contrastive_mutual_learning.target"},
    renamed_option{"method.reliability", "method.contrastive_mutual_learning.reliability"},
    renamed_option{"method.consistency", "method.mean_teacher.consistency"},
};

/// What an option of 0.1.0 is called now; empty if it was none or kept its name.
[[nodiscard]] constexpr std::string_view renamed_to(std::string_view before) {
  for (const auto& one : renamed_options)
    if (one.before == before) return one.now;
  return {};
}

/// What an option was called in 0.1.0; its own name if that has not changed.
[[nodiscard]] constexpr std::string_view renamed_from(std::string_view now) {
  for (const auto& one : renamed_options)
    if (one.now == now) return one.before;
  return now;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
