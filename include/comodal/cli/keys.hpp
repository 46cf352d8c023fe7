// SPDX-License-Identifier: Apache-2.0
/// @file
/// The commands `init` and `keys`: a first experiment file, and what may stand in one.
#ifndef COMODAL_CLI_KEYS_HPP
#define COMODAL_CLI_KEYS_HPP

#include <comodal/app/init.hpp>
#include <comodal/app/key_table.hpp>
#include <comodal/cli/console.hpp>
#include <comodal/core/readable_name.hpp>

#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

namespace comodal::inline COMODAL_CONFIG {

namespace cli {

template <tensor_backend Backend>
int init(const app::init_request& request, const registry<Backend>& names) {
  if (std::error_code none; request.data != app::init_request().data && !std::filesystem::exists(request.data, none))
    throw config_error(text("--data: '", readable_name(request.data),
                            "': there is no such folder here; name one, or leave the option out and write data.folder "
                            "into the file"));
  (void)app::init(request, names);
  std::printf("%s: edit it, then: comodal train %s run\n", request.file.c_str(), request.file.c_str());
  return 0;
}

/// Prints the keys that somebody may mean by `word`; all for an empty one. @throws config_error where there is none
template <tensor_backend Backend>
int keys(const std::string& word, bool markdown, const registry<Backend>& names) {
  if (markdown && !word.empty()) throw config_error("keys: --markdown writes all keys; leave the word out");
  app::of_all_keys(names, [&](const app::settings& all) {
    if (markdown) return (void)std::printf("%s", app::keys_page(all).c_str());
    const auto [hint, found] = app::keys_with(all, word);
    if (found.empty() && hint.empty())
      throw config_error(
          text("no key has '", readable_name(word), "' in its name or its meaning; ", "`comodal keys` lists all"));
    if (!hint.empty()) std::printf("# %s: %s\n", printable(word).c_str(), std::string(hint).c_str());
    for (const auto& key : found) {
      std::string more;  // names that the sentence does not know, of a program of somebody's own
      for (const auto& choice : app::choices_of(key, all, names))
        if (choice != "true" && choice != "false" && all.help(key).find(choice) == std::string::npos)
          more += (more.empty() ? "; also " : ", ") + choice;
      std::printf("%-42s # %s%s\n", text(key, " = ", all.shown(key)).c_str(), all.help(key).c_str(),
                  key == "method.name" ? "" : more.c_str());
    }
  });
  return 0;
}

}  // namespace cli

}  // namespace comodal::inline COMODAL_CONFIG

#endif
