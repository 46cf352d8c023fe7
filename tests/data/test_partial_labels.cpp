// SPDX-License-Identifier: Apache-2.0
// Cases of which not all classes are annotated: the file that says so, what is refused, and what crops know of it.
#define BOOST_TEST_MODULE data_partial_labels
#include <comodal/data/batch_maker.hpp>
#include <comodal/data/case_data.hpp>
#include <comodal/data/check.hpp>
#include <comodal/data/nnunet_raw.hpp>
#include <comodal/data/partial_labels.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>

namespace comodal::tests {
namespace {

const auto each = boost::test_tools::per_element();

cohort_listing listing() {
  cohort_listing c;
  c.source = "the list";
  c.modalities = {"t1"};
  c.labels = {{"background", {0}}, {"core", {1}}, {"oedema", {2}}, {"rim", {3}}};
  for (const char* id : {"a", "b", "c"}) c.training.push_back({{id, {"image"}}, "label"});
  c.training.push_back({{"d", {"image"}}, {}});
  c.test = {{"e", {"image"}}};
  return c;
}

cohort split_with(std::vector<annotated_case> cases, cohort_split split = {}) {
  split.partial = {"partial.json", std::move(cases)};
  return apply_split(listing(), split);
}

template <class Case>
std::string ids(const std::vector<Case>& cases) {
  std::string out;
  for (const Case& c : cases) out += c.files.id;
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_file_lists_the_annotated_classes_of_cases) {
  const test::folder folder("partial");
  test::write_text(folder / "p.json", R"({"b": ["rim", "core"], "a": []})");
  const partial_labels read = read_partial_labels(folder / "p.json");
  BOOST_TEST(read.source == (folder / "p.json").string());
  BOOST_REQUIRE(read.cases.size() == 2u);
  BOOST_TEST(read.cases[0].id == "b");
  BOOST_TEST(read.cases[0].classes == (std::vector<std::string>{"rim", "core"}), each);
  BOOST_TEST(read.cases[1].classes.empty());
  test::write_text(folder / "list.json", "[1]");
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_partial_labels(folder / "list.json")), io_error,
                        test::says("list.json: expected an object, {\"case\": [\"class\", ...], ...}, found [1]"));
  // All entries that are no lists of names, in one go.
  test::write_text(folder / "wrong.json", R"({"a": "core", "b": ["rim"], "c": [2]})");
  for (const char* words : {"wrong.json: case a: expected a list of names of classes (",
                            "wrong.json: case c: expected a list of names of classes ("})
    BOOST_CHECK_EXCEPTION(static_cast<void>(read_partial_labels(folder / "wrong.json")), io_error, test::says(words));
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_partial_labels(folder / "none.json")), io_error,
                        test::says("none.json"));
}

BOOST_AUTO_TEST_CASE(a_case_that_is_annotated_in_part_is_labelled_and_unlabelled) {
  const cohort c = split_with({{"b", {"rim", "core"}}});
  BOOST_TEST(ids(c.labelled) == "abc");
  BOOST_TEST(ids(c.unlabelled) == "bd");
  BOOST_TEST(c.labelled[0].fully_annotated());
  BOOST_TEST((c.labelled[1].annotated == std::vector<bool>{true, true, false, true}));
  BOOST_TEST(c.has_partial_labels());
  BOOST_TEST(c.partially_annotated("b"));
  BOOST_TEST(!c.partially_annotated("a"));
  BOOST_TEST(!c.partially_annotated("d"));
}

BOOST_AUTO_TEST_CASE(a_case_with_all_classes_is_fully_annotated) {
  const cohort c = split_with({{"b", {"rim", "oedema", "core"}}});
  BOOST_TEST(!c.has_partial_labels());
  BOOST_TEST(ids(c.unlabelled) == "d");
}

