// SPDX-License-Identifier: Apache-2.0
// Data sets of other layouts than nnU-Net's: which files are which modality of which case.
#define BOOST_TEST_MODULE data_layouts
#include <comodal/data/check.hpp>
#include <comodal/data/reader_registry.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>

namespace comodal::tests {
namespace {

void touch(const std::filesystem::path& file) { test::write_text(file, "x"); }

// "case: file file label; ..." of the training cases, by file names; - stands for what is absent.
std::string cases_of(const cohort_listing& c) {
  std::string out;
  const auto name = [](const image_source& s) {
    return s.empty() ? std::string("-")
                     : s.path.filename().string() + (s.volume ? text(":", *s.volume) : std::string());
  };
  for (const listed_case& one : c.training) {
    out += (out.empty() ? "" : "; ") + one.files.id + ":";
    for (const auto& image : one.files.images) out += " " + name(image);
    out += " " + name(one.label);
  }
  return out;
}
std::string words_of(const std::vector<std::string>& list) {
  std::string out;
  for (const auto& one : list) out += (out.empty() ? "" : " ") + one;
  return out;
}

const reader_registry readers = reader_registry::built_in();

}  // namespace

BOOST_AUTO_TEST_CASE(a_folder_per_case_is_read_by_patterns) {
  const test::folder root("case-folders");
  for (const char* file :
       {"p1/p1_t1.nii.gz", "p1/p1_t1post.nii.gz", "p1/p1_seg.nii.gz", "p2/deep/p2_t1.nii.gz", "p2/p2_t1post.nii.gz",
        "p3/p3_t1post.nii.gz", "p3/p3_seg.nii.gz", "notes/readme.txt", "p1/._p1_t1.nii.gz", ".hidden/x_t1.nii.gz"})
    touch(root / file);
  layout_options o;
  o.images = {"t1=*_t1.nii.gz", "post=*_t1post.nii.gz"};
  o.label = "*_seg.nii.gz";
  const auto c = readers.list(root.path(), "data.folder", o);
  BOOST_TEST(words_of(c.modalities) == "t1 post");
  BOOST_TEST(cases_of(c) ==
             "p1: p1_t1.nii.gz p1_t1post.nii.gz p1_seg.nii.gz; p2: p2_t1.nii.gz p2_t1post.nii.gz -; "
             "p3: - p3_t1post.nii.gz p3_seg.nii.gz");
  BOOST_TEST(c.findings.empty());
  BOOST_TEST(c.labels.empty());
  // What is left out is told.
  touch(root / "p4/p4_T1.nii.gz");
  touch(root / "p5/p5_seg.nii.gz");
  std::filesystem::create_symlink(root / "nowhere", root / "p3/p3_t1.nii.gz");  // its reader will say so
  const auto told = readers.list(root.path(), "data.folder", o);
  BOOST_REQUIRE_EQUAL(told.findings.size(), 2);
  BOOST_TEST(to_line(told.findings[0]) ==
             "warning: " + (root / "p4").string() + ": is no case: it holds volumes, and no pattern fits one");
  BOOST_TEST(to_line(told.findings[1]) ==
             "error: " + (root / "p5").string() + ": holds a label map, and no image that a pattern fits");
  BOOST_TEST(cases_of(told).ends_with("p3: p3_t1.nii.gz p3_t1post.nii.gz p3_seg.nii.gz"));
  for (const char* folder : {"p4", "p5"}) std::filesystem::remove_all(root / folder);
  std::filesystem::remove(root / "p3/p3_t1.nii.gz");

  o.images = {"t1=deep/*", "post=*_t1post*"};  // with a slash: of the path below the case's folder
  BOOST_TEST(cases_of(readers.list(root.path(), "data.folder", o)).find("p2: p2_t1.nii.gz p2_t1post.nii.gz -") !=
             std::string::npos);
  o.images = {"t1=*_t1*", "post=*_t1post*"};
  const auto twice = readers.list(root.path(), "data.folder", o).findings;
  BOOST_REQUIRE_EQUAL(twice.size(), 2);  // p1 and p2
  BOOST_TEST(to_line(twice[0]) == "error: " + (root / "p1").string() +
                                      ": the pattern '*_t1*' of t1 fits 2 files, p1_t1.nii.gz and "
                                      "p1_t1post.nii.gz; make it narrower");
  const auto refused = [&](layout_options options, const std::string& words) {
    BOOST_CHECK_EXCEPTION((void)readers.list(root.path(), "data.folder", options), config_error, test::says(words));
  };
  refused({.images = {"t1=*_t1.nii.gz", "flair=*_flair*"}},
          "data.images: '*_flair*' (flair) fits no file in " + root.path().string() +
              ": its first folder holds p1_seg.nii.gz, p1_t1.nii.gz, p1_t1post.nii.gz");
  refused({.images = {"t1=*_t1.nii.gz"}, .label = "*_mask*"}, "data.label: '*_mask*' fits no file");
  refused({.images = {"t1"}}, "data.images: 't1', expected NAME=... such as \"t1=*_t1.nii.gz\"");
  refused({.images = {"t1=*_t1.nii.gz", "t1=*_t1post.nii.gz"}}, "'t1' stands there twice");
  refused({.images = {"t1=*_t1.nii.gz"}, .case_folders = "none*"}, "no folder that fits 'none*' holds a volume");
  BOOST_CHECK_EXCEPTION((void)readers.list(root.path()), config_error, test::says("data.images names the files"));
}

BOOST_AUTO_TEST_CASE(folders_of_one_name_are_told_apart) {
  const test::folder root("case-folders-deep");
  for (const char* file : {"a/first/t1.nii", "a/second/t1.nii", "b/first/t1.nii", "a/notes/x.txt", "b/notes/x.txt"})
    touch(root / file);
  BOOST_TEST(cases_of(readers.list(root.path(), "data.folder", {.images = {"t1=t1.nii"}, .case_folders = "*/*"})) ==
             "a_first: t1.nii -; b_first: t1.nii -; second: t1.nii -");
  touch(root / "a_first/x/t1.nii");
  touch(root / "a/first_x/t1.nii");
  touch(root / "a/x/t1.nii");
  touch(root / "b/first_x/t1.nii");
  BOOST_CHECK_EXCEPTION(
      (void)readers.list(root.path(), "data.folder", {.images = {"t1=t1.nii"}, .case_folders = "*/*"}), config_error,
      test::says("two folders of cases are called"));
}

BOOST_AUTO_TEST_CASE(brats_names_of_both_eras) {
  const test::folder early("brats-early"), late("brats-late"), test_set("brats-test");
  for (const char* tail : {"flair", "t1", "t1ce", "t2", "seg"}) {
    touch(early / text("HGG/Brats18_1/Brats18_1_", tail, ".nii.gz"));
    if (std::string_view(tail) != "seg") touch(early / text("LGG/Brats18_2/Brats18_2_", tail, ".nii.gz"));
  }
  for (const char* tail : {"t1n", "t1c", "t2w", "t2f", "seg"}) touch(late / text("BraTS-1/BraTS-1-", tail, ".nii.gz"));
  touch(test_set / "x/x_flair.nii");
  touch(test_set / "x/x_t1.nii");
  BOOST_TEST(readers.layout_of(early.path()) == "brats");
  const auto old = readers.list(early.path());
  BOOST_TEST(words_of(old.modalities) == "flair t1 t1ce t2");
  BOOST_TEST(cases_of(old) ==
             "Brats18_1: Brats18_1_flair.nii.gz Brats18_1_t1.nii.gz Brats18_1_t1ce.nii.gz Brats18_1_t2.nii.gz "
             "Brats18_1_seg.nii.gz; Brats18_2: Brats18_2_flair.nii.gz Brats18_2_t1.nii.gz Brats18_2_t1ce.nii.gz "
             "Brats18_2_t2.nii.gz -");
  BOOST_TEST((old.labels[3] == label_class{"enhancing tumour", {4}}));
  const auto now = readers.list(late.path());
  BOOST_TEST(cases_of(now) ==
             "BraTS-1: BraTS-1-t2f.nii.gz BraTS-1-t1n.nii.gz BraTS-1-t1c.nii.gz BraTS-1-t2w.nii.gz "
             "BraTS-1-seg.nii.gz");
  BOOST_TEST((now.labels[3] == label_class{"enhancing tumour", {3}}));
  // Another label map may be named; where files are, the layout says itself.
  touch(late / "BraTS-1/BraTS-1-manual.nii.gz");
  BOOST_TEST(cases_of(readers.list(late.path(), "data.folder", {.label = "*-manual.nii*"})).ends_with("manual.nii.gz"));
  BOOST_CHECK_EXCEPTION((void)readers.list(late.path(), "data.folder", {.case_folders = "*/*"}), config_error,
                        test::says("data.case_folders is set, but the layout brats of "));
  // A modality that no case has is refused, and the message says what there is.
  BOOST_CHECK_EXCEPTION((void)readers.list(test_set.path()), config_error, test::says("x_flair.nii, x_t1.nii"));
  for (const char* tail : {"t1ce", "t2"}) touch(test_set / text("x/x_", tail, ".nii"));
  BOOST_TEST(cases_of(readers.list(test_set.path())) == "x: x_flair.nii x_t1.nii x_t1ce.nii x_t2.nii -");

  layout_options regions;
  regions.classes = {"whole tumour=1+2+4", "tumour core=1+4", "enhancing tumour=4"};
  regions.region_order = {2, 1, 4};
  const auto by_regions = readers.list(early.path(), "data.folder", regions);
  BOOST_TEST(by_regions.has_regions());
  BOOST_TEST((by_regions.labels[1] == label_class{"whole tumour", {1, 2, 4}}));
  BOOST_TEST((by_regions.region_order == std::vector<int>{2, 1, 4}));
}

BOOST_AUTO_TEST_CASE(classes_are_named_by_options) {
  const test::folder root("classes");
  touch(root / "a/a_t1.nii");
  const auto list = [&](layout_options o) {
    o.images = {"t1=*_t1.nii"};
    return readers.list(root.path(), "data.folder", o);
  };
  const auto c = list({.classes = {"scar=200", "oedema=220"}, .ignore = 255});
  BOOST_TEST((c.labels == std::vector<label_class>{{"background", {0}}, {"scar", {200}}, {"oedema", {220}}}));
  BOOST_TEST((c.ignored == 255));
  const auto refused = [&](const layout_options& o, const std::string& words) {
    BOOST_CHECK_EXCEPTION((void)list(o), config_error, test::says(words));
  };
  refused({.classes = {"scar"}}, "data.classes: 'scar', expected NAME=... such as \"oedema=2\"");
  refused({.classes = {"scar=two"}}, "data.classes: 'scar=two', expected label values such as");
  refused({.classes = {"scar=1+"}}, "data.classes: 'scar=1+'");
  refused({.classes = {"x=0+1"}, .region_order = {1}}, "'x=0+1' has 0, the background, in its list");
  refused({.classes = {"x=1+1"}, .region_order = {1}}, "'x=1+1' has 1 twice in its list");
  refused({.classes = {"ignore=3"}}, "'ignore' is no class");
  refused({.classes = {"enhancing=4", "core=1+4", "whole=1+2+4"}, .region_order = {4, 1, 2}},
          "data.region_order: voxels of label 1 would be written as 2, which is not in the same regions");
  refused({.classes = {"a=1", "b=2"}, .region_order = {1, 2}}, "data.region_order is for regions");
  refused({.classes = {"scar=300"}}, "300, expected 0 to 255");
  refused({.classes = {"scar=1", "oedema=1"}}, "which another label is, too");
  refused({.classes = {"whole=1+2"}}, "data.region_order must say");
  refused({.classes = {"whole=1+2"}, .region_order = {300}}, "data.region_order: 300, expected a label value");
  refused({.region_order = {1}}, "without data.classes");
  refused({.classes = {"scar=1"}, .ignore = 256}, "data.ignore: 256");
  BOOST_CHECK_EXCEPTION((void)apply_split(list({.classes = {"scar=1"}, .ignore = 1})), config_error,
                        test::says("the ignored label value 1 is that of a class, too"));
  BOOST_CHECK_EXCEPTION((void)apply_split(list({.classes = {"whole=1+2"}, .region_order = {1}, .ignore = 3})),
                        config_error, test::says("beside regions cannot be used"));
}

BOOST_AUTO_TEST_CASE(the_decathlon_and_its_kin) {
  const test::folder root("decathlon");
  for (const char* file :
       {"imagesTr/b.nii.gz", "imagesTr/a.nii.gz", "labelsTr/a.nii.gz", "labelsTr/b.nii.gz", "imagesTs/c.nii.gz"})
    touch(root / file);
  const auto with = [&](const std::string& training, const std::string& more = "") {
    test::write_text(root / "dataset.json", R"({"modality": {"0": "FLAIR", "1": "T1w"},
      "labels": {"0": "background", "1": "oedema", "4": "enhancing"}, )" +
                                                more + R"("training": )" + training + "}");
  };
  with(R"([{"image": "./imagesTr/b.nii.gz", "label": "./labelsTr/b.nii.gz"},
           {"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}])",
       R"("test": ["./imagesTs/c.nii.gz"], )");
  BOOST_TEST(readers.layout_of(root.path()) == "decathlon");
  const auto c = readers.list(root.path());
  BOOST_TEST(words_of(c.modalities) == "FLAIR T1w");
  BOOST_TEST(cases_of(c) == "a: a.nii.gz:0 a.nii.gz:1 a.nii.gz; b: b.nii.gz:0 b.nii.gz:1 b.nii.gz");
  BOOST_TEST((c.labels == std::vector<label_class>{{"background", {0}}, {"oedema", {1}}, {"enhancing", {4}}}));
  BOOST_REQUIRE_EQUAL(c.test.size(), 1);
  BOOST_TEST(c.test[0].id == "c");

  test::write_text(root / "ignored.json", R"({"labels": {"0": "background", "1": "x", "2": "ignore"},
    "training": [{"image": "imagesTr/a.nii.gz", "label": "labelsTr/a.nii.gz"}]})");
  BOOST_TEST((readers.list(root / "ignored.json").ignored == 2));
  BOOST_TEST(readers.list(root / "ignored.json").labels.size() == 2u);

