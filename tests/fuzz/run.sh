#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzzers with Clang and runs each from the committed seeds: sh tests/fuzz/run.sh [SECONDS [FOLDER [NAME...]]]
# SECONDS for each fuzzer (15); FOLDER keeps what they find (build/fuzz/found); NAMEs: nifti model toml predict.
# Prints executions and edges that were reached, of each; fails where an input ends a fuzzer, and names that input.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-15} found=${2:-build/fuzz/found}
[ $# -le 2 ] && set -- "$seconds" "$found" nifti model toml predict
shift 2
cmake --preset native -B build/fuzz -DCMAKE_CXX_COMPILER=clang++-19 -DCOMODAL_FUZZ=ON -DCOMODAL_BUILD_EXAMPLES=OFF >/dev/null
targets=
for name in "$@"; do targets="$targets fuzz_$name"; done
# shellcheck disable=SC2086
cmake --build build/fuzz --parallel "$(nproc)" --target $targets
status=0
for name in "$@"; do
  mkdir -p "$found/$name"
  log=$found/$name.log
  if ! OMP_NUM_THREADS=1 build/fuzz/tests/fuzz_"$name" -max_total_time="$seconds" -max_len=4096 -entropic=0 -timeout=20 -rss_limit_mb=3000 \
    -print_final_stats=1 -artifact_prefix="$found/$name-" "$found/$name" "tests/fuzz/seeds/$name" >"$log" 2>&1; then
    tail -n 40 "$log"
    status=1
  fi
  awk -v name="$name" '/cov: / { for (i = 1; i < NF; ++i) if ($i == "cov:") edges = $(i + 1) }
    /number_of_executed_units/ { runs = $2 } END { print "fuzz " name ": " runs " executions, " edges " edges" }' "$log"
done
exit $status
