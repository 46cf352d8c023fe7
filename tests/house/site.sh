#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the site, and looks at what came out. Exits with 77 (skipped) where its programs are missing.
#   tests/house/site.sh PROJECT FOLDER
set -eu
for program in mkdocs doxygen; do
  command -v $program >/dev/null || { echo "skipped: $program is missing; sh docs/build.sh installs it"; exit 77; }
done
[ -d /usr/share/mkdocs/themes/material ] || { echo "skipped: mkdocs-material is missing; sh docs/build.sh installs it"; exit 77; }
sh "$1/docs/build.sh" "$2"

site=$2 pages=$2/docs

# has PAGE WORDS: a page must have these words.
has() {
  grep -q "$2" "$1" || { echo "$1 lacks '$2'"; exit 1; }
}
has "$site/index.html" 'comodal'
has "$pages/index.html" 'Getting started'
has "$pages/how-to/troubleshooting.html" 'there is no such folder'
has "$site/search/search_index.json" 'Troubleshooting'
has "$site/api/index.html" 'comodal'
has "$site/api/annotated.html" 'tensor'
! grep -rlE 'https?://(fonts|cdn)' "$site" --include='*.html' || { echo "these pages load files of others"; exit 1; }
