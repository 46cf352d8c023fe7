// SPDX-License-Identifier: Apache-2.0
/// @file
/// Everything that a program knows by name.
#ifndef COMODAL_APP_REGISTRY_HPP
#define COMODAL_APP_REGISTRY_HPP

#include <comodal/data/normalise.hpp>
#include <comodal/data/reader_registry.hpp>
#include <comodal/ssl/method_registry.hpp>
#include <comodal/train/optimiser_registry.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// Encoders, fusion blocks, decoders, losses, methods, optimisers, readers and normalisations by name. It is a value,
/// not a global: `built_in()` has what the library has, and a program adds what is its own:
///   auto names = comodal::registry<comodal::mixed_backend>::built_in();
///   names.fusion<my_tag>("strongest");
///   return comodal::cli::run(argc, argv, names);
template <tensor_backend Backend>
class registry : public method_registry<Backend>, public optimiser_registry<Backend> {
 public:
  reader_registry readers = reader_registry::built_in();
  normalisation_registry normalisations = normalisation_registry::built_in();

  [[nodiscard]] static registry built_in() { return {}; }

  /// Adds a `cohort_reader` that is made from a path. @throws config_error for a layout that is known
  template <class Reader>
  void reader() {
    readers.reader<Reader>();
  }
  /// @throws config_error for a name that is taken or is none
  void normalisation(const comodal::normalisation& one) { normalisations.add(one); }

 private:
  registry() : optimiser_registry<Backend>(optimiser_registry<Backend>::built_in()) {}
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
