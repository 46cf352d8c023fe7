// SPDX-License-Identifier: Apache-2.0
// Experiment files: what is no TOML, no number of its type, nested too deeply, or wrong in several lines.
#define BOOST_TEST_MODULE app_settings
#include <boost/test/unit_test.hpp>

#include <comodal/app/settings.hpp>

#include <data/files.hpp>

#include <limits>

namespace comodal::tests {
namespace {

// Some options of all kinds.
struct options {
  index steps = 10;
  std::int32_t narrow = 1;
  double rate = 0.1;
  bool flag = false;
  std::string name = "x";
  std::array<double, 3> triple{1, 2, 3};
  std::vector<index> list;

  [[nodiscard]] app::settings keys() {
    app::settings s;
    s.bind("steps", steps);
    s.bind("train.narrow", narrow);
    s.bind("train.rate", rate);
    s.bind("train.flag", flag);
    s.bind("train.name", name);
    s.bind("train.triple", triple);
    s.bind("train.list", list);
    return s;
  }
};

struct file_of_options {
  test::folder folder{"settings"};
  options o;

  void read(const std::string& words) {
    test::write_text(folder / "x.toml", words);
    app::raw_settings raw;
    raw.read_file(folder / "x.toml");
    o.keys().apply(raw);
  }
  void refused(const std::string& words, const std::string& message) {
    BOOST_CHECK_EXCEPTION(read(words), config_error, test::says(message));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(numbers_that_their_type_does_not_hold_are_refused, file_of_options) {
  for (const std::string number : {"9223372036854775807", "9223372036854775808", "99999999999999999999999",
                                   "-9223372036854775808", "1.5", "nan", "\"3\"", "true", "[3]"})
    refused("steps = " + number + "\n", "x.toml:1: steps is not a whole number");
  for (const std::string number : {"2147483648", "-2147483649", "4294967297"})
    refused("[train]\nnarrow = " + number + "\n", "x.toml:2: train.narrow is not a whole number");
  refused("[train]\nrate = 99999999999999999999999\n", "x.toml:2: train.rate is not a number");
  refused("[train]\ntriple = [1, 2]\n", "train.triple is not a list of 3");
  refused("[train]\nlist = [1, 2.5]\n", "train.list is not a list");
  read("steps = 9223372036854775806\n[train]\nnarrow = -2147483648\nrate = 3\n");
  BOOST_TEST(o.steps == 9223372036854775806);
  BOOST_TEST(o.narrow == std::numeric_limits<std::int32_t>::min());
  BOOST_TEST(o.rate == 3.0);
}

BOOST_FIXTURE_TEST_CASE(all_wrong_lines_are_told_at_once, file_of_options) {
  refused("steps = 1.5\nstesp = 3\n[train]\nrate = \"fast\"\n", "x.toml:1: steps is not");
  refused("steps = 1.5\nstesp = 3\n[train]\nrate = \"fast\"\n", "x.toml:2: there is no key 'stesp'");
  refused("steps = 1.5\nstesp = 3\n[train]\nrate = \"fast\"\n", "x.toml:4: train.rate is not");
}

BOOST_FIXTURE_TEST_CASE(what_is_no_toml_is_refused_in_our_words, file_of_options) {
  refused("steps 10\n", "x.toml:1: is no valid TOML: 'steps 10'; expected lines like");
  refused("steps = 1\n[train\nrate = 1\n", "x.toml:2: is no valid TOML");
  refused("steps = \n", "x.toml:1: is no valid TOML");
  refused("steps = 1\nsteps = 2\n", "is no valid TOML");
  refused("[train]\nname = \"a\n", "x.toml:2: is no valid TOML");
  refused(std::string("\0\1\2", 3), "is no valid TOML");
  for (const std::string words : {"steps 10", "steps = 1\n[train", "a = \"\\q\""}) {
    test::write_text(folder / "x.toml", words);
    app::raw_settings raw;
    BOOST_CHECK_EXCEPTION(raw.read_file(folder / "x.toml"), config_error, [](const config_error& e) {
      return std::string_view(e.what()).find("toml::") == std::string_view::npos;
    });
  }
  app::raw_settings raw;
  BOOST_CHECK_EXCEPTION(raw.read_file(folder / "none.toml"), config_error,
                        test::says("there is no such experiment file"));
  BOOST_CHECK_EXCEPTION(raw.read_file(folder.path()), config_error, test::says("is a folder"));
}

// The parser calls itself for each level: before, a hundred thousand brackets ended the program.
BOOST_FIXTURE_TEST_CASE(deep_nesting_is_refused, file_of_options) {
  refused("x = " + std::string(100000, '[') + std::string(100000, ']') + "\n", "nested deeper than 32 levels");
  std::string keys = "a", tables = "[a";
  for (int i = 0; i < 50000; ++i) keys += ".a", tables += ".a";
  refused(keys + " = 1\n", "nested deeper than 32 levels");
  refused(tables + "]\n", "nested deeper than 32 levels");
  std::string inline_tables;
  for (int i = 0; i < 20000; ++i) inline_tables += "{a=";
  refused("x = " + inline_tables + "\n", "nested deeper than 32 levels");
  app::raw_settings raw;
  raw.read_overrides({"--train.name", std::string(100000, '[')});
  o.keys().apply(raw);
  BOOST_TEST(o.name.size() == 100000u);  // a word like any other
}

BOOST_AUTO_TEST_CASE(brackets_in_texts_and_comments_do_not_nest) {
  using app_detail::nesting_of;
  BOOST_TEST(nesting_of("") == 0u);
  BOOST_TEST(nesting_of("x = [[1], [2]]\ny = {a = {b = 1}}\n") == 2u);
  BOOST_TEST(nesting_of("x = \"[[[[\"  # [[[[[\n") == 0u);
  BOOST_TEST(nesting_of("x = '[[[['\n") == 0u);
  BOOST_TEST(nesting_of("x = \"\"\"\n[[[[\n\"[\"\n\"\"\"\ny = [1]\n") == 1u);
  BOOST_TEST(nesting_of("x = \"\\\"[[[\"\n") == 0u);
  BOOST_TEST(nesting_of("a.b.c = 1.5\nd = [0.5, 1.5, 2.5, 3.5]\n") == 2u);
}

}  // namespace comodal::tests
