// SPDX-License-Identifier: Apache-2.0
// The verb `report` on folders that this test writes: masks with known errors, a log, maps.
#define BOOST_TEST_MODULE app_report
#include <boost/test/unit_test.hpp>

#include <comodal/app/report.hpp>
#include <comodal/data/nifti_write.hpp>

#include <report/markup.hpp>

#include <filesystem>
#include <fstream>
#include <limits>

using namespace comodal;
namespace fs = std::filesystem;

namespace {

// Five cases of two modalities, each with a block of 4 x 4 x 4 voxels; a mask that lies `off` voxels beside it has the
// Dice (4 - off) / 4.
struct folders {
  fs::path work = fs::temp_directory_path() / text("comodal_report_", ::getpid());
  const std::vector<std::string> ids{"c0", "c1", "c2", "c3", "<b>&\"x"};

  folders() {
    fs::remove_all(work);
    for (const char* name : {"imagesTs", "labelsTs"}) fs::create_directories(work / name);
    std::ofstream(work / "dataset.json") << R"({"channel_names": {"0": "T1", "1": "FLAIR"},
      "labels": {"background": 0, "core": 1}, "numTraining": 1, "file_ending": ".nii.gz"})";
    for (const auto& id : ids) {
      const label_volume truth = mask(0);
      write_nifti(work / "labelsTs" / (id + ".nii.gz"), truth);
      image_volume image{truth.geometry, std::vector<float>(truth.values.size())};
      for (std::size_t v = 0; v < image.values.size(); ++v)
        image.values[v] = 100 + static_cast<float>(v % 9) + (truth.values[v] ? 200.0f : 0.0f);
      for (const char* number : {"_0000", "_0001"}) write_nifti(work / "imagesTs" / (id + number + ".nii.gz"), image);
    }
    run("ours", {1, 3, 0, 2, 1});
    run("theirs", {2, 4, 1, 3, 2});
  }
  ~folders() { fs::remove_all(work); }

  [[nodiscard]] static label_volume mask(comodal::index off) {
    label_volume v{{{16, 14, 12}, {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 2, 0}}}}, std::vector<std::uint8_t>(2688)};
    for (comodal::index k = 4; k < 8; ++k)
      for (comodal::index j = 5; j < 9; ++j)
        for (comodal::index i = 6; i < 10; ++i) v.at(i - off, j, k) = 1;
    return v;
  }

  void run(const std::string& name, const std::vector<comodal::index>& off) const {
    const fs::path to = work / name / "predictions";
    for (const char* part : {"branch_T1", "uncertainty"}) fs::create_directories(to / part);
    app_detail::predictions d{
        "model", {"fused", "branch T1"}, {"T1", "FLAIR"}, {}, {{"background", {0}}, {"core", {1}}}};
    for (std::size_t c = 0; c < ids.size(); ++c) {
      const label_volume found = mask(off[c]);
      for (const char* part : {"", "branch_T1"}) write_nifti(to / part / (ids[c] + ".nii.gz"), found);
      image_volume map{found.geometry, std::vector<float>(found.values.begin(), found.values.end())};
      write_nifti(to / "uncertainty" / (ids[c] + ".nii.gz"), map);
      d.cases.push_back(readable_name(ids[c]));
    }
    app_detail::write_predictions(to, d);
    std::ofstream log(work / name / "log.jsonl");
    double mean = 0.5;
    for (int step = 1; step <= 30; ++step) {
      mean = 0.99 * mean + 0.01 * 0.25;
      log << "{\"step\":" << step << ",\"rate\":0.01,\"loss\":" << 1.0 / step << ",\"reliability.fused\":" << mean
          << ",\"reliability.branch1\":" << mean << "}\n";
    }
    std::ofstream(work / name / "experiment.toml") << "steps = 30 # <b>\n";
  }

  [[nodiscard]] app::report_request request(const std::vector<std::string>& names) const {
    app::report_request r;
    for (const auto& name : names) r.runs.push_back(work / name);
    r.labels = work / "labelsTs";
    r.images = work / "imagesTs";
    r.file = work / "report.html";
    return r;
  }
  [[nodiscard]] app::report_request without_labels(const std::vector<std::string>& names) const {
    auto r = request(names);
    r.labels.clear();
    return r;
  }
  [[nodiscard]] std::string page(const app::report_request& r, std::vector<std::string>* warnings = nullptr) const {
    app::observer watch;
    watch.warning = [&](const std::string& words) {
      if (warnings) warnings->push_back(words);
    };
    app::report(r, watch);
    const auto bytes = read_file(r.file);
    return {bytes.begin(), bytes.end()};
  }
};

