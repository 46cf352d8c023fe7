// SPDX-License-Identifier: Apache-2.0
/// @file
/// Checkpoints on the disk: the newest, and the one before it.
#ifndef COMODAL_TRAIN_CHECKPOINT_FILE_HPP
#define COMODAL_TRAIN_CHECKPOINT_FILE_HPP

#include <comodal/data/json.hpp>
#include <comodal/model/model_file.hpp>
#include <comodal/nn/checksum.hpp>
#include <comodal/train/metadata.hpp>
#include <comodal/train/train_options.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

/// Check sums of the cases of a run, by id.
using case_checksums = std::map<std::string, std::uint32_t>;

namespace train_detail {

/// Where the checkpoint before the newest one stands: `checkpoint.previous.safetensors`.
[[nodiscard]] inline std::filesystem::path previous_checkpoint(const std::filesystem::path& newest) {
  auto name = newest.stem();
  return newest.parent_path() / (name += ".previous" + newest.extension().string());
}

/// Writes a checkpoint; the newest so far becomes the one before it, where the file system has hard links. At every
/// moment there is a whole newest one.
inline void write_checkpoint(const std::filesystem::path& file, safetensors_file content) {
  std::error_code ignored;
  std::filesystem::remove(previous_checkpoint(file), ignored);
  std::filesystem::create_hard_link(file, previous_checkpoint(file), ignored);
  write_checked_safetensors(file, std::move(content));
}

/// True if there is a checkpoint, or the one before it.
[[nodiscard]] inline bool has_checkpoint(const std::filesystem::path& newest) {
  return std::filesystem::exists(newest) || std::filesystem::exists(previous_checkpoint(newest));
}

/// Reads a checkpoint; where it is missing or damaged, the one before it, which then takes its place: the next write
/// must not put the damaged one before itself. @param warning says so
/// @throws io_error if neither can be read
[[nodiscard]] inline safetensors_file read_checkpoint(const std::filesystem::path& file, std::string& warning) {
  try {
    return read_model_file(file);
  } catch (const io_error& failure) {
    const auto previous = previous_checkpoint(file);
    if (!std::filesystem::exists(previous)) throw;
    auto content = read_model_file(previous);
    warning = text(failure.what(), "; the run goes on from the checkpoint before it, ", previous.string());
    std::error_code ignored;
    std::filesystem::rename(file, text(file.string(), ".damaged"), ignored);
    std::filesystem::create_hard_link(previous, file, ignored);
    if (ignored) std::filesystem::copy_file(previous, file, ignored);
    return content;
  }
}

/// The step at which a checkpoint was written. @throws io_error if it is no checkpoint, damaged, or of a run of another
/// length or seed
[[nodiscard]] inline std::uint32_t step_of(const std::filesystem::path& file, const safetensors_file& content,
                                           const train_options& options) {
  const auto entry = [&](const std::string& name) {
    const auto found = content.metadata.find(name);
    if (found == content.metadata.end())
      throw io_error(text(file.string(), ": is no checkpoint (it has no ", name, ")"));
    return whole_number(file, *found);
  };
  if (entry("comodal.steps") != options.steps || entry("comodal.seed") != options.seed)
    throw io_error(text(file.string(), ": belongs to a run of ", entry("comodal.steps"), " steps with seed ",
                        entry("comodal.seed"), ", this one has ", options.steps, " and ", options.seed,
                        "; use the same settings or another folder"));
  const index step = entry("comodal.step");
  if (step < 0 || step > options.steps)
    throw io_error(text(file.string(), ": comodal.step = ", step, " of ", options.steps, "; the file is damaged"));
  return static_cast<std::uint32_t>(step);
}

/// Puts the check sums of a run's cases into a checkpoint.
inline void save_cases(const case_checksums& cases, safetensors_file& file) {
  if (!cases.empty()) file.metadata["comodal.case_checksums"] = nlohmann::json(cases).dump(-1, ' ', true);
}

/// Refuses to go on with other cases than those that a checkpoint was made with.
/// @param cases by readable names; empty: they are not compared
/// @throws io_error naming the first that is new, missing, or has other images
inline void refuse_other_cases(const case_checksums& cases, const std::filesystem::path& file,
                               const safetensors_file& content) {
  const auto found = content.metadata.find("comodal.case_checksums");
  if (cases.empty() || found == content.metadata.end()) return;
  const auto other = [&](const std::string& id, const char* how) {
    return io_error(text(file.string(), ": case ", id, " ", how,
                         " since the run was begun, --resume needs the same data; name a new folder, or bring the "
                         "data back"));
  };
  const auto then = nlohmann::json::parse(found->second, nullptr, false);
  if (!then.is_object())
    throw io_error(text(file.string(), ": comodal.case_checksums is no list of cases; the file is damaged"));
  for (const auto& [id, sum] : cases) {
    const auto before = then.find(id);
    if (before == then.end()) throw other(id, "has come");
    if (json_value<std::uint32_t>(*before, "comodal.case_checksums") != sum)
      throw other(id, "has changed its images, their grid or its label");
  }
  for (const auto& one : then.items())
    if (!cases.contains(one.key())) throw other(one.key(), "has gone");
}

}  // namespace train_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
