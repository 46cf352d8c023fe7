#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How a training step speeds up with threads: 1, 2, 4, 8 and 16 of them, as far as this machine has cores for them.
#   sh bench/threads.sh [arguments of comodal benchmark]
# For example --precision bf16, or --method.name supervised. Prints a Markdown table. Numbers of threads take turns,
# ROUNDS times (3 unless set); seconds are medians over all steps.
# Data threads run beside them, as in a training. The names of cores may be set by hand: CORES=0-7 runs within those.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
sh "$top/cmake/install_packages.sh"
if [ ! -f "$top/build/native/build.ninja" ]; then
  (cd "$top" && cmake --preset native >/dev/null)
fi
cmake --build "$top/build/native" --parallel "$(nproc)" --target comodal_cli >&2

within="" cores=$(nproc)
if [ -n "${CORES:-}" ]; then
  within="taskset -c $CORES"
  cores=$($within nproc)
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for round in $(seq "${ROUNDS:-3}"); do
  for threads in 1 2 4 8 16; do
    [ "$threads" -le "$cores" ] || continue
    # shellcheck disable=SC2086
    OMP_NUM_THREADS=$threads $within "$top/build/native/examples/cli/comodal" benchmark --steps 5 \
      --json "$out/$threads.$round" "$@" >/dev/null
  done
done
python3 - "$out" <<'PYTHON'
import json, pathlib, statistics, sys
seconds = {}
for file in pathlib.Path(sys.argv[1]).iterdir():
    seconds.setdefault(int(file.name.split(".")[0]), []).extend(json.loads(file.read_text())["seconds"])
medians = {threads: statistics.median(of) for threads, of in sorted(seconds.items())}
print("| threads | seconds per step | speed-up over 1 | speed-up over half as many |")
print("| ---: | ---: | ---: | ---: |")
for threads, median in medians.items():
    half = f"{medians[threads // 2] / median:.2f}" if threads // 2 in medians else ""
    print(f"| {threads} | {median:.3f} | {medians[1] / median:.2f} | {half} |")
PYTHON
