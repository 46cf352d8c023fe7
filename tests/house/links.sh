#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints every link and path of the documentation that leads nowhere, and fails if there is one.
#   tests/house/links.sh [the project's folder]
# Relative Markdown links must lead to a file or folder, their anchors to a heading. Paths that begin with docs/ or
# bench/, in pages, headers, examples, tests and scripts, are taken from the project's folder and must exist.
set -u
export LC_ALL=C
cd "${1:-.}" || exit 2
broken=$(mktemp) || exit 2
trap 'rm -f "$broken"' EXIT

files() {
  for place in README.md CONTRIBUTING.md CHANGELOG.md CMakeLists.txt CMakePresets.json .ci bench cmake docs examples \
    include tests; do
    [ ! -e "$place" ] || find "$place" -name __pycache__ -prune -o -path tests/house/broken -prune -o -type f -print
  done | sort
}

# The anchor of each heading, one per line.
anchors() {
  awk '/^ *```/ { fenced = !fenced }
    !fenced && /^#+ / {
      sub(/^#+ */, ""); $0 = tolower($0); gsub(/[^a-z0-9 _-]/, ""); gsub(/ /, "-"); print
    }' "$1"
}

# page:line target, for every link that is not in a code block.
links() {
  awk '/^ *```/ { fenced = !fenced }
    !fenced {
      rest = $0; gsub(/`[^`]*`/, "", rest)
      while (match(rest, /\]\([^)]+\)/)) {
        print FILENAME ":" FNR " " substr(rest, RSTART + 2, RLENGTH - 3)
        rest = substr(rest, RSTART + RLENGTH)
      }
    }' "$1"
}

files | grep '\.md$' | while read -r page; do links "$page"; done | while read -r place target; do
  case $target in http://* | https://* | mailto:*) continue ;; esac
  page=${place%:*}
  path=${target%%#*}
  linked=$page
  [ -z "$path" ] || linked=$(dirname "$page")/$path
  if [ ! -e "$linked" ]; then
    echo "$place: links to $target, and there is no $linked"
  elif [ "$target" != "$path" ] && ! anchors "$linked" | grep -qxF -- "${target#*#}"; then
    echo "$place: links to $target, and $linked has no such heading"
  fi
done >>"$broken"

files | xargs awk '{
    rest = " " $0
    while (match(rest, /[^A-Za-z0-9_.\/-](docs|bench)\/[A-Za-z0-9_.\/-]*/)) {
      path = substr(rest, RSTART + 1, RLENGTH - 1)
      sub(/\.+$/, "", path)
      print FILENAME ":" FNR " " path
      rest = substr(rest, RSTART + RLENGTH)
    }
  }' | while read -r place path; do
  [ -e "$path" ] || echo "$place: names $path, which does not exist"
done >>"$broken"

cat "$broken"
[ ! -s "$broken" ]
