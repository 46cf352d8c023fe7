// SPDX-License-Identifier: Apache-2.0
/// @file
/// Who made a result: program, commit, date, host and command, and the sums of what went in and came out.
#ifndef COMODAL_APP_PROVENANCE_HPP
#define COMODAL_APP_PROVENANCE_HPP

#include <comodal/core/processor.hpp>
#include <comodal/core/readable_name.hpp>
#include <comodal/data/json.hpp>
#include <comodal/data/sha256.hpp>
#include <comodal/train/checkpoint_file.hpp>

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// What runs now. The command line sets it before it calls a verb; a program of your own may do so, too.
struct running_program {
  std::string commit;   // of the sources it was built from; empty: not known
  std::string command;  // as it was typed, for a shell; empty: not known
};
[[nodiscard]] inline running_program& this_program() {
  static running_program value;
  return value;
}

/// Who made a result, and when.
struct provenance {
  std::string version, commit, date, host, command;  // date: UTC, as 2026-11-30T09:15:00Z
  std::string instruction_set = {}, processor = {};  // what it was compiled for, and what it ran on
};

/// The time now, UTC. Where the environment has SOURCE_DATE_EPOCH, a number of seconds since 1970, that one.
/// @throws config_error if that is no such number
[[nodiscard]] inline std::string date_now() {
  std::time_t seconds = std::time(nullptr);
  if (const char* fixed = std::getenv("SOURCE_DATE_EPOCH"); fixed != nullptr && *fixed != '\0') {
    const std::string_view word = fixed;
    long long given = -1;
    const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), given);
    constexpr long long last = 253402300799;  // of the year 9999
    if (failure != std::errc() || end != word.data() + word.size() || given < 0 || given > last)
      throw config_error(text("SOURCE_DATE_EPOCH = '", readable_name(word), "': expected seconds since 1970, 0 to ",
                              last, "; unset it"));
    seconds = static_cast<std::time_t>(given);
  }
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> words{};
  (void)std::strftime(words.data(), words.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return words.data();
}

/// The instruction set that this program was compiled for; empty where the build does not say it.
[[nodiscard]] inline std::string compiled_for() {
#if defined(COMODAL_ARCH_NAME)
  return COMODAL_ARCH_NAME;
#else
  return {};
#endif
}

/// This program, now, on this machine.
[[nodiscard]] inline provenance provenance_now() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return {COMODAL_VERSION,
          this_program().commit,
          date_now(),
          readable_name(host.data()),
          this_program().command,
          compiled_for(),
          processor::this_machine().to_string()};
}

/// A word as a shell takes it: bash and zsh where it has control characters or bytes that are no UTF-8.
[[nodiscard]] inline std::string shell_word(const std::string& word) {
  const bool plain = !word.empty() && word.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789_-+=./,:@%") == std::string::npos;
  if (plain) return word;
  std::string rest = word;  // a readable name shows backslashes, too
  std::erase(rest, '\\');
  const bool bytes = readable_name(rest) != rest;
  constexpr std::string_view digits = "0123456789abcdef";
  std::string quoted = bytes ? "$'" : "'";
  for (const char c : word) {
    const auto code = static_cast<unsigned char>(c);
    if (bytes && (code < 0x20 || code >= 0x7F))
      quoted += text("\\x", digits[code >> 4U], digits[code & 15U]);
    else if (bytes && (c == '\'' || c == '\\'))
      quoted += text('\\', c);
    else
      quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return quoted + "'";
}
/// The words of a command line as a shell takes them.
[[nodiscard]] inline std::string shell_command(int argc, const char* const* argv) {
  std::string all;
  for (int i = 0; i < argc; ++i) all += (i > 0 ? " " : "") + shell_word(argv[i]);
  return all;
}

}  // namespace app

