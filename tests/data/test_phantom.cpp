// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_phantom
#include <comodal/data/phantom.hpp>

#include <boost/test/unit_test.hpp>

#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

namespace comodal::tests {
namespace {

namespace fs = std::filesystem;

/// A folder that is removed with everything in it.
struct scratch_folder {
  fs::path path = fs::temp_directory_path() / ("comodal_phantom_" + std::to_string(::getpid()));
  scratch_folder() { fs::remove_all(path); }
  ~scratch_folder() { fs::remove_all(path); }
};

phantom_options tiny() {
  phantom_options o;
  o.grid = {24, 24, 16};
  o.spacing = {6, 6, 8};
  o.labelled = 2;
  o.unlabelled = 5;
  o.test = 6;
  o.missing = 0.6;
  return o;
}

std::set<std::string> names(const fs::path& folder) {
  std::set<std::string> result;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) result.insert(fs::relative(entry.path(), folder).string());
  return result;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_cohort_has_the_layout_and_hides_labels) {
  const scratch_folder scratch;
  const phantom_options o = tiny();
  write_phantom_cohort(scratch.path, o, 3);
  const auto files = names(scratch.path);
  std::set<std::string> expected{"dataset.json"};
  std::size_t missing = 0;
  for (index c = 0; c < 13; ++c) {
    const bool labelled = c < 2, test = c >= 7;
    const index number = test ? 5000 + c - 7 : c;
    const std::string name = phantom_case_name(number);
    const phantom_case made = make_phantom_case(o, 3, static_cast<std::uint32_t>(number));
    expected.insert((test ? "labelsTs/" : labelled ? "labelsTr/" : "labelsUn/") + name + ".nii.gz");
    for (std::size_t m = 0; m < 4; ++m) {
      const std::string image = (test ? "imagesTs/" : "imagesTr/") + name + "_000" + std::to_string(m) + ".nii.gz";
      if (labelled || made.present[m]) {
        expected.insert(image);
        const image_volume read = read_nifti(scratch.path / image);
        BOOST_TEST(read.values == made.images[m].values);
        BOOST_TEST((read.geometry.size == o.grid));
        for (std::size_t a = 0; a < 3; ++a)
          for (std::size_t b = 0; b < 4; ++b)
            BOOST_TEST(std::abs(read.geometry.affine[a][b] - made.images[m].geometry.affine[a][b]) < 1e-3);
      } else {
        ++missing;
      }
    }
  }
  BOOST_TEST(missing > 0);
  BOOST_TEST(files == expected, boost::test_tools::per_element());
  BOOST_TEST(read_nifti_labels(scratch.path / "labelsTr/phantom_0001.nii.gz").values ==
             make_phantom_case(o, 3, 1).labels.values);

  std::ifstream in(scratch.path / "dataset.json");
  const auto json = nlohmann::json::parse(in);
  BOOST_TEST(json["channel_names"]["0"] == "FLAIR");
  BOOST_TEST(json["channel_names"]["1"] == "T1");
  BOOST_TEST(json["channel_names"]["2"] == "T1ce");
  BOOST_TEST(json["channel_names"]["3"] == "T2");
  BOOST_TEST(json["labels"]["background"] == 0);
  BOOST_TEST(json["labels"]["necrotic core"] == 1);
  BOOST_TEST(json["labels"]["oedema"] == 2);
  BOOST_TEST(json["labels"]["enhancing rim"] == 3);
  BOOST_TEST(json["numTraining"] == 2);
  BOOST_TEST(json["file_ending"] == ".nii.gz");
  BOOST_TEST(json["phantom"]["seed"] == 3);
  BOOST_TEST(json["phantom"]["missing"] == 0.6);
  BOOST_TEST(json["phantom"]["grid"][2] == 16);
}

BOOST_AUTO_TEST_CASE(oedema_may_be_annotated_in_a_part_of_the_cases) {
  const scratch_folder scratch;
  phantom_options o = tiny();
  o.labelled = 4;
  o.unlabelled = 1;
  o.test = 1;
  write_phantom_cohort(scratch.path / "full", o, 3);
  o.oedema_labelled = 0.34;  // cases 0 and 2
  write_phantom_cohort(scratch.path / "part", o, 3);
  auto expected = names(scratch.path / "full");
  for (const char* file : {"partial.json", "labelsUn/phantom_0001.nii.gz", "labelsUn/phantom_0003.nii.gz"})
    expected.insert(file);
  BOOST_TEST(names(scratch.path / "part") == expected, boost::test_tools::per_element());
  for (index c = 0; c < 4; ++c) {
    const std::string file = phantom_case_name(c) + ".nii.gz";
    const auto truth = read_nifti_labels(scratch.path / "full/labelsTr" / file).values;
    auto without = truth;
    std::replace(without.begin(), without.end(), std::uint8_t{2}, std::uint8_t{0});
    BOOST_TEST((without != truth));
    BOOST_TEST((read_nifti_labels(scratch.path / "part/labelsTr" / file).values == (c % 2 == 0 ? truth : without)));
    if (c % 2 == 1) BOOST_TEST((read_nifti_labels(scratch.path / "part/labelsUn" / file).values == truth));
  }
  const auto read = [&](const char* file) {
    std::ifstream in(scratch.path / file);
    return nlohmann::json::parse(in);
  };
  BOOST_TEST(read("part/partial.json") == nlohmann::json::parse(R"({"phantom_0001": ["necrotic core", "enhancing rim"],
                                       "phantom_0003": ["necrotic core", "enhancing rim"]})"));
  BOOST_TEST(read("part/dataset.json")["phantom"]["oedema_labelled"] == 0.34);
  // A cohort without partial labels has the bytes that it had before there were any.
  BOOST_TEST(!read("full/dataset.json")["phantom"].contains("oedema_labelled"));
}

BOOST_AUTO_TEST_CASE(oedema_is_annotated_in_the_first_of_every_few_cases) {
  const auto cases = [](double fraction) {
    phantom_options o;
    o.oedema_labelled = fraction;
    std::string list;
    for (index c = 0; c < 10; ++c) list += phantom_oedema_labelled(o, c) ? '1' : '0';
    return list;
  };
  BOOST_TEST(cases(1) == "1111111111");
  BOOST_TEST(cases(0) == "0000000000");
  BOOST_TEST(cases(0.25) == "1000100010");
  BOOST_TEST(cases(0.1) == "1000000000");
  BOOST_TEST(cases(0.7) == "1110110110");
}

BOOST_AUTO_TEST_CASE(files_do_not_depend_on_threads_or_cohort_size) {
  const scratch_folder scratch;
  phantom_options o = tiny();
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  write_phantom_cohort(scratch.path / "one", o, 3);
  omp_set_num_threads(4);
  write_phantom_cohort(scratch.path / "four", o, 3);
  o.unlabelled = 7;
  o.test = 3;
  write_phantom_cohort(scratch.path / "other", o, 3);
  omp_set_num_threads(threads);
  const auto one = names(scratch.path / "one"), other = names(scratch.path / "other");
  BOOST_TEST((one == names(scratch.path / "four")));
  std::size_t shared = 0;
  for (const std::string& name : one) {
    const auto bytes = read_file(scratch.path / "one" / name);
    BOOST_TEST((bytes == read_file(scratch.path / "four" / name)), name);
    if (name == "dataset.json" || !other.contains(name)) continue;
    BOOST_TEST((bytes == read_file(scratch.path / "other" / name)), name);
    ++shared;
  }
  BOOST_TEST(shared >= 2u * 5 + 8 * 4);
}

BOOST_AUTO_TEST_CASE(an_occupied_folder_is_left_alone) {
  const scratch_folder scratch;
  fs::create_directories(scratch.path);
  std::ofstream(scratch.path / "mine.txt") << "mine";
  BOOST_CHECK_THROW(write_phantom_cohort(scratch.path, tiny(), 1), io_error);
  BOOST_CHECK_THROW(write_phantom_cohort(scratch.path / "mine.txt", tiny(), 1), io_error);
  BOOST_CHECK_THROW(write_phantom_cohort(scratch.path / "mine.txt" / "below", tiny(), 1), io_error);
  BOOST_TEST(names(scratch.path).size() == 1u);
}

BOOST_AUTO_TEST_CASE(names_sort_by_number) {
  BOOST_TEST(phantom_case_name(7) == "phantom_0007");
  BOOST_TEST(phantom_case_name(phantom_first_test) == "phantom_5000");
  BOOST_TEST(phantom_case_name(12345) == "phantom_12345");
}

}  // namespace comodal::tests
