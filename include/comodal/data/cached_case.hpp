// SPDX-License-Identifier: Apache-2.0
/// @file
/// A prepared case in a file: what training has to know of it in the header, its volumes behind it, mapped into memory
/// when they are needed. The file is a safetensors file, so that other programs can read it.
#ifndef COMODAL_DATA_CACHED_CASE_HPP
#define COMODAL_DATA_CACHED_CASE_HPP

#include <comodal/core/readable_name.hpp>
#include <comodal/data/case_data.hpp>
#include <comodal/data/json.hpp>
#include <comodal/data/mapped_file.hpp>
#include <comodal/data/safetensors.hpp>
#include <comodal/data/stored_case.hpp>

#include <zlib.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// What a cached case is, without its volumes.
struct cached_case_header {
  std::string recipe;                  // everything that decides its bytes
  std::string id;                      // readable
  geometry grid, canonical;            // of the prepared volumes; of the images as they came, in RAS+
  std::vector<bool> present;           // by modality
  std::vector<float> minimum;          // of each modality; 0 where it is absent
  bool labelled = false;               // a label map lies behind the images
  std::vector<class_slices> classes;   // of the label map
  std::uint32_t checksum = 0;          // `case_data::checksum`
  std::vector<finding> warnings;       // of its preparation
  std::vector<std::uint32_t> volumes;  // CRC-32 of the bytes of each array, in their order
};

namespace data_detail {

inline constexpr int cached_case_format = 1;

[[nodiscard]] inline std::string cached_image(std::size_t modality) { return text("image_", modality); }

template <class Scalar>
[[nodiscard]] std::span<const unsigned char> bytes_of(const std::vector<Scalar>& values) {
  return {reinterpret_cast<const unsigned char*>(values.data()), values.size() * sizeof(Scalar)};
}
[[nodiscard]] inline std::uint32_t crc_of(std::span<const unsigned char> bytes) {
  return static_cast<std::uint32_t>(crc32_z(crc32_z(0, nullptr, 0), bytes.data(), bytes.size()));
}

[[nodiscard]] inline nlohmann::ordered_json grid_to_json(const geometry& grid) {
  return {{"size", grid.size}, {"affine", grid.affine}};
}
[[nodiscard]] inline geometry grid_from(const nlohmann::json& j, const std::string& name) {
  const auto& entry = json_entry(j, name, "the case");
  geometry grid;
  grid.size = json_value<std::array<index, 3>>(entry, "size", name);
  grid.affine = json_value<affine3x4>(entry, "affine", name);
  return grid;
}

[[nodiscard]] inline std::string to_json(const cached_case_header& h) {
  auto classes = nlohmann::ordered_json::array(), warnings = nlohmann::ordered_json::array();
  for (const class_slices& one : h.classes) classes.push_back({{"label", one.label}, {"up_to", one.up_to}});
  for (const finding& one : h.warnings)
    warnings.push_back({{"file", readable_name(one.file.string())}, {"reason", readable_name(one.reason)}});
  const nlohmann::ordered_json j{{"format", cached_case_format},
                                 {"recipe", h.recipe},
                                 {"id", h.id},
                                 {"grid", grid_to_json(h.grid)},
                                 {"canonical", grid_to_json(h.canonical)},
                                 {"present", h.present},
                                 {"minimum", h.minimum},
                                 {"labelled", h.labelled},
                                 {"classes", std::move(classes)},
                                 {"checksum", h.checksum},
                                 {"warnings", std::move(warnings)},
                                 {"volumes", h.volumes}};
  return j.dump();
}

// @throws io_error for an entry that is missing or of another kind
[[nodiscard]] inline cached_case_header cached_case_header_from(const nlohmann::json& j) {
  const std::string what = "the case";
  if (const auto format = json_value<int>(j, "format", what); format != cached_case_format)
    throw io_error(text("its format is ", format, ", expected ", cached_case_format));
  cached_case_header h;
  h.recipe = json_value<std::string>(j, "recipe", what);
  h.id = json_value<std::string>(j, "id", what);
  h.grid = grid_from(j, "grid");
  h.canonical = grid_from(j, "canonical");
  h.present = json_value<std::vector<bool>>(j, "present", what);
  for (const double v : json_value<std::vector<double>>(j, "minimum", what)) h.minimum.push_back(static_cast<float>(v));
  h.labelled = json_value<bool>(j, "labelled", what);
  for (const auto& one : json_entry(j, "classes", what))
    h.classes.push_back({json_value<std::uint8_t>(one, "label", "a class"),
                         json_entry(one, "up_to", "a class").get<std::vector<std::uint32_t>>()});
  h.checksum = json_value<std::uint32_t>(j, "checksum", what);
  for (const auto& one : json_entry(j, "warnings", what))
    h.warnings.push_back({finding::level::warning, json_value<std::string>(one, "file", "a warning"),
                          json_value<std::string>(one, "reason", "a warning")});
  h.volumes = json_value<std::vector<std::uint32_t>>(j, "volumes", what);
  return h;
}

}  // namespace data_detail

