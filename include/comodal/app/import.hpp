// SPDX-License-Identifier: Apache-2.0
/// @file
/// The verb `import`: an nnU-Net raw folder from a data set of any layout, of links where files can stay as they are.
#ifndef COMODAL_APP_IMPORT_HPP
#define COMODAL_APP_IMPORT_HPP

#include <comodal/data/folder.hpp>
#include <comodal/data/load_case.hpp>
#include <comodal/data/nifti_write.hpp>
#include <comodal/data/reader_registry.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// What `import` is asked for.
struct import_request {
  std::filesystem::path source;  // a data set
  std::filesystem::path folder;  // to write; new or empty
  layout_options layout = {};    // what the data set does not say itself
};

/// What `import` came to.
struct import_summary {
  std::size_t training = 0, labelled = 0, test = 0;  // cases
  std::size_t links = 0, written = 0;                // files
  std::vector<std::string> changes;                  // what is not as it was, a line each
};

}  // namespace app

namespace app_detail {

// Writes the folder of one import.
class importer {
 public:
  importer(const app::import_request& request, const reader_registry& readers)
      : m_request(request), m_listing(readers.list(request.source, "source", request.layout)) {
    refuse_errors(m_listing.findings);
    check_modalities(m_listing.modalities);
    if (m_listing.labels.empty())
      throw config_error(text(request.source.string(),
                              ": says nothing of its label values; name the classes with "
                              "--classes, such as \"core=1\" \"oedema=2\""));
    check_labels(m_listing.labels, m_listing.region_order);
    data_detail::check_ignored(m_listing);
    refuse_missing_files();
    m_ending = is_plain() ? ".nii" : ".nii.gz";
    number_labels();
  }

  app::import_summary write() {
    std::error_code none;
    if (std::filesystem::exists(m_request.folder) && !std::filesystem::is_empty(m_request.folder, none))
      throw config_error(text(m_request.folder.string(), ": is not empty; name a new folder"));
    for (const char* sub : {"imagesTr", "labelsTr", "imagesTs"}) make_folder(m_request.folder / sub);
    for (const listed_case& one : m_listing.training) {
      write_images(one.files, "imagesTr");
      ++m_summary.training;
      if (one.label.empty()) continue;
      write_label(one);
      ++m_summary.labelled;
    }
    for (const case_files& files : m_listing.test) {
      write_images(files, "imagesTs");
      ++m_summary.test;
    }
    write_description();
    return std::move(m_summary);
  }

 private:
  // One ending for all files: .nii if all have it.
  [[nodiscard]] bool is_plain() const {
    bool plain = true;
    const auto look = [&](const image_source& source) {
      plain = plain && (source.empty() || (!source.volume && source.path.extension() == ".nii"));
    };
    for (const auto& one : m_listing.training) {
      for (const auto& image : one.files.images) look(image);
      look(one.label);
    }
    for (const auto& one : m_listing.test)
      for (const auto& image : one.images) look(image);
    return plain;
  }

  // nnU-Net wants 0, 1, 2 ... without gaps, and the ignored label behind them.
  void number_labels() {
    m_declared = declared_values(m_listing.labels);
    std::vector<int> values = m_declared;
    if (m_listing.ignored) values.push_back(*m_listing.ignored);
    for (std::size_t v = 0; v < values.size(); ++v) {
      m_number[static_cast<std::size_t>(values[v])] = static_cast<std::uint8_t>(v);
      if (values[v] == static_cast<int>(v)) continue;
      m_renumbered = true;
      m_summary.changes.push_back(
          text("label ", values[v], " is written as ", v, ": nnU-Net's are 0, 1, 2 ... without gaps"));
    }
  }

  // Links to nothing would be found by whoever reads them.
  void refuse_missing_files() const {
    std::string lines;
    const auto look = [&](const image_source& source) {
      if (!source.empty() && !std::filesystem::is_regular_file(source.path))
        lines += text(lines.empty() ? "" : "\n", source.path.string(), ": there is no such file");
    };
    const auto look_at = [&](const case_files& files) {
      for (const auto& image : files.images)
        if (!image.volume || *image.volume == 0) look(image);
    };
    for (const auto& one : m_listing.training) {
      look_at(one.files);
      look(one.label);
    }
    for (const auto& one : m_listing.test) look_at(one);
    if (!lines.empty()) throw io_error(lines);
  }

