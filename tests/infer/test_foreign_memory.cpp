// SPDX-License-Identifier: Apache-2.0
// Volumes handed over as pointers are segmented to the bit as the command line segments their files.
//   test_infer_foreign_memory -- <comodal> <predict_files>
#define BOOST_TEST_MODULE infer_foreign_memory
#include <boost/test/unit_test.hpp>

#include <comodal/infer/predict_case.hpp>
#include <comodal/model/make_network.hpp>
#include <comodal/nn/checksum.hpp>

#include <core/support.hpp>
#include <data/files.hpp>

#include <cstdlib>
#include <map>
#include <optional>

namespace comodal::tests {
namespace {

using B = mixed_backend;

// In every orientation another axis is where left and right are; the last is oblique and sheared, its axes permuted.
const affine3x4 ras{{{1, 0, 0, -9}, {0, 1, 0, -5}, {0, 0, 2, 4}}};
const affine3x4 lps{{{-1, 0, 0, 9}, {0, -1, 0, 12}, {0, 0, 2, 4}}};
const affine3x4 odd{{{0, 0.25, 2, -3}, {-1, 0.125, 0.5, 4}, {0.125, -1, 0, 5}}};

/// A file, and the same values in memory that no volume owns.
struct stored_image {
  geometry grid;
  scalar_type type;
  value_scale scale;
  std::vector<unsigned char> values;

  template <class Stored>
  static stored_image of(const image_volume& v, const value_scale& scale = {}) {
    stored_image out{v.geometry, scalar_type_of<Stored>(), scale,
                     std::vector<unsigned char>(v.values.size() * sizeof(Stored))};
    for (std::size_t i = 0; i < v.values.size(); ++i) {
      const double x = (v.values[i] - scale.inter) / scale.slope;
      const auto stored = static_cast<Stored>(std::is_integral_v<Stored> ? std::round(x) : x);
      std::memcpy(out.values.data() + i * sizeof stored, &stored, sizeof stored);
    }
    return out;
  }
  [[nodiscard]] volume_view view() const { return {values.data(), type, grid, {}, scale}; }
  void write(const std::filesystem::path& path) const {
    auto bytes = nifti_file_bytes(label_volume{grid, std::vector<std::uint8_t>(std::size_t(grid.voxels()))},
                                  make_nifti_header(grid), "image");
    const auto put = [&](std::size_t at, auto value) { std::memcpy(bytes.data() + at, &value, sizeof value); };
    const std::int16_t code = type == scalar_type::int16   ? DT_INT16
                              : type == scalar_type::uint8 ? DT_UINT8
                                                           : DT_FLOAT32;
    put(70, code);                                               // datatype
    put(72, static_cast<std::int16_t>(8 * scalar_bytes(type)));  // bitpix
    put(112, static_cast<float>(scale.slope));                   // scl_slope
    put(116, static_cast<float>(scale.inter));                   // scl_inter
    bytes.resize(352);
    bytes.insert(bytes.end(), values.begin(), values.end());
    write_file(path, bytes);
  }
};

std::string argument(int number) {
  const auto& suite = boost::unit_test::framework::master_test_suite();
  BOOST_REQUIRE_MESSAGE(suite.argc > number, "expected the paths of the two programs behind --");
  return suite.argv[number];
}

void run(const std::string& command) { BOOST_REQUIRE_MESSAGE(std::system(command.c_str()) == 0, command); }

struct programs {
  test::folder folder{"foreign"};
  context<B> ctx;
  tape<B> home{ctx};
  model_plan plan = [] {
    model_plan p;
    p.modalities = {"T1", "T2", "FLAIR"};
    p.labels = {{"background", {0}}, {"oedema", {5}}, {"core", {2}}};
    p.network.stream_channels = {2, 4};
    p.network.fused_channels = {4, 6};
    p.network.strides = {{2, 2, 1}};
    p.patch_size = {6, 12, 16};
    p.method = "none";
    p.predictors = {"ema"};
    return p;
  }();
  any_network<B> network = make_network<B>(home, plan.network, 3, 3, 7);
  // Three modalities each, empty where absent.
  std::map<std::string, std::vector<std::optional<stored_image>>> cases;

  programs() {
    safetensors_file model;
    write_plan(plan, model);
    save_parameters(network.parameters(), "ema/", model);
    write_checked_safetensors(folder / "model.safetensors", model);
    const auto image = [](std::uint32_t key, const affine3x4& affine) { return test::image(key, affine); };
    const value_scale scale{0.25, -100};
    for (std::uint32_t m = 1; m <= 3; ++m) {
      cases["int16"].push_back(stored_image::of<std::int16_t>(image(m, lps), scale));
      cases["uint8"].push_back(stored_image::of<std::uint8_t>(image(3 + m, ras), {4, 0}));
      cases["float"].push_back(stored_image::of<float>(image(6 + m, odd)));
    }
    cases["absent"] = {stored_image::of<float>(image(10, odd)), std::nullopt,
                       stored_image::of<std::int16_t>(image(11, odd), scale)};
    std::filesystem::create_directories(folder / "images");
    for (const auto& [id, images] : cases)
      for (std::size_t m = 0; m < 3; ++m)
        if (images[m]) images[m]->write(image_file(id, m));
    run(text(argument(1), " predict ", (folder / "model.safetensors").string(), " ", (folder / "images").string(), " ",
             (folder / "masks").string(), " --branches --only >", (folder / "out.txt").string()));
  }