BOOST_AUTO_TEST_CASE(one_file_serves_every_split) {
  // Labels that the split keeps closed, and cases that it leaves out, may stand in the file.
  const std::vector<annotated_case> file{{"a", {"core"}}, {"b", {"rim"}}};
  const cohort closed = split_with(file, {.labelled = {{"b", "c"}}}), excluded = split_with(file, {.exclude = {"a"}});
  BOOST_TEST(ids(closed.labelled) + " " + ids(closed.unlabelled) == "bc abd");
  BOOST_TEST(ids(excluded.labelled) + " " + ids(excluded.unlabelled) == "bc bd");
}

BOOST_AUTO_TEST_CASE(all_that_makes_no_sense_is_said_in_one_go) {
  try {
    static_cast<void>(split_with(
        {{"x", {"core"}}, {"a", {"oedma", "background"}}, {"b", {}}, {"c", {"core"}}, {"d", {"core"}}, {"e", {"core"}}},
        {.validation = {"c"}}));
    BOOST_ERROR("nothing was refused");
  } catch (const config_error& refusal) {
    BOOST_TEST(
        refusal.what() ==
        std::string("partial.json: case x: the list has no such case; leave it out\n"
                    "partial.json: case a: there is no class 'oedma'; did you mean 'oedema'?\n"
                    "partial.json: case a: 'background' is not listed: it is what no other class is; leave it out\n"
                    "partial.json: case b: its list is empty; a case in which no class is annotated is an unlabelled "
                    "one: take its label away, or list the classes that are annotated\n"
                    "partial.json: case c: it is kept apart to validate on, which needs all classes; validate on other "
                    "cases\n"
                    "partial.json: case d: it has no label in the list; leave it out\n"
                    "partial.json: case e: it has no label in the list; leave it out"));
  }
}

BOOST_AUTO_TEST_CASE(a_class_that_no_case_has_is_refused) {
  const std::vector<annotated_case> all{{"a", {"core", "rim"}}, {"b", {"core", "rim"}}, {"c", {"core", "rim"}}};
  BOOST_CHECK_EXCEPTION(static_cast<void>(split_with(all)), config_error,
                        test::says("partial.json: class 'oedema' is annotated in no labelled case"));
  BOOST_CHECK_NO_THROW(static_cast<void>(split_with({all[0], all[1], {"c", {"oedema"}}})));
}

BOOST_AUTO_TEST_CASE(voxels_of_a_class_that_is_not_annotated_are_refused) {
  // Case b of the folder holds 18 voxels of label 2, oedema.
  const test::folder folder("partial-voxels");
  test::make_nnunet_raw(folder.path());
  const auto split = [&](std::vector<std::string> classes) {
    cohort_split s;
    s.partial = {"partial.json", {{"b", std::move(classes)}}};
    return read_nnunet_raw(folder.path(), s);
  };
  const cohort wrong = split({"core", "rim", "other"});
  const std::string line = (folder / "labelsTr/b.nii.gz").string() +
                           ": holds 18 voxels of 'oedema', which is not annotated in case b; add it to the case's list "
                           "in the file of partial labels, or set these voxels to 0";
  const auto findings = check_cohort(wrong);
  BOOST_REQUIRE(findings.size() == 1u);  // once, though the case is in two lists
  BOOST_TEST(to_line(findings[0]) == "error: " + line);
  prepare_options options;
  options.labels = wrong.labels;
  BOOST_CHECK_EXCEPTION(static_cast<void>(prepare_cases(wrong.labelled, options)), io_error,
                        [&](const io_error& e) { return e.what() == line; });
  BOOST_TEST(check_cohort(split({"oedema", "rim", "other"})).empty());
}