  // nnU-Net's version 1 names a case; its files are numbered.
  touch(root / "imagesTr/d_0000.nii.gz");
  touch(root / "imagesTr/d_0001.nii.gz");
  with(R"([{"image": "./imagesTr/d.nii.gz", "label": "./labelsTr/a.nii.gz"}])");
  BOOST_TEST(cases_of(readers.list(root.path())) == "d: d_0000.nii.gz d_0001.nii.gz a.nii.gz");
  // MONAI's lists name a file per modality, and may lack labels.
  with(R"([{"image": ["imagesTr/d_0000.nii.gz", null], "fold": 0}])");
  BOOST_TEST(cases_of(readers.list(root / "dataset.json")) == "d: d_0000.nii.gz - -");

  const auto refused = [&](const std::string& training, const std::string& words) {
    with(training);
    BOOST_CHECK_EXCEPTION((void)readers.list(root.path()), io_error, test::says(words));
  };
  refused(R"([{"label": "x"}, {"image": 3}])", "\"training\"[0] has no \"image\"\n");
  refused(R"([{"image": "a.nii.gz"}, {"image": "sub/a.nii.gz"}])", "the case a stands there twice");
  refused(R"([{"image": ["a.nii.gz"]}])", "1 images for 2 modalities");
}

BOOST_AUTO_TEST_CASE(cases_in_a_table) {
  const test::folder root("case-list");
  const auto list = [&](const std::string& words) {
    test::write_text(root / "cases.csv", words);
    return readers.list(root / "cases.csv", "data.folder", {.classes = {"core=1"}});
  };
  const auto c = list(
      "\xEF\xBB\xBF"
      "case,flair,\"t1, post\",label,set\r\n"
      "b,b/f.nii.gz,\"b/t1, post.nii.gz\",b/seg.nii.gz,\r\n"
      "\r\n"
      "a,/data/f.nii.gz,,,training\r\n"
      "c,c/f.nii.gz,,,test\r\n");
  BOOST_TEST(words_of(c.modalities) == "flair t1, post");
  BOOST_TEST(cases_of(c) == "a: f.nii.gz - -; b: f.nii.gz t1, post.nii.gz seg.nii.gz");
  BOOST_TEST(c.training[0].files.images[0].path.string() == "/data/f.nii.gz");
  BOOST_TEST(c.training[1].label.path.string() == (root / "b/seg.nii.gz").string());
  BOOST_TEST(c.test.at(0).id == "c");

  const auto refused = [&](const std::string& words, const std::string& expected) {
    BOOST_CHECK_EXCEPTION((void)list(words), io_error, test::says(expected));
  };
  refused("", "has no cases");
  refused("case,t1\n", "has no cases");
  refused("number,t1\na,b.nii\n", "names the column \"case\" 0 times");
  refused("case,label\na,b.nii\n", "names no modality");
  refused("case,t1,label2\na,b.nii,c.nii\n", "names the column \"label2\": every column but");
  refused("case,t1,Mask\na,b.nii,c.nii\n", "names the column \"Mask\"");
  refused("case, t1\na,b.nii\n", "names the column \" t1\"");
  refused("case,t1,t1\na,b.nii,c.nii\n", "'t1' stands there twice");
  refused("case,t1\na,\"b.nii\n", "line 2: a quotation mark is not closed");
  refused("case,t1\na\nb/c,x.nii\nd,\nd,x.nii,y\ne,x.nii\ne,y.nii\n",
          text((root / "cases.csv").string(), ": line 2 has 1 cells, expected 2\n"));
  refused("case,t1\nb/c,x.nii\n", "line 2: 'b/c' cannot be the id of a case");
  refused("case,t1\nd,\n", "line 2: case d has no image");
  refused("case,t1\ne,x.nii\ne,y.nii\n", "line 3: the case e stands there twice");
  refused("case,t1,set\ne,x.nii,val\n", "line 2: set 'val', expected training or test");
}

