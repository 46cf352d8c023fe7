// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_file
#include <comodal/data/file.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

namespace comodal::tests {
namespace {

byte_buffer bytes(std::size_t count) {
  byte_buffer b(count);
  random_stream random(1, random_purpose::test);
  for (auto& v : b) v = static_cast<unsigned char>(random.below(7));
  return b;
}

}  // namespace

BOOST_AUTO_TEST_CASE(gzip_round_trip) {
  for (const std::size_t count : {0UL, 1UL, 1000UL, 3000000UL}) {
    const byte_buffer plain = bytes(count), packed = gzip(plain);
    BOOST_CHECK(is_gzip(packed));
    BOOST_CHECK(gunzip(packed, "x") == plain);
    BOOST_CHECK(gzip(plain) == packed);
  }
}

BOOST_AUTO_TEST_CASE(several_members_are_one_file) {
  const byte_buffer one = bytes(500), two = bytes(70000);
  byte_buffer packed = gzip(one), second = gzip(two), both = one;
  packed.insert(packed.end(), second.begin(), second.end());
  both.insert(both.end(), two.begin(), two.end());
  BOOST_CHECK(gunzip(packed, "x") == both);
  packed.insert(packed.end(), 512, 0);  // a tape's padding
  BOOST_CHECK(gunzip(packed, "x") == both);
  packed.back() = 1;
  BOOST_CHECK_EXCEPTION(static_cast<void>(gunzip(packed, "x")), io_error, test::says("foreign bytes"));
}

BOOST_AUTO_TEST_CASE(a_stream_is_unpacked_as_far_as_was_asked_for_and_a_byte_more) {
  const byte_buffer plain = bytes(300000), packed = gzip(plain);
  for (const std::size_t most : {0UL, 1UL, 540UL, 299999UL, 300000UL, 400000UL}) {
    const byte_buffer kept = gunzip(packed, "x", most);
    const auto count = static_cast<long>(std::min(most + 1, plain.size()));
    BOOST_TEST((kept == byte_buffer(plain.begin(), plain.begin() + count)));
  }
  // Members before the one that matters may be empty, or shorter than what is asked for.
  byte_buffer members = gzip({});
  for (const byte_buffer& part : {gzip({plain.data(), 100}), gzip({plain.data() + 100, plain.size() - 100})})
    members.insert(members.end(), part.begin(), part.end());
  BOOST_TEST((gunzip_front(members, 540) == byte_buffer(plain.begin(), plain.begin() + 540)));
  BOOST_TEST((gunzip_front(packed, 540) == byte_buffer(plain.begin(), plain.begin() + 540)));
  BOOST_TEST((gunzip_front(packed, 400000) == plain));
  BOOST_TEST(gunzip_front({}, 540).empty());
  // What is asked for is verified.
  byte_buffer bad = packed;
  bad[bad.size() - 6] ^= 1;
  BOOST_CHECK_EXCEPTION(static_cast<void>(gunzip(bad, "x", 300000)), io_error, test::says("x: damaged gzip file"));
  // 64 MiB of zeros: memory for 1000 bytes is enough.
  const byte_buffer bomb = gzip(byte_buffer(std::size_t{1} << 26));
  BOOST_TEST(gunzip(bomb, "x", 1000).capacity() < 100000u);
}

BOOST_AUTO_TEST_CASE(a_link_is_written_through) {
  const test::folder work("links");
  std::filesystem::create_directory(work / "there");
  std::filesystem::create_symlink("there/file", work / "near");
  std::filesystem::create_symlink("near", work / "far");
  write_text(work / "far", "first");  // makes the file
  write_text(work / "near", "second");
  BOOST_TEST(std::filesystem::is_symlink(work / "far"));
  BOOST_TEST(std::filesystem::is_symlink(work / "near"));
  BOOST_TEST(!std::filesystem::is_symlink(work / "there/file"));
  const auto found = read_file(work / "there/file");
  BOOST_TEST(std::string(found.begin(), found.end()) == "second");
}

BOOST_AUTO_TEST_CASE(only_a_file_is_written) {
  const test::folder work("outputs");
  const auto refused = [&](const std::filesystem::path& path, const std::string& words) {
    BOOST_CHECK_EXCEPTION(write_text(path, "x"), io_error, test::says(words));
  };
  std::filesystem::create_symlink("/dev/null", work / "device");
  std::filesystem::create_symlink("itself", work / "itself");
  std::filesystem::create_directory(work / "folder");
  BOOST_REQUIRE(::mkfifo((work / "pipe").c_str(), 0600) == 0);
  refused("/dev/null", "/dev/null: cannot be written: it is a pipe, a socket or a device; name a file");
  refused(work / "device", "it is a pipe, a socket or a device");
  refused(work / "pipe", "it is a pipe, a socket or a device");
  refused(work / "folder", "it is a folder; name a file");
  refused(work / "folder/", "it is a folder; name a file");
  refused(work / "new/", "its name ends in a slash; name a file");
  refused(work / "none/file", "there is no folder ");
  refused(work / "itself", "cannot be written: ");
  refused("", "a file to write has no name");
  BOOST_TEST(std::filesystem::is_character_file("/dev/null"));
  BOOST_TEST(std::filesystem::is_fifo(work / "pipe"));
}

BOOST_AUTO_TEST_CASE(every_truncation_is_found) {
  const byte_buffer packed = gzip(bytes(300));
  for (std::size_t keep = 0; keep < packed.size(); ++keep)
    BOOST_CHECK_THROW(static_cast<void>(gunzip({packed.data(), keep}, "x")), io_error);
  const byte_buffer big = gzip(bytes(2000000));
  BOOST_CHECK_EXCEPTION(static_cast<void>(gunzip({big.data(), big.size() / 2}, "f.gz")), io_error,
                        test::says("f.gz: damaged gzip file, it ends early"));
}

BOOST_AUTO_TEST_CASE(a_wrong_byte_is_found) {
  const byte_buffer plain = bytes(300), packed = gzip(plain);
  std::size_t found = 0;
  for (std::size_t at = 10; at < packed.size(); ++at) {
    byte_buffer bad = packed;
    bad[at] ^= 0x40;
    try {
      BOOST_CHECK(gunzip(bad, "x") == plain);  // the last bits of the deflate stream may be padding
    } catch (const io_error&) {
      ++found;
    }
  }
  BOOST_CHECK_GE(found, packed.size() - 11);
}

BOOST_AUTO_TEST_CASE(writing_is_one_step) {
  const test::folder folder("file");
  const byte_buffer one = bytes(10), two = bytes(5000);
  write_file(folder / "f", one);
  BOOST_CHECK(read_file(folder / "f") == one);
  write_file(folder / "f", two);
  BOOST_CHECK(read_file(folder / "f") == two);
  BOOST_CHECK_EXCEPTION(write_file(folder / "missing" / "f", one), io_error, test::says("cannot be written"));
  std::filesystem::create_directory(folder / "taken");
  BOOST_CHECK_THROW(write_file(folder / "taken", one), io_error);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) ++files;
  BOOST_CHECK_EQUAL(files, 2);  // no temporary file is left
}

BOOST_AUTO_TEST_CASE(temporary_files_of_a_killed_program_are_not_in_the_way) {
  const test::folder folder("leftovers");
  const auto path = folder / "f";
  for (int i = 0; i < 300; ++i) {
    std::FILE* left = std::fopen(text(path.string(), ".partial-", ::getpid(), "-", i).c_str(), "wb");
    BOOST_REQUIRE(left);
    std::fclose(left);
  }
  write_text(path, "whole");
  const auto bytes = read_file(path);
  BOOST_TEST(std::string(bytes.begin(), bytes.end()) == "whole");
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) ++files;
  BOOST_TEST(files == 301u);
}

BOOST_AUTO_TEST_CASE(missing_files_are_named) {
  const test::folder folder("file-missing");
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_file(folder / "no")), io_error, test::says("no: there is no such file"));
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_file(folder.path())), io_error, test::says("is a folder"));
}

}  // namespace comodal::tests
