#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The picture of README.md: the axial slice of the median case from the report of examples/run.sh. Needs chromium (Debian: chromium).
#   sh docs/pictures/make.sh PROGRAM FOLDER [PNG]
# FOLDER is that of examples/run.sh: cohort/, supervised/ and contrastive_mutual_learning/ with their predictions.
set -eu
program=$1 folder=$2
picture=${3:-$(cd "$(dirname "$0")" && pwd)/few-labels.png}
command -v chromium >/dev/null || { echo "make.sh: chromium is missing; install the package chromium" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

"$program" report "$folder/supervised" "$folder/contrastive_mutual_learning" --labels "$folder/cohort/labelsTs" \
  --images "$folder/cohort/imagesTs" --cases 3 --still --out "$work/report.html" >/dev/null
# The page's style, its grey pictures and patterns, and the first row of panels of the case that is marked as the median, without errors.
awk '
  /<style/, /<\/style>/ { print; next }
  /<svg class="defs"/ { print; next }
  /<section class="case"/ { median = /median/ && !done }
  median && /<div class="panels"/ { sub(/--n: [0-9]+/, "--n: 4"); row = 1 }
  row { panel = panel $0 "\n" }
  row && /<\/figure>/ { if (panel !~ /figcaption>errors/) printf "%s", panel; panel = "" }
  row && /^<\/div>/ { print "</div>"; row = median = 0; done = 1 }
  BEGIN { print "<!DOCTYPE html><html><head><meta charset=\"utf-8\">" }
  END { print "</html>"; exit !done }' "$work/report.html" >"$work/row.html" || { echo "make.sh: the report has no median case" >&2; exit 1; }
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1000,290 --screenshot="$picture" "file://$work/row.html" >/dev/null 2>&1
[ -s "$picture" ] || { echo "make.sh: chromium made no picture" >&2; exit 1; }
echo "$picture"
