// SPDX-License-Identifier: Apache-2.0
// The whole library in two units of one program: here by comodal.hpp, twice; in the other unit header by header, in
// reverse order. A function that is not inline, a missing include or a name that two layers define does not get past
// the compiler or the linker.
#define BOOST_TEST_MODULE house_two_units
#include <boost/test/unit_test.hpp>

#include <comodal/comodal.hpp>

#include <string>
#include <typeinfo>

const char* second_unit_version();
const std::type_info& second_unit_context();

BOOST_AUTO_TEST_CASE(both_units_are_of_one_configuration) {
  BOOST_TEST(second_unit_version() == std::string(COMODAL_VERSION));
  BOOST_TEST((second_unit_context() == typeid(comodal::context<>)));
}
