// SPDX-License-Identifier: Apache-2.0
/// @file
/// What is done to a label map when it is made: small components go, holes are filled. Rules are chosen on masks of
/// cases with labels (metric/choose_postprocessing.hpp) and travel in the model file.
#ifndef COMODAL_DATA_POSTPROCESSING_HPP
#define COMODAL_DATA_POSTPROCESSING_HPP

#include <comodal/data/box.hpp>
#include <comodal/data/cohort.hpp>
#include <comodal/data/geometry.hpp>
#include <comodal/data/morphology.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// What is done to one class or region. Components are of voxels that share a corner at least.
struct postprocessing_rule {
  std::string name;      // of the class
  bool largest = false;  // only its largest component stays; of equals, the first
  bool holes = false;    // what it encloses becomes its own
  double smallest = 0;   // ml: smaller components go

  friend bool operator==(const postprocessing_rule&, const postprocessing_rule&) = default;
};

/// A rule in words: "core: largest component, holes filled, 0.1 ml at least".
[[nodiscard]] inline std::string to_words(const postprocessing_rule& rule) {
  std::string words;
  const auto add = [&](const std::string& what) { words += (words.empty() ? "" : ", ") + what; };
  if (rule.largest) add("largest component");
  if (rule.holes) add("holes filled");
  if (rule.smallest > 0) add(text(rule.smallest, " ml at least"));
  return text(rule.name, ": ", words.empty() ? "nothing" : words);
}

/// Checks rules against the classes of a label map. @throws config_error for a class that there is not, the
/// background, a class with two rules, or a volume that is negative or not finite
inline void check_postprocessing(const std::vector<postprocessing_rule>& rules,
                                 const std::vector<label_class>& classes) {
  for (std::size_t r = 0; r < rules.size(); ++r) {
    const auto named = [&](const auto& one) { return one.name == rules[r].name; };
    if (classes.empty() || std::none_of(classes.begin() + 1, classes.end(), named))
      throw config_error(text("postprocess: there is no class '", rules[r].name, "'"));
    if (std::any_of(rules.begin(), rules.begin() + static_cast<std::ptrdiff_t>(r), named))
      throw config_error(text("postprocess: the class '", rules[r].name, "' has two rules"));
    if (!(rules[r].smallest >= 0 && rules[r].smallest <= 1e6))
      throw config_error(text("postprocess: components of ", rules[r].smallest, " ml, expected 0 to 1e6"));
  }
}

