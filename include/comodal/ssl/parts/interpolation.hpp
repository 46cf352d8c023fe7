// SPDX-License-Identifier: Apache-2.0
/// @file
/// Mixtures of crops and of predictions, each with the next one of the batch (mixup; Zhang et al., ICLR 2018), for
/// patients that lack modalities.
#ifndef COMODAL_SSL_PARTS_INTERPOLATION_HPP
#define COMODAL_SSL_PARTS_INTERPOLATION_HPP

#include <comodal/core/random.hpp>
#include <comodal/core/step_block.hpp>
#include <comodal/model/presence.hpp>
#include <comodal/ssl/parts/constant_function.hpp>
#include <comodal/ssl/step_request.hpp>

#include <cmath>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// A draw from the beta distribution (0.2, 0.2) that belongs to a run's seed and a step (Joehnk's method).
[[nodiscard]] inline double beta_draw(std::uint64_t seed, std::uint32_t step) {
  constexpr double power = 1 / 0.2;
  random_stream stream(seed, random_purpose::mixing, hash_name("interpolation"), step);
  for (;;) {
    const double x = std::pow(stream.uniform(), power), y = std::pow(stream.uniform(), power);
    if (x + y > 0 && x + y <= 1) return x / (x + y);
  }
}
/// The same as a number that kernels read from the step block.
[[nodiscard]] inline step_scalar beta_factor(const step_request& at) {
  return {at, [](const progress& now, double seed) { return beta_draw(static_cast<std::uint64_t>(seed), now.step); },
          static_cast<double>(at.seed % (std::uint64_t{1} << 53))};
}

namespace ssl_detail {

// (N, ...) with each sample in the place of the one before it, the first in that of the last.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> next_sample(const variable<Backend>& x) {
  return concat<Backend>({slice(x, 0, 1, x.extent(0)), slice(x, 0, 0, 1)}, 0);
}

}  // namespace ssl_detail

/// Sample n of a batch mixed with sample n + 1 (the last with the first): factor times the one plus 1 - factor times
/// the other. A mixture has the modalities that both have; where they have none in common it is sample n alone.
template <tensor_backend Backend>
class interpolation {
 public:
  /// @param present of the samples, at least two @throws config_error for fewer
  interpolation(const presence<Backend>& present, const step_scalar& factor) : m_before(present) {
    const index samples = present.samples();
    if (samples < 2)
      throw config_error(
          text("interpolation: ", samples, " unlabelled crop per step, expected 2 or more; set batch.unlabelled"));
    const auto both = multiply(present.mask(), ssl_detail::next_sample(present.mask()));
    const auto alone = 1.0 - constant_function(ssl_detail::positive{}, sum(both, {1}));  // (N, 1)
    const auto mask = detach(both + multiply(alone, present.mask()));
    m_present = presence<Backend>(mask, detach(divide(mask, sum(mask, {1}))));
    m_second = detach(scale(1.0 - alone, 1.0 - factor));
    m_first = detach(1.0 - m_second);
  }

  /// Which modalities the mixtures have.
  [[nodiscard]] const presence<Backend>& present() const { return m_present; }
  /// Mixtures of maps or predictions (N, D, H, W, C).
  [[nodiscard]] variable<Backend> mixed(const variable<Backend>& x) const {
    const shape weight{x.extent(0), 1, 1, 1, 1};
    return multiply(x, reshape(m_first, weight)) + multiply(ssl_detail::next_sample(x), reshape(m_second, weight));
  }
  /// Mixtures of volumes, one per modality; what stands in an absent one is not used.
  [[nodiscard]] std::vector<variable<Backend>> mixed(const std::vector<variable<Backend>>& volumes) const {
    std::vector<variable<Backend>> out;
    for (const auto& one : present_volumes("interpolation", volumes, m_before, m_before.modalities()))
      out.push_back(mixed(one));
    return out;
  }

 private:
  presence<Backend> m_before, m_present;
  variable<Backend> m_first, m_second;  // (N, 1): the weights of a sample and of the next one
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
