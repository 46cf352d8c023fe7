// SPDX-License-Identifier: Apache-2.0
/// @file
/// The safetensors file format: named arrays and string metadata; readable by PyTorch and others. Written whole or not
/// at all.
#ifndef COMODAL_NN_SAFETENSORS_HPP
#define COMODAL_NN_SAFETENSORS_HPP

#include <comodal/core/shape.hpp>
#include <comodal/data/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// One array of a safetensors file: `dtype` is the format's name (F32, F64, I64, U8 ...), `bytes` are little-endian and
/// row-major.
struct named_array {
  std::string dtype;
  comodal::shape shape;
  std::vector<unsigned char> bytes;

  template <class Scalar>
  [[nodiscard]] static named_array of(const comodal::shape& extents, const std::vector<Scalar>& values) {
    named_array a{dtype_name<Scalar>(), extents, std::vector<unsigned char>(values.size() * sizeof(Scalar))};
    if (!values.empty()) std::memcpy(a.bytes.data(), values.data(), a.bytes.size());
    return a;
  }
  /// The values. @throws io_error if the array has another type, or not as many bytes as its shape asks for
  template <class Scalar>
  [[nodiscard]] std::vector<Scalar> values(const std::string& name) const {
    if (dtype != dtype_name<Scalar>())
      throw io_error(text("array '", name, "' is ", dtype, ", expected ", dtype_name<Scalar>()));
    const auto count = static_cast<std::size_t>(shape.size());
    if (bytes.size() % sizeof(Scalar) != 0 || bytes.size() / sizeof(Scalar) != count)  // a product may overflow
      throw io_error(text("array '", name, "' has ", bytes.size(), " bytes, its shape ", shape.to_string(),
                          " asks for ", count, " values of ", sizeof(Scalar), " bytes"));
    std::vector<Scalar> out(bytes.size() / sizeof(Scalar));
    if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size() * sizeof(Scalar));
    return out;
  }

 private:
  template <class Scalar>
  static constexpr const char* dtype_name() {
    if constexpr (std::is_same_v<Scalar, float>)
      return "F32";
    else if constexpr (std::is_same_v<Scalar, double>)
      return "F64";
    else if constexpr (std::is_same_v<Scalar, std::int64_t>)
      return "I64";
    else if constexpr (std::is_same_v<Scalar, std::uint8_t>)
      return "U8";
    else
      static_assert(!sizeof(Scalar), "comodal: named_array holds float, double, std::int64_t or std::uint8_t");
  }
};

/// What a safetensors file holds.
struct safetensors_file {
  std::map<std::string, named_array> arrays;
  std::map<std::string, std::string> metadata;

  /// The array of a name. @throws io_error if there is none
  [[nodiscard]] const named_array& at(const std::string& name) const {
    const auto found = arrays.find(name);
    if (found == arrays.end()) throw io_error(text("the file has no array '", name, "'"));
    return found->second;
  }
};

