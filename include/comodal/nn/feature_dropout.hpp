// SPDX-License-Identifier: Apache-2.0
/// @file
/// Dropout as a layer: its masks follow from its place in the network and from the request of the forward pass.
#ifndef COMODAL_NN_FEATURE_DROPOUT_HPP
#define COMODAL_NN_FEATURE_DROPOUT_HPP

#include <comodal/autograd/structure.hpp>
#include <comodal/nn/forward_request.hpp>
#include <comodal/nn/parameters.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// Sets each element of a map to 0 with probability `rate` and scales the others by 1 / (1 - rate) (Srivastava et al.,
/// JMLR 2014). Has no parameters. With rate 0, and in a pass that evaluates, it returns its input itself.
template <tensor_backend Backend>
class feature_dropout {
 public:
  /// @param scope its path is part of the key of the random numbers, so that no two layers share a mask
  /// @throws config_error unless 0 <= rate < 1
  feature_dropout(const parameter_scope<Backend>& scope, double rate)
      : m_stream(hash_name(scope.path())), m_rate(rate) {
    if (!(rate >= 0 && rate < 1))
      throw config_error(text("dropout of '", scope.path(), "': rate ", rate, ", expected 0 or more and below 1"));
  }

  /// Keeps the shape.
  [[nodiscard]] variable<Backend> operator()(const variable<Backend>& x, const forward_request& request) const {
    if (m_rate == 0 || !request.is_random()) return x;
    const random_key& key = request.random;
    return dropout(x, m_rate, key.seed, m_stream + 0x9e3779b9u * key.pass, key.iteration);
  }

 private:
  std::uint32_t m_stream;
  double m_rate;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
