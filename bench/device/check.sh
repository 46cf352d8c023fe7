#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Is what a card computes right? At most four minutes.   sh check.sh OUT     in the folder that pack.sh made
# 1. The typed tests, on the card. 2. A training with a resumed twin: the same bytes; and two runs: the same bytes. 3.
# Losses of its steps
# against the host's, where HOST names a program for the host.
set -u
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?folder for results}
mkdir -p "$out"
LD_LIBRARY_PATH="${LD_LIBRARY_PATH:-}:$here/lib:/usr/local/cuda/lib64"
export LD_LIBRARY_PATH OMP_WAIT_POLICY=passive
chmod +x "$here"/bin/*
failed=0
began=$(date +%s)
say() { echo "$(($(date +%s) - began)) s: $*" | tee -a "$out/check.txt"; }

{
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
  "$here/bin/comodal" info
} 2>&1 | tee "$out/check.txt"
for t in "$here"/bin/test_* "$here/bin/main_network"; do
  status=0
  timeout 60 "$t" >"$out/$(basename "$t").log" 2>&1 || status=$?
  [ $status = 0 ] || { failed=1; tail -5 "$out/$(basename "$t").log"; }
  say "$(basename "$t"): status $status"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
"$here/bin/comodal" phantom cohort --seed 1 --phantom.grid '[48, 48, 32]' --phantom.spacing '[3.0, 3.0, 4.0]' \
  --phantom.labelled 4 --phantom.unlabelled 6 --phantom.test 2 >"$out/phantom.log" 2>&1 ||
  { failed=1; tail -3 "$out/phantom.log"; }
cat >run.toml <<'E'
[data]
folder = "cohort"
[batch]
patch_size = [32, 32, 32]
[train]
steps = 20
log_every = 1
checkpoint_every = 10
E
train() { folder=$1; shift; "$here/bin/comodal" train run.toml "$folder" "$@" >>"$out/train.log" 2>&1; }
same() { if cmp -s "$1/model.safetensors" "$2/model.safetensors"; then echo yes; else echo no; fi; }
for precision in fp32 tf32 bf16; do
  for run in first second; do train "${run}_$precision" --model.precision $precision || failed=1; done
  [ "$(same "first_$precision" "second_$precision")" = yes ] || failed=1
  say "$precision: two runs have the same bytes: $(same "first_$precision" "second_$precision")"
done
# Steps are replayed as a graph of the device, unless the log says why not.
train launched --train.replay off || failed=1
[ "$(same first_fp32 launched)" = yes ] || failed=1
say "replayed steps have the bytes of launched ones: $(same first_fp32 launched)"
say "runs without a graph: $(grep -c 'not as a graph\|not replayed' "$out/train.log")"
"$here/bin/comodal" train run.toml resumed >>"$out/train.log" 2>&1 &
pid=$!
while [ ! -e resumed/checkpoint.safetensors ] && kill -0 $pid 2>/dev/null; do sleep 0.05; done
kill -TERM $pid 2>/dev/null
wait $pid
train resumed --resume || failed=1
[ "$(same first_fp32 resumed)" = yes ] || failed=1
say "a resumed run has the bytes of an unbroken one: $(same first_fp32 resumed)"
if [ -n "${HOST:-}" ]; then
  "$HOST" train run.toml host >>"$out/train.log" 2>&1 || failed=1
  # Both begin from the same weights and draw the same crops; later steps drift apart as rounding does.
  for f in first_fp32 host; do grep ',loss,' "$f/log.csv" | head -20 >"$f.txt"; done
  paste -d, first_fp32.txt host.txt | awk -F, '{
      d = ($3 - $6) / $6; if (d < 0) d = -d
      if (d > most) most = d
      if (NR == 1) first = d
    }
    END { printf "losses of %d steps against the host: first %.2g, largest %.2g relative\n", NR, first, most }' |
    tee -a "$out/check.txt"
fi
say "status $failed"
exit $failed
