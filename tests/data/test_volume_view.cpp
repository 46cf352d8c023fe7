// SPDX-License-Identifier: Apache-2.0
// Volumes in memory of any kind: what a view shows, what it keeps alive, and that its geometry is checked like a
// file's.
#define BOOST_TEST_MODULE data_volume_view
#include <comodal/data/volume_view.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>

namespace comodal::tests {
namespace {

const geometry small{{3, 2, 2}, {{{1, 0, 0, 5}, {0, 2, 0, 6}, {0, 0, 3, 7}}}};

template <class Scalar>
void shows_values_of() {
  std::vector<Scalar> values;
  for (int i = 0; i < 12; ++i) values.push_back(static_cast<Scalar>(3 * i + 1));
  const volume_view view(values.data(), scalar_type_of<Scalar>(), small);
  BOOST_TEST(scalar_bytes(view.type()) == sizeof(Scalar));
  BOOST_TEST(view.values<Scalar>().data() == values.data());
  BOOST_TEST(view.voxels() == 12);
  BOOST_TEST(to_image(view).at(1, 1, 1) == 31);
  // At an odd address, as values of a file may lie.
  std::vector<unsigned char> bytes(12 * sizeof(Scalar) + 1);
  std::memcpy(bytes.data() + 1, values.data(), 12 * sizeof(Scalar));
  const volume_view odd(bytes.data() + 1, scalar_type_of<Scalar>(), small, {}, {2, 1});
  BOOST_TEST(to_image(odd).at(2, 1, 1) == 69);
  BOOST_TEST(to_labels(odd, "x").at(2, 1, 1) == 69);
  if (sizeof(Scalar) > 1)
    BOOST_CHECK_EXCEPTION(
        static_cast<void>(volume_view(bytes.data() + 1, scalar_type_of<Scalar>(), small).values<Scalar>()),
        config_error, test::says("do not lie at a multiple of"));
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_type_is_shown) {
  shows_values_of<std::int8_t>();
  shows_values_of<std::uint8_t>();
  shows_values_of<std::int16_t>();
  shows_values_of<std::uint16_t>();
  shows_values_of<std::int32_t>();
  shows_values_of<std::uint32_t>();
  shows_values_of<std::int64_t>();
  shows_values_of<std::uint64_t>();
  shows_values_of<float>();
  shows_values_of<double>();
  BOOST_TEST(to_string(scalar_type_of<long long>()) == "int64");
  BOOST_TEST(to_string(scalar_type_of<double>()) == "float64");
}

BOOST_AUTO_TEST_CASE(a_volume_is_lent_or_handed_over) {
  image_volume v{small, std::vector<float>(12, 2.f)};
  const volume_view lent(v), pointed(&v);
  BOOST_TEST(lent.values<float>().data() == v.values.data());
  BOOST_TEST(pointed.data() == lent.data());
  BOOST_TEST((lent.grid().affine == small.affine));
  const float* const values = v.values.data();
  volume_view own(std::move(v));
  const volume_view copy = own;
  own = {};
  BOOST_TEST(copy.values<float>().data() == values);
  BOOST_TEST(copy.values<float>()[11] == 2.f);
  BOOST_TEST(volume_view(image_volume{}).empty());
  BOOST_TEST(volume_view(static_cast<const image_volume*>(nullptr)).empty());
  BOOST_TEST(!volume_view(nullptr));
  BOOST_TEST(volume_view().voxels() == 0);
}

BOOST_AUTO_TEST_CASE(the_owner_lives_as_long_as_a_view) {
  auto memory = std::make_shared<std::vector<float>>(12, 1.f);
  const std::weak_ptr<std::vector<float>> watch = memory;
  {
    volume_view outer;
    {
      const volume_view inner(memory->data(), scalar_type::float32, small, memory);
      memory.reset();
      outer = inner;
    }
    BOOST_TEST(!watch.expired());
    BOOST_TEST(outer.values<float>()[5] == 1.f);
  }
  BOOST_TEST(watch.expired());
}

BOOST_AUTO_TEST_CASE(foreign_memory_is_checked_like_a_file) {
  const std::vector<float> values(12);
  const auto refused = [&](const geometry& grid, const std::string& words) {
    BOOST_CHECK_EXCEPTION(volume_view(values.data(), scalar_type::float32, grid), geometry_error, test::says(words));
  };
  BOOST_CHECK_EXCEPTION(volume_view(nullptr, scalar_type::float32, small), geometry_error, test::says("null pointer"));
  geometry bad = small;
  bad.size[1] = 0;
  refused(bad, "0 voxels along an axis");
  bad.size[1] = -2;
  refused(bad, "-2 voxels along an axis");
  bad.size = {2000000000, 2000000000, 2000000000};
  refused(bad, "more voxels than any memory holds");
  bad = small;
  bad.affine[0][0] = 0;
  refused(bad, "the affine is singular");
  bad.affine[0][0] = std::nan("");
  refused(bad, "the affine is singular or not finite");
  bad = small;
  bad.affine[1][3] = std::numeric_limits<double>::infinity();
  refused(bad, "not finite");
  for (const value_scale& scale : {value_scale{0, 1}, value_scale{std::nan(""), 0}, value_scale{1, HUGE_VAL}})
    BOOST_CHECK_EXCEPTION(volume_view(values.data(), scalar_type::float32, small, {}, scale), config_error,
                          test::says("expected finite numbers and a slope other than 0"));
  const image_volume short_volume{small, std::vector<float>(11)};
  BOOST_CHECK_EXCEPTION(static_cast<void>(volume_view(short_volume)), geometry_error,
                        test::says("11 values for a grid of 3 x 2 x 2 voxels"));
}

BOOST_AUTO_TEST_CASE(values_of_another_type_are_not_taken_for_these) {
  const std::vector<std::int16_t> values(12);
  const volume_view view(values.data(), scalar_type::int16, small);
  BOOST_CHECK_EXCEPTION(static_cast<void>(view.values<float>()), config_error,
                        test::says("holds int16, expected float32"));
  const std::vector<float> floats(12);
  const volume_view scaled(floats.data(), scalar_type::float32, small, {}, {2, 0});
  BOOST_CHECK_EXCEPTION(static_cast<void>(scaled.values<float>()), config_error,
                        test::says("holds float32 with a scale"));
  geometry other = small;
  other.size = {2, 3, 2};
  BOOST_CHECK_EXCEPTION(static_cast<void>(view.with_grid(other)), geometry_error, test::says("changes no sizes"));
}

BOOST_AUTO_TEST_CASE(values_that_are_no_labels_are_refused) {
  const std::vector<float> values{0, 1, 2, 3, 4, 5, 6, 7.5f, 8, -1, 10, 11};
  BOOST_CHECK_EXCEPTION(static_cast<void>(to_labels({values.data(), scalar_type::float32, small}, "truth")), io_error,
                        test::says("truth: label value 7.5 at voxel (1, 0, 1) and 1 more voxels"));
}

}  // namespace comodal::tests
