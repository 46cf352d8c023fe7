// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_cohort_reader
#include <comodal/data/check.hpp>
#include <comodal/data/nnunet_raw.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>

namespace comodal::tests {
namespace {

// The archetype: the least that a reader has.
struct one_case_reader {
  std::filesystem::path image;
  static const char* layout() { return "one case"; }
  static bool recognises(const std::filesystem::path& path) { return path.extension() == ".nii"; }
  [[nodiscard]] cohort_listing list() const {
    cohort_listing c;
    c.modalities = {"t1"};
    c.training.push_back({{"only", {image}}, {}});
    return c;
  }
};

struct without_layout {
  static bool recognises(const std::filesystem::path&) { return true; }
  [[nodiscard]] cohort_listing list() const { return {}; }
};
struct without_recognises {
  static const char* layout() { return ""; }
  [[nodiscard]] cohort_listing list() const { return {}; }
};
struct list_changes_the_reader {
  static const char* layout() { return ""; }
  static bool recognises(const std::filesystem::path&) { return true; }
  cohort_listing list() { return {}; }
};

static_assert(cohort_reader<one_case_reader> && cohort_reader<nnunet_raw_reader>);
static_assert(!cohort_reader<without_layout> && !cohort_reader<without_recognises> &&
              !cohort_reader<list_changes_the_reader> && !cohort_reader<int>);

}  // namespace

BOOST_AUTO_TEST_CASE(any_reader_can_be_checked) {
  const test::folder folder("reader");
  check_cohort_reader<nnunet_raw_reader>();
  write_nifti(folder / "x.nii", test::image(1));
  BOOST_CHECK(check_cohort(one_case_reader{folder / "x.nii"}, folder.path()).empty());
  BOOST_CHECK_EQUAL(check_cohort(one_case_reader{folder / "y.nii"}, folder.path()).size(), 1);
}

BOOST_AUTO_TEST_CASE(nnunet_raw_is_recognised) {
  const test::folder folder("recognised");
  BOOST_CHECK(!nnunet_raw_reader::recognises(folder.path()));
  test::make_nnunet_raw(folder.path());
  BOOST_CHECK(nnunet_raw_reader::recognises(folder.path()));
  BOOST_CHECK_EQUAL(nnunet_raw_reader{folder.path()}.list().training.size(), 4);
}

}  // namespace comodal::tests
