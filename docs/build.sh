#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the site: MkDocs makes the pages, Doxygen the API of the headers; every warning is an error.
#   sh docs/build.sh [OUT]        default: build/site; open OUT/index.html, or serve OUT to have the search box work
# Installs MkDocs, its theme and Doxygen from Debian's (12) or Ubuntu's packages where they are missing (root or sudo).
# The pages keep their places in the repository, so that their links are the same on the site. The order of the pages is
# that of docs/README.md; a page that it does not list is an error.
set -eu
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/.."
out=${1:-build/site}
theme=/usr/share/mkdocs/themes/material
{ command -v mkdocs && command -v doxygen && test -d $theme; } >/dev/null || sh cmake/install_packages.sh --only mkdocs mkdocs-material doxygen

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
stage=$work/stage
mkdir "$stage"

# Pages, and whatever else they link to, at their own places.
{ ls README.md CONTRIBUTING.md CHANGELOG.md && find docs bench examples -name '*.md'; } | sort >"$work/pages"
xargs awk -f docs/links.awk <"$work/pages" | sort -u >"$work/linked"
while read -r page; do
  mkdir -p "$stage/$(dirname "$page")"
  awk -f docs/lists.awk "$page" >"$stage/$page"
done <"$work/pages"
while read -r file; do
  case $file in *.md) continue ;; esac
  [ -f "$file" ] || { echo "docs/build.sh: a page links to $file, expected a file: a folder has no page on the site" >&2; exit 1; }
  mkdir -p "$stage/$(dirname "$file")"
  cp "$file" "$stage/$file"
done <"$work/linked"

# The index of docs/README.md is the site's navigation.
{
  cat docs/mkdocs.yml
  echo "docs_dir: $stage"
  echo "site_dir: $work/site"
  echo "nav:"
  echo "  - Overview: [README.md, {All pages: docs/README.md}]"
  awk '/^## / { print "  - \"" substr($0, 4) "\":" }
    /^\| \[/ {
      title = $0; sub(/^\| \[/, "", title); sub(/\].*/, "", title)
      path = $0; sub(/^[^(]*\(/, "", path); sub(/\).*/, "", path)
      if (!sub(/^\.\.\//, "", path)) path = "docs/" path
      print "    - \"" title "\": " path
      if (title == "API") print "    - \"API: all types and functions\": api/index.html"
    }' docs/README.md
} >"$work/mkdocs.yml"
missing=$(sed -n "/^docs./p" "$work/pages" | grep -v README | while read -r page; do grep -q ": $page\$" "$work/mkdocs.yml" || echo "$page"; done)
[ -z "$missing" ] || { echo "docs/build.sh: docs/README.md does not list: $missing" >&2; exit 1; }

version=$(sed -n 's/^#define COMODAL_VERSION "\(.*\)"/\1/p' include/comodal/core/config.hpp)
{
  cat docs/Doxyfile
  echo "OUTPUT_DIRECTORY=$stage"
  echo "HTML_OUTPUT=api"
  echo "PROJECT_NUMBER=$version"
} | doxygen - || { echo "docs/build.sh: Doxygen warned (above)" >&2; exit 1; }
mkdocs build --strict -f "$work/mkdocs.yml" >"$work/words" 2>&1 || { grep -E 'WARNING|ERROR|Error|Aborted' "$work/words" >&2; exit 1; }

# What neither of them looks at: links to files, and to headings.
(cd "$work/site" && find . -name '*.html' ! -path './api/*' | sort | xargs awk -f "$OLDPWD/docs/site_links.awk") >"$work/targets"
broken=$(while read -r page target; do [ -e "$work/site/$target" ] || echo "$page links to $target, which the site lacks"; done <"$work/targets")
[ -z "$broken" ] || { echo "docs/build.sh: $broken" >&2; exit 1; }

rm -rf "$out"
mkdir -p "$(dirname "$out")"
mv "$work/site" "$out"
echo "$out/index.html"
