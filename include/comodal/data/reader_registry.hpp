// SPDX-License-Identifier: Apache-2.0
/// @file
/// Readers of data sets, found by what they recognise.
#ifndef COMODAL_DATA_READER_REGISTRY_HPP
#define COMODAL_DATA_READER_REGISTRY_HPP

#include <comodal/core/name_table.hpp>
#include <comodal/data/case_folders.hpp>
#include <comodal/data/case_list.hpp>
#include <comodal/data/cohort_reader.hpp>
#include <comodal/data/decathlon.hpp>
#include <comodal/data/layout_options.hpp>
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
    names.reader<decathlon_reader>();  // before nnU-Net: its folders look alike but for dataset.json
    names.reader<nnunet_raw_reader>();
    names.reader<brats_reader>();
    names.reader<case_list_reader>();
    names.reader<case_folders_reader>();
    return names;
  }

  /// Adds a `cohort_reader` that is made from a path, or from a path and `layout_options`; its name is its layout's.
  /// @throws config_error for a name that is taken
  template <class Reader>
  void reader() {
    check_cohort_reader<Reader>();
    m_readers.add(std::string(Reader::layout()),
                  {&Reader::recognises, [](const std::filesystem::path& source, const layout_options& options) {
                     if constexpr (requires { Reader{source, options}; })
                       return Reader{source, options}.list();
                     else
                       return Reader{source}.list();
                   }});
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
                            "); an nnU-Net raw folder has a dataset.json with imagesTr beside it, and of any folder "
                            "per case data.images names the files"));
  }
  /// The cases of a source, by the reader that recognises it, or, where the options have patterns of files, by
  /// `case_folders_reader`; with the classes of the options, if there are any.
  /// @throws config_error if none does; io_error, config_error as that reader and `take_classes`
  [[nodiscard]] cohort_listing list(const std::filesystem::path& source, std::string_view key = "data.folder",
                                    const layout_options& options = {}) const {
    const std::string layout =
        options.images.empty() ? layout_of(source, key) : std::string(case_folders_reader::layout());
    if (!options.images.empty() && !std::filesystem::is_directory(source))
      throw config_error(text(key, " = '", source.string(), "': there is no such folder"));
    const bool takes_label = !options.images.empty() || layout == brats_reader::layout();
    if ((!options.label.empty() && !takes_label) || (options.case_folders != "*" && options.images.empty()))
      throw config_error(text(options.label.empty() ? "data.case_folders" : "data.label", " is set, but the layout ",
                              layout, " of ", source.string(),
                              " says itself where its files are; name the images, too (data.images), or leave it out"));
    cohort_listing listing = m_readers.at(layout, key).list(source, options);
    take_classes(listing, options);
    return listing;
  }

 private:
  struct entry {
    bool (*recognises)(const std::filesystem::path&);
    cohort_listing (*list)(const std::filesystem::path&, const layout_options&);
  };
  name_table<entry> m_readers{"reader"};
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
