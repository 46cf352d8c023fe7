// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE report_volume_data
#include <boost/test/unit_test.hpp>

#include <comodal/report/volume_data.hpp>

#include <report/png_reader.hpp>
#include <report/scene.hpp>

using namespace comodal;

namespace {

shown_case ready() {
  shown_case c = tests::scene().as_case();
  prepare_to_show(c);
  return c;
}

std::vector<std::uint8_t> mask_of(const nlohmann::ordered_json& runs, std::size_t size) {
  return decode_runs(tests::from_base64(runs.get<std::string>()), size);
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_page_holds_the_same_voxels) {
  const shown_case c = ready();
  const auto d = volume_data(c, 1);
  BOOST_TEST(d["case"] == "patient_07");
  BOOST_TEST((d["size"].get<std::array<comodal::index, 3>>() == c.truth->geometry.size));
  BOOST_TEST((d["spacing"].get<std::array<double, 3>>() == std::array<double, 3>{1, 2, 4}));
  BOOST_TEST((d["start"].get<voxel_place>() == c.slices.place));
  BOOST_TEST(d["base"] == 1);
  BOOST_TEST(d["quality"] == 100);
  const std::size_t voxels = c.truth->values.size();
  BOOST_TEST((mask_of(d["truth"], voxels) == c.truth->values));
  BOOST_TEST(d["methods"][0]["name"] == "ours");
  BOOST_TEST(d["methods"][0]["masks"][1]["output"] == "branch T1");
  BOOST_TEST((mask_of(d["methods"][0]["masks"][0]["runs"], voxels) == c.methods[0].masks[0].labels.values));
  BOOST_REQUIRE(d["images"].size() == 3u);
  BOOST_TEST(d["images"][1]["name"] == "FLAIR");
  BOOST_TEST(d["images"][2]["name"] == "uncertainty");
  BOOST_TEST(d["images"][2]["map"] == true);
  BOOST_TEST(d["classes"][1]["name"] == "rim & <b>");
  BOOST_TEST((d["classes"][1]["colour"].get<rgb>() == class_colour(2)));
  const auto sprite = tests::read_address(d["images"][1]["src"].get<std::string>());
  const comodal::index columns = d["images"][1]["columns"];
  const auto& [nx, ny, nz] = c.truth->geometry.size;
  for (comodal::index k = 0; k < nz; ++k)
    for (comodal::index j = 0; j < ny; ++j)
      for (comodal::index i = 0; i < nx; ++i) {
        const comodal::index x = k % columns * nx + i, y = k / columns * ny + j;
        const int expected = c.images[1].window(static_cast<double>(c.images[1].values.at(i, j, k)));
        if (sprite.pixels[static_cast<std::size_t>(y * sprite.width + x)] != expected)
          BOOST_ERROR("voxel " << i << " " << j << " " << k);
      }
}

BOOST_AUTO_TEST_CASE(without_truth_the_page_holds_no_truth_and_no_colours_of_errors) {
  shown_case c = tests::scene().as_case();
  const auto with = volume_data(ready(), 1);
  BOOST_TEST(with.contains("truth"));
  BOOST_TEST(with.contains("errors"));
  c.truth.reset();
  prepare_to_show(c);
  const auto d = volume_data(c, 1, {.voxels = 500});
  BOOST_TEST(!d.contains("truth"));
  BOOST_TEST(!d.contains("errors"));
  BOOST_TEST((d["size"].get<std::array<comodal::index, 3>>() == std::array<comodal::index, 3>{6, 10, 8}));
  BOOST_TEST(d["methods"][0]["masks"].size() == 2u);
}

BOOST_AUTO_TEST_CASE(large_volumes_are_thinned_along_the_finest_axis_first) {
  const geometry g{{100, 100, 50}, {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 3, 0}}}};
  BOOST_TEST((detail::thinning(g, 500000) == std::array<comodal::index, 3>{1, 1, 1}));
  BOOST_TEST((detail::thinning(g, 250000) == std::array<comodal::index, 3>{2, 1, 1}));
  BOOST_TEST((detail::thinning(g, 125000) == std::array<comodal::index, 3>{2, 2, 1}));
  const shown_case c = ready();
  const auto d = volume_data(c, 0, {.voxels = 500});
  BOOST_TEST((d["every"].get<std::array<comodal::index, 3>>() == std::array<comodal::index, 3>{2, 1, 1}));
  BOOST_TEST((d["size"].get<std::array<comodal::index, 3>>() == std::array<comodal::index, 3>{6, 10, 8}));
  BOOST_TEST((d["spacing"].get<std::array<double, 3>>() == std::array<double, 3>{2, 2, 4}));
  BOOST_TEST(d["start"][0] == 4);  // of 9
  const auto truth = mask_of(d["truth"], 480);
  for (comodal::index k = 0; k < 8; ++k)
    for (comodal::index j = 0; j < 10; ++j)
      for (comodal::index i = 0; i < 6; ++i)
        if (truth[static_cast<std::size_t>((k * 10 + j) * 6 + i)] != c.truth->at(2 * i, j, k))
          BOOST_ERROR("voxel " << i << " " << j << " " << k);
}

BOOST_AUTO_TEST_CASE(images_become_jpegs_until_they_fit) {
  shown_case c;
  geometry g{{96, 96, 40}, {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}}};
  c.truth = {g, std::vector<std::uint8_t>(static_cast<std::size_t>(g.voxels()))};
  c.images = {{"T1", {g, std::vector<float>(c.truth->values.size())}}};
  unsigned state = 5;
  for (float& v : c.images[0].values.values) v = static_cast<float>((state = state * 1664525u + 1013904223u) >> 24);
  prepare_to_show(c);
  const auto best = volume_data(c, 0);
  BOOST_TEST(best["quality"] == 85);
  const auto size_of = [](const nlohmann::ordered_json& d) { return d["images"][0]["src"].get<std::string>().size(); };
  BOOST_TEST(best["images"][0]["src"].get<std::string>().starts_with("data:image/jpeg;base64,"));
  const std::size_t most = size_of(best) * 3 / 4 - 1000;
  const auto smaller = volume_data(c, 0, {.images = most});
  BOOST_TEST(smaller["quality"] == 75);
  BOOST_TEST(size_of(smaller) * 3 / 4 <= most);
  BOOST_TEST(volume_data(c, 0, {.images = 10})["quality"] == 45);  // not less, though it does not fit
}
