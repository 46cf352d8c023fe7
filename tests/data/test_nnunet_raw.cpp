// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_nnunet_raw
#include <comodal/data/nnunet_raw.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>

namespace comodal::tests {
namespace {

template <class Case>
std::string ids(const std::vector<Case>& cases) {
  std::string out;
  for (const Case& c : cases) out += (out.empty() ? "" : " ") + c.files.id;
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_image_without_label_is_unlabelled) {
  const test::folder folder("nnunet");
  test::make_nnunet_raw(folder.path());
  const cohort c = read_nnunet_raw(folder.path());
  BOOST_CHECK((c.modalities == std::vector<std::string>{"flair", "t1"}));
  BOOST_CHECK_EQUAL(c.labels.size(), 5);
  BOOST_CHECK((c.labels[3] == label_class{"rim", {3}}));
  BOOST_CHECK(!c.has_regions());
  BOOST_CHECK_EQUAL(ids(c.labelled), "a b c");
  BOOST_CHECK_EQUAL(ids(c.validation), "");
  BOOST_CHECK_EQUAL(ids(c.unlabelled), "d");
  BOOST_CHECK_EQUAL(ids(c.test), "e");
  BOOST_CHECK(c.findings.empty());
  BOOST_CHECK_EQUAL(c.labelled[1].label.path.filename().string(), "b.nii.gz");
  BOOST_CHECK_EQUAL(c.labelled[1].files.images[1].path.filename().string(), "b_0001.nii.gz");
  BOOST_CHECK(c.unlabelled[0].files.present(0));
  BOOST_CHECK(!c.unlabelled[0].files.present(1));
}

BOOST_AUTO_TEST_CASE(lists_decide_whose_labels_are_seen) {
  const test::folder folder("nnunet-lists");
  test::make_nnunet_raw(folder.path());
  const cohort c = read_nnunet_raw(folder.path(), {.labelled = {{"b"}}, .validation = {"c"}});
  BOOST_CHECK_EQUAL(ids(c.labelled), "b");
  BOOST_CHECK_EQUAL(ids(c.validation), "c");
  BOOST_CHECK_EQUAL(ids(c.unlabelled), "a d");
  const cohort none = read_nnunet_raw(folder.path(), {.labelled = std::vector<std::string>{}, .exclude = {"a", "e"}});
  BOOST_CHECK_EQUAL(ids(none.labelled), "");
  BOOST_CHECK_EQUAL(ids(none.unlabelled), "b c d");
  BOOST_CHECK_EQUAL(ids(none.test), "");
  BOOST_CHECK_EQUAL(ids(read_nnunet_raw(folder.path(), {.validation = {"a"}}).labelled), "b c");
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_nnunet_raw(folder.path(), {.labelled = {{"x"}}})), config_error,
                        test::says(" has no training case x"));
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_nnunet_raw(folder.path(), {.labelled = {{"d"}}})), config_error,
                        test::says("case d has no label"));
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_nnunet_raw(folder.path(), {.labelled = {{"a"}}, .validation = {"a"}})),
                        config_error, test::says("both"));
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_nnunet_raw(folder.path(), {.exclude = {"y"}})), config_error,
                        test::says("no case y"));
}

// The type itself is the protection: no expression reaches a label from an unlabelled case.
template <class Case>
concept has_label = requires(const Case& c) { c.label; };
static_assert(has_label<labelled_case>);
static_assert(!has_label<unlabelled_case> && !has_label<case_files>);