namespace detail {

// What becomes of a voxel that is no longer of region `number` (of classes, from 1 on): the last region before it in
// the order of regions that the voxel's label belongs to, too; else background.
[[nodiscard]] inline std::array<std::uint8_t, 256> labels_without(std::size_t number,
                                                                  const std::vector<label_class>& classes,
                                                                  const std::vector<int>& region_order) {
  std::array<std::uint8_t, 256> out{};
  for (std::size_t v = 0; v < 256; ++v)
    for (std::size_t c = 1; c < number && !region_order.empty(); ++c) {
      const auto& values = classes[c].values;
      if (std::find(values.begin(), values.end(), static_cast<int>(v)) != values.end())
        out[v] = static_cast<std::uint8_t>(region_order[c - 1]);
    }
  return out;
}

// The components of a mask that do not stay.
[[nodiscard]] inline std::vector<bool> dropped_islands(const mask_islands& islands, const postprocessing_rule& rule,
                                                       double voxel_ml) {
  std::vector<bool> dropped(islands.voxels.size(), false);
  const auto largest = std::max_element(islands.voxels.begin(), islands.voxels.end()) - islands.voxels.begin();
  for (std::size_t i = 1; i < dropped.size(); ++i)
    dropped[i] = (rule.largest && static_cast<std::ptrdiff_t>(i) != largest) ||
                 static_cast<double>(islands.voxels[i]) * voxel_ml < rule.smallest;
  return dropped;
}

// Applies one rule.
void apply_rule(label_volume& labels, const postprocessing_rule& rule, const std::vector<label_class>& classes,
                const std::vector<int>& region_order);
#if COMODAL_BODIES
COMODAL_ONCE void apply_rule(label_volume& labels, const postprocessing_rule& rule,
                             const std::vector<label_class>& classes, const std::vector<int>& region_order) {
  std::size_t number = 1;
  while (classes[number].name != rule.name) ++number;
  std::array<bool, 256> own{};
  for (const int v : classes[number].values) own[static_cast<std::size_t>(v)] = true;
  label_volume mask{labels.geometry, labels.values};
  for (std::uint8_t& v : mask.values) v = own[v];
  const box found = bounding_box(mask);
  if (found.empty()) return;
  const box around = grown(found, 1, labels.geometry);
  mask = crop(mask, around);
  label_volume part = crop(labels, around);
  if (rule.largest || rule.smallest > 0) {
    const mask_islands islands = find_islands(mask, connectivity::corners);
    const auto dropped = dropped_islands(islands, rule, std::abs(determinant(labels.geometry.affine)) / 1000);
    const auto without = labels_without(number, classes, region_order);
    for (std::size_t i = 0; i < part.values.size(); ++i)
      if (dropped[static_cast<std::size_t>(islands.of_voxel[i])]) {
        part.values[i] = without[part.values[i]];
        mask.values[i] = 0;
      }
  }
  if (rule.holes) {
    const label_volume filled = fill_holes(mask);
    const auto value =
        static_cast<std::uint8_t>(region_order.empty() ? classes[number].values[0] : region_order[number - 1]);
    const bool regions = !region_order.empty();
    for (std::size_t i = 0; i < part.values.size(); ++i)
      if (filled.values[i] != 0 && mask.values[i] == 0 && (regions || part.values[i] == 0)) part.values[i] = value;
  }
  auto from = part.values.begin();
  for (index k = around.first[2]; k < around.last[2]; ++k)
    for (index j = around.first[1]; j < around.last[1]; ++j, from += part.geometry.size[0])
      std::copy_n(from, part.geometry.size[0], &labels.at(around.first[0], j, k));
}
#endif

}  // namespace detail

/// Applies rules to a label map, in their order. Of exclusive classes, what is removed becomes background, and holes
/// are filled where there is background. Of regions, a voxel that leaves one keeps those before it in their order.
/// @param region_order empty for exclusive classes @throws as `check_postprocessing`
inline void postprocess(label_volume& labels, const std::vector<postprocessing_rule>& rules,
                        const std::vector<label_class>& classes, const std::vector<int>& region_order) {
  check_postprocessing(rules, classes);
  for (const postprocessing_rule& rule : rules) detail::apply_rule(labels, rule, classes, region_order);
}

/// The rules that more than half of some models have: their steps, and the median of their volumes.
[[nodiscard]] inline std::vector<postprocessing_rule> agreed_postprocessing(
    const std::vector<std::vector<postprocessing_rule>>& of_models, const std::vector<label_class>& classes) {
  std::vector<postprocessing_rule> agreed;
  const auto most = [&](std::size_t count) { return 2 * count > of_models.size(); };
  for (const label_class& c : classes) {
    std::size_t largest = 0, holes = 0;
    std::vector<double> volumes;
    for (const auto& rules : of_models)
      for (const postprocessing_rule& rule : rules) {
        if (rule.name != c.name) continue;
        largest += rule.largest;
        holes += rule.holes;
        if (rule.smallest > 0) volumes.push_back(rule.smallest);
      }
    std::sort(volumes.begin(), volumes.end());
    postprocessing_rule rule{c.name, most(largest), most(holes),
                             most(volumes.size()) ? volumes[volumes.size() / 2] : 0};
    if (rule.largest || rule.holes || rule.smallest > 0) agreed.push_back(std::move(rule));
  }
  return agreed;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
