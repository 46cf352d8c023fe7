// SPDX-License-Identifier: Apache-2.0
// Copies to the device that nobody waits for.
#define BOOST_TEST_MODULE core_upload
#include <boost/test/unit_test.hpp>

#include <comodal/core/upload.hpp>

#include <core/support.hpp>

namespace comodal::tests {

BOOST_AUTO_TEST_CASE(blocks_arrive_in_order_and_each_is_one_upload) {
  context<> ctx;
  uploader<default_space> to_device;
  const auto block = ctx.make_of<std::byte>({1000});
  for (int k = 0; k < 5; ++k) {
    const index sent = uploads(), waits = host_synchronisations();
    to_device.send(ctx.space(), block, [k](std::byte* to) { std::fill_n(to, 1000, static_cast<std::byte>(k)); });
    BOOST_TEST(uploads() - sent == 1);
    if (is_host_v<default_space> || detail::staging_is_pinned) BOOST_TEST(host_synchronisations() == waits);
    const auto found = to_host(ctx.space(), block);
    BOOST_TEST((found == std::vector<std::byte>(1000, static_cast<std::byte>(k))));
  }
}

BOOST_AUTO_TEST_CASE(a_block_may_have_another_size_each_time) {
  context<> ctx;
  uploader<default_space> to_device;
  for (const index size : {1, 64, 63, 4096}) {
    const auto block = ctx.make_of<std::byte>({size});
    to_device.send(ctx.space(), block, [size](std::byte* to) {
      for (index i = 0; i < size; ++i) to[i] = static_cast<std::byte>(i % 251);
    });
    const auto found = to_host(ctx.space(), block);
    BOOST_TEST(std::to_integer<index>(found.back()) == (size - 1) % 251);
  }
}

}  // namespace comodal::tests
