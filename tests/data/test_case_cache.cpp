// SPDX-License-Identifier: Apache-2.0
// A folder of prepared cases: what comes back is what was prepared, crops are the same bytes, and what has changed, is
// damaged or is made by two at once is prepared anew, once.
#define BOOST_TEST_MODULE data_case_cache
#include <comodal/data/batch_maker.hpp>
#include <comodal/data/case_cache.hpp>
#include <comodal/data/prepared_case.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstring>
#include <thread>

namespace comodal::tests {
namespace {

// Three labelled and two unlabelled cases of two modalities, one of them absent in one case.
struct study {
  test::folder folder{"cache"};
  cohort data;
  prepare_options options;

  study() {
    std::filesystem::create_directories(folder / "DATA");
    const affine3x4 odd{{{0, 0, 2, -3}, {-1, 0.1, 0, 4}, {0.1, -1, 0, 5}}};
    data.labels = {{"background", {0}}, {"core", {1}}, {"rim", {2}}};
    options.labels = data.labels;
    for (std::uint32_t i = 0; i < 5; ++i) {
      case_files files{text("case_", i), {}};
      for (std::uint32_t m = 0; m < 2; ++m) {
        files.images.emplace_back(
            i == 3 && m == 1 ? image_source() : image_source(folder / text("DATA/case_", i, "_000", m, ".nii.gz")));
        if (files.present(m)) write_nifti(files.images[m].path, test::image(10 * i + m, odd));
      }
      if (i >= 3) {
        data.unlabelled.push_back({files});
        continue;
      }
      const auto label = folder / text("DATA/case_", i, ".nii.gz");
      write_nifti(label, test::label(static_cast<std::uint8_t>(1 + i % 2), odd));
      data.labelled.push_back({files, label});
    }
  }
  [[nodiscard]] std::filesystem::path cache() const { return folder / "cache"; }
};

template <class T>
bool same_bytes(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

std::vector<std::filesystem::path> files_of(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> out;
  for (const auto& one : visible_entries(folder))
    if (one.extension() == ".case") out.push_back(one);
  return out;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(what_comes_back_is_what_was_prepared, study) {
  const case_cache cache(this->cache());
  for (const labelled_case& one : data.labelled) {
    const labelled_case_data expected = prepare_case(one, options);
    BOOST_TEST(!cache.find(one, options));
    const auto made = cache.get(one, options);
    const auto found = cache.find(one, options);
    BOOST_REQUIRE(found);
    for (const auto& file : {made, found}) {
      const case_data read = file->read();
      BOOST_TEST(read.id == expected.data.id);
      BOOST_TEST((read.present == expected.data.present));
      BOOST_TEST(read.checksum == expected.data.checksum);
      BOOST_TEST(same_grid(read.preparation.prepared(), expected.data.preparation.prepared()));
      BOOST_TEST(same_grid(file->header().canonical, expected.data.preparation.canonical()));
      BOOST_TEST((read.warnings == expected.data.warnings));
      for (std::size_t m = 0; m < read.images.size(); ++m)
        BOOST_TEST(same_bytes(read.images[m].values, expected.data.images[m].values));
      BOOST_TEST(same_bytes(file->read_label().values, expected.label.values));
    }
  }
  const auto unlabelled = cache.get(data.unlabelled[0], options);
  BOOST_TEST(!unlabelled->header().labelled);
  BOOST_CHECK_EXCEPTION((void)unlabelled->label(), io_error, test::says("has no array label"));
}

BOOST_FIXTURE_TEST_CASE(warnings_come_back, study) {
  image_volume flat = read_nifti(data.labelled[0].files.images[1].path);
  std::fill(flat.values.begin(), flat.values.end(), 3.f);
  write_nifti(data.labelled[0].files.images[1].path, flat);
  const auto expected = prepare_case(data.labelled[0], options).data.warnings;
  BOOST_REQUIRE(!expected.empty());
  BOOST_TEST((case_cache(cache()).get(data.labelled[0], options)->read().warnings == expected));
}

BOOST_FIXTURE_TEST_CASE(crops_are_the_same_bytes, study) {
  const case_cache cache(this->cache());
  std::vector<prepared_case> in_memory, in_files;
  for (const labelled_case& one : data.labelled) {
    in_memory.emplace_back(prepare_case(one, options));
    in_files.emplace_back(cache.get(one, options));
    BOOST_TEST(in_memory.back().id() == in_files.back().id());
    for (const int v : {1, 2, 9}) BOOST_TEST(in_memory.back().holds(v) == in_files.back().holds(v));
    BOOST_TEST(in_files.back().memory() == 0);
    BOOST_TEST(in_memory.back().memory() > 0);
  }
  for (const unlabelled_case& one : data.unlabelled) {
    in_memory.emplace_back(prepare_case(one, options));
    in_files.emplace_back(cache.get(one, options));
  }
  batch_options o;
  o.patch_size = {8, 12, 10};
  const auto maker = [&](const std::vector<prepared_case>& cases) {
    std::vector<labelled_training_case> labelled;
    std::vector<unlabelled_training_case> unlabelled;
    for (std::size_t i = 0; i < cases.size(); ++i)
      if (i < data.labelled.size())
        labelled.push_back(cases[i].labelled_crops({}, {}));
      else
        unlabelled.push_back(cases[i].unlabelled_crops());
    return batch_maker<>(o, labelled, unlabelled, 7);
  };
  const auto a = maker(in_memory), b = maker(in_files);
  for (std::uint32_t step = 0; step < 12; ++step) {
    const step_batch x = a.make(step), y = b.make(step);
    for (const auto part : {&step_batch::labelled, &step_batch::weak, &step_batch::strong}) {
      for (std::size_t m = 0; m < (x.*part).images.size(); ++m)
        BOOST_TEST(same_bytes((x.*part).images[m], (y.*part).images[m]));
      BOOST_TEST(same_bytes((x.*part).labels, (y.*part).labels));
      BOOST_TEST(same_bytes((x.*part).present, (y.*part).present));
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_changed_file_or_option_is_prepared_anew, study) {
  const case_cache cache(this->cache());
  auto work = cached_cases(cache, data.labelled, options);
  BOOST_TEST(work.made == data.labelled.size());
  BOOST_TEST(cached_cases(cache, data.labelled, options).made == 0u);
  prepare_options other = options;
  other.margin = 2;
  BOOST_TEST(cached_cases(cache, data.labelled, other).made == data.labelled.size());
  other = options;
  other.spacing = {2, 2, 0};
  BOOST_TEST(cached_cases(cache, data.labelled, other).made == data.labelled.size());
  // An image of one case.
  const auto image = data.labelled[1].files.images[0].path;
  std::filesystem::last_write_time(image, std::filesystem::last_write_time(image) + std::chrono::seconds(5));
  BOOST_TEST(cached_cases(cache, data.labelled, options).made == 1u);
  // The label of another.
  const auto label = data.labelled[2].label.path;
  std::filesystem::last_write_time(label, std::filesystem::last_write_time(label) + std::chrono::seconds(5));
  BOOST_TEST(cached_cases(cache, data.labelled, options).made == 1u);
  // A class that is not declared any more makes the label wrong: that must be told, not hidden.
  other = options;
  other.labels.pop_back();
  BOOST_CHECK_EXCEPTION((void)cached_cases(cache, data.labelled, other), io_error, test::says("declared are"));
}

BOOST_FIXTURE_TEST_CASE(what_is_damaged_is_noticed, study) {
  const case_cache cache(this->cache());
  (void)cache.get(data.labelled[0], options);
  const auto file = files_of(this->cache()).at(0);
  const auto whole = read_file(file);
  const auto with = [&](std::size_t at, int change) {
    byte_buffer bytes = whole;
    bytes.at(at) = static_cast<unsigned char>(bytes.at(at) ^ change);
    write_file(file, bytes);
  };
  // In the header: it is made anew.
  with(400, 1);
  BOOST_TEST(!cache.find(data.labelled[0], options));
  (void)cache.get(data.labelled[0], options);
  BOOST_TEST((read_file(file) == whole));
  // In the volumes: noticed when they are opened.
  with(whole.size() - 1, 1);
  const auto damaged = cache.find(data.labelled[0], options);
  BOOST_REQUIRE(damaged);
  BOOST_CHECK_EXCEPTION((void)damaged->images(), io_error, test::says("check sum"));
  BOOST_CHECK_EXCEPTION((void)damaged->images(), io_error, test::says("remove the file"));
  // Cut short after it was found.
  write_file(file, whole);
  const auto found = cache.find(data.labelled[0], options);
  write_file(file, {whole.data(), whole.size() - 5});
  BOOST_CHECK_EXCEPTION((void)found->images(), io_error, test::says("expected"));
  BOOST_TEST(!cache.find(data.labelled[0], options));
}

BOOST_FIXTURE_TEST_CASE(two_at_once_share_the_work, study) {
  std::array<cache_work, 2> work;
  {
    std::array<std::jthread, 2> both;
    for (std::size_t t = 0; t < 2; ++t)
      both[t] = std::jthread([&, t] { work[t] = cached_cases(case_cache(this->cache()), data.labelled, options); });
  }
  for (const auto& one : work)
    for (std::size_t c = 0; c < data.labelled.size(); ++c)
      BOOST_TEST(same_bytes(one.cases.at(c)->read_label().values, work[0].cases.at(c)->read_label().values));
  BOOST_TEST(files_of(this->cache()).size() == data.labelled.size());
  BOOST_TEST(work[0].made + work[1].made == data.labelled.size());
  for (const auto& entry : std::filesystem::directory_iterator(this->cache()))
    BOOST_TEST(entry.path().filename().string().find("partial") == std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(bad_cases_are_told_together_and_the_work_can_be_stopped, study) {
  const case_cache cache(this->cache());
  cohort bad = data;
  for (const int i : {0, 2}) write_file(bad.labelled[static_cast<std::size_t>(i)].label.path, byte_buffer(10));
  BOOST_CHECK_EXCEPTION((void)cached_cases(cache, bad.labelled, options), io_error, [&](const io_error& failure) {
    const std::string words = failure.what();
    return words.find(bad.labelled[0].label.path.string()) != std::string::npos &&
           words.find(bad.labelled[2].label.path.string()) != std::string::npos;
  });
  BOOST_TEST(files_of(this->cache()).size() == 1u);
  index told = 0;
  const auto stopped = cached_cases(cache, data.unlabelled, options,
                                    {[&](index, index, const std::string&) { ++told; }, [] { return true; }});
  BOOST_TEST(!stopped.finished);
  const auto done = cached_cases(cache, data.unlabelled, options,
                                 {[&](index, index all, const std::string&) {
                                    ++told;
                                    BOOST_TEST(all == static_cast<index>(data.unlabelled.size()));
                                  },
                                  [] { return false; }});
  BOOST_TEST(done.finished);
  BOOST_TEST(told > 0);
}

BOOST_FIXTURE_TEST_CASE(a_folder_of_something_else_is_refused, study) {
  BOOST_CHECK_EXCEPTION(case_cache(folder / "DATA"), config_error, test::says("something else"));
  labelled_case memory = data.labelled[0];
  memory.files.images[0] = image_source(volume_view(read_nifti(memory.files.images[0].path)));
  BOOST_CHECK_EXCEPTION((void)case_cache(cache()).get(memory, options), io_error, test::says("in memory"));
  memory = data.labelled[0];
  memory.label = image_source(volume_view(read_nifti_labels(memory.label.path)));
  BOOST_CHECK_EXCEPTION((void)case_cache(cache()).find(memory, options), io_error,
                        test::says("its label lies in memory"));
}

}  // namespace comodal::tests
