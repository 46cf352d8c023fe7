// SPDX-License-Identifier: Apache-2.0
/// @file
/// What networks and losses take, made of batches: volumes, one-hot targets from labels, the classes that count in a
/// crop.
#ifndef COMODAL_SSL_TARGETS_HPP
#define COMODAL_SSL_TARGETS_HPP

#include <comodal/data/batch.hpp>
#include <comodal/data/cohort.hpp>
#include <comodal/model/network.hpp>
#include <comodal/ssl/device_batch.hpp>

#include <deque>
#include <utility>
#include <vector>

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

  /// Of crops that lie side by side in one `device_batch`, as labelled and strong ones do, nothing is copied.
  /// @throws shape_error for crops of different sizes or no crop
  explicit network_input(const std::vector<const device_crops<Backend>*>& parts) {
    if (parts.empty() || parts[0]->samples == 0)
      throw shape_error(
          "network_input: the crops are empty; ask for them in views() of the method, or give other ones");
    const device_crops<Backend>& one = *parts[0];
    index samples = 0;
    bool side_by_side = true;
    for (const auto* part : parts) {
      if (part->size != one.size || part->modalities != one.modalities)
        throw shape_error("network_input: crops of different sizes in one batch");
      side_by_side =
          side_by_side && part->first == one.first + samples && part->all_masks.data() == one.all_masks.data();
      samples += part->samples;
    }
    if (parts.size() == 1) {
      volumes = one.volumes;
      present = one.present;
    } else if (side_by_side) {
      join_in_place(one, samples);
    } else {
      join_copies(parts);
    }
  }
  /// The same of crops on the host: sends each volume, and waits. @throws shape_error for crops of different sizes
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
  void join_in_place(const device_crops<Backend>& one, index samples) {
    tape<Backend>& home = one.volumes[0].home();
    for (const auto& all : one.all_volumes) {
      shape extents = all.shape();
      extents.set(0, samples);
      volumes.push_back(home.constant(all.part(one.first * one.voxels(), extents)));
    }
    const auto rows = [&](const tensor_of<Backend>& all) {
      return home.constant(all.part(one.first * one.modalities, {samples, one.modalities}));
    };
    present = comodal::presence<Backend>(rows(one.all_masks), rows(one.all_shares));
  }
  void join_copies(const std::vector<const device_crops<Backend>*>& parts) {
    const auto joined = [&](const auto& member) {
      std::vector<variable<Backend>> all;
      for (const auto* part : parts) all.push_back(member(*part));
      return concat(all, 0);
    };
    for (std::size_t m = 0; m < parts[0]->volumes.size(); ++m)
      volumes.push_back(joined([m](const auto& part) { return part.volumes[m]; }));
    present = comodal::presence<Backend>(joined([](const auto& part) { return part.present.mask(); }),
                                         joined([](const auto& part) { return part.present.share(); }));
  }
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

namespace ssl_detail {

// Tables of labels on the device, each sent once.
template <tensor_backend Backend>
class target_tables {
 public:
  [[nodiscard]] const tensor_of<Backend>& of(context<Backend>& ctx, const target_map& map) {
    for (const auto& [values, table] : m_tables)
      if (values == map.table) return table;
    const auto table = ctx.make({256, map.channels});
    copy_converted(ctx.space(), map.table, table, 0);
    return m_tables.emplace_back(map.table, table).second;
  }

 private:
  std::deque<std::pair<std::vector<float>, tensor_of<Backend>>> m_tables;
};
template <tensor_backend Backend>
[[nodiscard]] const tensor_of<Backend>& table_on_device(context<Backend>& ctx, const target_map& map) {
  return ctx.template kept<target_tables<Backend>>().of(ctx, map);
}

template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> one_hot(context<Backend>& ctx, const target_map& map, const shape& crops,
                                         const std::uint8_t* labels) {
  auto target = ctx.make({crops[0], crops[1], crops[2], crops[3], map.channels});
  const tensor_of<Backend>& table = table_on_device(ctx, map);
  ops::each(ctx, crops.size(),
            one_hot_body<typename Backend::scalar_type>{labels, table.data(), target.data(), map.channels});
  return target;
}

}  // namespace ssl_detail

/// One-hot targets (N, D, H, W, channels) of the labels of crops. @throws shape_error for crops without labels
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> one_hot(const target_map& map, const device_crops<Backend>& crops) {
  if (!crops.labels) throw shape_error("one_hot: the crops have no labels");
  auto& home = crops.volumes.at(0).home();
  return home.constant(ssl_detail::one_hot(home.ctx(), map, crops.labels.shape(), crops.labels.data()));
}
/// The same of crops on the host: sends the labels, and waits.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> one_hot(context<Backend>& ctx, const target_map& map, const crop_batch& batch) {
  auto labels = ctx.template make_of<std::uint8_t>({batch.samples, batch.size[0], batch.size[1], batch.size[2]});
  copy_from_host(ctx.space(), batch.labels, labels);
  return ssl_detail::one_hot(ctx, map, labels.shape(), labels.data());
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
