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

BOOST_AUTO_TEST_CASE(no_product_of_extents_overflows) {
  const index large = index{1} << 40;
  BOOST_TEST((shape{large, 1 << 18, 1}.size()) == shape::max_size);
  const auto refused = says("more elements than any memory holds");
  BOOST_CHECK_EXCEPTION((shape{large, 1 << 18, 2}), shape_error, refused);
  BOOST_CHECK_EXCEPTION((shape{index{1} << 62, 4}), shape_error, refused);
  BOOST_CHECK_EXCEPTION((shape{index{1} << 62, 4, 0}), shape_error, refused);
  BOOST_CHECK_EXCEPTION((shape{0, large, large}), shape_error, refused);
  shape s{2, 3};
  BOOST_CHECK_EXCEPTION(s.set(0, -1), shape_error, says("extent -1 is negative"));
  BOOST_CHECK_EXCEPTION(s.set(0, index{1} << 62), shape_error, refused);
  BOOST_TEST((s == shape{2, 3}));
}

BOOST_AUTO_TEST_CASE(every_error_is_an_error) {
  BOOST_CHECK_THROW(throw shape_error("x"), error);
  BOOST_CHECK_THROW(throw geometry_error("x"), error);
  BOOST_CHECK_THROW(throw io_error("x"), error);
  BOOST_CHECK_THROW(throw config_error("x"), error);
  BOOST_TEST(text("a", 1, ' ', 2.5) == "a1 2.5");
}

}  // namespace comodal::tests
