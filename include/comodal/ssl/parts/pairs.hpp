// SPDX-License-Identifier: Apache-2.0
/// @file
/// Sums over ordered pairs of modalities that are both present: who learns from whom.
#ifndef COMODAL_SSL_PARTS_PAIRS_HPP
#define COMODAL_SSL_PARTS_PAIRS_HPP

#include <comodal/model/network_options.hpp>
#include <comodal/ssl/parts/constant_function.hpp>
#include <comodal/ssl/parts/supervised_loss.hpp>

namespace comodal::inline COMODAL_CONFIG {

namespace ssl_detail {

struct inverse_or_zero {
  template <class T>
  KOKKOS_INLINE_FUNCTION T value(T x) const {
    return x > T(0) ? static_cast<T>(1 / static_cast<double>(x)) : T(0);
  }
};

}  // namespace ssl_detail

/// @param method for the message
/// @throws config_error for a network without the branches of two modalities, which a method compares
inline void expect_branches(const network_options& network, index modalities, std::string_view method) {
  if (modalities < 2)
    throw config_error(text("method.name = \"", method, "\": it compares modalities, and the cohort has ", modalities,
                            "; choose another method"));
  if (!network.branches || network.fusion == "early")
    throw config_error(text("method.name = \"", method,
                            "\": it compares the branches of modalities, and the network has "
                            "none; set model.branches = true and a model.fusion other than \"early\""));
}

/// The mean over crops and ordered pairs (m, n) of different modalities that a crop has both: 0 if there is no pair.
/// Every pair is computed, and weighs 0 where one of the two is absent: steps have one shape.
/// @param present of all samples of the pass; those from `first` on take part
/// @param term `term(m, n)` -> (samples from `first` on): what m loses against n
/// @param weigh `weigh(m, n)` -> a scalar variable that the pair's term is multiplied by; empty: 1
template <tensor_backend Backend, class Term, class Weigh>
[[nodiscard]] variable<Backend> mean_over_pairs(tape<Backend>& home, const presence<Backend>& present, index first,
                                                Term&& term, Weigh&& weigh) {
  const index modalities = present.modalities(), samples = present.samples() - first;
  const auto mask = slice(present.mask(), 0, first, present.samples());
  const auto has = [&](index m) { return reshape(slice(mask, 1, m, m + 1), {samples}); };
  variable<Backend> total;
  for (index m = 0; m < modalities; ++m)
    for (index n = 0; n < modalities; ++n) {
      if (m == n) continue;
      variable<Backend> value = weighted_total(term(m, n), multiply(has(m), has(n)));
      if (const variable<Backend> by = weigh(m, n)) value = multiply(value, by);
      total = total ? add(total, value) : value;
    }
  if (!total) return home.constant(ops::full(home.ctx(), shape{}, typename Backend::scalar_type(0)));
  const auto count = sum(mask, {1});  // of present modalities per crop: c (c - 1) ordered pairs
  const auto number = reshape(sum(multiply(count, shift(count, -1))), shape{});
  return multiply(total, constant_function(ssl_detail::inverse_or_zero{}, number));
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