// What a reader sees, and what the viewer reads: without the style and the script of the page.
std::string words_of(const std::string& html) {
  const std::size_t first = html.find("<main>"), last = html.find("<script>//");
  BOOST_REQUIRE(first != std::string::npos);
  return html.substr(first, last == std::string::npos ? last : last - first);
}

void expect_no_truth(const std::string& html) {
  BOOST_TEST(tests::malformed(html) == "");
  BOOST_TEST(tests::outside_reference(html) == "");
  for (const char* words : {"truth", "true mask", "error", "missed", "false:", "Scores", "worst", "HD95", "Mean Dice"})
    BOOST_TEST(words_of(html).find(words) == std::string::npos, words);
  BOOST_TEST(html.find("<p>There are no labels, so that nothing is scored.</p>") != std::string::npos);
}

bool in_order(const std::string& html, const std::vector<std::string>& words) {
  std::size_t at = 0;
  for (const auto& one : words) {
    at = html.find(one, at);
    if (at == std::string::npos) return false;
    at += one.size();
  }
  return true;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(images_of_other_cases_are_refused, folders) {
  auto r = request({"ours"});
  r.images = work / "labelsTs";
  const auto says = [](const std::string& words) {
    return [words](const error& failure) { return std::string(failure.what()).find(words) != std::string::npos; };
  };
  BOOST_CHECK_EXCEPTION(app::report(r), io_error,
                        says("holds no image of the cases of the masks, such as <b>&\"x_0000.nii.gz"));
  r = request({"ours", "ours/predictions"});
  BOOST_CHECK_EXCEPTION(app::report(r), config_error, says("ours"));
  BOOST_TEST(!fs::exists(r.file));
}

// What `predict` warned of stands beside the pictures: who reads a report has not seen the terminal.
BOOST_FIXTURE_TEST_CASE(warnings_of_predict_stay, folders) {
  const fs::path masks = work / "ours/predictions";
  auto d = app_detail::read_predictions(masks);
  d.warnings["c1"] = {"c1_0000.nii.gz: where left and right are is unknown"};
  d.warnings["c2"] = {};
  app_detail::write_predictions(masks, d);
  const std::string html = page(request({"ours"}));
  BOOST_TEST(html.find("ours: `predict` warned of 1 case, first of c1: c1_0000.nii.gz: where left and right") !=
             std::string::npos);
  BOOST_TEST(html.find("<p class=\"warning\">c1_0000.nii.gz: where left and right are is unknown</p>") !=
             std::string::npos);
  BOOST_TEST(tests::malformed(html) == "");
}

BOOST_FIXTURE_TEST_CASE(two_runs_side_by_side, folders) {
  const std::string html = page(request({"ours", "theirs"}));
  BOOST_TEST(tests::malformed(html) == "");
  BOOST_TEST(tests::outside_reference(html) == "");
  BOOST_TEST(html.find("<dt>made</dt>") != std::string::npos);
  BOOST_TEST(html.find("<dt>host</dt>") != std::string::npos);
  BOOST_TEST(html.find("Differences from ours") != std::string::npos);
  BOOST_TEST(html.find("-0.2500 (-0.2500 to -0.2500)") != std::string::npos);
  // Off by 3 and 4 is the worst, by 1 and 2 the median (two cases have it; the first name counts), by 0 and 1 the best.
  BOOST_TEST(html.find("Case c1 <span class=\"badge\">worst</span>") <
             html.find("<span class=\"badge\">median</span>"));
  BOOST_TEST(html.find("<span class=\"badge\">median</span>") < html.find("Case c2 <span class=\"badge\">best</span>"));
  BOOST_TEST(tests::count(html, "<section class=\"case\"") == 3u);
  BOOST_TEST(html.find("Mean Dice: ours 0.250; theirs 0.000.") != std::string::npos);
  BOOST_TEST(html.find("errors: theirs") != std::string::npos);
  BOOST_TEST(html.find("<figcaption>branch T1</figcaption>") != std::string::npos);
  BOOST_TEST(html.find("uncertainty: from 0 (black) to 1.000 (pale)") != std::string::npos);
  BOOST_TEST(html.find("<figcaption>FLAIR</figcaption>") != std::string::npos);
  BOOST_TEST(html.find("steps = 30 # &lt;b&gt;") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(more_cases_and_names_that_are_markup, folders) {
  auto r = request({"ours"});
  r.cases = 9;
  r.title = "<i>title</i>";
  const std::string html = page(r);
  BOOST_TEST(tests::malformed(html) == "");
  BOOST_TEST(tests::count(html, "<section class=\"case\"") == 5u);
  BOOST_TEST(html.find("<b>&\"x") == std::string::npos);
  BOOST_TEST(html.find("Case &lt;b&gt;&amp;&quot;x") != std::string::npos);
  BOOST_TEST(html.find("<h1>&lt;i&gt;title&lt;/i&gt;</h1>") != std::string::npos);
  BOOST_TEST(html.find("Differences") == std::string::npos);
  r.still = true;
  const std::string still = page(r);
  BOOST_TEST(still.find("<script") == std::string::npos);
  BOOST_TEST(still.size() < html.size());
  r.cases = 0;
  BOOST_TEST(page(r).find("<section class=\"case\"") == std::string::npos);
  r.cases = -1;
  BOOST_CHECK_THROW(app::report(r), config_error);
}

BOOST_FIXTURE_TEST_CASE(facts_of_predictions, folders) {
  const fs::path file = work / "ours/predictions/predictions.json";
  auto j = read_json(file);
  j["provenance"] = {{{"version", "9.9"},
                      {"commit", "c0ffee"},
                      {"date", "2026-11-29"},
                      {"host", "<h>"},
                      {"command", "comodal predict"}}};
  j["models"] = {{"m", "abcdef"}};
  std::ofstream(file) << j.dump();
  std::ofstream(work / "ours/provenance.json")
      << R"({"calls": [{"date": "yesterday", "seconds": 3600.0}, {"date": "today", "command": "train", "seconds": 125}]})";
  const std::string html = page(request({"ours"}));
  for (const char* words :
       {"<dd>comodal 9.9, commit c0ffee</dd>", "<dd>2026-11-29</dd>", "<dd>&lt;h&gt;</dd>", "<dd>comodal predict</dd>",
        "<dd>abcdef</dd>", "<dt>trained</dt><dd>today</dd>", "<dd>train</dd>", "<dt>took</dt><dd>1 h 2 min</dd>"})
    BOOST_TEST(html.find(words) != std::string::npos, words);
}

BOOST_FIXTURE_TEST_CASE(an_image_on_another_grid_is_left_out_and_told, folders) {
  image_volume other{{{8, 8, 8}, {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}}}, std::vector<float>(512, 1)};
  write_nifti(work / "imagesTs/c1_0001.nii.gz", other);
  fs::remove(work / "imagesTs/c2_0001.nii.gz");
  std::vector<std::string> warnings;
  const std::string html = page(request({"ours"}), &warnings);
  BOOST_REQUIRE(warnings.size() == 1u);
  BOOST_TEST(warnings[0].find("c1_0001.nii.gz: is not shown: size 8 x 8 x 8, expected 16 x 14 x 12") !=
             std::string::npos);
  BOOST_TEST(html.find("is not shown: size 8 x 8 x 8") != std::string::npos);
  BOOST_TEST(html.find("missing</div><figcaption>FLAIR</figcaption>") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(masks_of_anybody, folders) {
  fs::create_directories(work / "rater");
  for (const auto& id : ids) write_nifti(work / "rater" / (id + ".nii.gz"), mask(1));
  const std::string html = page(request({"rater"}));
  BOOST_TEST(html.find("<dt>classes from</dt>") != std::string::npos);
  BOOST_TEST(html.find("<figcaption>rater, Dice 0.750</figcaption>") != std::string::npos);
}

// The fixture's maps are the masks, so that each mean over labelled voxels is 1; these differ by case.
BOOST_FIXTURE_TEST_CASE(without_labels_the_most_uncertain_cases_come_first, folders) {
  const float values[] = {0.25f, 0.5f, 0.125f, 0.75f};
  for (std::size_t c = 0; c < 4; ++c) {
    const label_volume found = mask(1);
    image_volume map{found.geometry, std::vector<float>(found.values.size(), 0.875f)};  // the background counts not
    for (std::size_t v = 0; v < map.values.size(); ++v)
      if (found.values[v]) map.values[v] = values[c];
    map.at(5, 5, 4) = std::numeric_limits<float>::quiet_NaN();
    write_nifti(work / "ours/predictions" / (ids[c] + ".nii.gz"), found);
    write_nifti(work / "ours/predictions/uncertainty" / (ids[c] + ".nii.gz"), map);
  }
  fs::remove(work / "ours/predictions/uncertainty" / (ids[4] + ".nii.gz"));
  label_volume nothing = mask(1);  // the mean over the volume is 0.875, less what was changed in 63 voxels
  std::fill(nothing.values.begin(), nothing.values.end(), std::uint8_t{0});
  write_nifti(work / "ours/predictions/c2.nii.gz", nothing);
  auto r = without_labels({"ours"});
  std::vector<std::string> warnings;
  const std::string html = page(r, &warnings);
  expect_no_truth(html);
  BOOST_TEST(warnings.empty());
  BOOST_TEST(tests::count(html, "<section class=\"case\"") == 3u);
  const std::string mean = detail::short_number(0.875 + (0.125 - 0.875) * 63 / 2687, 3);
  BOOST_TEST(in_order(html, {"Case c2 <span class=\"badge\">mean uncertainty " + mean + "</span>",
                             "Case c3 <span class=\"badge\">mean uncertainty 0.75</span>",
                             "Case c1 <span class=\"badge\">mean uncertainty 0.5</span>"}));
  BOOST_TEST(
      html.find("The most uncertain cases come first. Mean uncertainty is that of the uncertainty map of ours") !=
      std::string::npos);
  BOOST_TEST(html.find("Cases without such a map come last.") != std::string::npos);
  // 4 x 4 x 4 voxels of 2 mm^3; the case without a map is the last row.
  BOOST_TEST(in_order(
      html, {"<th scope=\"col\" class=\"number\">core [ml]</th>", "<td>c2</td><td class=\"number\">0.00</td>",
             "<td>c3</td><td class=\"number\">0.13</td><td class=\"number\">0.75</td>", "<td>c1</td>", "<td>c0</td>",
             "<td>&lt;b&gt;&amp;&quot;x</td><td class=\"number\">0.13</td><td class=\"number\">-</td>"}));
  BOOST_TEST(html.find("Slices: nothing is labelled in this case: the middle slices.") != std::string::npos);
  BOOST_TEST(html.find("most voxels of the mask of ours") != std::string::npos);
  BOOST_TEST(html.find("Agreement") == std::string::npos);
  for (const char* kept : {"<h2 id=\"part-3\">Run ours</h2>", "<h4>Losses", "steps = 30 # &lt;b&gt;", "<dt>model</dt>"})
    BOOST_TEST(html.find(kept) != std::string::npos, kept);
  r.cases = 9;
  r.still = true;
  const std::string still = page(r);
  expect_no_truth(still);
  BOOST_TEST(tests::count(still, "<section class=\"case\"") == 5u);
  BOOST_TEST(still.find("Case &lt;b&gt;&amp;&quot;x</h3>") > still.find("Case c0 <span"));
}

BOOST_FIXTURE_TEST_CASE(without_labels_and_maps_cases_stand_in_the_order_of_their_names, folders) {
  fs::remove_all(work / "ours/predictions/uncertainty");
  fs::remove(work / "ours/predictions/c1.nii.gz");
  auto r = without_labels({"ours"});
  r.cases = 2;
  std::vector<std::string> warnings;
  const std::string html = page(r, &warnings);
  expect_no_truth(html);
  BOOST_TEST(in_order(
      html, {"<section class=\"case\"", "Case &lt;b&gt;&amp;&quot;x</h3>", "<section class=\"case\"", "Case c0</h3>"}));
  BOOST_TEST(tests::count(html, "<section class=\"case\"") == 2u);
  BOOST_TEST(html.find("Cases stand in the order of their names.") != std::string::npos);
  BOOST_TEST(html.find("uncertain") == std::string::npos);
  BOOST_REQUIRE(warnings.size() == 1u);
  BOOST_TEST(warnings[0].ends_with("predictions: has no mask of 1 of 5 cases with images: c1"));
  r.cases = 0;
  BOOST_TEST(page(r).find("<section class=\"case\"") == std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(without_labels_runs_are_compared_with_the_first, folders) {
  fs::remove(work / "theirs/predictions/c3.nii.gz");
  const std::string html = page(without_labels({"ours", "theirs"}));
  expect_no_truth(html);
  // They are off by one voxel more or less: 3 of 4 voxels are common.
  BOOST_TEST(
      in_order(html, {"Agreement with ours, mean ± standard deviation over cases", "<td>theirs</td><td>core</td>",
                      "<td class=\"number\">4</td><td class=\"number\">0.7500 ± 0.0000</td>", "case by case",
                      "<td>c2</td><td>theirs</td><td class=\"number\">0.7500</td>",
                      "<td>c3</td><td>theirs</td><td class=\"number\">-</td>", "It is no score"}));
  BOOST_TEST(in_order(html, {"Volume of each class", "<td>c3</td><td>ours</td><td class=\"number\">0.13</td>",
                             "<td>c3</td><td>theirs</td><td class=\"number\">-</td>"}));
  BOOST_TEST(html.find("All runs show the same cases. Slices are chosen by the mask of ours, or of the next run") !=
             std::string::npos);
  BOOST_TEST(in_order(html, {"<h5>Axial", "<figcaption>ours</figcaption>", "<figcaption>theirs</figcaption>", "<h5>"}));
  label_volume other = mask(1);
  other.geometry.affine[0][3] = 70;
  write_nifti(work / "theirs/predictions/c0.nii.gz", other);
  BOOST_CHECK_EXCEPTION(app::report(without_labels({"ours", "theirs"})), geometry_error, [](const auto& e) {
    const std::string words = e.what();
    return words.find("theirs/predictions/c0.nii.gz: origin") != std::string::npos &&
           words.ends_with("ours/predictions/c0.nii.gz)");
  });
}

BOOST_FIXTURE_TEST_CASE(without_labels_images_and_maps_lie_on_the_grid_of_the_mask, folders) {
  image_volume other{{{8, 8, 8}, {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}}}, std::vector<float>(512, 1)};
  write_nifti(work / "imagesTs/c1_0001.nii.gz", other);
  write_nifti(work / "ours/predictions/uncertainty/c1.nii.gz", other);
  std::vector<std::string> warnings;
  auto r = without_labels({"ours"});
  r.cases = 5;
  const std::string html = page(r, &warnings);
  expect_no_truth(html);
  BOOST_REQUIRE(warnings.size() == 3u);
  const std::string size = ": size 8 x 8 x 8, expected 16 x 14 x 12";
  const std::string begin[] = {"uncertainty/c1.nii.gz: does not order the cases", "uncertainty/c1.nii.gz: is not shown",
                               "c1_0001.nii.gz: is not shown"};
  for (std::size_t w = 0; w < 3; ++w) BOOST_TEST(warnings[w].find(begin[w] + size) != std::string::npos, warnings[w]);
  BOOST_TEST(warnings[0].ends_with(" (the grid of its mask)"));
  BOOST_TEST(warnings[1].ends_with(" (the grid of the mask of ours)"));
  BOOST_TEST(html.find("Case c1</h3>") > html.find("Case c3 <span"));
}

BOOST_FIXTURE_TEST_CASE(masks_of_anybody_without_labels, folders) {
  fs::create_directories(work / "elsewhere/rater");
  for (const auto& id : ids) write_nifti(work / "elsewhere/rater" / (id + ".nii.gz"), mask(1));
  auto r = without_labels({"elsewhere/rater"});
  const std::string beside = page(r);  // dataset.json lies beside the images
  expect_no_truth(beside);
  BOOST_TEST(beside.find("<figcaption>rater</figcaption>") != std::string::npos);
  BOOST_TEST(beside.find("core [ml]") != std::string::npos);
  fs::remove(work / "dataset.json");
  BOOST_CHECK_EXCEPTION(app::report(r), io_error, [](const auto& e) {
    return std::string(e.what()).find("name a dataset.json with --dataset") != std::string::npos;
  });
  r.dataset = work / "named.json";
  std::ofstream(r.dataset) << R"({"channel_names": {"0": "T1", "1": "FLAIR"},
    "labels": {"background": 0, "lesion": 1}, "numTraining": 1, "file_ending": ".nii.gz"})";
  const std::string named = page(r);
  expect_no_truth(named);
  BOOST_TEST(named.find("lesion [ml]") != std::string::npos);
  for (const auto& id : ids) fs::remove(work / "elsewhere/rater" / (id + ".nii.gz"));
  BOOST_CHECK_EXCEPTION(app::report(r), io_error, [](const auto& e) {
    return std::string(e.what()).find("rater: there is nothing to show: it holds no mask") != std::string::npos;
  });
}

BOOST_FIXTURE_TEST_CASE(what_is_about_scores_needs_labels, folders) {
  const auto refused = [&](const app::report_request& r, const std::string& option) {
    BOOST_CHECK_EXCEPTION(app::report(r), config_error, [&](const auto& e) {
      return std::string(e.what()).starts_with("report: " + option + " is about scores, and without --labels");
    });
    BOOST_TEST(!fs::exists(r.file));
  };
  auto r = without_labels({"ours", "theirs"});
  r.common = true;
  refused(r, "--common");
  r.common = false;
  r.options.unit = length_unit::voxel;
  refused(r, "--unit");
}

BOOST_FIXTURE_TEST_CASE(a_long_table_of_volumes_is_folded, folders) {
  app_detail::unlabelled_cases found;
  found.classes = {{"core", {1}}};
  for (std::size_t c = 0; c < app_detail::most_open_rows; ++c)
    found.cases.push_back({text("c", c), {{1.0}}, {{std::nan("")}}});
  const auto folded = [&] {
    html_report html("x");
    app_detail::add_volumes(html, found, {"ours"});
    return html.to_string().find("<details>") != std::string::npos;
  };
  BOOST_TEST(!folded());
  found.cases.push_back(found.cases[0]);
  BOOST_TEST(folded());
}

BOOST_AUTO_TEST_CASE(curves_mean_what_they_say) {
  std::vector<series> log;
  for (const char* name :
       {"rate", "loss", "supervised", "aligned", "skipped", "gradient_norm.student", "validation.dice",
        "validation.hd95", "reliability.fused", "reliability.branch1", "reliability.branch7"})
    log.push_back({name, {10, 20}, {0.5, 0.25}});
  const auto plots = app_detail::plots_of(log, {"T1", "FLAIR"});
  const auto plot = [&](const std::string& title) {
    const auto at = std::find_if(plots.begin(), plots.end(), [&](const auto& p) { return p.title.starts_with(title); });
    BOOST_REQUIRE(at != plots.end());
    return *at;
  };
  BOOST_TEST(plots.size() == 7u);
  BOOST_TEST(plot("Losses").curves.size() == 2u);
  BOOST_TEST(plot("Losses").note.find("running mean over 9 logged steps") != std::string::npos);
  BOOST_TEST(plot("Dice on validation").curves.size() == 1u);
  BOOST_TEST(plot("Other validation").curves[0].name == "hd95");
  BOOST_TEST(plot("Norm of").log_y);
  BOOST_TEST(plot("Cosine").curves[0].name == "of the same cell");
  const auto trained = plot("Soft Dice");
  BOOST_TEST(trained.curves[0].name == "fused");
  BOOST_TEST(trained.curves[1].name == "branch FLAIR");
  BOOST_TEST(trained.curves[2].name == "branch 0007");
  BOOST_TEST(std::abs(trained.curves[0].y[0] - 0.5) < 1e-12);  // at its start: nothing has changed
  BOOST_TEST(trained.curves[0].y[1] == 0);                     // fell faster than it can: clamped
  BOOST_TEST(app_detail::duration_words(4.52) == "4.5 s");
  BOOST_TEST(app_detail::duration_words(123) == "2 min 3 s");
}
