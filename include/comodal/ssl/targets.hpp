// SPDX-License-Identifier: Apache-2.0
/// @file
/// Batches on the back end: volumes, one-hot targets from labels, and the classes that count in a crop.
#ifndef COMODAL_SSL_TARGETS_HPP
#define COMODAL_SSL_TARGETS_HPP

#include <comodal/data/batch.hpp>
#include <comodal/data/cohort.hpp>
#include <comodal/model/network.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// How label numbers become target channels: exclusive classes (one-hot, background first) or regions that may overlap.
struct target_map {
  label_kind kind = label_kind::classes;
  index channels = 2;
  std::vector<float> table;  // (256, channels)

  /// Labels 0 ... classes - 1, one channel each.
  /// @throws config_error for less than 1 or more than 256 classes: a label is a byte
  [[nodiscard]] static target_map of_classes(index classes) {
    if (classes < 1 || classes > 256) throw config_error(text("target_map: ", classes, " classes, expected 1 to 256"));
    target_map map{label_kind::classes, classes, std::vector<float>(static_cast<std::size_t>(256 * classes), 0.f)};
    for (index c = 0; c < classes; ++c) map.table[static_cast<std::size_t>(c * classes + c)] = 1;
    return map;
  }
  /// One channel per region, each a list of the labels in it. @throws config_error for an empty list of regions
  [[nodiscard]] static target_map of_regions(const std::vector<std::vector<std::uint8_t>>& regions) {
    const index n = static_cast<index>(regions.size());
    if (n < 1) throw config_error("target_map: no regions, expected at least one");
    target_map map{label_kind::regions, n, std::vector<float>(static_cast<std::size_t>(256 * n), 0.f)};
    for (index r = 0; r < n; ++r)
      for (const std::uint8_t label : regions[static_cast<std::size_t>(r)])
        map.table[static_cast<std::size_t>(label * n + r)] = 1;
    return map;
  }
  /// The map of a cohort's declared labels, background first: classes of one value each, or regions (without the
  /// background).
  /// @throws config_error as `check_labels`; with regions for a class without values or with one that is not a byte
  [[nodiscard]] static target_map of_labels(const std::vector<label_class>& labels, bool regions) {
    if (regions) {
      std::vector<std::vector<std::uint8_t>> lists;
      for (const label_class& c : labels) check_label_values(c);
      for (std::size_t r = 1; r < labels.size(); ++r)
        lists.emplace_back(labels[r].values.begin(), labels[r].values.end());
      return of_regions(lists);
    }
    check_labels(labels, {});
    const auto classes = static_cast<index>(labels.size());
    target_map map{label_kind::classes, classes, std::vector<float>(static_cast<std::size_t>(256 * classes), 0.f)};
    for (index c = 0; c < classes; ++c)
      map.table[static_cast<std::size_t>(labels[static_cast<std::size_t>(c)].values[0] * classes + c)] = 1;
    return map;
  }
};

namespace ssl_detail {

// Floats of the host as the scalars of a tensor, from its element `first` on.
template <class Space, class T>
void copy_converted(const Space& space, const std::vector<float>& from, const tensor<T, Space>& to, index first) {
  const auto count = static_cast<index>(from.size());
  if constexpr (std::is_same_v<T, float>) {
    copy_from_host(space, from.data(), count, to, first);
  } else {
    const std::vector<T> values(from.begin(), from.end());
    copy_from_host(space, values.data(), count, to, first);
  }
}

}  // namespace ssl_detail

/// Volumes and presence of one or more crop batches, one behind the other.
template <tensor_backend Backend>
struct network_input {
  std::vector<variable<Backend>> volumes;  // one per modality, (N, D, H, W, 1)
  comodal::presence<Backend> present;

  /// @throws shape_error for crops of different sizes
  network_input(tape<Backend>& home, const std::vector<const crop_batch*>& parts)
      : present(home, count(parts), parts.at(0)->modalities, joined(parts)) {
    auto& ctx = home.ctx();
    const extent3 size = parts[0]->size;
    for (index m = 0; m < parts[0]->modalities; ++m) {
      auto volume = ctx.make({present.samples(), size[0], size[1], size[2], 1});
      index first = 0;
      for (const crop_batch* part : parts) {
        if (part->size != size) throw shape_error("network_input: crops of different sizes in one batch");
        const auto& from = part->images[static_cast<std::size_t>(m)];
        ssl_detail::copy_converted(ctx.space(), from, volume, first);
        first += static_cast<index>(from.size());
      }
      volumes.push_back(home.constant(volume));
    }
  }

 private:
  static index count(const std::vector<const crop_batch*>& parts) {
    index n = 0;
    for (const crop_batch* part : parts) n += part->samples;
    return n;
  }
  static std::vector<float> joined(const std::vector<const crop_batch*>& parts) {
    std::vector<float> all;
    for (const crop_batch* part : parts) all.insert(all.end(), part->present.begin(), part->present.end());
    return all;
  }
};

namespace ssl_detail {

template <class T>
struct one_hot_body {
  const std::uint8_t* labels;
  const T* table;
  T* target;
  index channels;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const T* row = table + labels[i] * channels;
    for (index c = 0; c < channels; ++c) target[i * channels + c] = row[c];
  }
};

struct at_least {
  double limit;
  template <class T>
  KOKKOS_INLINE_FUNCTION T value(T mass, T always) const {
    return mass >= static_cast<T>(limit) || always > T(0) ? T(1) : T(0);
  }
};

}  // namespace ssl_detail

/// One-hot targets (N, D, H, W, channels) of the labels of a batch.
template <tensor_backend Backend>
[[nodiscard]] typename context<Backend>::tensor_type one_hot(context<Backend>& ctx, const target_map& map,
                                                             const crop_batch& batch) {
  using T = typename Backend::scalar_type;
  auto target = ctx.make({batch.samples, batch.size[0], batch.size[1], batch.size[2], map.channels});
  auto labels = ctx.template make_of<std::uint8_t>({batch.samples * batch.voxels()});
  copy_from_host(ctx.space(), batch.labels, labels);
  auto table = ctx.make({256, map.channels});
  ssl_detail::copy_converted(ctx.space(), map.table, table, 0);
  ops::each(ctx, labels.size(), ssl_detail::one_hot_body<T>{labels.data(), table.data(), target.data(), map.channels});
  return target;
}

/// Which classes count in the Dice part of a sample: those whose target mass sum_i y_ic is at least max(`voxels`,
/// `fraction` of the crop). Decided by the target, never by the prediction. Samples whose `always` (N, 1) is 1 count
/// all. target (N, D, H, W, C) -> (N, C).
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> counting_classes(const variable<Backend>& target, const variable<Backend>& always,
                                                 double voxels, double fraction = 1e-4) {
  auto& ctx = target.ctx();
  const index n = target.extent(0), c = target.extent(-1), crop = target.shape().size() / n / c;
  const auto mass = ops::sum_axis(ctx, target.value().reshaped({n, crop, c}), 1).reshaped({n, c});
  const double limit = std::max(voxels, fraction * static_cast<double>(crop));
  return target.home().constant(
      ops::binary(ctx, "counting_classes", ssl_detail::at_least{limit}, mass, always.value()));
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
