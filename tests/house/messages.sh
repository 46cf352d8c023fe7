#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints every message of the page on troubleshooting that the program no longer prints, and fails if there is one.
#   tests/house/messages.sh [the project's folder] [PAGE]
# A message is the code in the first column of a table. Its words between "..." must all occur in one file of include/ or
# cmake/, in texts as the compiler joins them.
set -u
export LC_ALL=C
cd "${1:-.}" || exit 2
page=${2:-docs/how-to/troubleshooting.md}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

# A file is one line: adjacent texts are joined, escapes undone, spaces single.
find include cmake CMakeLists.txt -type f | sort | xargs awk '
  function finish() {
    gsub(/" +"/, "", all); gsub(/\\"/, "\"", all); gsub(/\\n/, " ", all); gsub(/[ \t]+/, " ", all)
    if (all != "") print all
    all = ""
  }
  FNR == 1 { finish() }
  { line = $0; sub(/^[ \t]+/, "", line); all = all " " line }
  END { finish() }' >"$work/sources"
sed -n -e 's/^| `` \(.*\) `` |.*/\1/p' -e 's/^| `\([^`]*\)` |.*/\1/p' "$page" >"$work/messages"
[ -s "$work/messages" ] || { echo "$page: holds no message"; exit 1; }

while IFS= read -r message; do
  printf '%s\n' "$message" | awk '{
    gsub(/ *\.\.\. */, "\n")
    n = split($0, part, "\n")
    for (i = 1; i <= n; ++i) if (length(part[i]) >= 5) print part[i]
  }' >"$work/parts"
  cp "$work/sources" "$work/left"
  while IFS= read -r part; do
    grep -F -e "$part" "$work/left" >"$work/next"
    mv "$work/next" "$work/left"
    [ -s "$work/left" ] || { echo "$page: no file prints \"$message\" (at \"$part\")"; break; }
  done <"$work/parts"
  [ -s "$work/parts" ] || echo "$page: \"$message\" has no fixed words"
done <"$work/messages" >"$work/broken"

cat "$work/broken"
[ ! -s "$work/broken" ]
