// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE core_shape
#include <boost/test/unit_test.hpp>

#include <comodal/core/shape.hpp>

#include <core/support.hpp>

namespace comodal::tests {

BOOST_AUTO_TEST_CASE(extents_axes_and_products) {
  const shape s{2, 3, 4, 5};
  BOOST_TEST(s.rank() == 4);
  BOOST_TEST(s[0] == 2);
  BOOST_TEST(s[-1] == 5);
  BOOST_TEST(s.size() == 120);
  BOOST_TEST(s.product(1, 3) == 12);
  BOOST_TEST(s.product(2, 2) == 1);
  BOOST_TEST(s.to_string() == "(2, 3, 4, 5)");
}

BOOST_AUTO_TEST_CASE(a_scalar_has_one_element) {
  const shape s;
  BOOST_TEST(s.rank() == 0);
  BOOST_TEST(s.size() == 1);
  BOOST_TEST(s.to_string() == "()");
  BOOST_TEST((shape{3, 0}.size() == 0));
}

BOOST_AUTO_TEST_CASE(equality_looks_at_rank_and_extents) {
  BOOST_TEST((shape{2, 3} == shape{2, 3}));
  BOOST_TEST(!(shape{2, 3} == shape{2, 3, 1}));
  BOOST_TEST(!(shape{2, 3} == shape{3, 2}));
}

BOOST_AUTO_TEST_CASE(set_replaces_an_extent) {
  shape s{2, 3};
  s.set(-1, 7);
  BOOST_TEST((s == shape{2, 7}));
}

BOOST_AUTO_TEST_CASE(misuse_is_refused_in_plain_words) {
  shape full{1, 2, 3, 4, 5, 6};
  BOOST_CHECK_EXCEPTION(full.push_back(7), shape_error, says("shape: more than 6 axes"));
  BOOST_CHECK_EXCEPTION((shape{1, -2}), shape_error, says("shape: extent -2 is negative"));
  shape s{2, 3};
  BOOST_CHECK_EXCEPTION(s.set(0, -1), shape_error, says("shape: extent -1 is negative"));
  BOOST_TEST((s == shape{2, 3}));
  BOOST_CHECK_EXCEPTION((void)(shape{1, 2}[2]), shape_error, says("shape (1, 2) has no axis 2"));
  BOOST_CHECK_EXCEPTION((void)(shape{1, 2}[-3]), shape_error, says("shape (1, 2) has no axis -3"));
  BOOST_CHECK_EXCEPTION((void)shape{}.checked(0), shape_error, says("shape () has no axis 0"));
}

BOOST_AUTO_TEST_CASE(more_elements_than_can_be_counted_are_refused) {
  constexpr index quarter = index{1} << 62;
  BOOST_TEST((shape{quarter}.size() == quarter));
  BOOST_TEST((shape{quarter, 1, 1}.size() == quarter));
  const std::string many = "shape (4611686018427387904, 4): more than 9223372036854775807 elements";
  BOOST_CHECK_EXCEPTION((void)(shape{quarter, 4}.size()), shape_error, says(many));
  BOOST_CHECK_EXCEPTION((void)(shape{quarter, 4}.product(0, 2)), shape_error, says(many));
  BOOST_TEST((shape{quarter, 4}.product(1, 2) == 4));
  BOOST_TEST((shape{quarter, 4, 0}.size() == 0));
  BOOST_TEST((shape{3037000499, 3037000499}.size() == 9223372030926249001));
  BOOST_CHECK_THROW((void)(shape{3037000500, 3037000500}.size()), shape_error);
}

BOOST_AUTO_TEST_CASE(every_error_is_an_error) {
  BOOST_CHECK_THROW(throw shape_error("x"), error);
  BOOST_CHECK_THROW(throw geometry_error("x"), error);
  BOOST_CHECK_THROW(throw io_error("x"), error);
  BOOST_CHECK_THROW(throw config_error("x"), error);
  BOOST_TEST(text("a", 1, ' ', 2.5) == "a1 2.5");
}

}  // namespace comodal::tests
