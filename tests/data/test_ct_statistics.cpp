// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_ct_statistics
#include <comodal/data/ct_statistics.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>

namespace comodal::tests {

BOOST_AUTO_TEST_CASE(statistics_are_those_of_the_foreground) {
  const test::folder folder("ct");
  std::vector<labelled_case> cases;
  std::vector<float> inside;
  for (const std::uint8_t key : {1, 2}) {
    const image_volume v = test::image(key);
    const label_volume l = test::label(key);
    const auto name = [&](const char* what) { return folder / text(int(key), what, ".nii.gz"); };
    write_nifti(name("image"), v);
    write_nifti(name("label"), l);
    cases.push_back({{text(int(key)), {"", name("image")}}, name("label")});
    for (std::size_t i = 0; i < l.values.size(); ++i)
      if (l.values[i] != 0) inside.push_back(v.values[i]);
  }
  const ct_statistics s = ct_statistics_of(cases, 1);
  BOOST_CHECK_EQUAL(inside.size(), 36);
  BOOST_CHECK_CLOSE(s.mean, mean_and_deviation(inside)[0], 1e-9);
  BOOST_CHECK_CLOSE(s.deviation, mean_and_deviation(inside)[1], 1e-9);
  BOOST_CHECK_CLOSE(s.low, quantile(inside, 0.005), 1e-9);
  BOOST_CHECK_CLOSE(s.high, quantile(inside, 0.995), 1e-9);
  // At most three voxels of each case: every sixth.
  std::vector<float> few;
  for (const std::uint8_t key : {1, 2}) {
    std::vector<float> here;
    const image_volume v = test::image(key);
    const label_volume l = test::label(key);
    for (std::size_t i = 0; i < l.values.size(); ++i)
      if (l.values[i] != 0) here.push_back(v.values[i]);
    for (const std::size_t i : {0, 6, 12}) few.push_back(here[i]);
  }
  BOOST_CHECK_CLOSE(ct_statistics_of(cases, 1, 3).mean, mean_and_deviation(few)[0], 1e-9);
  BOOST_CHECK_THROW(static_cast<void>(ct_statistics_of(cases, 0)), config_error);
  test::write_text(folder / "1image.nii.gz", "x");
  BOOST_CHECK_THROW(static_cast<void>(ct_statistics_of(cases, 1)), io_error);
}

}  // namespace comodal::tests
