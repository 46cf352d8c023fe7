// SPDX-License-Identifier: Apache-2.0
/// @file
/// What is wrong with a data set: one finding a line, in the same words wherever it is said.
#ifndef COMODAL_DATA_FINDING_HPP
#define COMODAL_DATA_FINDING_HPP

#include <comodal/core/error.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Something that a file of a data set should not be.
struct finding {
  enum class level { error, warning };
  level severity = level::error;  // an error keeps the case from being used, a warning is worth a look
  std::filesystem::path file;
  std::string reason;
  std::string case_id{};  // of the case it belongs to, where a reader knows one

  friend bool operator==(const finding&, const finding&) = default;
};

/// The finding in words: "FILE: reason".
[[nodiscard]] inline std::string to_words(const finding& f) { return text(f.file.string(), ": ", f.reason); }

/// The finding as one line: "error: FILE: reason".
[[nodiscard]] inline std::string to_line(const finding& f) {
  return (f.severity == finding::level::error ? "error: " : "warning: ") + to_words(f);
}

/// The finding that an exception about a file stands for: its message, without the file's name in front.
[[nodiscard]] inline finding finding_of(const std::filesystem::path& file, const std::exception& failure) {
  std::string_view words = failure.what();
  const std::string name = file.string() + ": ";
  if (words.starts_with(name)) words.remove_prefix(name.size());
  return {finding::level::error, file, std::string(words)};
}

/// The number of findings that are errors.
[[nodiscard]] inline std::size_t count_errors(const std::vector<finding>& findings) {
  return static_cast<std::size_t>(std::count_if(findings.begin(), findings.end(),
                                                [](const finding& f) { return f.severity == finding::level::error; }));
}

/// Does nothing without errors among the findings. @throws io_error with the words of every error otherwise
inline void refuse_errors(const std::vector<finding>& findings) {
  std::string lines;
  for (const finding& f : findings) {
    if (f.severity != finding::level::error) continue;
    lines += (lines.empty() ? "" : "\n") + to_words(f);
  }
  if (!lines.empty()) throw io_error(lines);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
