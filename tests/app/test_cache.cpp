// SPDX-License-Identifier: Apache-2.0
// Training from a cache of prepared cases: the same bytes as from memory, prepared once, in little memory.
#define BOOST_TEST_MODULE app_cache
#include <boost/test/unit_test.hpp>

#include <app/tiny_job.hpp>

namespace comodal::tests {

namespace {

std::size_t cached(const fs::path& folder) {
  std::size_t count = 0;
  for (const auto& one : visible_entries(folder)) count += one.extension() == ".case";
  return count;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_run_from_the_cache_has_the_same_bytes, tiny_job) {
  for (const std::string normalise : {"head", "ct"}) {
    e.normalise = {normalise};
    e.cache.clear();
    (void)app::train(e, work / ("memory_" + normalise), false, names);
    e.cache = (work / "cache").string();
    seen first, second;
    (void)app::train(e, work / ("cached_" + normalise), false, names, first.watch());
    const std::size_t files = cached(e.cache);
    (void)app::train(e, work / ("again_" + normalise), false, names, second.watch());
    BOOST_TEST(cached(e.cache) == files);
    // Cases are told while they are prepared, and need not be when they are there.
    const auto cases = [](const seen& one) {
      return std::count_if(one.progress.begin(), one.progress.end(), [](const auto& at) { return at.unit == "case"; });
    };
    BOOST_TEST(cases(first) > 0);
    BOOST_TEST(cases(second) == 0);
    for (const char* run : {"cached_", "again_"})
      for (const char* file : {"model.safetensors", "best.safetensors", "log.jsonl"})
        BOOST_TEST((read_file(work / (run + normalise) / file) == read_file(work / ("memory_" + normalise) / file)),
                   file);
  }
  BOOST_TEST(cached(e.cache) == 2u * 5u);
  std::size_t statistics = 0;  // of each modality
  for (const auto& one : visible_entries(e.cache)) statistics += one.filename().string().starts_with("statistics-");
  BOOST_TEST(statistics == 4u);
}

BOOST_FIXTURE_TEST_CASE(a_run_may_go_on_with_another_place_of_its_cases, tiny_job) {
  e.cache = (work / "cache").string();
  seen stop;
  stop.cancel_at = 4;
  const auto watch = stop.watch();
  app::observer after_reading = watch;
  after_reading.progress = [&](const app::work_progress& at) {
    if (at.unit == "step") stop.progress.push_back(at);
  };
  BOOST_TEST(!app::train(e, work / "run", false, names, after_reading).result.finished);
  e.cache.clear();
  BOOST_TEST(app::train(e, work / "run", true, names).result.finished);
  (void)app::train(e, work / "whole", false, names);
  BOOST_TEST((read_file(work / "run/model.safetensors") == read_file(work / "whole/model.safetensors")));
  // A label that has changed is another case, in whatever place.
  seen again;
  again.cancel_at = 2;
  e.cache = (work / "cache").string();
  app::observer few = again.watch();
  few.progress = [&](const app::work_progress& at) {
    if (at.unit == "step") again.progress.push_back(at);
  };
  (void)app::train(e, work / "other", false, names, few);
  const auto label = work / "cohort/labelsTr/phantom_0000.nii.gz";
  auto map = read_nifti_labels(label);
  map.values[map.values.size() / 2] = 1;
  write_nifti(label, map);
  BOOST_CHECK_EXCEPTION((void)app::train(e, work / "other", true, names), io_error, says("has changed its images"));
}

BOOST_FIXTURE_TEST_CASE(prepare_prepares_once_and_can_be_stopped, tiny_job) {
  BOOST_CHECK_EXCEPTION((void)app::prepare(e, names), config_error, says("data.cache is not set"));
  e.cache = (work / "cache").string();
  app::observer at_once;
  at_once.cancelled = [] { return true; };
  const auto stopped = app::prepare(e, names, at_once);
  BOOST_TEST(!stopped.finished);
  const auto all = app::prepare(e, names);
  BOOST_TEST(all.finished);
  BOOST_TEST(all.cases == 5u);
  BOOST_TEST(all.made == 5u);
  BOOST_TEST(all.bytes > 5 * 4 * 4 * 1000.0);
  BOOST_TEST(app::prepare(e, names).made == 0u);
  BOOST_TEST(!app::train(e, work / "run", false, names, at_once).begun);
  e.cache = (work / "cohort").string();
  BOOST_CHECK_EXCEPTION((void)app::prepare(e, names), config_error, says("name a new folder"));
}

BOOST_FIXTURE_TEST_CASE(every_bad_case_is_told, tiny_job) {
  e.cache = (work / "cache").string();
  fs::resize_file(work / "cohort/imagesTr/phantom_0000_0001.nii.gz", 300);
  fs::resize_file(work / "cohort/imagesTr/phantom_0002_0000.nii.gz", 300);  // of the validation
  const auto told = [](const io_error& failure) {
    const std::string words = failure.what();
    return words.find("phantom_0000_0001") != std::string::npos && words.find("phantom_0002_0000") != std::string::npos;
  };
  BOOST_CHECK_EXCEPTION((void)app::train(e, work / "run", false, names), io_error, told);
  e.cache.clear();
  BOOST_CHECK_EXCEPTION((void)app::train(e, work / "run", false, names), io_error, told);
}

}  // namespace comodal::tests