BOOST_AUTO_TEST_CASE(a_value_of_several_regions_is_right_if_one_of_them_is_annotated) {
  const std::vector<label_class> regions{{"background", {0}}, {"whole", {1, 2, 3}}, {"core", {1, 3}}};
  const label_volume label = test::label(1), outer = test::label(2);
  BOOST_TEST(unannotated_labels(label, regions, {true, false, true}, "b").empty());
  BOOST_TEST(unannotated_labels(label, regions, {}, "b").empty());
  BOOST_TEST(unannotated_labels(outer, regions, {true, true, false}, "b").empty());
  const auto words = unannotated_labels(outer, regions, {true, false, true}, "b");
  BOOST_REQUIRE(words.size() == 1u);
  BOOST_TEST(words[0].starts_with("holds 18 voxels of 'whole', which is not annotated in case b"));
  const auto both = unannotated_labels(label, regions, {true, false, false}, "b");
  BOOST_REQUIRE(both.size() == 1u);
  BOOST_TEST(both[0].starts_with("holds 18 voxels of 'whole', 'core', which"));
}

namespace {

// Four labelled cases; in the first and third not all of three channels are annotated.
struct crops_bench {
  image_volume image = test::image(1);
  label_volume label = test::label(1);
  std::vector<labelled_training_case> labelled;
  std::vector<unlabelled_training_case> unlabelled;

  crops_bench() {
    for (int c = 0; c < 4; ++c) labelled.push_back({text("l", c), {&image}, &label});
    for (int c = 0; c < 2; ++c) unlabelled.push_back({text("u", c), {&image}});
    labelled[0].annotated = {1, 1, 0};
    labelled[2].annotated = {1, 0, 1};
  }
  [[nodiscard]] batch_maker<> make(const batch_views& views = {.partial_labels = true}) const {
    batch_options o;
    o.patch_size = {6, 8, 8};
    return batch_maker<>(o, labelled, unlabelled, 1, views);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(crops_have_the_rows_of_their_cases, crops_bench) {
  const auto maker = make({.labelled_weak = true, .partial_labels = true});
  step_batch batch;
  for (std::uint32_t step = 0; step < 8; ++step) {
    maker.make(step, batch);
    BOOST_REQUIRE(batch.labelled.annotated.size() == 6u);
    BOOST_TEST(batch.more.at("labelled_weak").annotated == batch.labelled.annotated, each);
    BOOST_TEST(batch.weak.annotated.empty());
    BOOST_TEST(batch.strong.annotated.empty());
    bool any_whole = false;
    for (index n = 0; n < 2; ++n) {
      const auto& row = labelled[batch.labelled.cases[static_cast<std::size_t>(n)]].annotated;
      BOOST_TEST(batch.labelled.fully_annotated(n) == row.empty());
      any_whole = any_whole || row.empty();
      for (std::size_t c = 0; c < 3; ++c)
        BOOST_TEST(batch.labelled.annotated[static_cast<std::size_t>(n) * 3 + c] == (row.empty() ? 1.f : row[c]));
    }
    // Only fully annotated crops are mixed into unlabelled ones.
    const bool mixed = std::find(batch.strong.known.begin(), batch.strong.known.end(), 1) != batch.strong.known.end();
    BOOST_TEST(mixed == any_whole, "step " << step);
  }
}

BOOST_FIXTURE_TEST_CASE(full_labels_leave_a_batch_as_it_is, crops_bench) {
  const auto partial = make().make(3);
  for (auto& one : labelled) one.annotated.clear();
  const auto full = make().make(3);
  BOOST_TEST(full.labelled.annotated.empty());
  BOOST_TEST(full.labelled.fully_annotated(0));
  BOOST_TEST((full.labelled.images == partial.labelled.images));
  BOOST_TEST((full.labelled.labels == partial.labelled.labels));
  BOOST_TEST((full.weak.images == partial.weak.images));
}

BOOST_FIXTURE_TEST_CASE(a_method_that_knows_nothing_of_partial_labels_is_refused, crops_bench) {
  auto maker = make();
  BOOST_CHECK_EXCEPTION(maker.set_views({}), config_error,
                        test::says("not all classes are annotated in some labelled cases, and the method does not"));
  maker.set_views({.partial_labels = true});
  labelled[3].annotated = {1, 0};
  BOOST_CHECK_EXCEPTION(
      static_cast<void>(make().make(0)), config_error,
      test::says("training case l3: says of 2 channels whether they are annotated, another case of 3"));
}

}  // namespace comodal::tests
