// SPDX-License-Identifier: Apache-2.0
#include <comodal/ssl/method_registry.hpp>

using B = comodal::default_backend;

template <comodal::tensor_backend Backend>
struct without_constructor {};

struct options_without_visit {
  void check() const {}
};
template <comodal::tensor_backend Backend>
struct with_bad_options {
  using options_type = options_without_visit;
};

struct good_options {
  template <class Options, class Visit>
  static void visit(Options&, Visit&&) {}
  void check() const {}
};
template <comodal::tensor_backend Backend>
struct without_options_constructor {
  using options_type = good_options;
};

int main() {
  comodal::check_generic<with_bad_options<B>, B>();
  comodal::ssl_detail::check_named_method<without_constructor<B>, B>();
  comodal::check_options_struct<options_without_visit>();
  comodal::ssl_detail::check_named_method<without_options_constructor<B>, B>();
}