/// Writes a prepared case to a file. @param label of the case; null: it is written without one
/// @param ignored a label value that is no class @throws disk_error, io_error if it cannot be written
void write_cached_case(const std::filesystem::path& path, const std::string& recipe, const case_data& one,
                       const label_volume* label, const std::optional<int>& ignored);
#if COMODAL_BODIES
COMODAL_ONCE void write_cached_case(const std::filesystem::path& path, const std::string& recipe, const case_data& one,
                                    const label_volume* label, const std::optional<int>& ignored) {
  cached_case_header h{.recipe = recipe,
                       .id = readable_name(one.id),
                       .grid = one.preparation.prepared(),
                       .canonical = one.preparation.canonical(),
                       .present = one.present,
                       .minimum = std::vector<float>(one.images.size()),
                       .labelled = label != nullptr,
                       .classes = {},
                       .checksum = one.checksum,
                       .warnings = one.warnings,
                       .volumes = {}};
  safetensors_header front;
  std::vector<std::span<const unsigned char>> data;
  const auto add = [&](const std::string& name, const char* dtype, std::span<const unsigned char> bytes) {
    const std::uint64_t first = front.arrays.empty() ? 0 : front.arrays.back().last;
    const auto& size = h.grid.size;
    front.arrays.push_back({name, dtype, shape{size[2], size[1], size[0]}, first, first + bytes.size()});
    h.volumes.push_back(data_detail::crc_of(bytes));
    data.push_back(bytes);
  };
  for (std::size_t m = 0; m < one.images.size(); ++m) {
    const auto& values = one.images[m].values;
    if (!one.present[m]) continue;
    h.minimum[m] = *std::min_element(values.begin(), values.end());
    add(data_detail::cached_image(m), "F32", data_detail::bytes_of(values));
  }
  if (label != nullptr) {
    h.classes = class_table(*label, ignored).classes();
    add("label", "U8", data_detail::bytes_of(label->values));
  }
  const std::string words = data_detail::to_json(h);
  front.metadata = {
      {"comodal.case", words},
      {"comodal.case_crc",
       std::to_string(data_detail::crc_of({reinterpret_cast<const unsigned char*>(words.data()), words.size()}))}};
  output_file file(path);
  file.add(safetensors_header_bytes(front));
  for (const auto& bytes : data) file.add(bytes);
  file.commit();
}
#endif

/// A case in a file that `write_cached_case` wrote. Volumes are compared with their check sums when they are opened for
/// the first time. Several threads may use one object.
class cached_case {
 public:
  /// Reads the header. @return null if there is no such file, or one that was made with another recipe
  /// @throws io_error if it is damaged
  [[nodiscard]] static std::shared_ptr<const cached_case> open(const std::filesystem::path& path,
                                                               const std::string& recipe);
  cached_case(const cached_case&) = delete;
  cached_case& operator=(const cached_case&) = delete;

  [[nodiscard]] const cached_case_header& header() const { return m_header; }
  [[nodiscard]] const std::filesystem::path& path() const { return m_path; }
  /// Of the file.
  [[nodiscard]] std::size_t bytes() const { return m_bytes; }

  /// Views of the images, one per modality, empty where absent. They keep the file mapped.
  /// @throws io_error if the file is gone or damaged
  [[nodiscard]] std::vector<volume_view> images() const {
    const auto file = mapped();
    std::vector<volume_view> out;
    for (std::size_t m = 0; m < m_header.present.size(); ++m)
      out.push_back(m_header.present[m] ? view(file, data_detail::cached_image(m), scalar_type::float32)
                                        : volume_view());
    return out;
  }
  /// A view of the label map. @throws io_error if the file is gone or damaged, or has none
  [[nodiscard]] volume_view label() const { return view(mapped(), "label", scalar_type::uint8); }

  /// The case in memory, on its prepared grid: it knows no way back to that of its files.
  [[nodiscard]] case_data read() const {
    case_data one{.id = m_header.id,
                  .header = make_nifti_header(m_header.grid),
                  .preparation = case_preparation(m_header.grid),
                  .images = {},
                  .present = m_header.present,
                  .warnings = m_header.warnings,
                  .checksum = m_header.checksum};
    for (const volume_view& image : images()) one.images.push_back(image ? to_image(image) : image_volume{});
    return one;
  }
  [[nodiscard]] label_volume read_label() const {
    const volume_view lying = label();
    const auto values = lying.values<std::uint8_t>();
    return {m_header.grid, {values.begin(), values.end()}};
  }