BOOST_AUTO_TEST_CASE(nnunet_lists_files_by_path) {
  const test::folder root("nnunet-paths");
  test::make_nnunet_raw(root / "elsewhere");
  test::write_text(root / "data/dataset.json", R"({"channel_names": {"0": "flair", "1": "t1"},
    "labels": {"background": 0, "core": 1, "rim": 3, "ignore": 9}, "file_ending": ".nii.gz", "dataset": {
    "two": {"images": ["../elsewhere/imagesTr/b_0000.nii.gz", null], "label": null},
    "one": {"images": ["../elsewhere/imagesTr/a_0000.nii.gz", "../elsewhere/imagesTr/a_0001.nii.gz"],
            "label": "../elsewhere/labelsTr/a.nii.gz"}}})");
  BOOST_TEST(readers.layout_of(root / "data") == "nnunet-raw");
  const auto c = readers.list(root / "data");
  BOOST_TEST(cases_of(c) == "one: a_0000.nii.gz a_0001.nii.gz a.nii.gz; two: b_0000.nii.gz - -");
  BOOST_TEST((c.labels[2] == label_class{"rim", {3}}));  // gaps are no fault
  BOOST_TEST((c.ignored == 9));
  BOOST_TEST(check_cohort(apply_split(c)).empty());
  test::write_text(root / "data/dataset.json", R"({"channel_names": {"0": "flair"}, "labels": {"background": 0, "x": 1},
    "file_ending": ".nii.gz", "dataset": {"one": {"images": ["a", "b"]}}})");
  BOOST_CHECK_EXCEPTION((void)readers.list(root / "data"), io_error,
                        test::says("\"dataset\": \"one\": \"images\" must be a list of 1 files, one per modality"));
}

