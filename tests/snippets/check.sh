#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks the code blocks of the pages that are not C++: sh is parsed, toml is read as an experiment file.
#   sh tests/snippets/check.sh PROJECT sh
#   sh tests/snippets/check.sh PROJECT toml PROGRAM
# An experiment file is good if `comodal train` understands every key and value, and only then complains that the data
# set, which it is given beside the file, does not exist. A file with a table [experiment] is for `comodal experiment`.
set -eu
project=$1
language=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
cd "$project"
find README.md CONTRIBUTING.md docs bench examples -name '*.md' | LC_ALL=C sort |
  xargs awk -v language="$language" -v folder="$work" -f "$(dirname "$0")/extract.awk" >"$work/list"
if [ "$language" = toml ]; then ls "$project"/examples/*.toml >>"$work/list"; fi
[ -s "$work/list" ] || { echo "no block of $language was found" >&2; exit 1; }

failed=0
while read -r file; do
  if [ "$language" = sh ]; then
    sh -n "$file" || { failed=1; echo "FAILED: ${file##*/}" >&2; }
  else
    if grep -q '^\[experiment\]' "$file"; then
      "$3" experiment "$file" --folder "$work/run" --data.folder absent_data_set
    else
      "$3" train "$file" "$work/run" --data.folder absent_data_set
    fi >"$work/out" 2>&1 || true
    grep -q "^comodal: \(.*; seed [0-9]*: \)\{0,1\}data.folder = 'absent_data_set'" "$work/out" || { failed=1; echo "FAILED: ${file##*/}" >&2; cat "$work/out" >&2; }
  fi
done <"$work/list"
echo "$(wc -l <"$work/list") blocks"
exit $failed
