#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints every header and example that breaks a rule of the house, and fails if there is one.
#   tests/house/headers.sh [the project's folder]
# Layers include only themselves and layers above them; `report` knows core, data and metric alone; engine/engine.hpp leaves the
# reference engine out. A header names its licence, has a guard made from its path, at most 350 lines, and no `using namespace`.
# Only core and engine launch kernels; only core waits for a device and takes its memory, and cli to measure.
# Only core and engine have OpenMP regions of their own, because an exception that leaves one ends the program.
# <layer>/<layer>.hpp gathers all headers of the layer (a vendor's engine comes with engine/engines.hpp), comodal.hpp all
# layers but app and cli, which need toml11 and CLI11. Only cli prints, and what ends a program on the wrong processor. Examples stay below
# 100 lines.
set -u
cd "${1:-.}" || exit 2
layers="core engine ops data plan metric autograd nn model loss ssl infer train report app cli"
broken=$(mktemp) || exit 2
trap 'rm -f "$broken"' EXIT

find include/comodal -name '*.hpp' | LC_ALL=C sort | xargs awk -v layers="$layers" '
  function complain(what) { print FILENAME ":" (FNR > 1 ? FNR ":" : "") " " what }
  function finish() {
    if (previous == "") return
    if (lines > 350) print previous ": " lines " lines, expected 350 at most"
    if (guarded < 2) print previous ": has no include guard " guard
  }
  BEGIN { count = split(layers, names, " "); for (i = 1; i <= count; ++i) place[names[i]] = i }
  FNR == 1 {
    finish()
    previous = FILENAME; guarded = 0
    split(FILENAME, part, "/")
    layer = part[3] ~ /\.hpp$/ ? "" : part[3]
    guard = FILENAME
    sub(/^include\//, "", guard); gsub(/[\/.]/, "_", guard); guard = toupper(guard)
    if (layer != "" && !(layer in place)) complain("lies in no layer")
    if ($0 != "// SPDX-License-Identifier: Apache-2.0") complain("does not begin with its licence")
  }
  FNR == 2 && !/^\/\/\/ @file$/ { complain("has no @file comment below its licence") }
  { lines = FNR }
  $0 == "#ifndef " guard || $0 == "#define " guard { ++guarded }
  /^[ \t]*using namespace/ { complain("using namespace") }
  /^[ \t]*#[ \t]*pragma omp/ && !/omp simd/ && layer !~ /^(core|engine)$/ { complain("OpenMP region of its own, expected the loops of core/host_tasks.hpp, which carry exceptions out") }
  /^[ \t]*#[ \t]*include "/ { complain("includes by a relative path, expected <comodal/...>") }
  /^[ \t]*#[ \t]*include <comodal\// {
    header = $0; sub(/^[^<]*</, "", header); sub(/>.*/, "", header)
    split(header, piece, "/")
    if (layer == "") next
    if (!(piece[2] in place)) complain("includes " header ", which is in no layer")
    else if (place[piece[2]] > place[layer]) complain(layer " includes " header ", a layer below itself")
    else if (layer == "report" && piece[2] !~ /^(core|data|metric|report)$/) complain("report includes " header ", expected core, data and metric alone")
    if (FILENAME == "include/comodal/engine/engine.hpp" && header ~ /\/reference/) complain("gathers the reference engine")
  }
  # Only core and engine launch kernels and know how to wait for a device.
  layer != "" && layer !~ /^(core|engine)$/ && /(^|[^_a-z])(for_elements|for_tasks|for_rows|for_numbered_rows|reduce_rows|for_worker_tasks|parallel_for) *[(<]/ {
    complain("launches a kernel, expected ops::each, ops::each_row, ops::row_sums or a problem of its own")
  }
  layer != "" && layer != "cli" && FILENAME !~ /core\/(context_base|processor_check)\.hpp$/ &&
      /(printf|fputs|std::c(out|err)|exit) *\(/ {
    complain("prints or exits, expected cli alone (app has an observer)")
  }
  layer != "" && layer !~ /^(core|cli)$/ && /(deep_copy|kokkos_malloc|kokkos_free|[.>]fence\(\))/ {
    complain("waits for the device or takes its memory, expected core alone")
  }
  END { finish() }' >>"$broken"

for layer in $layers; do
  gather=include/comodal/$layer/$layer.hpp
  case $layer in
  app | cli) ;;
  *) grep -q "^#include <comodal/$layer/$layer.hpp>" include/comodal/comodal.hpp || echo "include/comodal/comodal.hpp: does not include $layer/$layer.hpp" >>"$broken" ;;
  esac
  [ -f "$gather" ] || { echo "$gather: is missing" >>"$broken"; continue; }
  find "include/comodal/$layer" -name '*.hpp' ! -path "$gather" ! -path '*/engine/reference*' ! -path '*/engine/onednn/*' ! -path '*/engine/cudnn/*' | LC_ALL=C sort | while read -r header; do
    grep -q "^#include <${header#include/}>" "$gather" || echo "$gather: does not gather ${header#include/}" >>"$broken"
  done
done

for example in examples/*.cpp; do
  lines=$(wc -l <"$example")
  most=99
  [ "$example" = examples/custom_fusion.cpp ] && most=59
  [ "$lines" -le $most ] || echo "$example: $lines lines, expected $most at most" >>"$broken"
done

cat "$broken"
[ ! -s "$broken" ]
