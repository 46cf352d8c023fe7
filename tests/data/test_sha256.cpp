// SPDX-License-Identifier: Apache-2.0
// SHA-256 against the examples of FIPS 180-4 and what sha256sum prints.
#define BOOST_TEST_MODULE data_sha256
#include <boost/test/unit_test.hpp>

#include <comodal/data/sha256.hpp>

#include <data/files.hpp>

#include <string>

namespace comodal::tests {

BOOST_AUTO_TEST_CASE(texts) {
  BOOST_TEST(sha256_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  BOOST_TEST(sha256_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  BOOST_TEST(sha256_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
             "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  BOOST_TEST(sha256_of(std::string(1000000, 'a')) ==
             "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

BOOST_AUTO_TEST_CASE(pieces_of_any_size_give_the_same_sum) {
  std::string all;
  for (int i = 0; i < 1000; ++i) all += static_cast<char>(i % 251);
  for (const std::size_t piece : {1U, 7U, 63U, 64U, 65U, 119U, 500U}) {
    sha256 sum;
    for (std::size_t at = 0; at < all.size(); at += piece) sum.add(std::string_view(all).substr(at, piece));
    BOOST_TEST(sum.digits() == sha256_of(all));
  }
}

BOOST_AUTO_TEST_CASE(files) {
  const test::folder folder("sha256");
  test::write_text(folder / "a", std::string(200000, 'x'));
  BOOST_TEST(sha256_of_file(folder / "a") == sha256_of(std::string(200000, 'x')));
  BOOST_CHECK_EXCEPTION((void)sha256_of_file(folder / "b"), io_error, test::says("there is no such file"));
  BOOST_CHECK_EXCEPTION((void)sha256_of_file(folder.path()), io_error, test::says("is a folder"));
}

}  // namespace comodal::tests
