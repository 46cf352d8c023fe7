// SPDX-License-Identifier: Apache-2.0
/// @file
/// Methods by name, with the networks and losses that they are made of.
#ifndef COMODAL_SSL_METHOD_REGISTRY_HPP
#define COMODAL_SSL_METHOD_REGISTRY_HPP

#include <comodal/core/compiled.hpp>
#include <comodal/core/generic.hpp>
#include <comodal/loss/loss_registry.hpp>
#include <comodal/model/make_network.hpp>
#include <comodal/ssl/any_method.hpp>
#include <comodal/ssl/area_similarity_mutual_learning.hpp>
#include <comodal/ssl/bidirectional_copy_paste.hpp>
#include <comodal/ssl/contrastive_mutual_learning.hpp>
#include <comodal/ssl/correlation_aware_mutual_learning.hpp>
#include <comodal/ssl/cross_modality_collaboration.hpp>
#include <comodal/ssl/cross_pseudo_supervision.hpp>
#include <comodal/ssl/dual_task_consistency.hpp>
#include <comodal/ssl/entropy_minimisation.hpp>
#include <comodal/ssl/interpolation_consistency.hpp>
#include <comodal/ssl/mean_teacher.hpp>
#include <comodal/ssl/method_setup.hpp>
#include <comodal/ssl/mutual_consistency.hpp>
#include <comodal/ssl/supervised.hpp>
#include <comodal/ssl/uncertainty_aware_mean_teacher.hpp>
#include <comodal/ssl/uncertainty_rectified_pyramid.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

namespace ssl_detail {

template <class Method>
struct options_of_method {
  using type = no_options;
};
template <class Method>
  requires requires { typename Method::options_type; }
struct options_of_method<Method> {
  using type = typename Method::options_type;
};

// Says what a method that is made by name lacks; only the first that is missing speaks.
template <class Method, tensor_backend Backend>
constexpr void check_named_method() {
  using options = typename options_of_method<Method>::type;
  if constexpr (std::is_same_v<options, no_options>) {
    if constexpr (!std::is_constructible_v<Method, const method_setup<Backend>&>)
      static_assert(detail::never<Method>,
                    "comodal: a method that is made by name needs a constructor from (const method_setup<Backend>&), "
                    "or a member type options_type and one from (const method_setup<Backend>&, const options_type&)");
  } else {
    check_options_struct<options>();
    if constexpr (!std::is_constructible_v<Method, const method_setup<Backend>&, const options&>)
      static_assert(detail::never<Method>,
                    "comodal: a method with an options_type that is made by name needs a constructor from "
                    "(const method_setup<Backend>&, const options_type&)");
  }
}

}  // namespace ssl_detail

/// A method. @tparam Method a `generic` @param values its options; none: the defaults
/// @throws config_error for options that make no sense
template <class Method, tensor_backend Backend>
[[nodiscard]] any_method<Backend> make_method_entry(const method_setup<Backend>& setup, const any_options& values) {
  using method = type_for<Method, Backend>;
  using options_type = typename ssl_detail::options_of_method<method>::type;
  ssl_detail::check_named_method<method, Backend>();
  if constexpr (std::is_same_v<options_type, no_options>) {
    return any_method<Backend>(std::make_unique<method>(setup));
  } else {
    const auto options = options_as<options_type>(values, "method");
    options.check();
    return any_method<Backend>(std::make_unique<method>(setup, options));
  }
}

// The methods of the library as they are made by name.
template <tensor_backend Backend>
using named_supervised = supervised<Backend, any_network<Backend>, any_segmentation_loss<Backend>>;
template <tensor_backend Backend>
using named_mean_teacher =
    mean_teacher<Backend, any_network<Backend>, any_segmentation_loss<Backend>, any_consistency_loss<Backend>>;
template <tensor_backend Backend>
using named_contrastive_mutual_learning =
    contrastive_mutual_learning<Backend, any_network<Backend>, any_contrastive_loss<Backend>,
                                any_segmentation_loss<Backend>>;

/// The methods that a program knows by name, and the networks and losses that they are made of. It is a value: a copy
/// may have more.
template <tensor_backend Backend>
class method_registry : public network_registry<Backend>, public loss_registry<Backend> {
 public:
  using method_maker = any_method<Backend> (*)(const method_setup<Backend>&, const any_options&);

  /// Only what the library has.
  [[nodiscard]] static method_registry built_in();

  /// Names a method: `generic` of a class template over the back end, made from a `method_setup` and, where it has an
  /// `options_type`, from that. Its options are the table [method.NAME] of an experiment file.
  /// @throws config_error for a name that is taken or is none
  template <class Method>
  void method(const std::string& name) {
    check_generic<Method, Backend>();
    using options = typename ssl_detail::options_of_method<type_for<Method, Backend>>::type;
    m_methods.add(name, {any_options(options{}), &make_method_entry<Method, Backend>});
  }

