// SPDX-License-Identifier: Apache-2.0
/// @file
/// A folder of prepared cases: each is prepared once, for all runs that prepare it alike, whoever comes first.
#ifndef COMODAL_DATA_CASE_CACHE_HPP
#define COMODAL_DATA_CASE_CACHE_HPP

#include <comodal/core/file_lock.hpp>
#include <comodal/core/random.hpp>
#include <comodal/data/cached_case.hpp>
#include <comodal/data/ct_statistics.hpp>
#include <comodal/data/file_stamp.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace data_detail {

[[nodiscard]] inline std::string exact_number(double value) {
  std::array<char, 64> words{};
  return {words.data(), std::to_chars(words.data(), words.data() + words.size(), value).ptr};
}

// Where a source is, and whether it has changed.
[[nodiscard]] inline std::string identity_of(const image_source& source) {
  if (source.empty()) return "none";
  std::error_code none;
  const auto place = std::filesystem::absolute(source.path, none).lexically_normal();
  return text(readable_name(place.string()), source.volume ? text(" volume ", *source.volume) : "", " ",
              stamp_of(source));
}

[[nodiscard]] inline std::string identity_of(const case_files& files) {
  std::string words;
  for (const image_source& image : files.images) words += text("; image ", identity_of(image));
  return words;
}

// All that decides what the preparation of volumes makes of them.
[[nodiscard]] inline std::string words_of(const prepare_options& o) {
  std::string words =
      text("comodal ", COMODAL_VERSION, " prepared ", cached_case_format, ".", preparation_version, "; normalise");
  for (const normalisation& one : o.normalise) words += text(" ", readable_name(one.name));
  for (const ct_statistics& s : o.ct)
    words += text("; ct ", exact_number(s.low), " ", exact_number(s.high), " ", exact_number(s.mean), " ",
                  exact_number(s.deviation));
  words += text("; margin ", o.margin, "; onto ", o.onto, "; spacing");
  for (const double s : o.spacing) words += " " + exact_number(s);
  if (o.ignored) words += text("; ignored ", *o.ignored);
  return words;
}

// What may make a label map wrong: the values and names of classes, and which are annotated.
[[nodiscard]] inline std::string words_of(const labelled_case& one, const prepare_options& o) {
  std::string words = text("; label ", identity_of(one.label), "; classes");
  for (const label_class& c : o.labels) {
    words += text(" '", readable_name(c.name), "'");
    for (const int v : c.values) words += text(" ", v);
  }
  if (!one.annotated.empty()) words += "; annotated";
  for (const bool known : one.annotated) words += known ? " 1" : " 0";
  return words;
}

[[nodiscard]] inline std::string recipe_of(const labelled_case& one, const prepare_options& o) {
  return words_of(o) + identity_of(one.files) + words_of(one, o);
}
[[nodiscard]] inline std::string recipe_of(const unlabelled_case& one, const prepare_options& o) {
  return words_of(o) + identity_of(one.files);
}

// Of volumes in memory nobody can tell whether they have changed. @throws io_error for such a case
inline void refuse_memory(const case_files& files) {
  for (const image_source& one : files.images)
    if (!one.memory.empty()) throw io_error(text(files.id, ": lies in memory, and only cases in files can be cached"));
}
inline void refuse_memory(const unlabelled_case& one) { refuse_memory(one.files); }
inline void refuse_memory(const labelled_case& one) {
  refuse_memory(one.files);
  if (!one.label.memory.empty())
    throw io_error(text(one.files.id, ": its label lies in memory, and only cases in files can be cached"));
}

}  // namespace data_detail

/// A folder of prepared cases. What is in it is never changed: another preparation, or an image or label that has
/// changed, makes another file. Processes may share it; a case is prepared by one of them. The folder may be removed
/// whenever no run uses it.
class case_cache {
 public:
  /// Makes the folder, unless it is there. @throws config_error for a folder of something else; io_error
  explicit case_cache(std::filesystem::path folder) : m_folder(std::move(folder)) {
    const auto mark = m_folder / "cache.json";
    std::error_code none;
    const auto marked = [&] { return std::filesystem::is_regular_file(mark, none); };
    if (marked()) return;
    const auto foreign = [](const std::filesystem::path& one) {
      return !one.filename().string().starts_with("cache.json");
    };
    if (std::filesystem::is_directory(m_folder, none))
      if (const auto there = visible_entries(m_folder);  // another process may have made the folder meanwhile
          std::any_of(there.begin(), there.end(), foreign) && !marked())
        throw config_error(text(
            m_folder.string(), ": holds something else than prepared cases (it has no cache.json); name a new folder"));
    make_folder(m_folder);
    write_text(
        mark,
        text("{\"what\": \"cases that comodal has prepared\", \"format\": ", data_detail::cached_case_format, "}\n"));
  }

  [[nodiscard]] const std::filesystem::path& folder() const { return m_folder; }

