// SPDX-License-Identifier: Apache-2.0
// What a user reads of an exception: its message, and the name of its type where nobody caught it.
#define BOOST_TEST_MODULE core_error
#include <comodal/core/error.hpp>

#include <boost/core/demangle.hpp>
#include <boost/test/unit_test.hpp>

#include <locale>
#include <sstream>
#include <string>
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

BOOST_AUTO_TEST_CASE(one_of_a_kind_is_no_plural) {
  BOOST_TEST(counted(0, "case") == "0 cases");
  BOOST_TEST(counted(1, "case") == "1 case");
  BOOST_TEST(counted(2U, "case") == "2 cases");
}

// A program that embeds the library may have any locale; messages and recipes of caches are the same.
BOOST_AUTO_TEST_CASE(text_does_not_follow_the_locale) {
  struct german : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new german));
  std::ostringstream follows;
  follows << 1234.5;
  const std::string said = text(1234.5, " and ", 1234567);
  std::locale::global(before);
  BOOST_TEST(follows.str() == "1.234,5");
  BOOST_TEST(said == "1234.5 and 1234567");
}

}  // namespace comodal::tests
