// SPDX-License-Identifier: Apache-2.0
/// @file
/// The safetensors file format: named arrays and string metadata; readable by PyTorch and others. Written whole or not
/// at all.
#ifndef COMODAL_DATA_SAFETENSORS_HPP
#define COMODAL_DATA_SAFETENSORS_HPP

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

/// An array of a file without its values: bytes [first, last) of the data behind the header.
struct array_place {
  std::string name, dtype;
  comodal::shape shape;
  std::uint64_t first = 0, last = 0;
};

/// What stands in front of the data of a safetensors file.
struct safetensors_header {
  std::vector<array_place> arrays;  // by name
  std::map<std::string, std::string> metadata;
  std::uint64_t data = 0;  // the byte of the file at which the data begin

  /// The array of a name; null if there is none.
  [[nodiscard]] const array_place* find(const std::string& name) const {
    const auto found = std::find_if(arrays.begin(), arrays.end(), [&](const auto& one) { return one.name == name; });
    return found == arrays.end() ? nullptr : &*found;
  }
};

/// The bytes of a header; its `data` is not looked at.
[[nodiscard]] byte_buffer safetensors_header_bytes(const safetensors_header& header);
#if COMODAL_BODIES
COMODAL_ONCE byte_buffer safetensors_header_bytes(const safetensors_header& header) {
  auto j = nlohmann::ordered_json::object();
  if (!header.metadata.empty()) j["__metadata__"] = header.metadata;
  for (const array_place& array : header.arrays) {
    auto extents = nlohmann::json::array();
    for (int i = 0; i < array.shape.rank(); ++i) extents.push_back(array.shape[i]);
    j[array.name] = {{"dtype", array.dtype}, {"shape", extents}, {"data_offsets", {array.first, array.last}}};
  }
  std::string json = j.dump();
  json.resize((json.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = json.size();
  byte_buffer bytes(sizeof length);
  std::memcpy(bytes.data(), &length, sizeof length);
  bytes.insert(bytes.end(), json.begin(), json.end());
  return bytes;
}
#endif

/// The bytes of a file.
[[nodiscard]] byte_buffer safetensors_bytes(const safetensors_file& content);
#if COMODAL_BODIES
COMODAL_ONCE byte_buffer safetensors_bytes(const safetensors_file& content) {
  safetensors_header header{{}, content.metadata};
  std::uint64_t at = 0;
  for (const auto& [name, array] : content.arrays) {
    header.arrays.push_back({name, array.dtype, array.shape, at, at + array.bytes.size()});
    at += array.bytes.size();
  }
  byte_buffer whole = safetensors_header_bytes(header);
  whole.reserve(whole.size() + at);
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

namespace data_detail {

// Bytes of an element, 0 for a type that the format may have gained since.
inline std::uint64_t element_bytes(const std::string& dtype) {
  if (dtype == "F64" || dtype == "I64" || dtype == "U64") return 8;
  if (dtype == "F32" || dtype == "I32" || dtype == "U32") return 4;
  if (dtype == "F16" || dtype == "BF16" || dtype == "I16" || dtype == "U16") return 2;
  if (dtype == "BOOL" || dtype == "I8" || dtype == "U8") return 1;
  return 0;
}

// The type and shape of an array, and where it stands. @throws io_error if its bytes are not those of its shape
inline array_place described_array(const nlohmann::json& entry, const std::string& name) {
  const std::string what = text("array '", name, "'");
  array_place array{name, json_value<std::string>(entry, "dtype", what), {}};
  for (const index extent : json_value<std::vector<index>>(entry, "shape", what)) array.shape.push_back(extent);
  const auto offsets = json_value<std::array<std::uint64_t, 2>>(entry, "data_offsets", what);
  array.first = offsets[0], array.last = offsets[1];
  const std::uint64_t bytes = element_bytes(array.dtype);
  if (array.first > array.last ||
      (bytes > 0 && array.last - array.first != bytes * static_cast<std::uint64_t>(array.shape.size())))
    throw io_error(text(what, " of ", array.dtype, " ", array.shape.to_string(), " takes the bytes from ", array.first,
                        " to ", array.last));
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

// The header of a file of `total` bytes. `read(first, count, to)` copies some of them and returns false if it cannot.
template <class Read>
safetensors_header parse_safetensors_header(std::uint64_t total, const std::string& name, const Read& read) {
  std::uint64_t length = 0;
  if (total < sizeof length || !read(0, sizeof length, &length) || length > total - sizeof length)
    throw io_error(text(name, ": is no safetensors file, or is cut short; a model is the model.safetensors of a run"));
  std::string json(length, ' ');
  if (!read(sizeof length, length, json.data())) throw io_error(text(name, ": is cut short"));
  safetensors_header header;
  header.data = sizeof length + length;
  try {
    const auto found = nlohmann::json::parse(json);
    if (!found.is_object()) throw io_error("no JSON object");
    for (const auto& [key, entry] : found.items()) {
      if (key == "__metadata__")
        header.metadata = entry.template get<std::map<std::string, std::string>>();
      else
        header.arrays.push_back(described_array(entry, key));
    }
  } catch (const nlohmann::json::exception&) {
    throw io_error(text(name, ": its header is damaged"));
  } catch (const error& e) {
    throw io_error(text(name, ": its header is damaged (", e.what(), ")"));
  }
  check_places(header.arrays, total - header.data, name);
  return header;
}

// The whole content.
template <class Read>
safetensors_file parse_safetensors(std::uint64_t total, const std::string& name, const Read& read) {
  safetensors_header header = parse_safetensors_header(total, name, read);
  safetensors_file content{{}, std::move(header.metadata)};
  for (array_place& place : header.arrays) {
    named_array array{std::move(place.dtype), place.shape, std::vector<unsigned char>(place.last - place.first)};
    if (!read(header.data + place.first, array.bytes.size(), array.bytes.data()))
      throw io_error(text(name, ": is cut short"));
    content.arrays.emplace(std::move(place.name), std::move(array));
  }
  return content;
}

}  // namespace data_detail

/// Reads a file. @throws io_error if it is missing, damaged or no safetensors file
safetensors_file read_safetensors(const std::filesystem::path& path);
#if COMODAL_BODIES
COMODAL_ONCE safetensors_file read_safetensors(const std::filesystem::path& path) {
  expect_regular_file(path);
  std::ifstream in(path, std::ios::binary);
  std::error_code failure;
  const std::uint64_t total = std::filesystem::file_size(path, failure);
  if (!in || failure) throw io_error(text(path.string(), ": cannot be opened"));
  return data_detail::parse_safetensors(total, path.string(), [&](std::uint64_t first, std::uint64_t count, void* to) {
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
  return data_detail::parse_safetensors(bytes.size(), name, [&](std::uint64_t first, std::uint64_t count, void* to) {
    if (count > 0) std::memcpy(to, bytes.data() + first, count);
    return true;
  });
}
#endif

/// The header of a file in memory, such as a mapped one. @throws as `read_safetensors`
[[nodiscard]] safetensors_header read_safetensors_header(std::span<const unsigned char> bytes, const std::string& name);
#if COMODAL_BODIES
COMODAL_ONCE safetensors_header read_safetensors_header(std::span<const unsigned char> bytes, const std::string& name) {
  return data_detail::parse_safetensors_header(bytes.size(), name,
                                               [&](std::uint64_t first, std::uint64_t count, void* to) {
                                                 if (count > 0) std::memcpy(to, bytes.data() + first, count);
                                                 return true;
                                               });
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
