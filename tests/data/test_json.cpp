// SPDX-License-Identifier: Apache-2.0
// Values of JSON files: what is taken exactly, and what is refused rather than turned into another value.
#define BOOST_TEST_MODULE data_json
#include <comodal/data/cohort_json.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>

namespace comodal::tests {
namespace {

nlohmann::json parsed(const char* words) { return nlohmann::json::parse(words); }

template <class T>
void refused(const char* words, const std::string& message) {
  BOOST_CHECK_EXCEPTION(static_cast<void>(json_value<T>(parsed(words), "x")), io_error, test::says(message));
}

}  // namespace

BOOST_AUTO_TEST_CASE(values_of_their_type_come_back) {
  BOOST_TEST(json_value<int>(parsed("-2147483648"), "x") == std::numeric_limits<int>::min());
  BOOST_TEST(json_value<std::uint64_t>(parsed("18446744073709551615"), "x") ==
             std::numeric_limits<std::uint64_t>::max());
  BOOST_TEST(json_value<double>(parsed("3"), "x") == 3);
  BOOST_TEST(json_value<bool>(parsed("true"), "x"));
  BOOST_TEST(json_value<std::string>(parsed("\"a\""), "x") == "a");
  BOOST_TEST((json_value<std::vector<std::vector<index>>>(parsed("[[1, 2], []]"), "x") ==
              std::vector<std::vector<index>>{{1, 2}, {}}));
  BOOST_TEST((json_value<std::array<double, 2>>(parsed("[1, 0.5]"), "x") == std::array<double, 2>{1, 0.5}));
}

BOOST_AUTO_TEST_CASE(other_values_are_refused) {
  refused<int>("2147483648", "x is 2147483648, expected an integer from -2147483648 to 2147483647");
  refused<int>("18446744073709551615", "x is 18446744073709551615");
  refused<std::uint32_t>("-1", "x is -1, expected an integer from 0 to 4294967295");
  refused<index>("9223372036854775808", "x is 9223372036854775808");
  refused<int>("2.0", "x is 2.0, expected an integer");
  refused<int>("true", "x is true, expected an integer");
  refused<int>("null", "x is null");
  refused<double>("null", "x is null, expected a finite number");
  refused<double>("\"1\"", "x is \"1\", expected a finite number");
  refused<bool>("1", "x is 1, expected true or false");
  refused<std::string>("1", "x is 1, expected text in quotes");
  refused<std::vector<int>>("{}", "x is {}, expected a list");
  refused<std::vector<int>>("[1, 2.5]", "x[1] is 2.5");
  refused<std::array<double, 3>>("[1, 2]", "x is [1,2], expected a list of 3 numbers");
  BOOST_CHECK_EXCEPTION(static_cast<void>(json_value<int>(parsed("{\"b\": 1}"), "a", "the file")), io_error,
                        test::says("the file has no \"a\""));
  BOOST_CHECK_EXCEPTION(static_cast<void>(json_value<int>(parsed("[1]"), "a", "the file")), io_error,
                        test::says("the file has no \"a\""));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_json_is_refused_with_the_place) {
  const test::folder folder("json");
  const auto refused = [&](const std::string& bytes, const std::string& words) {
    test::write_text(folder / "x.json", bytes);
    BOOST_CHECK_EXCEPTION(static_cast<void>(read_json(folder / "x.json")), io_error, test::says(words));
  };
  refused("{\"a\": 1,\n \"b\" 2}", "x.json: is not valid JSON at line 2, column 6; look for a missing");
  refused("{\"a\": [1, 2", "line 1, column 12: the file ends too early");
  refused("", "line 1, column 1: the file ends too early");
  refused("{'a': 1}", "line 1, column 2;");
  refused("{\"a\": 1e999}", "a number is too large");
  refused("{\"a\": \"\xfc\"}", "is not valid JSON");
  refused(std::string(100000, '['), "is not valid JSON at line 1, column 100001: the file ends too early");
  refused(std::string("\0\0\0", 3), "line 1, column 1;");
}

BOOST_AUTO_TEST_CASE(classes_travel_through_json) {
  const std::vector<label_class> classes{{"background", {0}}, {"whole", {1, 2}}, {"odd", {300, -1}}};
  BOOST_TEST((label_classes_from(label_classes_to_json(classes), "labels") == classes));
  BOOST_CHECK_EXCEPTION(
      static_cast<void>(label_classes_from(parsed("[{\"name\": \"a\", \"values\": [99999999999]}]"), "labels")),
      io_error, test::says("labels[0]: \"values\"[0] is 99999999999"));
}

BOOST_AUTO_TEST_CASE(classes_that_no_label_map_can_hold_are_refused) {
  const std::vector<label_class> good{{"background", {0}}, {"a", {1}}, {"b", {4}}};
  check_labels(good, {});
  check_labels({{"background", {0}}, {"whole", {1, 4}}, {"core", {4}}}, {1, 4});
  const auto bad = [](const std::vector<label_class>& classes, const std::vector<int>& order, const char* words) {
    BOOST_CHECK_EXCEPTION(check_labels(classes, order), config_error, test::says(words));
  };
  bad({{"background", {0}}, {"a", {}}}, {}, "class 'a' has no label values");
  bad({{"background", {0}}, {"a", {256}}}, {}, "class 'a' has the label value 256, expected 0 to 255");
  bad({{"background", {0}}, {"a", {-1}}}, {}, "class 'a' has the label value -1");
  bad({{"background", {0}}}, {}, "1 classes, expected the background, 0, and at least one more");
  bad({{"background", {1}}, {"a", {0}}}, {}, "expected the background, 0,");
  bad({{"background", {0}}, {"a", {1, 2}}}, {}, "label 'a' stands for 2 values, expected one");
  bad({{"background", {0}}, {"a", {1}}, {"b", {1}}}, {}, "label 'b' is 1, which another label is, too");
  bad({{"background", {0}}, {"a", {1}}, {"a", {2}}}, {}, "labels: two classes are called 'a'");
  bad({{"background", {0}}, {"", {1}}}, {}, "a class has an empty name; name it");
  bad({{"background", {0}}, {"a\nb", {1}}}, {}, "the class 'a\\x0Ab': expected letters, digits");
  bad({{"background", {0}}, {std::string(101, 'a'), {1}}}, {}, "...': expected a name of at most 100 bytes");
  bad({{"background", {0}}, {"M\xfcller", {1}}}, {}, "the class 'M\\xFCller'");
  check_labels({{"background", {0}}, {"Größe (T1, 3 mm)/脑", {1}}}, {});
  bad(good, {1}, "region order: 1 label values for 2 regions");
  bad(good, {1, 300}, "region order: 300 is no declared label value");
}

}  // namespace comodal::tests