/// The bytes of a file.
[[nodiscard]] byte_buffer safetensors_bytes(const safetensors_file& content);
#if COMODAL_BODIES
COMODAL_ONCE byte_buffer safetensors_bytes(const safetensors_file& content) {
  auto header = nlohmann::ordered_json::object();
  if (!content.metadata.empty()) header["__metadata__"] = content.metadata;
  std::size_t at = 0;
  for (const auto& [name, array] : content.arrays) {
    auto extents = nlohmann::json::array();
    for (int i = 0; i < array.shape.rank(); ++i) extents.push_back(array.shape[i]);
    header[name] = {{"dtype", array.dtype}, {"shape", extents}, {"data_offsets", {at, at + array.bytes.size()}}};
    at += array.bytes.size();
  }
  std::string json = header.dump();
  json.resize((json.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = json.size();
  byte_buffer whole(sizeof length);
  std::memcpy(whole.data(), &length, sizeof length);
  whole.reserve(sizeof length + json.size() + at);
  whole.insert(whole.end(), json.begin(), json.end());
  for (const auto& [name, array] : content.arrays) whole.insert(whole.end(), array.bytes.begin(), array.bytes.end());
  return whole;
}
#endif

/// Writes a file. @throws io_error
void write_safetensors(const std::filesystem::path& path, const safetensors_file& content);
#if COMODAL_BODIES
COMODAL_ONCE void write_safetensors(const std::filesystem::path& path, const safetensors_file& content) {
  write_file(path, safetensors_bytes(content));
}
#endif

namespace nn_detail {

// Where an array stands in the data behind the header: bytes [first, last).
struct array_place {
  std::string name;
  std::uint64_t first = 0, last = 0;
};

// Bytes of an element, 0 for a type that the format may have gained since.
inline std::uint64_t element_bytes(const std::string& dtype) {
  if (dtype == "F64" || dtype == "I64" || dtype == "U64") return 8;
  if (dtype == "F32" || dtype == "I32" || dtype == "U32") return 4;
  if (dtype == "F16" || dtype == "BF16" || dtype == "I16" || dtype == "U16") return 2;
  if (dtype == "BOOL" || dtype == "I8" || dtype == "U8") return 1;
  return 0;
}

// The type and shape of an array, and where it stands. @throws io_error if its bytes are not those of its shape
inline named_array described_array(const nlohmann::json& entry, const std::string& name, array_place& place) {
  const std::string what = text("array '", name, "'");
  named_array array;
  array.dtype = json_value<std::string>(entry, "dtype", what);
  for (const index extent : json_value<std::vector<index>>(entry, "shape", what)) array.shape.push_back(extent);
  const auto offsets = json_value<std::array<std::uint64_t, 2>>(entry, "data_offsets", what);
  place = {name, offsets[0], offsets[1]};
  const std::uint64_t bytes = element_bytes(array.dtype);
  if (place.first > place.last ||
      (bytes > 0 && place.last - place.first != bytes * static_cast<std::uint64_t>(array.shape.size())))
    throw io_error(text(what, " of ", array.dtype, " ", array.shape.to_string(), " takes the bytes from ", place.first,
                        " to ", place.last));
  return array;
}

// Arrays stand one behind the other and fill the data, as the format demands: no byte belongs to two of them, and a
// file cannot ask for more memory than it has bytes.
inline void check_places(std::vector<array_place> places, std::uint64_t size, const std::string& file) {
  std::sort(places.begin(), places.end(),
            [](const auto& a, const auto& b) { return std::pair(a.first, a.last) < std::pair(b.first, b.last); });
  std::uint64_t at = 0;
  for (const array_place& p : places) {
    if (p.last > size) throw io_error(text(file, ": is cut short at array '", p.name, "'"));
    if (p.first != at)
      throw io_error(text(file, ": its header is damaged (array '", p.name, "' begins at byte ", p.first,
                          " of the data, expected ", at, ")"));
    at = p.last;
  }
  if (at != size)
    throw io_error(text(file, ": its header is damaged (its arrays have ", at, " bytes, the file has ", size, ")"));
}

// The content of `total` bytes. `read(first, count, to)` copies some of them and returns false if it cannot.
template <class Read>
safetensors_file parse_safetensors(std::uint64_t total, const std::string& name, const Read& read) {
  std::uint64_t length = 0;
  if (total < sizeof length || !read(0, sizeof length, &length) || length > total - sizeof length)
    throw io_error(text(name, ": is no safetensors file, or is cut short"));
  std::string json(length, ' ');
  if (!read(sizeof length, length, json.data())) throw io_error(text(name, ": is cut short"));
  safetensors_file content;
  std::vector<array_place> places;
  try {
    const auto header = nlohmann::json::parse(json);
    if (!header.is_object()) throw io_error("no JSON object");
    for (const auto& [key, entry] : header.items()) {
      if (key == "__metadata__")
        content.metadata = entry.template get<std::map<std::string, std::string>>();
      else
        content.arrays.emplace(key, described_array(entry, key, places.emplace_back()));
    }
  } catch (const nlohmann::json::exception&) {
    throw io_error(text(name, ": its header is damaged"));
  } catch (const error& e) {
    throw io_error(text(name, ": its header is damaged (", e.what(), ")"));
  }
  check_places(places, total - sizeof length - length, name);
  for (const auto& place : places) {
    auto& bytes = content.arrays.at(place.name).bytes;
    bytes.resize(place.last - place.first);
    if (!read(sizeof length + length + place.first, bytes.size(), bytes.data()))
      throw io_error(text(name, ": is cut short"));
  }
  return content;
}

}  // namespace nn_detail

/// Reads a file. @throws io_error if it is missing, damaged or no safetensors file
safetensors_file read_safetensors(const std::filesystem::path& path);
#if COMODAL_BODIES
COMODAL_ONCE safetensors_file read_safetensors(const std::filesystem::path& path) {
  expect_regular_file(path);
  std::ifstream in(path, std::ios::binary);
  std::error_code failure;
  const std::uint64_t total = std::filesystem::file_size(path, failure);
  if (!in || failure) throw io_error(text(path.string(), ": cannot be opened"));
  return nn_detail::parse_safetensors(total, path.string(), [&](std::uint64_t first, std::uint64_t count, void* to) {
    in.seekg(static_cast<std::streamoff>(first));
    in.read(static_cast<char*>(to), static_cast<std::streamsize>(count));
    return static_cast<bool>(in);
  });
}
#endif

/// The same from memory. @param name names it in messages @throws io_error if it is damaged or no safetensors file
[[nodiscard]] safetensors_file read_safetensors(std::span<const unsigned char> bytes, const std::string& name);
#if COMODAL_BODIES
COMODAL_ONCE safetensors_file read_safetensors(std::span<const unsigned char> bytes, const std::string& name) {
  return nn_detail::parse_safetensors(bytes.size(), name, [&](std::uint64_t first, std::uint64_t count, void* to) {
    if (count > 0) std::memcpy(to, bytes.data() + first, count);
    return true;
  });
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
