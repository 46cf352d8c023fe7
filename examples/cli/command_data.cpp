// SPDX-License-Identifier: Apache-2.0
// `comodal phantom` and `comodal check`.
#include "commands.hpp"
#include "settings.hpp"

#include <comodal/data/check.hpp>
#include <comodal/data/nnunet_raw.hpp>
#include <comodal/data/phantom.hpp>

#include <cstdio>

namespace cli {
namespace {

settings phantom_settings(comodal::phantom_options& options) {
  settings keys;
  comodal::visit_phantom_options(
      options, [&](std::string_view name, auto& value) { keys.bind("phantom." + std::string(name), value); });
  return keys;
}

}  // namespace

std::string phantom_keys() {
  comodal::phantom_options options;
  return phantom_settings(options).resolved();
}

int phantom(const phantom_arguments& arguments, const std::vector<std::string>& overrides) {
  if (std::filesystem::exists(arguments.folder) && !std::filesystem::is_empty(arguments.folder))
    throw config_error(text(arguments.folder.string(), ": exists already and is not empty; name a new folder"));
  if (arguments.easy && arguments.hard) throw config_error("--easy and --hard exclude each other");
  comodal::phantom_options options;
  if (arguments.easy) comodal::make_easy(options);
  if (arguments.hard) comodal::make_hard(options);
  settings keys = phantom_settings(options);
  if (!arguments.config.empty()) keys.read_file(arguments.config);
  keys.read_overrides(overrides);
  if (arguments.copies) options.copies = true;
  comodal::write_phantom_cohort(arguments.folder, options, arguments.seed);
  comodal::write_text(arguments.folder / "phantom.toml",
                      text("# comodal phantom --seed ", arguments.seed, "\n", keys.resolved()));
  std::printf("%s: %d labelled, %d unlabelled and %d test cases\n", arguments.folder.c_str(),
              static_cast<int>(options.labelled), static_cast<int>(options.unlabelled), static_cast<int>(options.test));
  return 0;
}

int check(const path& folder) {
  if (!comodal::nnunet_raw_reader::recognises(folder))
    throw config_error(
        text(folder.string(), ": is no nnU-Net raw folder (it has no dataset.json with imagesTr beside it)"));
  const auto findings = comodal::check_cohort(comodal::nnunet_raw_reader{folder}, folder);
  for (const auto& one : findings) std::printf("%s\n", comodal::to_line(one).c_str());
  const auto errors = comodal::count_errors(findings);
  std::printf("%s: %zu error%s, %zu warning%s\n", folder.c_str(), errors, errors == 1 ? "" : "s",
              findings.size() - errors, findings.size() - errors == 1 ? "" : "s");
  return errors == 0 ? 0 : 2;
}

}  // namespace cli
