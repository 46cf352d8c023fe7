// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE core_readable_name
#include <boost/test/unit_test.hpp>

#include <comodal/core/readable_name.hpp>

using comodal::readable_name;

BOOST_AUTO_TEST_CASE(valid_text_stays) {
  for (const char* name :
       {"", "case 1", "Ärzte", "患者_0001", "\xF0\x9F\xA7\xA0", "\xED\x9F\xBF", "\xEE\x80\x80", "\xF4\x8F\xBF\xBF"})
    BOOST_TEST(readable_name(name) == name);
}

BOOST_AUTO_TEST_CASE(other_bytes_become_their_numbers) {
  BOOST_TEST(readable_name("M\xFCller") == "M\\xFCller");  // Latin-1
  BOOST_TEST(readable_name("\xC3") == "\\xC3");            // cut short
  BOOST_TEST(readable_name("\xE6\x82") == "\\xE6\\x82");
  BOOST_TEST(readable_name("\xC0\xAF") == "\\xC0\\xAF");  // longer than needed
  BOOST_TEST(readable_name("\xE0\x9F\xBF") == "\\xE0\\x9F\\xBF");
  BOOST_TEST(readable_name("\xF0\x8F\xBF\xBF") == "\\xF0\\x8F\\xBF\\xBF");
  BOOST_TEST(readable_name("\xED\xA0\x80") == "\\xED\\xA0\\x80");           // half of a pair of UTF-16
  BOOST_TEST(readable_name("\xF4\x90\x80\x80") == "\\xF4\\x90\\x80\\x80");  // above U+10FFFF
  BOOST_TEST(readable_name("\xFF\xFE") == "\\xFF\\xFE");
  BOOST_TEST(readable_name("a\nb\x7F") == "a\\x0Ab\\x7F");  // one line
}

BOOST_AUTO_TEST_CASE(different_names_stay_different) {
  BOOST_TEST(readable_name("a\\xFC") == "a\\x5CxFC");
  BOOST_TEST(readable_name("a\\xFC") != readable_name("a\xFC"));
}