namespace app_detail {

[[nodiscard]] inline nlohmann::ordered_json to_json(const app::provenance& of) {
  return {{"version", of.version},    {"commit", of.commit},   {"date", of.date},
          {"host", of.host},          {"command", of.command}, {"instruction_set", of.instruction_set},
          {"processor", of.processor}};
}
// What is missing or of another kind stays empty.
[[nodiscard]] inline app::provenance provenance_from(const nlohmann::ordered_json& j) {
  const auto of = [&](const char* key) {
    return j.is_object() && j.contains(key) && j[key].is_string() ? j[key].get<std::string>() : std::string();
  };
  return {of("version"), of("commit"), of("date"), of("host"), of("command"), of("instruction_set"), of("processor")};
}

// One sum for many cases: their names stay where they are.
[[nodiscard]] inline std::string sum_of(const case_checksums& cases) {
  sha256 all;
  for (const auto& [id, sum] : cases) all.add(text(id, " ", sum, "\n"));
  return all.digits();
}

/// The file of a run that says who made it: an entry per call of `train`, and the sums of its models.
class run_record {
 public:
  /// The calls that a folder's file lists, the first first; empty without a file, or with a damaged one.
  [[nodiscard]] static std::vector<nlohmann::ordered_json> calls_in(const std::filesystem::path& folder) {
    const auto all = json_or_nothing(file_in(folder));
    if (!all.is_object() || !all.contains("calls") || !all["calls"].is_array()) return {};
    return {all["calls"].begin(), all["calls"].end()};
  }
  /// The last call that trained a step, or was killed; null if there is none.
  [[nodiscard]] static nlohmann::ordered_json last_training(const std::vector<nlohmann::ordered_json>& calls) {
    nlohmann::ordered_json last;
    for (const auto& call : calls)
      if (call.is_object() && !call.contains("changed") &&
          (!call.contains("steps") || !call.contains("first_step") || call["steps"] != call["first_step"]))
        last = call;
    return last;
  }
  /// The SHA-256 that the file has of a model of the folder; empty if it has none.
  [[nodiscard]] static std::string sum_in(const std::filesystem::path& folder, const std::string& model) {
    const auto all = json_or_nothing(file_in(folder));
    if (!all.is_object() || !all.contains("sha256") || !all["sha256"].is_object()) return {};
    return all["sha256"].contains(model) && all["sha256"][model].is_string() ? all["sha256"][model].get<std::string>()
                                                                             : std::string();
  }
  /// Adds this call. A damaged file is kept as provenance.damaged.json, and `warn` hears of it.
  run_record(const std::filesystem::path& folder, std::uint32_t step,
             const std::function<void(const std::string&)>& warn)
      : m_folder(folder) {
    m_calls = calls_in(folder);
    if (std::error_code failure; m_calls.empty() && std::filesystem::exists(file(), failure)) {
      std::filesystem::rename(file(), folder / "provenance.damaged.json", failure);
      warn(text(file().string(), ": is damaged; what it said is kept in provenance.damaged.json"));
    }
    auto call = to_json(app::provenance_now());
    call["first_step"] = step;
    m_calls.push_back(std::move(call));
    write();
  }
  /// Records, in a folder that has such a file, that this call changed its models, and their new sums.
  /// @param what was changed: "postprocessing"
  static void changed(const std::filesystem::path& folder, const std::string& what) {
    auto calls = calls_in(folder);
    if (calls.empty()) return;
    calls.push_back(to_json(app::provenance_now()));
    calls.back()["changed"] = what;
    write(folder, calls);
  }
  /// Says what this call came to.
  void end(std::uint32_t step, double seconds, bool finished) {
    auto& call = m_calls.back();
    call["ended"] = app::date_now();
    call["seconds"] = seconds;
    call["steps"] = step;
    call["finished"] = finished;
    write();
  }

  [[nodiscard]] static std::filesystem::path file_in(const std::filesystem::path& folder) {
    return folder / "provenance.json";
  }

 private:
  [[nodiscard]] std::filesystem::path file() const { return file_in(m_folder); }
  void write() const { write(m_folder, m_calls); }
  static void write(const std::filesystem::path& folder, const std::vector<nlohmann::ordered_json>& calls) {
    const nlohmann::ordered_json all{{"calls", calls}, {"sha256", sums_of(folder)}};
    constexpr auto replace = nlohmann::ordered_json::error_handler_t::replace;
    write_text(file_in(folder), all.dump(2, ' ', false, replace) + "\n");
  }
  [[nodiscard]] static nlohmann::ordered_json sums_of(const std::filesystem::path& folder) {
    auto sums = nlohmann::ordered_json::object();
    for (const char* name : {"model.safetensors", "best.safetensors"})
      if (std::error_code none; std::filesystem::exists(folder / name, none))
        sums[name] = sha256_of_file(folder / name);
    return sums;
  }

  std::filesystem::path m_folder;
  std::vector<nlohmann::ordered_json> m_calls;
};

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