  /// The case, prepared with these options; null if it has to be made, as it is missing or its header is damaged.
  template <class Case>
  [[nodiscard]] std::shared_ptr<const cached_case> find(const Case& one, const prepare_options& options) const {
    data_detail::refuse_memory(one);
    const std::string recipe = data_detail::recipe_of(one, options);
    return open(file_of(one, recipe), recipe);
  }
  /// The same; made if it has to be. Waits for another process that makes it.
  /// @param wrote becomes true if this call made it
  /// @throws io_error as `prepare_case`, if a file of the case changes meanwhile, and for volumes in memory, of which
  /// nobody can tell whether they have changed; disk_error
  template <class Case>
  [[nodiscard]] std::shared_ptr<const cached_case> get(const Case& one, const prepare_options& options,
                                                       bool* wrote = nullptr) const {
    data_detail::refuse_memory(one);
    const std::string recipe = data_detail::recipe_of(one, options);
    const auto file = file_of(one, recipe);
    if (auto found = open(file, recipe)) return found;
    const auto lock_name = m_folder / text(".", hash_name(file.filename().string()), ".lock");
    const auto lock = file_lock::waiting(lock_name);
    if (auto found = open(file, recipe)) return found;                            // another process was first
    if (lock->works()) remove_partial_files(m_folder, file.filename().string());  // else somebody may be writing it
    const auto prepared = prepare_case(one, options);
    if (data_detail::recipe_of(one, options) != recipe)
      throw io_error(text(data_detail::files_of(one).id,
                          ": its files were changed while they were read; start again when nobody writes them"));
    write(file, recipe, prepared, options);
    if (wrote != nullptr) *wrote = true;
    std::error_code ignored;
    std::filesystem::remove(lock_name, ignored);
    auto made = open(file, recipe);
    if (!made) throw io_error(text(file.string(), ": was removed as soon as it was written"));
    return made;
  }

  /// Statistics of a CT modality over labelled cases (`ct_statistics_of`), counted once for the same files.
  [[nodiscard]] ct_statistics statistics(const std::vector<labelled_case>& cases, std::size_t modality,
                                         const prepare_options& options, const case_watch& watch = {}) const {
    std::string recipe = text("comodal ", COMODAL_VERSION, " statistics; modality ", modality, "; onto ", options.onto);
    if (options.ignored) recipe += text("; ignored ", *options.ignored);
    for (const labelled_case& one : cases) data_detail::refuse_memory(one);
    for (const labelled_case& one : cases)
      recipe += data_detail::identity_of(one.files) + "; label " + data_detail::identity_of(one.label);
    const auto file = m_folder / text("statistics-", hash_of(recipe), ".json");
    if (const auto j = json_or_nothing(file); j.is_object() && j.value("recipe", "") == recipe)
      return {json_value<double>(j, "low", file.string()), json_value<double>(j, "high", file.string()),
              json_value<double>(j, "mean", file.string()), json_value<double>(j, "deviation", file.string())};
    const auto s = ct_statistics_of(cases, modality, values_per_case, options.onto, options.ignored, watch);
    const nlohmann::ordered_json j{
        {"low", s.low}, {"high", s.high}, {"mean", s.mean}, {"deviation", s.deviation}, {"recipe", recipe}};
    write_text(file, j.dump(1) + "\n");
    return s;
  }

 private:
  // A damaged file is no case: it is made anew.
  [[nodiscard]] static std::shared_ptr<const cached_case> open(const std::filesystem::path& file,
                                                               const std::string& recipe) {
    try {
      return cached_case::open(file, recipe);
    } catch (const io_error&) {
      return nullptr;
    }
  }
  static void write(const std::filesystem::path& file, const std::string& recipe, const labelled_case_data& one,
                    const prepare_options& options) {
    write_cached_case(file, recipe, one.data, &one.label, options.ignored);
  }
  static void write(const std::filesystem::path& file, const std::string& recipe, const case_data& one,
                    const prepare_options&) {
    write_cached_case(file, recipe, one, nullptr, {});
  }
  // 64 bits; that the recipe is the same is looked at besides.
  [[nodiscard]] static std::string hash_of(const std::string& words) {
    const std::uint32_t sum = data_detail::crc_of({reinterpret_cast<const unsigned char*>(words.data()), words.size()});
    std::array<char, 32> digits{};
    const auto value = static_cast<std::uint64_t>(hash_name(words)) << 32 | sum;
    return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr};
  }
  template <class Case>
  [[nodiscard]] std::filesystem::path file_of(const Case& one, const std::string& recipe) const {
    std::string id = data_detail::files_of(one).id;
    for (char& c : id)
      if (c == '/') c = '_';
    return m_folder / text(id.substr(0, 150), "-", hash_of(recipe), ".case");
  }

  std::filesystem::path m_folder;
};

/// What a cache had to do for some cases.
struct cache_work {
  std::vector<std::shared_ptr<const cached_case>> cases;  // null where it was stopped before
  std::size_t made = 0;                                   // by this call
  bool finished = true;                                   // false: stopped
};

/// Cases of a cache, several at a time; those that it lacks are prepared. A folder that lacks none need not be
/// writable.
/// @throws io_error with the lines of all cases that cannot be used; disk_error if the disk is full: what is prepared
/// stays
template <class Case>
[[nodiscard]] cache_work cached_cases(const case_cache& cache, const std::vector<Case>& cases,
                                      const prepare_options& options, const case_watch& watch = {}) {
  cache_work out;
  out.cases.resize(cases.size());
  std::vector<Case> missing;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < cases.size(); ++i)
    if (!(out.cases[i] = cache.find(cases[i], options))) missing.push_back(cases[i]), places.push_back(i);
  if (!missing.empty()) expect_writable(cache.folder());
  std::atomic<std::size_t> made{0};
  out.finished = work_on_cases(
      missing,
      [&](std::size_t m) {
        bool wrote = false;
        out.cases[places[m]] = cache.get(missing[m], options, &wrote);
        made += wrote ? 1 : 0;
      },
      watch, options.spacing);
  out.made = made;
  return out;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
