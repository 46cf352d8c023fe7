#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How a training step's time and memory grow with patch, channels and modalities: the default method, one of the three varied at a time.
#   sh bench/growth.sh [arguments of comodal benchmark]        for example --steps 3, or --method.name supervised
# Prints a Markdown table; seconds are medians. Every row is a process of its own.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
sh "$top/cmake/install_packages.sh"
if [ ! -f "$top/build/native/build.ninja" ]; then
  (cd "$top" && cmake --preset native >/dev/null)
fi
cmake --build "$top/build/native" --parallel "$(nproc)" --target comodal_cli >&2

out=$(mktemp)
trap 'rm -f "$out"' EXIT
# row WHAT PATCH STREAM_CHANNELS FUSED_CHANNELS MODALITIES
row() {
  what=$1 patch=$2 stream=$3 fused=$4 modalities=$5
  shift 5
  "$top/build/native/examples/cli/comodal" benchmark --modalities "$modalities" --classes 3 --batch.patch_size "[$patch, $patch, $patch]" \
    --model.stream_channels "$stream" --model.fused_channels "$fused" --json "$out" "$@" >/dev/null
  python3 - "$out" "$what" "$patch" "$fused" "$modalities" <<'PYTHON'
import json, statistics, sys
file, what, patch, fused, modalities = sys.argv[1:]
with open(file) as f:
    r = json.load(f)
print(f"| {what} | {patch}^3 | {fused.strip('[]').replace(', ', '-')} | {modalities} | {r['parameters'] / 1e6:.2f} M | {statistics.median(r['seconds']):.3f} | "
      f"{r['peak_bytes'] / 2**30:.2f} | {r['pool_bytes'] / 2**30:.2f} |", flush=True)
PYTHON
}

echo "| varied | patch | fused channels | modalities | parameters | seconds per step | process peak, GiB | tensors' peak, GiB |"
echo "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |"
for patch in 32 48 64 80; do row patch $patch "[8, 16, 32, 64]" "[16, 32, 64, 128]" 3 "$@"; done
row channels 48 "[4, 8, 16, 32]" "[8, 16, 32, 64]" 3 "$@"
row channels 48 "[8, 16, 32, 64]" "[16, 32, 64, 128]" 3 "$@"
row channels 48 "[16, 32, 64, 128]" "[32, 64, 128, 256]" 3 "$@"
for modalities in 1 2 3 4; do row modalities 48 "[8, 16, 32, 64]" "[16, 32, 64, 128]" $modalities "$@"; done
