#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# NVIDIA's compute-sanitizer over the tests of kernels: wrong addresses, races in shared memory, missing barriers.
#   sh sanitize.sh OUT     in the folder that pack.sh made; BUDGET=seconds (300)
set -u
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?folder for results}
mkdir -p "$out"
LD_LIBRARY_PATH="${LD_LIBRARY_PATH:-}:$here/lib:/usr/local/cuda/lib64"
export LD_LIBRARY_PATH
command -v compute-sanitizer >/dev/null ||
  { echo "sanitize.sh: compute-sanitizer (CUDA toolkit) was not found" >&2; exit 2; }
chmod +x "$here"/bin/*
failed=0
began=$(date +%s)
for tool in racecheck synccheck memcheck; do
  for t in test_core_teams test_core_loops test_engine_conv3d; do
    left=$((${BUDGET:-300} - ($(date +%s) - began)))
    [ $left -gt 5 ] || { echo "$tool $t: left out, no time left"; continue; }
    status=0
    timeout $left compute-sanitizer --tool $tool --error-exitcode 9 "$here/bin/$t" \
      >"$out/$tool-$t.log" 2>&1 || status=$?
    [ $status = 0 ] || failed=1
    echo "$tool $t: status $status"
  done
done
exit $failed
