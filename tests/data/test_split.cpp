// SPDX-License-Identifier: Apache-2.0
// Splits of a listing that no file stands behind: who is in which list, and what is refused.
#define BOOST_TEST_MODULE data_split
#include <comodal/data/split.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>

namespace comodal::tests {
namespace {

cohort_listing listing() {
  cohort_listing c;
  c.source = "the list";
  c.modalities = {"t1"};
  c.labels = {{"background", {0}}, {"core", {4}}};
  for (const char* id : {"a", "b", "c"}) c.training.push_back({{id, {"image"}}, "label"});
  c.training.push_back({{"d", {"image"}}, {}});
  c.test = {{"e", {"image"}}};
  c.findings = {{finding::level::warning, "x", "about a", "a"}, {finding::level::warning, "y", "about all"}};
  return c;
}

template <class Case>
std::string ids(const std::vector<Case>& cases) {
  std::string out;
  for (const Case& c : cases) out += c.files.id;
  return out;
}

std::string lists(const cohort& c) {
  return text(ids(c.labelled), " ", ids(c.validation), " ", ids(c.unlabelled), " ", ids(c.test), " ",
              c.findings.size());
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_case_is_in_one_list) {
  BOOST_TEST(lists(apply_split(listing())) == "abc  d e 2");
  BOOST_TEST(lists(apply_split(listing(), {.validation = {"b"}})) == "ac b d e 2");
  BOOST_TEST(lists(apply_split(listing(), {.labelled = {{"c"}}, .validation = {"b"}})) == "c b ad e 2");
  BOOST_TEST(lists(apply_split(listing(), {.labelled = std::vector<std::string>{}})) == "  abcd e 2");
  BOOST_TEST(lists(apply_split(listing(), {.exclude = {"a", "d", "e"}})) == "bc    1");
}

BOOST_AUTO_TEST_CASE(ids_that_cannot_be_are_refused) {
  const auto refused = [](const cohort_split& split, const std::string& words) {
    BOOST_CHECK_EXCEPTION(static_cast<void>(apply_split(listing(), split)), config_error, test::says(words));
  };
  refused({.labelled = {{"x"}}}, "labelled: the list has no training case x");
  refused({.labelled = {{"e"}}}, "labelled: the list has no training case e");
  refused({.validation = {"d"}}, "validation: case d has no label in the list");
  refused({.exclude = {"y"}}, "exclude: the list has no case y");
  refused({.labelled = {{"a"}}, .validation = {"a"}}, "case a is listed both as labelled and as validation");
  refused({.labelled = {{"a", "b", "a"}}}, "labelled: case a is named twice");
  refused({.labelled = {{"aa"}}}, "has no training case aa; did you mean 'a'?");
  // One fault does not hide the next, and each names the file that the ids stand in.
  refused({.labelled = {{"x", "d"}}, .validation = {"z"}, .source = "lists.json"},
          "lists.json: validation: the list has no training case z; did you mean 'a'?\nlists.json: labelled: the list "
          "has no training case x; did you mean 'a'?\nlists.json: labelled: case d has no label in the list");
  cohort_listing twice = listing();
  twice.modalities = {"t1", "t2", "t1"};
  BOOST_CHECK_EXCEPTION(static_cast<void>(apply_split(twice)), config_error,
                        test::says("modalities: 't1' stands there twice"));
  cohort_listing wild = listing();
  wild.labels[1].values = {300};
  BOOST_CHECK_EXCEPTION(static_cast<void>(apply_split(wild)), config_error,
                        test::says("class 'core' has the label value 300, expected 0 to 255"));
}

BOOST_AUTO_TEST_CASE(names_stand_for_lists_of_ids) {
  const test::folder folder("split");
  test::write_text(folder / "s.json", R"({"few": ["a", "b"], "kept": ["c", "b"], "broken": [1]})");
  BOOST_TEST((split_ids(folder / "s.json", {"kept", "few"}) == std::vector<std::string>{"c", "b", "a"}));
  BOOST_TEST((split_ids({}, {"a", "few"}) == std::vector<std::string>{"a", "few"}));
  BOOST_CHECK_EXCEPTION(static_cast<void>(split_ids(folder / "s.json", {"many"})), config_error,
                        test::says("has no list \"many\"; it has few, kept, broken"));
  BOOST_CHECK_EXCEPTION(static_cast<void>(split_ids(folder / "s.json", {"broken"})), io_error,
                        test::says("\"broken\" is not a list of case ids"));
}

}  // namespace comodal::tests
