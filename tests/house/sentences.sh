#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Counts the sentences of more than 30 words in the project's pages, and fails if there are more than allowed.
#   tests/house/sentences.sh [the project's folder] [how many are allowed: 10]
# Tables, code blocks, headings and comments are not counted, nor are bench/history and CHANGELOG.md. A link counts as
# its text, code in a line as one word. An item of a list, a paragraph, and a full stop before a space end a sentence.
set -u
export LC_ALL=C
cd "${1:-.}" || exit 2
allowed=${2:-10}
long=$(mktemp) || exit 2
trap 'rm -f "$long"' EXIT

for place in README.md CONTRIBUTING.md bench docs examples; do
  [ ! -e "$place" ] || find "$place" -path bench/history -prune -o -name '*.md' -print
done | sort | xargs awk '
  # A sentence of text: its words are what has a letter or a digit in it.
  function judge(sentence, word, n, i, count) {
    n = split(sentence, word, /[ \t]+/)
    count = 0
    for (i = 1; i <= n; ++i) if (word[i] ~ /[A-Za-z0-9]/) ++count
    if (count > 30) print page ":" line ": " count " words: " sentence
  }
  function finish(rest) {
    rest = text
    text = ""
    gsub(/<!--[^>]*-->/, "", rest)
    gsub(/`[^`]*`/, "code", rest)
    gsub(/\]\([^)]*\)/, "]", rest)
    while (match(rest, /[.!?][)"*_]*[ \t]+/)) {
      judge(substr(rest, 1, RSTART))
      rest = substr(rest, RSTART + RLENGTH)
    }
    judge(rest)
  }
  FNR == 1 { finish(); fenced = comment = 0; page = FILENAME }
  /^ *```/ { finish(); fenced = !fenced; next }
  fenced { next }
  /^<!--/ { comment = 1 }
  comment { if (/-->/) comment = 0; next }
  /^ *$/ || /^ *\|/ || /^#/ { finish(); next }
  /^ *([-*]|[0-9]+\.) / { finish(); sub(/^ *([-*]|[0-9]+\.) */, "") }
  { if (text == "") line = FNR; text = text (text == "" ? "" : " ") $0 }
  END { finish() }' >"$long"

found=$(wc -l <"$long")
[ "$found" -le "$allowed" ] && exit 0
cat "$long"
echo "$found sentences of more than 30 words, expected $allowed at most"
exit 1
