// SPDX-License-Identifier: Apache-2.0
/// @file
/// Which modality of which sample is there, as weights that operations multiply with: no branch on data inside a step.
#ifndef COMODAL_MODEL_PRESENCE_HPP
#define COMODAL_MODEL_PRESENCE_HPP

#include <comodal/autograd/cast.hpp>
#include <comodal/autograd/gating.hpp>
#include <comodal/autograd/reduction.hpp>
#include <comodal/autograd/structure.hpp>

#include <concepts>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Values of a presence mask on the host: r and r / |P_n|, both (samples, modalities).
template <class T>
struct presence_values {
  std::vector<T> mask, share;

  /// @param values (samples, modalities) of zeros and ones, row-major
  /// @throws shape_error for a wrong number of values; config_error for other values or a sample without any modality
  presence_values(index samples, index modalities, const std::vector<float>& values) {
    if (static_cast<index>(values.size()) != samples * modalities)
      throw shape_error(
          text("presence: ", values.size(), " values for ", samples, " samples of ", modalities, " modalities"));
    for (index n = 0; n < samples; ++n) {
      int count = 0;
      for (index m = 0; m < modalities; ++m) {
        const float r = values[static_cast<std::size_t>(n * modalities + m)];
        if (r != 0 && r != 1)
          throw config_error(text("presence: ", r, " for sample ", n, ", modality ", m, ", expected 0 or 1"));
        count += r == 1;
      }
      if (count == 0) throw config_error(text("presence: sample ", n, " has no modality at all"));
      for (index m = 0; m < modalities; ++m) {
        mask.push_back(static_cast<T>(values[static_cast<std::size_t>(n * modalities + m)]));
        share.push_back(T(compute_type_t<T>(mask.back()) / static_cast<compute_type_t<T>>(count)));
      }
    }
  }
};

/// The presence mask r of a batch: r[n][m] is 1 where modality m of sample n is there, at least one a sample. It is on
/// the device alone: a forward pass computes everything, and multiplies with 0 what is absent.
template <tensor_backend Backend>
class presence {
 public:
  /// No sample.
  presence() = default;
  /// Sends the mask to the device, and waits; `device_batch` does not.
  /// @param values (samples, modalities) of zeros and ones, row-major
  /// @throws as `presence_values`
  presence(tape<Backend>& home, index samples, index modalities, const std::vector<float>& values)
      : m_samples(samples), m_modalities(modalities) {
    const presence_values<typename Backend::scalar_type> all(samples, modalities, values);
    m_mask = home.constant({samples, modalities}, all.mask);
    m_share = home.constant({samples, modalities}, all.share);
  }
  /// A mask that is on the device already, (samples, modalities) each: the members of `presence_values`.
  presence(variable<Backend> mask, variable<Backend> share)
      : m_samples(mask.extent(0)), m_modalities(mask.extent(1)), m_mask(std::move(mask)), m_share(std::move(share)) {}

  /// The same mask in the scalar of another tape.
  template <tensor_backend Other>
    requires(!std::same_as<Other, Backend>)
  presence(tape<Backend>& home, const presence<Other>& other)
      : m_samples(other.samples()),
        m_modalities(other.modalities()),
        m_mask(cast(other.mask(), home)),
        m_share(cast(other.share(), home)) {}

  [[nodiscard]] index samples() const { return m_samples; }
  [[nodiscard]] index modalities() const { return m_modalities; }
  /// r, (N, M), a constant.
  [[nodiscard]] const variable<Backend>& mask() const { return m_mask; }
  /// r / |P_n|, (N, M), a constant: the weights of a mean over the present modalities.
  [[nodiscard]] const variable<Backend>& share() const { return m_share; }

 private:
  index m_samples = 0, m_modalities = 0;
  variable<Backend> m_mask, m_share;
};

namespace detail {

struct select_present {
  template <class T>
  KOKKOS_INLINE_FUNCTION T value(T x, T r) const {
    return r == T(0) ? T(0) : x;
  }
};

}  // namespace detail

/// An input volume (N, D, H, W, 1) with 0 where the modality is absent, whatever stood there (NaN too). A volume that
/// wants a gradient receives it where the modality is present.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> absent_to_zero(const variable<Backend>& x, const presence<Backend>& present,
                                               index modality) {
  auto& ctx = x.ctx();
  const auto r = slice(present.mask(), 1, modality, modality + 1).value().reshaped({present.samples(), 1, 1, 1, 1});
  return x.home().result(ops::binary(ctx, "absent_to_zero", detail::select_present{}, x.value(), r), {&x},
                         [&ctx, to = x.sink(), r](const auto& d) {
                           to.accumulate(ops::binary(ctx, "absent_to_zero", detail::select_present{}, d, r));
                         });
}

/// The M inputs of a network with 0 where a modality is absent. @throws shape_error for a wrong number of volumes or
/// different shapes
template <tensor_backend Backend>
[[nodiscard]] std::vector<variable<Backend>> present_volumes(const char* network,
                                                             const std::vector<variable<Backend>>& volumes,
                                                             const presence<Backend>& present, index modalities) {
  if (static_cast<index>(volumes.size()) != modalities || present.modalities() != modalities)
    throw shape_error(text(network, ": ", volumes.size(), " volumes and a presence mask of ", present.modalities(),
                           " modalities for ", modalities, " modalities"));
  std::vector<variable<Backend>> inputs;
  for (index m = 0; m < modalities; ++m) {
    const auto& volume = volumes[static_cast<std::size_t>(m)];
    if (!(volume.shape() == volumes[0].shape()))
      throw shape_error(
          text(network, ": volumes ", volumes[0].shape().to_string(), " and ", volume.shape().to_string()));
    inputs.push_back(absent_to_zero(volume, present, m));
  }
  return inputs;
}

/// sum_m weights[.., m] maps[m]: maps (N, D, H, W, C), weights (N, M) or (N, D, H, W, M).
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> weighted_sum(const std::vector<variable<Backend>>& maps,
                                             const variable<Backend>& weights) {
  variable<Backend> total;
  for (std::size_t m = 0; m < maps.size(); ++m) {
    const auto part = multiply(maps[m], weight_of(weights, static_cast<index>(m)));
    total = total ? add(total, part) : part;
  }
  return total;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
