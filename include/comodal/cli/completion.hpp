// SPDX-License-Identifier: Apache-2.0
/// @file
/// Scripts that complete the command line in bash and zsh: verbs, options, keys, names of methods, files.
#ifndef COMODAL_CLI_COMPLETION_HPP
#define COMODAL_CLI_COMPLETION_HPP

#include <comodal/app/key_table.hpp>
#include <comodal/app/registry.hpp>
#include <comodal/core/error.hpp>
#include <comodal/core/readable_name.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace cli {

/// What a shell has to know of a command line.
struct completed_words {
  using described = std::pair<std::string, std::string>;  // a word, and what it is
  struct verb {
    described name;
    std::vector<described> options;  // with their dashes
    std::vector<std::string> words;  // what a word without dashes may be; empty: a file
    bool keys = false;               // takes --SECTION.KEY, too
  };
  // What may stand behind an option or a key.
  struct choice {
    std::string option;  // with its dashes
    std::vector<std::string> words;
  };
  std::string program;
  std::vector<verb> verbs;
  std::vector<described> keys;  // with their dashes
  std::vector<choice> choices;
};

}  // namespace cli

namespace cli_detail {

// For a text in single quotes.
[[nodiscard]] inline std::string quoted(const std::string& words) {
  std::string out = "'";
  for (const char c : words) out += c == '\'' ? std::string("'\\''") : std::string(1, c == '\n' ? ' ' : c);
  return out + "'";
}
// "WORD:what it is" of zsh.
[[nodiscard]] inline std::string zsh_entry(const cli::completed_words::described& one) {
  std::string word;
  for (const char c : one.first) word += c == ':' ? std::string("\\:") : std::string(1, c);
  return quoted(one.second.empty() ? word : word + ":" + one.second);
}
[[nodiscard]] inline std::string in_a_row(const std::vector<cli::completed_words::described>& words) {
  std::string row;
  for (const auto& one : words) row += (row.empty() ? "" : " ") + one.first;
  return row;
}
[[nodiscard]] inline std::string in_a_row(const std::vector<std::string>& words) {
  std::string row;
  for (const auto& one : words) row += (row.empty() ? "" : " ") + one;
  return row;
}

// The words of "TEXT:{mm,voxel}", as CLI11 shows what an option may be; none without braces.
[[nodiscard]] inline std::vector<std::string> words_in_braces(const std::string& type) {
  const auto open = type.find('{'), close = type.find('}');
  std::vector<std::string> words;
  if (open == std::string::npos || close == std::string::npos || close < open + 2) return words;
  words.emplace_back();
  for (const char c : type.substr(open + 1, close - open - 1))
    if (c == ',')
      words.emplace_back();
    else
      words.back() += c;
  return words;
}

}  // namespace cli_detail

