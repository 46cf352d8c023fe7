#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints every line of the project's pages that breaks a rule of their form, and fails if there is one.
#   tests/house/markdown.sh [the project's folder]
# Lines have at most 120 characters, except tables, code blocks and the targets of links. A code block is fenced and
# names its language: cpp, sh and toml are checked by tests/snippets, text is not.
set -u
export LC_ALL=C
cd "${1:-.}" || exit 2
broken=$(mktemp) || exit 2
trap 'rm -f "$broken"' EXIT

for place in README.md CONTRIBUTING.md CHANGELOG.md bench docs examples; do
  [ ! -e "$place" ] || find "$place" -name '*.md'
done | sort | xargs awk '
  function complain(what) { print FILENAME ":" FNR ": " what }
  FNR == 1 { fenced = 0; before = "" }
  /^ *```/ {
    fenced = !fenced
    language = $0; sub(/^ *```/, "", language)
    if (fenced && language !~ /^(cpp|sh|toml|text)$/)
      complain("a code block in \"" language "\", expected cpp, sh, toml or text")
    before = $0
    next
  }
  fenced { next }
  /^    / && before == "" { complain("indented code, expected a fenced block that names its language") }
  {
    before = $0
    line = $0
    gsub(/\]\([^)]*\)/, "]", line)
    gsub(/[\200-\277]/, "", line)  # of a character in UTF-8, the bytes after the first
    if (line !~ /^ *\|/ && length(line) > 120) complain(length(line) " characters, expected 120 at most")
  }' >>"$broken"

cat "$broken"
[ ! -s "$broken" ]
