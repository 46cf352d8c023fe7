// SPDX-License-Identifier: Apache-2.0
/// @file
/// What box mixing does to targets: true labels where a labelled crop was pasted in.
#ifndef COMODAL_SSL_PARTS_BOX_MIX_HPP
#define COMODAL_SSL_PARTS_BOX_MIX_HPP

#include <comodal/ssl/targets.hpp>

namespace comodal::inline COMODAL_CONFIG {

namespace ssl_detail {

template <class T>
struct paste_labels_body {
  index channels;
  const std::uint8_t *labels, *known;
  const T *table, *soft, *confidence;
  T *target, *weight;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const T* row = known[i] ? table + labels[i] * channels : soft + i * channels;
    for (index c = 0; c < channels; ++c) target[i * channels + c] = row[c];
    weight[i] = known[i] ? T(1) : confidence[i];
  }
};

template <class T>
struct unknown_body {
  const std::uint8_t* known;
  T* weight;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const { weight[i] = known[i] ? T(0) : T(1); }
};

}  // namespace ssl_detail

/// Targets with the weight of each voxel.
template <tensor_backend Backend>
struct weighted_target {
  variable<Backend> target;  // (N, D, H, W, C)
  variable<Backend> weight;  // (N, D, H, W)
};

/// Puts true labels of weight 1 in place of a pseudo target where `crops` knows them. Without any, returns `soft`.
template <tensor_backend Backend>
[[nodiscard]] weighted_target<Backend> with_known_labels(const weighted_target<Backend>& soft, const target_map& map,
                                                         const device_crops<Backend>& crops) {
  if (!crops.known) return soft;
  auto& ctx = soft.target.ctx();
  auto& home = soft.target.home();
  const tensor_of<Backend>& table = ssl_detail::table_on_device(ctx, map);
  auto target = ctx.make(soft.target.shape()), weight = ctx.make(soft.weight.shape());
  ops::each(ctx, crops.known.size(),
            ssl_detail::paste_labels_body<typename Backend::scalar_type>{
                map.channels, crops.labels.data(), crops.known.data(), table.data(), soft.target.value().data(),
                soft.weight.value().data(), target.data(), weight.data()});
  return {home.constant(target), home.constant(weight)};
}

/// 1 where a voxel is the crop's own, 0 where a labelled crop was pasted in, (N, D, H, W); empty where all are its own.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> own_voxels(const device_crops<Backend>& crops) {
  if (!crops.known) return {};
  auto& home = crops.volumes.at(0).home();
  auto w = home.ctx().make(crops.known.shape());
  ops::each(home.ctx(), w.size(),
            ssl_detail::unknown_body<typename Backend::scalar_type>{crops.known.data(), w.data()});
  return home.constant(w);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
