// SPDX-License-Identifier: Apache-2.0
/// @file
/// Broken and odd inputs of many kinds, each with what the program says of it and its exit status.
#ifndef COMODAL_TESTS_CORPUS_HPP
#define COMODAL_TESTS_CORPUS_HPP

#include <comodal/data/nifti_write.hpp>

#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace corpus {

namespace fs = std::filesystem;
using comodal::byte_buffer;

/// One call of the program on one input. The words of `command` may hold DATA, a copy of a sound data set; MODEL, a
/// trained model; OUT, a folder that does not exist; HERE, the input's own folder, in which `make` works.
struct input {
  std::string kind, name;
  std::function<void(const fs::path& here)> make;
  std::vector<std::string> command;
  int status = 2;
  std::vector<std::string> words;  // all of them stand in what is printed
  bool full_output = false;        // stdout is a disk without space
};

/// All inputs. Each kind has its own prefix of names.
class list {
 public:
  /// The inputs that follow are of this kind and are called so.
  list& kind(std::string name, std::vector<std::string> command, int status = 2) {
    m_kind = std::move(name);
    m_command = std::move(command);
    m_status = status;
    return *this;
  }
  /// @param words what must be printed
  list& add(const std::string& name, std::vector<std::string> words, std::function<void(const fs::path&)> make = {}) {
    inputs.push_back({m_kind, name, std::move(make), m_command, m_status, std::move(words)});
    return *this;
  }
  /// The same with further words of the command.
  list& call(const std::string& name, std::vector<std::string> further, std::vector<std::string> words,
             std::function<void(const fs::path&)> make = {}) {
    add(name, std::move(words), std::move(make));
    auto& command = inputs.back().command;
    command.insert(command.end(), further.begin(), further.end());
    return *this;
  }
  /// The last one ends with another status than its kind.
  list& ends(int status) {
    inputs.back().status = status;
    return *this;
  }

  std::vector<input> inputs;

 private:
  std::string m_kind;
  std::vector<std::string> m_command;
  int m_status = 2;
};

// The first image of the first training case of DATA, and its label.
inline const std::string first_image = "DATA/imagesTr/a_0000.nii.gz", second_image = "DATA/imagesTr/a_0001.nii.gz",
                         first_label = "DATA/labelsTr/a.nii.gz";

/// The place of a word such as DATA/x below an input's folder.
inline fs::path place(const fs::path& here, const std::string& word) { return here / word; }

inline byte_buffer bytes_of(const std::string& words) { return {words.begin(), words.end()}; }
inline void put(const fs::path& file, const std::string& words) {
  fs::create_directories(file.parent_path());
  comodal::write_file(file, bytes_of(words));
}
/// Changes the bytes of a file.
inline void change(const fs::path& file, const std::function<void(byte_buffer&)>& how) {
  byte_buffer bytes = comodal::read_file(file);
  how(bytes);
  comodal::write_file(file, bytes);
}
/// Changes the NIfTI-1 header of a .nii.gz file.
inline void change_header(const fs::path& file, const std::function<void(nifti_1_header&)>& how) {
  byte_buffer bytes = comodal::gunzip(comodal::read_file(file), file.string());
  nifti_1_header h;
  std::memcpy(&h, bytes.data(), sizeof h);
  how(h);
  std::memcpy(bytes.data(), &h, sizeof h);
  comodal::write_file(file, comodal::gzip(bytes));
}
/// Changes the values of an image.
inline void change_values(const fs::path& file, const std::function<void(comodal::image_volume&)>& how) {
  auto v = comodal::read_nifti_file(file);
  how(v.content);
  comodal::write_nifti(file, v.content, v.header);
}
/// Replaces words in a text file.
inline void replace(const fs::path& file, const std::string& from, const std::string& to) {
  change(file, [&](byte_buffer& bytes) {
    std::string words(bytes.begin(), bytes.end());
    if (const auto at = words.find(from); at != std::string::npos) words.replace(at, from.size(), to);
    bytes = bytes_of(words);
  });
}

void add_files(list& all);     // of images: what no NIfTI file is
void add_headers(list& all);   // of images: headers
void add_values(list& all);    // of images and labels: values, grids, names
void add_datasets(list& all);  // dataset.json, splits, partial labels
void add_options(list& all);   // experiment files and the command line
void add_runs(list& all);      // models, runs, predictions, scores

}  // namespace corpus

#endif
