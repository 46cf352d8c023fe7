// SPDX-License-Identifier: Apache-2.0
/// @file
/// The plan of a model: everything beside the weights that a prediction depends on.
#ifndef COMODAL_MODEL_MODEL_PLAN_HPP
#define COMODAL_MODEL_MODEL_PLAN_HPP

#include <comodal/data/case_data.hpp>
#include <comodal/data/postprocessing.hpp>
#include <comodal/model/network_options.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Everything beside the weights that a prediction depends on. Volumes are turned to RAS+ before the network sees them.
struct model_plan {
  std::vector<std::string> modalities;
  std::vector<label_class> labels;  // background first
  std::vector<int> region_order;    // with regions: the label that each is written as
  network_options network;
  prepare_options prepare;
  extent3 patch_size{};             // (D, H, W): the window of prediction
  std::array<double, 3> spacing{};  // of the training cases, median along the axes of RAS+, mm; zeros: not known
  std::string method;
  std::vector<std::string> predictors;           // names of the weights in the file, the default first
  std::vector<postprocessing_rule> postprocess;  // of the fused masks
  std::uint64_t seed = 0;
  std::uint32_t steps = 0;  // of training behind these weights

  /// True if labels are regions that may overlap (a sigmoid each) rather than exclusive classes.
  [[nodiscard]] bool has_regions() const { return !region_order.empty(); }
  /// Channels of the logits.
  [[nodiscard]] index channels() const { return static_cast<index>(has_regions() ? labels.size() - 1 : labels.size()); }
};

/// Words where a crop or a window has more voxels than any network is given; else empty. @param patch (D, H, W)
[[nodiscard]] inline std::string too_many_voxels(const extent3& patch) {
  double voxels = 1;
  for (const index v : patch) voxels *= static_cast<double>(v);
  return voxels > 512.0 * 512 * 512 ? text(voxels, " voxels, expected at most 512 x 512 x 512") : std::string();
}

namespace model_detail {

// Numbers of a network that no computer could hold, before they are multiplied with each other.
inline void check_bounds(const network_options& network) {
  const auto within = [](index v, index most, const char* key) {
    if (v > most) throw config_error(text("model.", key, ": ", v, ", expected ", most, " at most"));
  };
  within(network.stages(), 16, "stream_channels");
  for (const index c : network.stream_channels) within(c, 65536, "stream_channels");
  for (const index c : network.fused_channels) within(c, 65536, "fused_channels");
  for (const index b : network.blocks) within(b, 64, "blocks");
  for (const auto& stride : network.strides)
    for (const index v : stride) within(v, 1024, "strides");
  for (const auto& filter : network.kernel_size)
    for (const index v : filter) within(v, 1023, "kernel_size");
}

// The window must be a multiple of the network's total stride, which is multiplied up only as far as it divides.
inline void check_patch(const extent3& patch, const network_options& network) {
  if (const std::string words = too_many_voxels(patch); !words.empty()) throw config_error("patch_size: " + words);
  for (std::size_t a = 0; a < 3; ++a) {
    if (patch[a] < 1 || patch[a] > 1024)
      throw config_error(text("patch_size: ", patch[a], " voxels, expected 1 to 1024 along each axis"));
    index rest = patch[a];
    for (int s = 1; s < network.stages(); ++s) {
      const auto at = static_cast<std::size_t>(s - 1);
      const index stride = network.strides.empty() ? 2 : network.strides[at][2 - a];
      if (rest % stride != 0)
        throw config_error(text("patch_size: ", patch[a], " voxels (axis ", a,
                                " of D, H, W) are not a multiple of the network's total stride"));
      rest /= stride;
    }
  }
}

}  // namespace model_detail

/// Refuses crops of which no more than the first maps of the network, or one modality, would fill the memory of this
/// machine. @param crops at once @param key of the size, for the message
/// @throws config_error naming the key and both sizes
inline void expect_memory_for(const network_options& network, const extent3& patch, index crops, std::string_view key) {
  double bytes = network.precision == "bf16" ? 6 : 12;  // input, convolved and normalised maps live at once
  for (const index v : patch) bytes *= static_cast<double>(v);
  bytes *= static_cast<double>(std::max<index>(network.stream_channels.empty() ? 1 : network.stream_channels[0], 1)) *
           static_cast<double>(crops);
  const double memory = machine_memory(), gib = 1 << 30;
  if (memory > 0 && bytes > memory)
    throw config_error(text(key, " = [", patch[2], ", ", patch[1], ", ", patch[0],
                            "]: the first maps of the network take ", std::round(bytes / gib), " GiB for ", crops,
                            crops == 1 ? " crop" : " crops", ", this machine has ", std::round(memory / gib),
                            " GiB of memory; make it smaller"));
}

/// Checks that a prediction can be made with the plan: labels, network, preparation and window are in range and fit
/// each other. @throws config_error that names what does not
void check(const model_plan& plan);
#if COMODAL_BODIES
COMODAL_ONCE void check(const model_plan& plan) {
  const std::size_t count = plan.modalities.size();
  if (count < 1 || count > 255) throw config_error(text("modalities: ", count, " names, expected 1 to 255"));
  check_modalities(plan.modalities);
  check_labels(plan.labels, plan.region_order);
  check_postprocessing(plan.postprocess, plan.labels);
  if (plan.predictors.empty()) throw config_error("predictors: no name, expected at least one");
  model_detail::check_bounds(plan.network);
  plan.network.check();
  check(plan.prepare, count);
  model_detail::check_patch(plan.patch_size, plan.network);
  for (const double s : plan.spacing)
    if (!(s >= 0 && s <= 1e6)) throw config_error(text("spacing: ", s, " mm, expected 0 (not known) to 1e6"));
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