  [[nodiscard]] std::filesystem::path image_file(const std::string& id, std::size_t m) const {
    return folder / "images" / text(id, "_000", m, ".nii");
  }
  [[nodiscard]] std::filesystem::path mask_file(const std::string& id, const std::string& output) const {
    std::string name = output;
    std::replace(name.begin(), name.end(), ' ', '_');
    return (output == "fused" ? folder / "masks" : folder / "masks" / name) / text(id, ".nii.gz");
  }

  [[nodiscard]] std::vector<case_output> predict(const case_data& one) {
    return predict_case<B>(
        home, plan, one, {true, true, true, true}, {plan.patch_size, 0.5, {}},
        [&](const auto& volumes, const auto& present, auto which) { return network.forward(volumes, present, which); });
  }

  // Segments the views and compares every output with the command line's file.
  void check(const std::string& id, const std::vector<volume_view>& views) {
    const auto one = prepare_case(case_files{id, {views.begin(), views.end()}}, plan.prepare);
    const auto results = predict(one);
    std::size_t present = 0;
    for (const auto& view : views) present += !view.empty();
    BOOST_REQUIRE_EQUAL(results.size(), 1 + 2 * present);
    for (const auto& result : results) {
      BOOST_TEST_CONTEXT(id << ", " << result.name) {
        const label_volume expected = read_nifti_labels(mask_file(id, result.name));
        const case_output own = restore(result, one.preparation, plan);
        BOOST_TEST((own.labels.values == expected.values));
        BOOST_TEST((restore(result.labels, one.preparation).values == expected.values));
        BOOST_TEST(grid_difference(own.labels.geometry, expected.geometry, 1e-6) == "");
        // The masks are no constants, so that a flip would show.
        if (result.name == "fused")
          BOOST_TEST((foreground_voxels(expected) > 50 && foreground_voxels(expected) < expected.values.size() - 50));
      }
    }
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(pointers_give_the_command_lines_masks, programs) {
  for (const auto& [id, images] : cases) {
    std::vector<volume_view> views;
    for (const auto& image : images) views.push_back(image ? image->view() : volume_view());
    check(id, views);
  }
}

BOOST_FIXTURE_TEST_CASE(mapped_files_give_the_command_lines_masks, programs) {
  for (const auto& [id, images] : cases) {
    std::vector<volume_view> views(3);
    for (std::size_t m = 0; m < 3; ++m)
      if (images[m]) views[m] = map_nifti(image_file(id, m)).values;
    check(id, views);
  }
  // A raw file of floats, which lie at odd addresses.
  std::vector<volume_view> views;
  for (const auto& image : cases.at("float")) {
    std::vector<unsigned char> bytes{0};
    bytes.insert(bytes.end(), image->values.begin(), image->values.end());
    const auto path = folder / text("raw", views.size());
    write_file(path, bytes);
    const auto file = std::make_shared<const mapped_file>(path);
    views.emplace_back(file->bytes().data() + 1, scalar_type::float32, image->grid, file);
  }
  check("float", views);
}

BOOST_FIXTURE_TEST_CASE(the_example_writes_the_command_lines_files, programs) {
  for (const auto& [id, images] : cases) {
    const auto mask = folder / text(id, ".nii.gz");
    std::string command = text(argument(2), " ", (folder / "model.safetensors").string(), " ", mask.string());
    for (std::size_t m = 0; m < 3; ++m) command += text(" ", images[m] ? image_file(id, m).string() : "-");
    run(command);
    BOOST_TEST((read_file(mask) == read_file(mask_file(id, "fused"))), id);
  }
}

BOOST_FIXTURE_TEST_CASE(a_turned_axis_is_refused_or_shows, programs) {
  const auto& images = cases.at("float");
  for (std::size_t axis = 0; axis < 3; ++axis) {
    geometry turned = images[0]->grid;
    for (std::size_t r = 0; r < 3; ++r) turned.affine[r][axis] *= -1;
    std::vector<volume_view> views;
    for (const auto& image : images) views.push_back(image->view());
    views[1] = views[1].with_grid(turned);
    BOOST_CHECK_EXCEPTION(
        static_cast<void>(prepare_case(case_files{"x", {views.begin(), views.end()}}, plan.prepare)), io_error,
        test::says("case x, modality 1 in memory: is on another grid than case x, modality 0 in memory"));
    // Turned in all modalities alike nobody can see it, but the masks above would not have been equal.
    for (auto& view : views) view = view.with_grid(turned);
    const auto one = prepare_case(case_files{"x", {views.begin(), views.end()}}, plan.prepare);
    BOOST_TEST((restore(predict(one)[0].labels, one.preparation).values !=
                read_nifti_labels(mask_file("float", "fused")).values));
  }
}

}  // namespace comodal::tests
