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
  static constexpr bool is_reference = false;
};

struct without_space {
  using scalar_type = float;
  static constexpr bool is_reference = false;
};
struct without_scalar {
  using space_type = default_space;
  static constexpr bool is_reference = false;
};
struct without_flag {
  using space_type = default_space;
  using scalar_type = float;
};
struct of_integers {
  using space_type = default_space;
  using scalar_type = int;
  static constexpr bool is_reference = false;
};
struct of_no_kokkos_space {
  using space_type = int;
  using scalar_type = float;
  static constexpr bool is_reference = false;
};

BOOST_AUTO_TEST_CASE(models_of_the_concept) {
  static_assert(tensor_backend<archetype>);
  static_assert(tensor_backend<default_backend>);
  static_assert(tensor_backend<kokkos_backend<default_space, double>>);
  static_assert(tensor_backend<kokkos_backend<default_space, bfloat16>>);
  static_assert(std::is_same_v<kokkos_backend<default_space, bfloat16>::compute_type, float>);
  static_assert(tensor_backend<xtensor_backend<float>>);
  static_assert(xtensor_backend<>::is_reference && !default_backend::is_reference);
  check_tensor_backend<archetype>();
  context<archetype> ctx;
  BOOST_TEST(ctx.make({2}, {1, 2}).size() == 2);
}

BOOST_AUTO_TEST_CASE(what_is_no_back_end) {
  static_assert(!tensor_backend<int>);
  static_assert(!tensor_backend<without_space>);
  static_assert(!tensor_backend<without_scalar>);
  static_assert(!tensor_backend<without_flag>);
  static_assert(!tensor_backend<of_integers>);
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
