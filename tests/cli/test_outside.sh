#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Methods from outside of the library through a command line that knows them: sh test_outside.sh PROGRAM.
# Each trains, is killed and resumed to the same bytes, and predicts. Everything happens in a temporary folder.
set -eu
program=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
cd "$work"
export OMP_WAIT_POLICY=passive
fail() { echo "FAILED: $1" >&2; exit 1; }

"$program" phantom cohort --seed 3 --phantom.grid '[32, 32, 16]' --phantom.spacing '[5.0, 5.0, 9.0]' --phantom.labelled 2 \
  --phantom.unlabelled 3 --phantom.test 1 >/dev/null
cat >tiny.toml <<'T'
[data]
folder = "cohort"
[model]
stream_channels = [2, 4]
fused_channels = [4, 8]
dropout = 0.2
[batch]
patch_size = [16, 16, 8]
[train]
steps = 16
log_every = 1
checkpoint_every = 2
T
got=0
OUTSIDE_TWICE=1 "$program" info >twice.txt 2>&1 || got=$?
[ "$got" = 2 ] || fail "a name that is registered twice ends with $got"
grep -q "there is a method 'cps' already; choose another name" twice.txt || fail "a name that is registered twice: $(cat twice.txt)"
[ "$(wc -l <twice.txt)" -eq 1 ] || fail "a name that is registered twice takes more than a line"
"$program" train --help | grep -q "^\[method.ua_mt\]" || fail "the options of a method from outside are not listed"
for method in cps ua_mt; do
  "$program" train tiny.toml whole_$method --method.name $method >/dev/null 2>&1 || fail "$method does not train"
  "$program" train tiny.toml $method --method.name $method >/dev/null 2>&1 &
  pid=$!
  n=0
  while [ ! -e $method/checkpoint.safetensors ] && [ $n -lt 1500 ]; do sleep 0.02; n=$((n + 1)); done
  kill -9 $pid 2>/dev/null || true
  wait $pid 2>/dev/null || true
  [ ! -e $method/model.safetensors ] || fail "$method: the run was over before it could be killed"
  "$program" train tiny.toml $method --method.name $method --resume >/dev/null 2>&1
  cmp whole_$method/model.safetensors $method/model.safetensors || fail "$method: the resumed run has other weights"
  "$program" predict $method/model.safetensors cohort/imagesTs $method/predictions >/dev/null
done
"$program" info cps/model.safetensors | grep -q "cps after 16 steps" || fail "info does not name the method"
"$program" predict cps/model.safetensors cohort/imagesTs p --weights student_b >/dev/null || fail "the second student does not predict"
if "$program" train tiny.toml wrong --method.name ua_mt --method.ua_mt.consistency -1 >out.txt 2>&1; then fail "a bad option is taken"; fi
grep -q "method.ua_mt.consistency = -1, expected a number from 0 to 1000" out.txt || { cat out.txt >&2; fail "a bad option is not named"; }
echo "passed"
