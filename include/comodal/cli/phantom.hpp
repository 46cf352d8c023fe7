// SPDX-License-Identifier: Apache-2.0
/// @file
/// The command `phantom`: a cohort of synthetic heads.
#ifndef COMODAL_CLI_PHANTOM_HPP
#define COMODAL_CLI_PHANTOM_HPP

#include <comodal/app/settings.hpp>
#include <comodal/data/phantom.hpp>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace cli {

struct phantom_arguments {
  std::filesystem::path folder, config;
  std::uint64_t seed = 1;
  bool easy = false, hard = false, copies = false;
};

[[nodiscard]] inline app::settings phantom_settings(phantom_options& options) {
  app::settings keys;
  visit_phantom_options(options, [&](std::string_view name, auto& value, std::string_view help) {
    keys.bind(text("phantom.", name), value, std::string(help));
  });
  return keys;
}

/// All keys of a phantom file with their defaults, as TOML.
[[nodiscard]] inline std::string phantom_keys() {
  phantom_options options;
  return phantom_settings(options).resolved();
}

/// Makes a cohort. @return the exit status @throws config_error for a folder that is not empty and for bad keys
inline int phantom(const phantom_arguments& arguments, const std::vector<std::string>& overrides) {
  if (std::error_code none;
      std::filesystem::exists(arguments.folder, none) &&
      (!std::filesystem::is_directory(arguments.folder, none) || !std::filesystem::is_empty(arguments.folder, none)))
    throw config_error(text(arguments.folder.string(), ": exists already and is no empty folder; name a new folder"));
  if (arguments.easy && arguments.hard) throw config_error("--easy and --hard exclude each other");
  phantom_options options;
  if (arguments.easy) make_easy(options);
  if (arguments.hard) make_hard(options);
  app::settings keys = phantom_settings(options);
  app::raw_settings raw;
  if (!arguments.config.empty()) raw.read_file(arguments.config);
  raw.read_overrides(overrides);
  keys.apply(raw);
  try {
    check(options);
  } catch (const config_error& failure) {
    const auto* at = raw.named_first_in(failure.what());
    throw config_error(text(at == nullptr ? "" : at->where + ": ", failure.what()));
  }
  if (arguments.copies) options.copies = true;
  try {
    write_phantom_cohort(arguments.folder, options, arguments.seed);
  } catch (const disk_error& failure) {
    throw disk_error(text(failure.what(), "; then remove ", arguments.folder.string(), " and call it again"));
  }
  write_text(arguments.folder / "phantom.toml",
             text("# comodal phantom --seed ", arguments.seed, "\n", keys.resolved()));
  std::printf("%s: %d labelled, %d unlabelled and %d test cases\n", arguments.folder.c_str(),
              static_cast<int>(options.labelled), static_cast<int>(options.unlabelled), static_cast<int>(options.test));
  return 0;
}

}  // namespace cli

}  // namespace comodal::inline COMODAL_CONFIG

#endif
