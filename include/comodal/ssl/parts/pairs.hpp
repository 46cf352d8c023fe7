// SPDX-License-Identifier: Apache-2.0
/// @file
/// Sums over ordered pairs of modalities that are both present: who learns from whom.
#ifndef COMODAL_SSL_PARTS_PAIRS_HPP
#define COMODAL_SSL_PARTS_PAIRS_HPP

#include <comodal/ssl/parts/supervised_loss.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The mean over crops and ordered pairs (m, n) of different modalities that a crop has both: 0 if there is no pair.
/// @param present of all samples of the pass; those from `first` on take part
/// @param term `term(m, n)` -> (samples from `first` on): what m loses against n
/// @param weigh `weigh(m, n)` -> a scalar variable that the pair's term is multiplied by; empty: 1
template <tensor_backend Backend, class Term, class Weigh>
[[nodiscard]] variable<Backend> mean_over_pairs(tape<Backend>& home, const presence<Backend>& present, index first,
                                                Term&& term, Weigh&& weigh) {
  const index modalities = present.modalities(), samples = present.samples() - first;
  variable<Backend> total;
  double number = 0;
  for (index m = 0; m < modalities; ++m)
    for (index n = 0; n < modalities; ++n) {
      std::vector<double> both(static_cast<std::size_t>(samples), 0.0);
      double count = 0;
      for (index b = 0; b < samples; ++b)
        if (m != n && present.has(first + b, m) && present.has(first + b, n))
          count += both[static_cast<std::size_t>(b)] = 1;
      if (count == 0) continue;
      number += count;
      variable<Backend> value = weighted_total(term(m, n), sample_weights(home, both));
      if (const variable<Backend> by = weigh(m, n)) value = multiply(value, by);
      total = total ? add(total, value) : value;
    }
  return total ? scale(total, 1 / number) : home.constant(shape{}, {typename Backend::scalar_type(0)});
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