namespace cli {

/// The script for bash: `source <(comodal completion bash)`.
[[nodiscard]] inline std::string bash_completion(const completed_words& of) {
  std::string verbs, cases, choices;
  for (const auto& verb : of.verbs) {
    verbs += (verbs.empty() ? "" : " ") + verb.name.first;
    cases += text("    ", verb.name.first, ") options=", cli_detail::quoted(cli_detail::in_a_row(verb.options)),
                  verb.keys ? "\" $keys\"" : "");
    if (!verb.words.empty()) cases += " words=" + cli_detail::quoted(cli_detail::in_a_row(verb.words));
    cases += " ;;\n";
  }
  for (const auto& one : of.choices)
    choices +=
        text("    ", one.option, ") words=", cli_detail::quoted(cli_detail::in_a_row(one.words)), " value=1 ;;\n");
  return text("# Completion of ", of.program, " in bash. Use: source <(", of.program,
              " completion bash)\n"
              "_comodal() {\n"
              "  local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} options= words= value=\n"
              "  local keys=",
              cli_detail::quoted(cli_detail::in_a_row(of.keys)),
              "\n  COMPREPLY=()\n"
              "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
              "    COMPREPLY=($(compgen -W ",
              cli_detail::quoted(verbs + " --help --version"),
              " -- \"$cur\"))\n    return\n  fi\n"
              "  case ${COMP_WORDS[1]} in\n",
              cases,
              "  esac\n"
              "  case $before in\n",
              choices,
              "  esac\n"
              "  if [[ -z $value && $cur == -* ]]; then\n"
              "    COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
              "  elif [ -n \"$words\" ]; then\n"
              "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
              "  else\n"
              "    mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
              "  fi\n"
              "}\n"
              "complete -o filenames -F _comodal ",
              of.program, "\n");
}

/// The script for zsh: `source <(comodal completion zsh)`, or a file _comodal in a folder of $fpath.
[[nodiscard]] inline std::string zsh_completion(const completed_words& of) {
  std::string verbs, cases, keys, choices;
  for (const auto& one : of.choices)
    choices += text("    ", one.option, ") compadd -- ", cli_detail::in_a_row(one.words), "; return ;;\n");
  for (const auto& verb : of.verbs) {
    verbs += "    " + cli_detail::zsh_entry(verb.name) + "\n";
    cases += text("    ", verb.name.first, ") found=(");
    for (const auto& option : verb.options) cases += "\n      " + cli_detail::zsh_entry(option);
    cases += verb.keys ? "\n      $keys)" : ")";
    if (!verb.words.empty()) cases += text(" values=(", cli_detail::in_a_row(verb.words), ")");
    cases += " ;;\n";
  }
  for (const auto& key : of.keys) keys += "    " + cli_detail::zsh_entry(key) + "\n";
  return text("#compdef ", of.program, "\n# Completion of ", of.program, " in zsh. Use: source <(", of.program,
              " completion zsh)\n"
              "_comodal() {\n"
              "  local -a verbs keys found values\n  verbs=(\n",
              verbs, "  )\n  keys=(\n", keys,
              "  )\n"
              "  if (( CURRENT == 2 )); then\n    _describe 'verb' verbs\n    return\n  fi\n"
              "  case ${words[CURRENT-1]} in\n",
              choices,
              "  esac\n"
              "  case ${words[2]} in\n",
              cases,
              "  esac\n"
              "  if [[ $PREFIX == -* ]]; then\n    _describe -o 'option' found\n"
              "  elif (( $#values )); then\n    compadd -- $values\n  else\n    _files\n  fi\n"
              "}\n"
              "if [[ ${funcstack[1]} == _comodal ]]; then\n  _comodal \"$@\"\nelse\n  compdef _comodal ",
              of.program, "\nfi\n");
}

/// The script for a shell: "bash" or "zsh". @throws config_error for a program whose name a shell would not take for
/// one
[[nodiscard]] inline std::string completion(const std::string& shell, const completed_words& of) {
  if (of.program.empty() || of.program.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                         "0123456789_-+.") != std::string::npos)
    throw config_error(text("completion: the program is called '", readable_name(of.program),
                            "', expected letters, digits and . _ - + alone; call it by a link with such a name"));
  return shell == "zsh" ? zsh_completion(of) : bash_completion(of);
}

/// What the shells have to know of the commands of `program` and of the keys of an experiment file.
template <tensor_backend Backend>
[[nodiscard]] completed_words words_of(const CLI::App& program, const registry<Backend>& names) {
  completed_words all{program.get_name(), {}, {}, {}};
  const auto choose = [&all](const std::string& option, std::vector<std::string> words) {
    const auto known =
        std::any_of(all.choices.begin(), all.choices.end(), [&](const auto& one) { return one.option == option; });
    if (!words.empty() && !known) all.choices.push_back({option, std::move(words)});
  };
  std::vector<std::string> keys;
  app::of_all_keys(names, [&](const app::settings& of) {
    keys = of.names();
    for (const auto& key : keys) {
      all.keys.emplace_back("--" + key, of.help(key));
      choose("--" + key, app::choices_of(key, of, names));
    }
  });
  choose("--method", names.method_names());
  for (const CLI::App* one : program.get_subcommands([](const CLI::App*) { return true; })) {
    completed_words::verb verb{{one->get_name(), one->get_description()}, {}, {}};
    for (const CLI::Option* option : one->get_options()) {
      const auto words = cli_detail::words_in_braces(option->get_type_name());
      if (option->get_positional()) verb.words.insert(verb.words.end(), words.begin(), words.end());
      for (const auto& name : option->get_lnames()) {
        if (option->get_group().empty()) continue;
        verb.options.emplace_back("--" + name, option->get_description());
        choose("--" + name, words);
      }
    }
    if (verb.name.first == "keys") verb.words = keys;
    verb.keys = one->get_allow_extras() && verb.name.first != "phantom";
    all.verbs.push_back(std::move(verb));
  }
  completed_words::verb help{{"help", "show the options of a command"}, {}, {}};
  for (const auto& verb : all.verbs) help.words.push_back(verb.name.first);
  all.verbs.push_back(std::move(help));
  return all;
}

}  // namespace cli

}  // namespace comodal::inline COMODAL_CONFIG

#endif