BOOST_AUTO_TEST_CASE(files_that_do_not_fit_are_reported) {
  const test::folder folder("nnunet-misfits");
  test::make_nnunet_raw(folder.path());
  test::write_text(folder / "imagesTr/notes.txt", "x");
  test::write_text(folder / "imagesTr/.hidden", "x");
  test::write_text(folder / "imagesTr/a_0002.nii.gz", "x");
  test::write_text(folder / "labelsTr/z.nii.gz", "x");
  const cohort c = read_nnunet_raw(folder.path());
  BOOST_REQUIRE_EQUAL(c.findings.size(), 4);
  BOOST_CHECK_EQUAL(to_line(c.findings[0]),
                    "error: " + (folder / "imagesTr/a_0002.nii.gz").string() +
                        ": has modality number 0002, but 2 modalities are declared, from 0000 on; leave the "
                        "file out, or declare it. If 0002 belongs to the name of the case, call the file "
                        "a_0002_0000.nii.gz");
  BOOST_CHECK_EQUAL(c.findings[0].case_id, "a");
  BOOST_CHECK_EQUAL(to_line(c.findings[1]), "warning: " + (folder / "imagesTr/notes.txt").string() +
                                                ": is ignored: not named CASE_0000.nii.gz");
  BOOST_CHECK(c.findings[2].reason.starts_with("\"numTraining\" is 3"));
  BOOST_CHECK(c.findings[3].reason.starts_with("is a label without images"));
  BOOST_CHECK_EQUAL(count_errors(c.findings), 2);
  BOOST_CHECK_EXCEPTION(refuse_errors(c.findings), io_error, [&](const io_error& e) {
    return e.what() == to_words(c.findings[0]) + "\n" + to_words(c.findings[3]);
  });
}

// HEAD_0001.nii.gz is the second scan of a case HEAD, or the case HEAD_0001 without its _0000.
BOOST_AUTO_TEST_CASE(names_without_the_number_of_a_scan_are_told) {
  const test::folder folder("nnunet-numbers");
  test::make_nnunet_raw(folder.path());
  const auto images = folder / "imagesTr";
  std::filesystem::copy_file(images / "a_0000.nii.gz", images / "HEAD_0001.nii.gz");
  std::filesystem::copy_file(images / "a_0000.nii.gz", images / "HEAD_0002_0000.nii.gz");
  std::vector<finding> findings;
  const auto cases = read_nnunet_images(images, 2, ".nii.gz", findings);
  BOOST_REQUIRE_EQUAL(findings.size(), 1);
  BOOST_CHECK_EQUAL(to_line(findings[0]),
                    "warning: " + (images / "HEAD_0001.nii.gz").string() +
                        ": is taken for a scan of a case 'HEAD', beside the case 'HEAD_0002'; if it is a case of its "
                        "own, call it HEAD_0001_0000.nii.gz");
  BOOST_CHECK_EQUAL(findings[0].case_id, "HEAD");

  findings.clear();  // a case whose first scan is there is none
  std::filesystem::copy_file(images / "a_0000.nii.gz", images / "HEAD_0000.nii.gz");
  (void)read_nnunet_images(images, 2, ".nii.gz", findings);
  BOOST_CHECK(findings.empty());

  const test::folder single("nnunet-single");
  test::make_nnunet_raw(single.path());
  for (const auto& file : visible_entries(single / "imagesTr")) std::filesystem::remove(file);
  test::write_text(single / "imagesTr/ct_1.nii.gz", "x");
  BOOST_CHECK_EXCEPTION((void)read_nnunet_raw(single.path()), io_error,
                        test::says("holds no image named CASE_0000.nii.gz; it has ct_1.nii.gz, which would be "
                                   "ct_1_0000.nii.gz if it is a case with one scan"));
}