 private:
  cached_case(std::filesystem::path path, cached_case_header header, safetensors_header front, std::size_t bytes)
      : m_path(std::move(path)), m_header(std::move(header)), m_front(std::move(front)), m_bytes(bytes) {}

  [[nodiscard]] io_error damaged(const std::string& how) const {
    return io_error(
        text(m_path.string(), ": this prepared case is damaged (", how, "); remove the file, then it is made anew"));
  }
  [[nodiscard]] std::shared_ptr<const mapped_file> mapped() const {
    auto file = std::make_shared<const mapped_file>(m_path);
    if (file->bytes().size() != m_bytes)
      throw damaged(text("it has ", file->bytes().size(), " bytes, expected ", m_bytes));
    std::call_once(m_verified, [&] {
      for (std::size_t a = 0; a < m_front.arrays.size(); ++a) {
        const array_place& at = m_front.arrays[a];
        if (data_detail::crc_of(file->bytes().subspan(m_front.data + at.first, at.last - at.first)) !=
            m_header.volumes[number_of(at.name)])
          throw damaged(text("the check sum of ", at.name, " is another"));
      }
    });
    return file;
  }
  // The place of an array in the order of the file.
  [[nodiscard]] std::size_t number_of(const std::string& name) const {
    std::size_t before = 0;
    const std::uint64_t first = m_front.find(name)->first;
    for (const array_place& one : m_front.arrays) before += one.first < first;
    return before;
  }
  [[nodiscard]] volume_view view(std::shared_ptr<const mapped_file> file, const std::string& name,
                                 scalar_type type) const {
    const array_place* at = m_front.find(name);
    if (at == nullptr) throw io_error(text(m_path.string(), ": has no array ", name));
    const unsigned char* first = file->bytes().data() + m_front.data + at->first;
    return {first, type, m_header.grid, std::move(file)};
  }

  std::filesystem::path m_path;
  cached_case_header m_header;
  safetensors_header m_front;
  std::size_t m_bytes;
  mutable std::once_flag m_verified;
};

#if COMODAL_BODIES
COMODAL_ONCE std::shared_ptr<const cached_case> cached_case::open(const std::filesystem::path& path,
                                                                  const std::string& recipe) {
  std::error_code none;
  if (!std::filesystem::exists(path, none)) return nullptr;
  const mapped_file file(path);
  const auto refuse = [&](const std::string& how) {
    throw io_error(
        text(path.string(), ": this prepared case is damaged (", how, "); remove the file, then it is made anew"));
  };
  safetensors_header front = read_safetensors_header(file.bytes(), path.string());
  const std::string words = front.metadata["comodal.case"], sum = front.metadata["comodal.case_crc"];
  if (sum != std::to_string(data_detail::crc_of({reinterpret_cast<const unsigned char*>(words.data()), words.size()})))
    refuse("the check sum of its header is another");
  cached_case_header h;
  try {
    const auto j = nlohmann::json::parse(words);
    if (json_value<std::string>(j, "recipe", "the case") != recipe) return nullptr;
    h = data_detail::cached_case_header_from(j);
  } catch (const nlohmann::json::exception&) {
    refuse("its header is not as expected");
  } catch (const io_error& failure) {
    refuse(failure.what());
  }
  std::size_t arrays = h.labelled ? 1 : 0;
  const auto expect = [&](const std::string& name, const char* dtype) {
    const array_place* at = front.find(name);
    const shape expected{h.grid.size[2], h.grid.size[1], h.grid.size[0]};
    if (at == nullptr || at->dtype != dtype || at->shape != expected)
      refuse("its array " + name + " is not as expected");
  };
  if (h.present.size() != h.minimum.size()) refuse("its lists of modalities differ");
  for (std::size_t m = 0; m < h.present.size(); ++m) {
    if (!h.present[m]) continue;
    expect(data_detail::cached_image(m), "F32");
    ++arrays;
  }
  if (h.labelled) expect("label", "U8");
  for (const class_slices& one : h.classes)
    if (static_cast<index>(one.up_to.size()) != h.grid.size[2]) refuse("its table of classes is not as expected");
  if (front.arrays.size() != arrays || h.volumes.size() != arrays) refuse("it has other arrays than expected");
  const std::size_t bytes = file.bytes().size();
  return std::shared_ptr<const cached_case>(new cached_case(path, std::move(h), std::move(front), bytes));
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
