// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_folder
#include <comodal/core/file_lock.hpp>
#include <comodal/data/append_file.hpp>
#include <comodal/data/folder.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/resource.h>

#include <csignal>

namespace comodal::tests {

namespace fs = std::filesystem;

BOOST_AUTO_TEST_CASE(hidden_entries_are_left_out_and_the_rest_is_sorted) {
  const test::folder folder("entries");
  for (const char* name : {"b.nii", "._b.nii", ".DS_Store", "a.nii", "c"}) test::write_text(folder / name, "");
  std::vector<std::string> names;
  for (const auto& entry : visible_entries(folder.path())) names.push_back(entry.filename().string());
  BOOST_TEST(names == (std::vector<std::string>{"a.nii", "b.nii", "c"}), boost::test_tools::per_element());
  BOOST_CHECK_EXCEPTION(static_cast<void>(visible_entries(folder / "none")), io_error, test::says("cannot be listed"));
}

BOOST_AUTO_TEST_CASE(folders_are_made_or_refused_in_words) {
  const test::folder folder("make");
  make_folder(folder / "a/b/c");
  make_folder(folder / "a/b/c");
  BOOST_TEST(fs::is_directory(folder / "a/b/c"));
  test::write_text(folder / "file", "");
  for (const auto& place : {folder / "file", folder / "file/below"}) {
    BOOST_CHECK_EXCEPTION(make_folder(place), io_error, test::says(place.string() + ": this folder cannot be made"));
    BOOST_CHECK_EXCEPTION(expect_writable(place), io_error, test::says(place.string() + ": cannot be written"));
  }
  expect_writable(folder / "x/y/z");
  BOOST_TEST(!fs::exists(folder / "x"));
  BOOST_CHECK_THROW(make_folder("/proc/comodal/x"), io_error);
}

BOOST_AUTO_TEST_CASE(what_a_killed_program_left_is_removed) {
  const test::folder folder("partial");
  for (const char* name : {"a.nii.gz.partial-7-0", "b.nii.gz.partial-8-1", "a.nii.gz"})
    test::write_text(folder / name, "");
  remove_partial_files(folder.path(), "a.nii.gz");
  BOOST_TEST(!fs::exists(folder / "a.nii.gz.partial-7-0"));
  BOOST_TEST(fs::exists(folder / "b.nii.gz.partial-8-1"));
  remove_partial_files(folder.path());
  BOOST_TEST(!fs::exists(folder / "b.nii.gz.partial-8-1"));
  BOOST_TEST(fs::exists(folder / "a.nii.gz"));
  remove_partial_files(folder / "none");
}

// A limit of the file's size stands for a disk that is full for a while.
BOOST_AUTO_TEST_CASE(a_disk_that_is_full_for_a_while_loses_no_word) {
  const test::folder folder("append");
  struct sigaction ignore{}, before{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGXFSZ, &ignore, &before);
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  append_file file(folder / "log");
  BOOST_TEST(file.write("first\n"));
  const rlimit small{10, limit.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  BOOST_TEST(!file.write("second\n"));
  BOOST_TEST(!file.write("third\n"));
  BOOST_TEST(file.problem().find("log: cannot be written (") != std::string::npos, file.problem());
  setrlimit(RLIMIT_FSIZE, &limit);
  BOOST_TEST(file.write("fourth\n"));
  sigaction(SIGXFSZ, &before, nullptr);
  const auto bytes = read_file(folder / "log");
  BOOST_TEST(std::string(bytes.begin(), bytes.end()) == "first\nsecond\nthird\nfourth\n");
  append_file again(folder / "log");
  BOOST_TEST(again.size() == bytes.size());
  BOOST_CHECK_THROW(append_file(folder / "none/log"), io_error);
}

BOOST_AUTO_TEST_CASE(a_lock_is_one_processs_or_shared) {
  const test::folder folder("locks");
  {
    const file_lock alone(folder / "lock");
    BOOST_TEST(alone.taken());
    BOOST_TEST(!file_lock(folder / "lock").taken());
    BOOST_TEST(!file_lock(folder / "lock", file_lock::kind::shared).taken());
  }
  const file_lock one(folder / "lock", file_lock::kind::shared), two(folder / "lock", file_lock::kind::shared);
  BOOST_TEST((one.taken() && two.taken()));
  BOOST_TEST(!file_lock(folder / "lock").taken());
  BOOST_TEST(file_lock::waiting(folder / "lock", file_lock::kind::shared)->taken());
}

}  // namespace comodal::tests