BOOST_AUTO_TEST_CASE(dataset_json_is_checked) {
  const test::folder folder("nnunet-json");
  test::make_nnunet_raw(folder.path());
  const auto refused = [&](const std::string& json, const std::string& words) {
    test::write_text(folder / "dataset.json", json);
    BOOST_CHECK_EXCEPTION(static_cast<void>(read_nnunet_raw(folder.path())), io_error, test::says(words));
  };
  const std::string channels = R"("channel_names": {"0": "flair", "1": "t1"})",
                    labels = R"("labels": {"background": 0, "x": 1})", ending = R"("file_ending": ".nii.gz")";
  const auto joined = [](const std::string& a, const std::string& b, const std::string& c) {
    return "{" + a + "," + b + "," + c + "}";
  };
  refused("{", "not valid JSON");
  refused("{}", "has no modalities");
  refused(R"({"modality": {"0": "MR"}})", "Decathlon");
  refused(joined(R"("channel_names": {"0": "flair", "2": "t1"})", labels, ending), "without gaps");
  refused(joined(R"("channel_names": {"0": "t1", "1": "t1"})", labels, ending), "twice");
  refused(joined(R"("channel_names": ["t1"])", labels, ending), "must be an object");
  refused(joined(channels, R"("labels": {"background": 0})", ending), "at least one class");
  refused(joined(channels, R"("labels": {"background": 0, "x": 1, "y": 1})", ending),
          "label \"y\" is 1, which \"x\" is, too");
  refused(joined(channels, R"("labels": {"background": 0, "x": "1"})", ending), "expected an integer");
  refused(joined(channels, R"("labels": {"background": 0, "x": 300})", ending), "0 to 255");
  refused(joined(channels, R"("labels": {"background": 0, "x": 1, "ignore": 1})", ending), "which \"x\" is, too");
  refused(joined(channels, R"("labels": {"background": 0, "x": 1, "ignore": [2]})", ending), "\"ignore\" is [2]");
  refused(joined(channels, labels, R"("file_ending": ".mha")"), "file_ending");
  refused(joined(channels, labels, ending + R"(, "dataset": {})"), "\"dataset\" must be an object of cases");
  refused(joined(channels, labels, R"("file_ending": ".nii")"), "holds no image named CASE_0000.nii");
  const std::string regions = R"("labels": {"background": 0, "whole": [1, 2, 3], "core": [2, 3]})";
  refused(joined(channels, regions, ending), "expected \"regions_class_order\"");
  refused(joined(channels, regions, ending + R"(, "regions_class_order": ["1", "2"])"), "list of integers");
  refused(joined(channels, regions, ending + R"(, "regions_class_order": [1])"), "has 1 labels for 2 regions");
  refused(joined(channels, regions, ending + R"(, "regions_class_order": [1, 2, 3])"), "has 3 labels for 2 regions");
  refused(joined(channels, regions, ending + R"(, "regions_class_order": [1, 4])"), "4 is no declared label");
  const std::string nested = R"("labels": {"background": 0, "whole": [1, 2, 3], "core": [1, 3], "rim": 3})",
                    inner_first = R"("labels": {"background": 0, "rim": 3, "core": [1, 3], "whole": [1, 2, 3]})";
  refused(joined(channels, nested, ending + R"(, "regions_class_order": [1, 2, 3])"),
          "voxels of label 1 would be written as 2, which is not in the same regions");
  refused(joined(channels, inner_first, ending + R"(, "regions_class_order": [3, 1, 2])"),
          "voxels of label 1 would be written as 2");
  std::filesystem::remove(folder / "dataset.json");
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_nnunet_raw(folder.path())), io_error,
                        test::says("there is no such file"));

  test::write_text(folder / "dataset.json",
                   joined(channels, R"("labels": {"whole": [1, 2, 3], "background": 0, "core": [2, 3], "rim": 3})",
                          ending + R"(, "regions_class_order": [1, 2, 3])"));
  const cohort c = read_nnunet_raw(folder.path());
  BOOST_CHECK(c.has_regions());
  BOOST_CHECK_EQUAL(c.labels[0].name + c.labels[1].name + c.labels[2].name + c.labels[3].name,
                    "backgroundwholecorerim");
  BOOST_CHECK((declared_values(c.labels) == std::vector<int>{0, 1, 2, 3}));
  BOOST_CHECK((c.region_order == std::vector<int>{1, 2, 3}));
}

BOOST_AUTO_TEST_CASE(splits_are_named_lists) {
  const test::folder folder("nnunet-splits");
  test::write_text(folder / "splits.json", R"({"labelled_2": ["a", "b"], "seed": 3})");
  BOOST_CHECK((read_split(folder / "splits.json", "labelled_2") == std::vector<std::string>{"a", "b"}));
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_split(folder / "splits.json", "train")), config_error,
                        test::says("it has labelled_2, seed"));
  BOOST_CHECK_THROW(static_cast<void>(read_split(folder / "splits.json", "seed")), io_error);
}

}  // namespace comodal::tests
