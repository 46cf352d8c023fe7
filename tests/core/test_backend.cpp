// SPDX-License-Identifier: Apache-2.0
// The archetype of a back end, and what is none; the sentences of the refusals stand in compile-fail/.
#define BOOST_TEST_MODULE core_backend
#include <boost/test/unit_test.hpp>

#include <comodal/core/context.hpp>

#include <core/support.hpp>

namespace comodal::tests {

/// The least that a back end has.
struct archetype {
  using space_type = default_space;
  using scalar_type = float;
  using engines_type = engine_list<>;
};

struct without_space {
  using scalar_type = float;
  using engines_type = engine_list<>;
};
struct without_scalar {
  using space_type = default_space;
  using engines_type = engine_list<>;
};
struct without_engines {
  using space_type = default_space;
  using scalar_type = float;
};
struct of_integers {
  using space_type = default_space;
  using scalar_type = int;
  using engines_type = engine_list<>;
};
struct of_a_list_of_nothing {
  using space_type = default_space;
  using scalar_type = float;
  using engines_type = int;
};
struct of_no_kokkos_space {
  using space_type = int;
  using scalar_type = float;
  using engines_type = engine_list<>;
};

BOOST_AUTO_TEST_CASE(models_of_the_concept) {
  static_assert(tensor_backend<archetype>);
  static_assert(tensor_backend<default_backend>);
  static_assert(tensor_backend<kokkos_backend<default_space, double>>);
  static_assert(tensor_backend<kokkos_backend<default_space, bfloat16>>);
  static_assert(std::is_same_v<kokkos_backend<default_space, bfloat16>::compute_type, float>);
  static_assert(tensor_backend<xtensor_backend<float>>);
  static_assert(std::is_same_v<xtensor_backend<>::engines_type, engine_list<reference_engine>>);
  static_assert(std::is_same_v<default_backend::engines_type, default_engines<default_space>>);
  check_tensor_backend<archetype>();
  context<archetype> ctx;
  BOOST_TEST(ctx.make({2}, {1, 2}).size() == 2);
}

BOOST_AUTO_TEST_CASE(what_is_no_back_end) {
  static_assert(!tensor_backend<int>);
  static_assert(!tensor_backend<without_space>);
  static_assert(!tensor_backend<without_scalar>);
  static_assert(!tensor_backend<without_engines>);
  static_assert(!tensor_backend<of_integers>);
  static_assert(!tensor_backend<of_a_list_of_nothing>);
  static_assert(!tensor_backend<of_no_kokkos_space>);
  static_assert(!execution_space<int>);
  static_assert(execution_space<default_space>);
  static_assert(is_host_v<Kokkos::DefaultHostExecutionSpace>);
}

BOOST_AUTO_TEST_CASE(the_version_of_kokkos_has_three_numbers) {
  const std::string version = kokkos_version();
  BOOST_TEST(std::count(version.begin(), version.end(), '.') == 2);
  BOOST_TEST(version.front() >= '3');
}

}  // namespace comodal::tests
