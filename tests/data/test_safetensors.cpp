// SPDX-License-Identifier: Apache-2.0
// Safetensors files: what stands in them byte by byte, what comes back, and what is said of damaged ones.
#define BOOST_TEST_MODULE data_safetensors
#include <boost/test/unit_test.hpp>

#include <nn/support.hpp>

#include <fstream>
#include <iterator>

namespace comodal::tests {

using nlohmann::json;

struct file_bench : bench {
  temporary_folder folder;
  std::filesystem::path path = folder / "model.safetensors";

  [[nodiscard]] std::string bytes() const {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  void put(const std::string& content) const { std::ofstream(path, std::ios::binary) << content; }
  void put(const std::string& header, const std::string& data) const {
    const std::uint64_t length = header.size();
    put(std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data);
  }
  [[nodiscard]] static safetensors_file sample() {
    safetensors_file file;
    file.arrays["weight"] = named_array::of(shape{2, 3}, std::vector<float>{1, -2, 3.5f, 0, 1e-20f, 6});
    file.arrays["a.first"] = named_array::of(shape{2}, std::vector<double>{0.1, -1e300});
    file.arrays["cases"] = named_array::of(shape{3}, std::vector<std::int64_t>{1, -2, 1ll << 40});
    file.arrays["mask"] = named_array::of(shape{3}, std::vector<std::uint8_t>{0, 1, 255});
    file.arrays["scalar"] = named_array::of(shape{}, std::vector<float>{7});
    file.arrays["empty"] = named_array::of(shape{0, 4}, std::vector<float>{});
    file.metadata["plan"] = "{\"spacing\": [1, 1, 2]} \n \"quoted\" \xc3\xa4";
    return file;
  }
};

BOOST_FIXTURE_TEST_CASE(what_is_written_comes_back, file_bench) {
  const auto file = sample();
  write_safetensors(path, file);
  const auto read = read_safetensors(path);
  BOOST_TEST((read.metadata == file.metadata));
  BOOST_TEST(read.arrays.size() == file.arrays.size());
  for (const auto& [name, array] : file.arrays) {
    BOOST_TEST_CONTEXT(name) {
      const auto found = read.arrays.find(name);
      BOOST_REQUIRE((found != read.arrays.end()));
      BOOST_TEST(found->second.dtype == array.dtype);
      BOOST_TEST((found->second.shape == array.shape));
      BOOST_TEST((found->second.bytes == array.bytes));
    }
  }
  BOOST_TEST((read.arrays.at("cases").values<std::int64_t>("cases") == std::vector<std::int64_t>{1, -2, 1ll << 40}));
  BOOST_CHECK_EXCEPTION((void)read.arrays.at("cases").values<float>("cases"), io_error,
                        says("array 'cases' is I64, expected F32"));
}

BOOST_FIXTURE_TEST_CASE(files_in_memory_are_files, file_bench) {
  const auto all = safetensors_bytes(sample());
  write_safetensors(path, sample());
  BOOST_TEST((bytes() == std::string(all.begin(), all.end())));
  const auto read = read_safetensors(all, "memory");
  BOOST_TEST((read.metadata == sample().metadata));
  BOOST_TEST((safetensors_bytes(read) == all));
  BOOST_CHECK_EXCEPTION((void)read_safetensors({all.data(), all.size() - 1}, "memory"), io_error,
                        says("memory: is cut"));
  BOOST_CHECK_EXCEPTION((void)read_safetensors({all.data(), 7}, "memory"), io_error, says("memory: is no safetensors"));
}

BOOST_FIXTURE_TEST_CASE(the_layout_is_the_formats_own, file_bench) {
  write_safetensors(path, sample());
  const std::string all = bytes();
  std::uint64_t length = 0;
  for (int i = 0; i < 8; ++i)
    length |= static_cast<std::uint64_t>(static_cast<unsigned char>(all.at(static_cast<std::size_t>(i)))) << (8 * i);
  BOOST_TEST(length % 8 == 0u);
  BOOST_TEST(all[8] == '{');
  const json header = json::parse(all.substr(8, length));
  BOOST_TEST(header.at("__metadata__").at("plan").get<std::string>() == sample().metadata.at("plan"));
  const json weight = header.at("weight");
  BOOST_TEST(weight.at("dtype") == "F32");
  BOOST_TEST((weight.at("shape") == json::array({2, 3})));
  BOOST_TEST((header.at("scalar").at("shape") == json::array()));
  // Arrays fill the rest of the file without holes.
  std::vector<std::pair<std::size_t, std::size_t>> spans;
  for (const auto& [name, entry] : header.items())
    if (name != "__metadata__") spans.emplace_back(entry.at("data_offsets")[0], entry.at("data_offsets")[1]);
  std::sort(spans.begin(), spans.end());
  std::size_t at = 0;
  for (const auto& [first, last] : spans) {
    BOOST_TEST(first == at);
    at = last;
  }
  BOOST_TEST(8 + length + at == all.size());
  // 3.5f is 0x40600000, the third of little-endian numbers.
  const auto first = 8 + length + weight.at("data_offsets")[0].get<std::size_t>();
  BOOST_TEST((all.substr(first + 8, 4) == std::string("\x00\x00\x60\x40", 4)));
}

BOOST_FIXTURE_TEST_CASE(the_same_content_is_the_same_bytes, file_bench) {
  write_safetensors(path, sample());
  const auto once = bytes();
  write_safetensors(path, read_safetensors(path));
  BOOST_TEST((bytes() == once));
}

BOOST_FIXTURE_TEST_CASE(a_file_cut_anywhere_is_an_io_error, file_bench) {
  write_safetensors(path, sample());
  const auto all = bytes();
  for (std::size_t keep = 0; keep < all.size(); keep += keep < 64 ? 1 : 7) {
    put(all.substr(0, keep));
    BOOST_CHECK_THROW((void)read_safetensors(path), io_error);
  }
}

BOOST_FIXTURE_TEST_CASE(damaged_headers_are_io_errors, file_bench) {
  const std::string data(24, '\0');
  const auto entry = [](const std::string& dtype, const std::string& extents, const std::string& offsets) {
    return "{\"w\":{\"dtype\":" + dtype + ",\"shape\":" + extents + ",\"data_offsets\":" + offsets + "}}";
  };
  put(entry("\"F32\"", "[2,3]", "[0,24]"), data);
  BOOST_TEST((read_safetensors(path).arrays.at("w").shape == shape{2, 3}));
  const std::vector<std::pair<std::string, std::string>> damaged{
      {"no JSON", "{\"w\":"},
      {"no object", "[1, 2]"},
      {"no dtype", "{\"w\":{\"shape\":[2,3],\"data_offsets\":[0,24]}}"},
      {"dtype a number", entry("3", "[2,3]", "[0,24]")},
      {"negative extent", entry("\"F32\"", "[-2,3]", "[0,24]")},
      {"too many axes", entry("\"F32\"", "[1,1,1,1,1,1,2,3]", "[0,24]")},
      {"offsets beyond the end", entry("\"F32\"", "[2,3]", "[8,32]")},
      {"offsets the wrong way round", entry("\"F32\"", "[2,3]", "[24,0]")},
      {"negative offset", entry("\"F32\"", "[2,3]", "[-24,0]")},
      {"more extents than bytes", entry("\"F32\"", "[2,4]", "[0,24]")},
      {"fewer extents than bytes", entry("\"F32\"", "[2]", "[0,24]")},
      {"a product of extents that overflows", entry("\"F32\"", "[4611686018427387904,4]", "[0,0]")},
      {"a number of bytes that overflows", entry("\"F32\"", "[4611686018427387904]", "[0,0]")},
      {"metadata of numbers", "{\"__metadata__\":{\"a\":1}}"},
  };
  for (const auto& [what, header] : damaged) {
    BOOST_TEST_CONTEXT(what) {
      put(header, data);
      BOOST_CHECK_THROW((void)read_safetensors(path).arrays.at("w").values<float>("w"), io_error);
    }
  }
  // Numbers that another type would hold are not turned into others, and no array may be larger than the file.
  const std::vector<std::pair<std::string, std::string>> crafted{
      {entry("\"F32\"", "[4611686018427387904,4]", "[0,0]"), "more elements than any memory holds"},
      {entry("\"F32\"", "[4611686018427387904,0]", "[0,0]"), "more elements than any memory holds"},
      {entry("\"F32\"", "[2.5,3]", "[0,24]"), "\"shape\"[0] is 2.5, expected an integer"},
      {entry("\"F32\"", "[2,18446744073709551615]", "[0,24]"), "\"shape\"[1] is 18446744073709551615"},
      {entry("\"F32\"", "[2,3]", "[0.5,24]"), "\"data_offsets\"[0] is 0.5, expected an integer"},
      {entry("\"F32\"", "[2,3]", "[0,24,48]"), "expected a list of 2 numbers"},
      {entry("\"F32\"", "[2,4]", "[0,24]"), "of F32 (2, 4) takes the bytes from 0 to 24"},
      {entry("\"I8\"", "[4]", "[20,24]"), "'w' begins at byte 20 of the data, expected 0"},
      {entry("\"I8\"", "[4]", "[0,4]"), "its arrays have 4 bytes, the file has 24"},
  };
  for (const auto& [header, words] : crafted) {
    put(header, header.find("[0,0]") == std::string::npos ? data : "");
    BOOST_CHECK_EXCEPTION((void)read_safetensors(path), io_error, says(words));
    BOOST_CHECK_EXCEPTION((void)read_safetensors(path), io_error, says("its header is damaged"));
  }
  put(R"({"a":{"dtype":"U8","shape":[24],"data_offsets":[0,24]},"b":{"dtype":"U8","shape":[8],"data_offsets":[8,16]}})",
      data);
  BOOST_CHECK_EXCEPTION((void)read_safetensors(path), io_error,
                        says("array 'b' begins at byte 8 of the data, expected 24"));
  put(std::string(8, '\xff') + "{}");
  BOOST_CHECK_THROW((void)read_safetensors(path), io_error);
}

BOOST_FIXTURE_TEST_CASE(missing_files_and_folders_are_io_errors, file_bench) {
  BOOST_CHECK_EXCEPTION((void)read_safetensors(folder / "none"), io_error, says("none"));
  BOOST_CHECK_THROW((void)read_safetensors(folder.path()), io_error);
  BOOST_CHECK_EXCEPTION(write_safetensors(folder / "no" / "folder", sample()), io_error, says("cannot be written"));
}

BOOST_FIXTURE_TEST_CASE(a_file_is_replaced_whole_or_not_at_all, file_bench) {
  write_safetensors(path, sample());
  write_safetensors(path, safetensors_file{});
  BOOST_TEST(read_safetensors(path).arrays.empty());
  // A folder stands in the way of the rename: the error leaves nothing behind.
  std::filesystem::create_directories(folder / "taken" / "by");
  BOOST_CHECK_THROW(write_safetensors(folder / "taken", sample()), io_error);
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& e : std::filesystem::directory_iterator(folder.path())) ++entries;
  BOOST_TEST(entries == 2u);
}

BOOST_FIXTURE_TEST_CASE(parameters_travel_through_a_file, file_bench) {
  parameter_store<backend> from(home, 1), to(home, 2);
  for (auto* store : {&from, &to}) {
    (void)parameter_scope<backend>(*store, "net").he_normal("w", {2, 3});
    (void)parameter_scope<backend>(*store, "net").constant("b", {3}, 0);
  }
  safetensors_file file;
  save_parameters(from, "student.", file);
  BOOST_TEST(file.arrays.count("student.net.w") == 1u);
  write_safetensors(path, file);
  load_parameters(to, "student.", read_safetensors(path));
  BOOST_TEST((all_values(to) == all_values(from)));
}

BOOST_FIXTURE_TEST_CASE(parameters_of_another_network_are_refused, file_bench) {
  parameter_store<backend> to(home, 2);
  (void)parameter_scope<backend>(to, "net").he_normal("w", {2, 3});
  safetensors_file file;
  BOOST_CHECK_EXCEPTION(load_parameters(to, "", file), io_error, says("no array 'net.w'"));
  file.arrays["net.w"] = named_array::of(shape{3, 2}, std::vector<double>(6, 1));
  BOOST_CHECK_EXCEPTION(load_parameters(to, "", file), io_error, says("(3, 2)"));
  file.arrays["net.w"] = named_array::of(shape{2, 3}, std::vector<float>(6, 1));
  BOOST_CHECK_EXCEPTION(load_parameters(to, "", file), io_error, says("F32, expected F64"));
}

}  // namespace comodal::tests
