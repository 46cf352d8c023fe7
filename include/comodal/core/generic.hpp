// SPDX-License-Identifier: Apache-2.0
/// @file
/// Class templates over the back end as types, for registries.
#ifndef COMODAL_CORE_GENERIC_HPP
#define COMODAL_CORE_GENERIC_HPP

#include <comodal/core/backend.hpp>
#include <comodal/core/ladder.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// A class template with the back end as its only parameter, as a type: a registry makes it for each back end that it
/// serves. `names.encoder<comodal::generic<my_encoder>>("mine")`.
template <template <tensor_backend> class Template>
struct generic {
  template <tensor_backend Backend>
  using type = Template<Backend>;
};

/// What a `generic` is for a back end.
template <class Generic, tensor_backend Backend>
using type_for = typename Generic::template type<Backend>;

/// Stops the compilation with a sentence unless `T` is a `generic`.
template <class T, tensor_backend Backend>
constexpr void check_generic() {
  if constexpr (!requires { typename type_for<T, Backend>; })
    static_assert(detail::never<T>,
                  "comodal: a registry takes a class template over the back end as comodal::generic<the_template>");
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
