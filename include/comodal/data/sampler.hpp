// SPDX-License-Identifier: Apache-2.0
/// @file
/// Which case a crop is taken from, and where it lies: uniform, or around a voxel of a class.
#ifndef COMODAL_DATA_SAMPLER_HPP
#define COMODAL_DATA_SAMPLER_HPP

#include <comodal/data/batch.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

/// The case of the labelled crop `slot` of a step: all cases are taken once per epoch, in an order that is shuffled
/// anew for each.
/// @param crops labelled crops per step; @param cases number of labelled cases, at least 1
[[nodiscard]] inline std::uint32_t labelled_case_of(std::uint64_t seed, std::uint32_t step, index slot, index crops,
                                                    index cases) {
  const auto position =
      static_cast<std::uint64_t>(step) * static_cast<std::uint64_t>(crops) + static_cast<std::uint64_t>(slot);
  const auto epoch = static_cast<std::uint32_t>(position / static_cast<std::uint64_t>(cases));
  random_stream random = detail::batch_stream(seed, random_purpose::sampling, detail::batch_part::epoch, 0, epoch);
  std::vector<std::uint32_t> order(static_cast<std::size_t>(cases));
  std::iota(order.begin(), order.end(), 0u);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
  return order[static_cast<std::size_t>(position % static_cast<std::uint64_t>(cases))];
}

/// `crops` different numbers below `cases`, uniform; the cases of a step's unlabelled crops. Needs crops <= cases.
[[nodiscard]] inline std::vector<std::uint32_t> distinct_cases(index crops, index cases, random_stream& random) {
  std::vector<std::uint32_t> chosen;
  while (static_cast<index>(chosen.size()) < crops) {
    const std::uint32_t next = random.below(static_cast<std::uint32_t>(cases));
    if (std::find(chosen.begin(), chosen.end(), next) == chosen.end()) chosen.push_back(next);
  }
  return chosen;
}

/// Spreads a fraction evenly over the crops of a run: with 0.5 and two crops per step, the second of each. With one
/// crop a step, that of every other step.
[[nodiscard]] inline bool takes_turn(std::uint32_t step, index slot, index crops, double fraction) {
  const double position = static_cast<double>(step) * static_cast<double>(crops) + static_cast<double>(slot);
  return std::floor((position + 1) * fraction) > std::floor(position * fraction);
}

/// First voxel (D, H, W) of a patch that lies anywhere in the volume. Along an axis on which the volume is smaller than
/// the patch the first voxel is not positive and the whole volume is inside the patch.
[[nodiscard]] inline extent3 uniform_place(const extent3& volume, const extent3& patch, random_stream& random) {
  extent3 first{};
  for (std::size_t a = 0; a < 3; ++a) {
    const index room = volume[a] - patch[a];
    first[a] = std::min<index>(room, 0) + random.below(static_cast<std::uint32_t>(std::abs(room) + 1));
  }
  return first;
}

/// First voxel (D, H, W) of a patch around a voxel, moved by up to `jitter` of the patch along each axis, and then back
/// to where `uniform_place` may put it. The voxel is inside the patch for a jitter of at most a half.
[[nodiscard]] inline extent3 centred_place(const extent3& voxel, const extent3& volume, const extent3& patch,
                                           double jitter, random_stream& random) {
  extent3 first{};
  for (std::size_t a = 0; a < 3; ++a) {
    const double half = static_cast<double>(patch[a]) / 2,
                 move = random.uniform(-jitter, jitter) * static_cast<double>(patch[a]);
    const index room = volume[a] - patch[a];
    first[a] = std::clamp(voxel[a] + static_cast<index>(std::floor(move - half + 1)), std::min<index>(room, 0),
                          std::max<index>(room, 0));
  }
  return first;
}

/// How many voxels of a label value lie in the slices 0 to d of a label map.
struct class_slices {
  std::uint8_t label = 0;
  std::vector<std::uint32_t> up_to;  // by slice d; the last is the number of all
};

/// How many voxels each class has in each slice of a label map, for drawing one of them.
class class_table {
 public:
  class_table() = default;
  /// A table that was made before, of a map that has not changed.
  explicit class_table(std::vector<class_slices> classes) : m_classes(std::move(classes)) {}
  /// @param labels uint8 @param ignored a value that is no class
  explicit class_table(const volume_view& labels, const std::optional<int>& ignored = {}) {
    const auto& size = labels.grid().size;
    const auto values = labels.values<std::uint8_t>();
    const auto slice = static_cast<std::size_t>(size[0] * size[1]), depth = static_cast<std::size_t>(size[2]);
    std::vector<std::array<std::uint32_t, 256>> counts(depth);
    std::array<std::uint32_t, 256> totals{};
    for (std::size_t d = 0; d < depth; ++d) {
      for (std::size_t v = d * slice; v < (d + 1) * slice; ++v) ++counts[d][values[v]];
      for (std::size_t c = 1; c < 256; ++c) totals[c] += counts[d][c];
    }
    for (std::size_t c = 1; c < 256; ++c) {
      if (totals[c] == 0 || static_cast<int>(c) == ignored) continue;
      class_slices e{static_cast<std::uint8_t>(c), {}};
      std::uint32_t sum = 0;
      for (std::size_t d = 0; d < depth; ++d) e.up_to.push_back(sum += counts[d][c]);
      m_classes.push_back(std::move(e));
    }
  }

  /// No voxel is labelled.
  [[nodiscard]] bool empty() const { return m_classes.empty(); }
  /// By label value, ascending.
  [[nodiscard]] const std::vector<class_slices>& classes() const { return m_classes; }

  /// A voxel (D, H, W), uniform among those of a uniformly drawn class (background is none). Not for an empty table.
  /// @param labels the map that the table was made from
  [[nodiscard]] extent3 draw(const volume_view& labels, random_stream& random) const {
    const class_slices& e = m_classes[random.below(static_cast<std::uint32_t>(m_classes.size()))];
    std::uint32_t rank = random.below(e.up_to.back());
    const auto d = static_cast<std::size_t>(std::upper_bound(e.up_to.begin(), e.up_to.end(), rank) - e.up_to.begin());
    if (d > 0) rank -= e.up_to[d - 1];
    const index width = labels.grid().size[0];
    const auto slice = static_cast<std::size_t>(width * labels.grid().size[1]);
    const auto values = labels.values<std::uint8_t>();
    std::size_t v = d * slice;
    for (;; ++v)
      if (values[v] == e.label && rank-- == 0) break;
    const auto in_slice = static_cast<index>(v - d * slice);
    return {static_cast<index>(d), in_slice / width, in_slice % width};
  }

 private:
  std::vector<class_slices> m_classes;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
