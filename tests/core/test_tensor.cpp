// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE core_tensor
#include <boost/test/unit_test.hpp>

#include <comodal/core/tensor.hpp>

#include <core/support.hpp>

namespace comodal::tests {

struct pooled {
  default_space space;
  std::shared_ptr<memory_pool<default_space>> pool = std::make_shared<memory_pool<default_space>>();
};

BOOST_FIXTURE_TEST_CASE(elements_go_to_the_device_and_back, pooled) {
  const tensor<float> t(*pool, {2, 3});
  const std::vector<float> numbers{1, 2, 3, 4, 5, 6};
  copy_from_host(space, numbers, t);
  BOOST_TEST(to_host(space, t) == numbers, boost::test_tools::per_element());
  BOOST_TEST(t.size() == 6);
  BOOST_TEST(t.extent(-1) == 3);
  BOOST_TEST(t.rank() == 2);
}

BOOST_FIXTURE_TEST_CASE(copies_share_the_buffer, pooled) {
  const tensor<double> t(*pool, {4}), copy = t;
  copy_from_host(space, {1, 2, 3, 4}, copy);
  BOOST_TEST(copy.data() == t.data());
  BOOST_TEST(to_host(space, t)[3] == 4);
}

BOOST_FIXTURE_TEST_CASE(a_reshaped_tensor_is_the_same_buffer, pooled) {
  const tensor<double> t(*pool, {2, 6});
  BOOST_TEST(t.reshaped({3, 4}).data() == t.data());
  BOOST_TEST((t.reshaped({12}).shape() == shape{12}));
  BOOST_TEST((t.shape() == shape{2, 6}));
  BOOST_CHECK_EXCEPTION((void)t.reshaped({5}), shape_error, says("reshape: (2, 6) has 12 elements, (5) needs 5"));
}

BOOST_FIXTURE_TEST_CASE(the_number_of_values_must_fit, pooled) {
  const tensor<double> t(*pool, {2, 2});
  BOOST_CHECK_EXCEPTION(copy_from_host(space, {1, 2, 3}, t), shape_error,
                        says("copy_from_host: 3 values for a tensor (2, 2)"));
}

BOOST_FIXTURE_TEST_CASE(parts_share_the_buffer, pooled) {
  const tensor<double> t(*pool, {2, 6});
  copy_from_host(space, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, t);
  const auto part = t.part(3, {2, 2});
  BOOST_TEST((part.shape() == shape{2, 2}));
  BOOST_TEST((part.data() == t.data() + 3));
  BOOST_TEST(to_host(space, part) == (std::vector<double>{3, 4, 5, 6}), boost::test_tools::per_element());
  BOOST_TEST(!part.unique());
  BOOST_TEST(!t.unique());
  BOOST_TEST(to_host(space, t.part(11, {}))[0] == 11);
  BOOST_TEST(t.part(12, {0}).size() == 0);
  BOOST_CHECK_EXCEPTION((void)t.part(9, {2, 2}), shape_error, says("part: (2, 2) at 9 of a tensor (2, 6)"));
  BOOST_CHECK_EXCEPTION((void)t.part(-1, {2}), shape_error, says("part: (2) at -1 of a tensor (2, 6)"));
}

BOOST_FIXTURE_TEST_CASE(bytes_are_seen_as_another_scalar, pooled) {
  const tensor<std::byte> block(*pool, {128});
  const auto whole = block.bytes_as<double>(64, {2, 3});
  copy_from_host(space, std::vector<double>{1, 2, 3, 4, 5, 6}, whole);
  BOOST_TEST(to_host(space, block.bytes_as<double>(80, {1}))[0] == 3);
  BOOST_TEST(!block.unique());
  BOOST_CHECK_EXCEPTION((void)block.bytes_as<double>(120, {2}), shape_error, says("bytes_as: (2) at byte 120 of 128"));
  BOOST_CHECK_EXCEPTION((void)block.bytes_as<double>(4, {2}), shape_error, says("bytes_as: (2) at byte 4 of 128"));
}

BOOST_FIXTURE_TEST_CASE(waits_for_the_space_are_counted, pooled) {
  const tensor<double> t(*pool, {2});
  const index before = host_synchronisations();
  copy_from_host(space, {1, 2}, t);
  const double one = 3;
  copy_from_host(space, &one, 1, t, 1);
  BOOST_TEST(to_host(space, t)[1] == 3);
  BOOST_TEST(host_synchronisations() - before == 3);
}

BOOST_FIXTURE_TEST_CASE(empty_tensors, pooled) {
  const tensor<double> none;
  BOOST_TEST(!none);
  BOOST_TEST(none.size() == 0);
  BOOST_TEST(to_host(space, none).empty());
  const tensor<double> flat(*pool, {3, 0});
  BOOST_TEST(static_cast<bool>(flat));
  BOOST_TEST(flat.size() == 0);
  copy_from_host(space, {}, flat);
}

BOOST_FIXTURE_TEST_CASE(a_tensor_outlives_its_pool_handle, pooled) {
  const tensor<double> t(*pool, {3});
  pool.reset();
  copy_from_host(space, {1, 2, 3}, t);
  BOOST_TEST(to_host(space, t)[2] == 3);
}

}  // namespace comodal::tests
