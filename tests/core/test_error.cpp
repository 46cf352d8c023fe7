// SPDX-License-Identifier: Apache-2.0
// What a user reads of an exception: its message, and the name of its type where nobody caught it.
#define BOOST_TEST_MODULE core_error
#include <comodal/core/error.hpp>

#include <boost/core/demangle.hpp>
#include <boost/test/unit_test.hpp>

#include <type_traits>
#include <typeinfo>

namespace comodal::tests {

// "terminate called after throwing an instance of 'comodal::io_error'": without the configuration's namespace.
BOOST_AUTO_TEST_CASE(names_of_types_carry_no_configuration) {
  const auto name_of = [](const std::type_info& type) { return boost::core::demangle(type.name()); };
  BOOST_TEST(name_of(typeid(error)) == "comodal::error");
  BOOST_TEST(name_of(typeid(shape_error)) == "comodal::shape_error");
  BOOST_TEST(name_of(typeid(geometry_error)) == "comodal::geometry_error");
  BOOST_TEST(name_of(typeid(io_error)) == "comodal::io_error");
  BOOST_TEST(name_of(typeid(config_error)) == "comodal::config_error");
}

BOOST_AUTO_TEST_CASE(text_joins_its_arguments) {
  BOOST_TEST(text("a = ", 3, ", expected ", 0.5) == "a = 3, expected 0.5");
}

}  // namespace comodal::tests
