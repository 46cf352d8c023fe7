// SPDX-License-Identifier: Apache-2.0
/// @file
/// Scripts that complete the command line in bash and zsh: verbs, options, keys, names of methods, files.
#ifndef COMODAL_CLI_COMPLETION_HPP
#define COMODAL_CLI_COMPLETION_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/readable_name.hpp>

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
    bool keys = false;               // takes --SECTION.KEY, too
  };
  std::string program;
  std::vector<verb> verbs;
  std::vector<described> keys;       // with their dashes
  std::vector<std::string> methods;  // values of --method.name
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

}  // namespace cli_detail

namespace cli {

/// The script for bash: `source <(comodal completion bash)`.
[[nodiscard]] inline std::string bash_completion(const completed_words& of) {
  std::string verbs, cases;
  for (const auto& verb : of.verbs) {
    verbs += (verbs.empty() ? "" : " ") + verb.name.first;
    cases += text("    ", verb.name.first, ") words=", cli_detail::quoted(cli_detail::in_a_row(verb.options)),
                  verb.keys ? "\" $keys\"" : "", " ;;\n");
  }
  return text("# Completion of ", of.program, " in bash. Use: source <(", of.program,
              " completion bash)\n"
              "_comodal() {\n"
              "  local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=\n"
              "  local keys=",
              cli_detail::quoted(cli_detail::in_a_row(of.keys)),
              "\n  COMPREPLY=()\n"
              "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
              "    COMPREPLY=($(compgen -W ",
              cli_detail::quoted(verbs + " --help --version"),
              " -- \"$cur\"))\n    return\n  fi\n"
              "  if [ \"$before\" = --method.name ] || [ \"$before\" = --method ]; then\n"
              "    COMPREPLY=($(compgen -W ",
              cli_detail::quoted(cli_detail::in_a_row(of.methods)),
              " -- \"$cur\"))\n    return\n  fi\n"
              "  case ${COMP_WORDS[1]} in\n",
              cases,
              "  esac\n"
              "  if [[ $cur == -* ]]; then\n"
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
  std::string verbs, cases, keys;
  for (const auto& verb : of.verbs) {
    verbs += "    " + cli_detail::zsh_entry(verb.name) + "\n";
    cases += text("    ", verb.name.first, ") found=(");
    for (const auto& option : verb.options) cases += "\n      " + cli_detail::zsh_entry(option);
    cases += verb.keys ? "\n      $keys) ;;\n" : ") ;;\n";
  }
  for (const auto& key : of.keys) keys += "    " + cli_detail::zsh_entry(key) + "\n";
  return text("#compdef ", of.program, "\n# Completion of ", of.program, " in zsh. Use: source <(", of.program,
              " completion zsh)\n"
              "_comodal() {\n"
              "  local -a verbs keys found\n  verbs=(\n",
              verbs, "  )\n  keys=(\n", keys,
              "  )\n"
              "  if (( CURRENT == 2 )); then\n    _describe 'verb' verbs\n    return\n  fi\n"
              "  if [[ ${words[CURRENT-1]} == --method.name || ${words[CURRENT-1]} == --method ]]; then\n"
              "    compadd -- ",
              cli_detail::in_a_row(of.methods),
              "\n    return\n  fi\n"
              "  case ${words[2]} in\n",
              cases,
              "  esac\n"
              "  if [[ $PREFIX == -* ]]; then\n    _describe -o 'option' found\n  else\n    _files\n  fi\n"
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

}  // namespace cli

}  // namespace comodal::inline COMODAL_CONFIG

#endif