  [[nodiscard]] std::vector<std::string> method_names() const { return m_methods.names(); }
  /// The default options of a method. @throws config_error for a name that this program lacks
  [[nodiscard]] any_options method_options_of(const std::string& name) const {
    return m_methods.at(name, "method.name").options;
  }
  /// Makes a method. @throws config_error for a name that this program lacks, and for options that make no sense
  [[nodiscard]] any_method<Backend> make_method(const method_setup<Backend>& setup, const named_options& chosen) const {
    return m_methods.at(chosen.name, "method.name").make(setup, chosen.values);
  }

 private:
  method_registry()
      : network_registry<Backend>(network_registry<Backend>::built_in()),
        loss_registry<Backend>(loss_registry<Backend>::built_in()) {}

  struct entry {
    any_options options;
    method_maker make;
  };
  name_table<entry> m_methods{"method", {}, {"name"}};  // method.name is a key
};

template <tensor_backend Backend>
method_registry<Backend> method_registry<Backend>::built_in() {
  method_registry names;
  names.template method<generic<named_supervised>>("supervised");
  names.template method<generic<named_mean_teacher>>("mean_teacher");
  names.template method<generic<named_contrastive_mutual_learning>>("contrastive_mutual_learning");
  names.template method<generic<entropy_minimisation>>("entropy_minimisation");
  names.template method<generic<cross_pseudo_supervision_method>>("cross_pseudo_supervision");
  names.template method<generic<uncertainty_aware_mean_teacher>>("uncertainty_aware_mean_teacher");
  names.template method<generic<uncertainty_rectified_pyramid>>("uncertainty_rectified_pyramid");
  names.template method<generic<interpolation_consistency>>("interpolation_consistency");
  names.template method<generic<bidirectional_copy_paste>>("bidirectional_copy_paste");
  names.template method<generic<cross_modality_collaboration>>("cross_modality_collaboration");
  names.template method<generic<area_similarity_mutual_learning>>("area_similarity_mutual_learning");
  names.template method<generic<mutual_consistency>>("mutual_consistency");
  names.template method<generic<dual_task_consistency>>("dual_task_consistency");
  names.template method<generic<correlation_aware_mutual_learning>>("correlation_aware_mutual_learning");
  return names;
}

/// The method that `chosen` names, on networks of `network` with the losses of `losses`.
/// @param chosen a name, or the options of a method of the library
/// @param seed decides the initial weights
/// @throws config_error for a name that this program lacks, and for options that make no sense
template <tensor_backend Backend>
[[nodiscard]] any_method<Backend> make_method(
    tape<Backend>& home, const named_options& chosen, const network_options& network, index modalities,
    const target_map& targets, std::uint64_t seed, const loss_options& losses = {},
    const method_registry<Backend>& names = method_registry<Backend>::built_in()) {
  constexpr std::uint64_t golden_ratio = 0x9E3779B97F4A7C15;  // spreads the seeds of further networks
  const method_setup<Backend> setup(
      targets, network,
      [&](std::uint32_t number, const std::vector<network_head>& heads) {
        return make_network<Backend>(home, network, modalities, targets.channels, seed + number * golden_ratio, names,
                                     heads);
      },
      losses, names, seed);
  auto method = names.make_method(setup, chosen);
  setup.refuse_unused(chosen.name);
  return method;
}

#define COMODAL_METHOD_ENTRY(kind, Method, Backend)                                                  \
  kind any_method<Backend> make_method_entry<generic<Method>, Backend>(const method_setup<Backend>&, \
                                                                       const any_options&);
#define COMODAL_METHOD(kind, Backend)                                                                       \
  kind method_registry<Backend> method_registry<Backend>::built_in();                                       \
  COMODAL_METHOD_ENTRY(kind, named_supervised, Backend)                                                     \
  COMODAL_METHOD_ENTRY(kind, named_mean_teacher, Backend)                                                   \
  COMODAL_METHOD_ENTRY(kind, named_contrastive_mutual_learning, Backend)                                    \
  COMODAL_METHOD_ENTRY(kind, entropy_minimisation, Backend)                                                 \
  COMODAL_METHOD_ENTRY(kind, cross_pseudo_supervision_method, Backend)                                      \
  COMODAL_METHOD_ENTRY(kind, uncertainty_aware_mean_teacher, Backend)                                       \
  COMODAL_METHOD_ENTRY(kind, uncertainty_rectified_pyramid, Backend)                                        \
  COMODAL_METHOD_ENTRY(kind, interpolation_consistency, Backend)                                            \
  COMODAL_METHOD_ENTRY(kind, bidirectional_copy_paste, Backend)                                             \
  COMODAL_METHOD_ENTRY(kind, cross_modality_collaboration, Backend)                                         \
  COMODAL_METHOD_ENTRY(kind, area_similarity_mutual_learning, Backend)                                      \
  COMODAL_METHOD_ENTRY(kind, mutual_consistency, Backend)                                                   \
  COMODAL_METHOD_ENTRY(kind, dual_task_consistency, Backend)                                                \
  COMODAL_METHOD_ENTRY(kind, correlation_aware_mutual_learning, Backend)                                    \
  kind any_method<Backend> make_method(tape<Backend>&, const named_options&, const network_options&, index, \
                                       const target_map&, std::uint64_t, const loss_options&,               \
                                       const method_registry<Backend>&);
COMODAL_COMPILED_ELSEWHERE(COMODAL_METHOD)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