BOOST_AUTO_TEST_CASE(ignored_voxels_are_no_class) {
  const test::folder root("ignored");
  test::make_nnunet_raw(root.path());
  test::write_text(root / "dataset.json", R"({"channel_names": {"0": "flair", "1": "t1"},
    "labels": {"background": 0, "core": 1, "ignore": 2}, "file_ending": ".nii.gz"})");
  std::filesystem::remove(root / "labelsTr/c.nii.gz");  // b holds label 2 alone
  const cohort c = apply_split(readers.list(root.path()));
  BOOST_TEST((c.ignored == 2));
  const auto findings = check_cohort(c);
  BOOST_REQUIRE_EQUAL(findings.size(), 1);
  BOOST_TEST(findings[0].reason == "is empty: every voxel is background or ignored");
  const label_volume label = read_nifti_labels(root / "labelsTr/b.nii.gz");
  BOOST_TEST(foreground_voxels(label) == 18);
  BOOST_TEST(foreground_voxels(label, 2) == 0);
  // The declaration is needed: without it the value is a fault.
  test::write_text(root / "dataset.json", R"({"channel_names": {"0": "flair", "1": "t1"},
    "labels": {"background": 0, "core": 1}, "file_ending": ".nii.gz"})");
  BOOST_TEST(count_errors(check_cohort(apply_split(readers.list(root.path())))) == 1);
}

}  // namespace comodal::tests