  void link_or(const image_source& source, const std::filesystem::path& to, bool as_it_is, const auto& write) {
    const std::string name = source.path.filename().string();
    if (as_it_is && !source.volume && name.ends_with(m_ending) && (m_ending == ".nii.gz" || !name.ends_with(".gz"))) {
      std::error_code failure;
      std::filesystem::create_symlink(std::filesystem::absolute(source.path), to, failure);
      if (failure)
        throw io_error(text(to.string(), ": this link cannot be made (", failure.message(), "); name another place"));
      ++m_summary.links;
    } else {
      write();
      ++m_summary.written;
    }
  }
  void write_images(const case_files& files, const char* sub) {
    for (std::size_t m = 0; m < files.images.size(); ++m) {
      const image_source& source = files.images[m];
      if (source.empty()) continue;
      const auto to = m_request.folder / sub / text(files.id, "_", modality_number(m), m_ending);
      link_or(source, to, true, [&] {
        const auto file = m_loader.load(source);
        write_nifti(to, file.content, file.header);
      });
    }
  }
  void write_label(const listed_case& one) {
    const auto to = m_request.folder / "labelsTr" / (one.files.id + m_ending);
    link_or(one.label, to, !m_renumbered, [&] {
      const std::string name = one.label.name(one.files.id);
      label_volume label = detail::load_labels(one.label, name);
      for (std::uint8_t& v : label.values) {
        if (!std::binary_search(m_declared.begin(), m_declared.end(), static_cast<int>(v)) && v != m_listing.ignored)
          throw io_error(
              text(name, ": holds label ", static_cast<int>(v), ", which no class has; declare it with --classes"));
        v = m_number[v];
      }
      write_nifti_labels(to, label, make_nifti_header(label.geometry));
    });
  }
  // Last: a folder without it is no data set.
  void write_description() const {
    nlohmann::ordered_json json{{"channel_names", nlohmann::ordered_json::object()},
                                {"labels", nlohmann::ordered_json::object()}};
    for (std::size_t m = 0; m < m_listing.modalities.size(); ++m)
      json["channel_names"][std::to_string(m)] = m_listing.modalities[m];
    for (const label_class& c : m_listing.labels) {
      std::vector<int> values;
      for (const int value : c.values) values.push_back(m_number[static_cast<std::size_t>(value)]);
      if (values.size() == 1)
        json["labels"][c.name] = values[0];
      else
        json["labels"][c.name] = values;
    }
    if (m_listing.ignored) json["labels"]["ignore"] = m_number[static_cast<std::size_t>(*m_listing.ignored)];
    if (!m_listing.region_order.empty()) {
      std::vector<int> order;
      for (const int value : m_listing.region_order) order.push_back(m_number[static_cast<std::size_t>(value)]);
      json["regions_class_order"] = order;
    }
    json["numTraining"] = m_summary.labelled;
    json["file_ending"] = m_ending;
    write_text(m_request.folder / "dataset.json", json.dump(2) + "\n");
  }

  const app::import_request& m_request;
  cohort_listing m_listing;
  std::string m_ending;
  std::array<std::uint8_t, 256> m_number{};  // by label value of the source
  std::vector<int> m_declared;               // label values of the source
  bool m_renumbered = false;
  detail::image_loader m_loader;
  app::import_summary m_summary;
};

}  // namespace app_detail

namespace app {

/// Writes an nnU-Net raw folder that has the cases of a data set: links to its files; copies of single volumes of 4-D
/// files, of files that end otherwise than the others, and of label maps whose values nnU-Net would not take.
/// dataset.json is written last. @throws config_error for a folder that is not empty; config_error, io_error as the
/// reader, and for a file that cannot be read or written
inline import_summary import_data(const import_request& request,
                                  const reader_registry& readers = reader_registry::built_in()) {
  return app_detail::importer(request, readers).write();
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
