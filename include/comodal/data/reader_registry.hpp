// SPDX-License-Identifier: Apache-2.0
/// @file
/// Readers of data sets, found by what they recognise.
#ifndef COMODAL_DATA_READER_REGISTRY_HPP
#define COMODAL_DATA_READER_REGISTRY_HPP

#include <comodal/core/name_table.hpp>
#include <comodal/data/cohort_reader.hpp>
#include <comodal/data/nnunet_raw.hpp>

#include <filesystem>
#include <string>

namespace comodal::inline COMODAL_CONFIG {

/// The readers that a program knows. It is a value: a copy may have more.
class reader_registry {
 public:
  /// Only those of the library.
  [[nodiscard]] static reader_registry built_in() {
    reader_registry names;
    names.reader<nnunet_raw_reader>();
    return names;
  }

  /// Adds a `cohort_reader` that is made from a path; its name is its layout's. @throws config_error for a name that is
  /// taken
  template <class Reader>
  void reader() {
    check_cohort_reader<Reader>();
    m_readers.add(std::string(Reader::layout()),
                  {&Reader::recognises, [](const std::filesystem::path& source) { return Reader{source}.list(); }});
  }

  /// The name of the first layout, in the order in which they were added, that `source` has.
  /// @param key the option that names the source, for the message
  /// @throws config_error if no reader recognises it
  [[nodiscard]] std::string layout_of(const std::filesystem::path& source, std::string_view key = "data.folder") const {
    std::string known;
    for (const auto& name : m_readers.names()) {
      if (m_readers.at(name, key).recognises(source)) return name;
      known += (known.empty() ? "" : ", ") + name;
    }
    if (!std::filesystem::exists(source))
      throw config_error(text(key, " = '", source.string(), "': there is no such folder"));
    throw config_error(text(key, " = '", source.string(), "': is of no layout that this program reads (", known,
                            "); an nnU-Net raw folder has a dataset.json with imagesTr beside it"));
  }
  /// The cases of a source, by the reader that recognises it.
  /// @throws config_error if none does; io_error, config_error as that reader
  [[nodiscard]] cohort_listing list(const std::filesystem::path& source, std::string_view key = "data.folder") const {
    return m_readers.at(layout_of(source, key), key).list(source);
  }

 private:
  struct entry {
    bool (*recognises)(const std::filesystem::path&);
    cohort_listing (*list)(const std::filesystem::path&);
  };
  name_table<entry> m_readers{"reader"};
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
