// SPDX-License-Identifier: Apache-2.0
/// @file
/// The safetensors file format: named arrays and string metadata; readable by PyTorch and others. Written whole or not
/// at all.
#ifndef COMODAL_NN_SAFETENSORS_HPP
#define COMODAL_NN_SAFETENSORS_HPP

#include <comodal/core/shape.hpp>
#include <comodal/data/file.hpp>

#include <nlohmann/json.hpp>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
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

/// Writes a file. @throws io_error
inline void write_safetensors(const std::filesystem::path& path, const safetensors_file& content) {
  nlohmann::ordered_json header;
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
  write_file(path, whole);
}

/// Reads a file. @throws io_error if it is missing, damaged or no safetensors file
inline safetensors_file read_safetensors(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::error_code failure;
  const std::uint64_t total = std::filesystem::file_size(path, failure);
  if (!in || failure) throw io_error(text(path.string(), ": cannot be opened"));
  std::uint64_t length = 0;
  in.read(reinterpret_cast<char*>(&length), sizeof length);
  if (!in || length > total - sizeof length)
    throw io_error(text(path.string(), ": is no safetensors file, or is cut short"));
  std::string json(length, ' ');
  in.read(json.data(), static_cast<std::streamsize>(length));
  safetensors_file content;
  try {
    const auto header = nlohmann::json::parse(json);
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        content.metadata = entry.get<std::map<std::string, std::string>>();
        continue;
      }
      named_array array;
      array.dtype = entry.at("dtype").get<std::string>();
      for (const auto& extent : entry.at("shape")) array.shape.push_back(extent.get<index>());
      (void)array.shape.size();  // throws for more elements than can be counted
      const auto first = entry.at("data_offsets").at(0).get<std::uint64_t>(),
                 last = entry.at("data_offsets").at(1).get<std::uint64_t>();
      if (first > last || last > total - sizeof length - length)
        throw io_error(text(path.string(), ": is cut short at array '", name, "'"));
      array.bytes.resize(last - first);
      in.seekg(static_cast<std::streamoff>(sizeof length + length + first));
      in.read(reinterpret_cast<char*>(array.bytes.data()), static_cast<std::streamsize>(array.bytes.size()));
      content.arrays.emplace(name, std::move(array));
    }
  } catch (const nlohmann::json::exception&) {
    throw io_error(text(path.string(), ": its header is damaged"));
  } catch (const shape_error& e) {
    throw io_error(text(path.string(), ": its header is damaged (", e.what(), ")"));
  }
  if (!in) throw io_error(text(path.string(), ": is cut short"));
  return content;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
