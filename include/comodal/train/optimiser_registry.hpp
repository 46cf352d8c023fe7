// SPDX-License-Identifier: Apache-2.0
/// @file
/// Optimisers by name.
#ifndef COMODAL_TRAIN_OPTIMISER_REGISTRY_HPP
#define COMODAL_TRAIN_OPTIMISER_REGISTRY_HPP

#include <comodal/core/compiled.hpp>
#include <comodal/core/generic.hpp>
#include <comodal/core/name_table.hpp>
#include <comodal/train/optimiser.hpp>

#include <string>
#include <type_traits>

namespace comodal::inline COMODAL_CONFIG {

/// An optimiser. @tparam Optimiser a `generic`
template <class Optimiser, tensor_backend Backend>
[[nodiscard]] any_optimiser<Backend> make_optimiser_entry(const optimiser_options& options) {
  static_assert(std::is_constructible_v<type_for<Optimiser, Backend>, const optimiser_options&>,
                "comodal: an optimiser that is made by name needs a constructor from (const optimiser_options&)");
  return any_optimiser<Backend>(type_for<Optimiser, Backend>(options));
}

/// The optimisers that a program knows by name. It is a value: a copy may have more.
template <tensor_backend Backend>
class optimiser_registry {
 public:
  using optimiser_maker = any_optimiser<Backend> (*)(const optimiser_options&);

  /// Only what the library has.
  [[nodiscard]] static optimiser_registry built_in();

  /// Names an optimiser: `generic` of a class template over the back end, made from optimiser_options.
  /// @throws config_error for a name that is taken or is none
  template <class Optimiser>
  void optimiser(const std::string& name) {
    check_generic<Optimiser, Backend>();
    m_optimisers.add(name, &make_optimiser_entry<Optimiser, Backend>);
  }

  /// @throws config_error for a name that this program lacks
  void check_optimiser_name(const optimiser_options& options) const {
    (void)m_optimisers.at(options.name, "optimiser.name");
  }
  [[nodiscard]] const std::vector<std::string>& optimiser_names() const { return m_optimisers.names(); }
  /// Makes the optimiser that `options` name. @throws config_error for a name that this program lacks, and for options
  /// that make no sense
  [[nodiscard]] any_optimiser<Backend> make_optimiser(const optimiser_options& options) const {
    check(options);
    return m_optimisers.at(options.name, "optimiser.name")(options);
  }

 private:
  name_table<optimiser_maker> m_optimisers{"optimiser"};
};

template <tensor_backend Backend>
optimiser_registry<Backend> optimiser_registry<Backend>::built_in() {
  optimiser_registry names;
  names.template optimiser<generic<sgd>>("sgd");
  names.template optimiser<generic<adamw>>("adamw");
  return names;
}

/// The optimiser that `options.name` names. @throws config_error as `optimiser_registry::make_optimiser`
template <tensor_backend Backend>
[[nodiscard]] any_optimiser<Backend> make_optimiser(
    const optimiser_options& options,
    const optimiser_registry<Backend>& names = optimiser_registry<Backend>::built_in()) {
  return names.make_optimiser(options);
}

#define COMODAL_OPTIMISER(kind, Backend)                                                             \
  kind optimiser_registry<Backend> optimiser_registry<Backend>::built_in();                          \
  kind any_optimiser<Backend> make_optimiser_entry<generic<sgd>, Backend>(const optimiser_options&); \
  kind any_optimiser<Backend> make_optimiser_entry<generic<adamw>, Backend>(const optimiser_options&);
COMODAL_COMPILED_ELSEWHERE(COMODAL_OPTIMISER)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
