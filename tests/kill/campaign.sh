#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Kills a training and a prediction, and makes their disk fail; whatever happens, going on must give the bytes of an unbroken one.
#   tests/kill/campaign.sh PROGRAM FAULTS [MOMENTS [CALLS]]
# FAULTS is the library of tests/kill/faults.cpp. MOMENTS (60): random times at which each is killed. CALLS (all): of the calls that
# change the disk (fwrite, pwrite, fsync, rename, link, mkdir), evenly chosen ones; each ends the process, finds the disk full, or fails.
set -eu
program=$1 faults=$2 moments=${3:-60} calls=${4:-all}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
cd "$work"
fail() { echo "campaign: $*" >&2; [ ! -s said ] || cat said >&2; exit 1; }

"$program" phantom cohort --seed 7 --phantom.grid "[24, 24, 16]" --phantom.spacing "[6.0, 6.0, 8.0]" --phantom.labelled 2 \
  --phantom.unlabelled 2 --phantom.test 4 >/dev/null
cat >tiny.toml <<'END'
[data]
folder = "cohort"
[model]
stream_channels = [2, 4]
fused_channels = [4, 8]
[batch]
patch_size = [16, 16, 8]
labelled = 1
unlabelled = 1
[method]
name = "mean_teacher"
[train]
steps = 24
log_every = 2
checkpoint_every = 3
END
train() { "$program" train tiny.toml run --resume >said 2>&1; }
predict() { "$program" predict whole/model.safetensors cohort/imagesTs masks --only --continue >said 2>&1; }

# An unbroken one of each, with the calls that it makes.
"$program" train tiny.toml whole >said 2>&1 || fail "train fails"
"$program" predict whole/model.safetensors cohort/imagesTs all --only >said 2>&1 || fail "predict fails"
count() { rm -rf run masks; (export FAULT_COUNT=count LD_PRELOAD="$faults"; "$1") || fail "$1 fails under the library"; cat count; }
train_calls=$(count train)
predict_calls=$(count predict)
# A test that injects nothing would prove nothing.
[ "$train_calls" -gt 40 ] && [ "$predict_calls" -gt 40 ] || fail "only $train_calls and $predict_calls calls are seen"

# Every file that is written is synced, and so is its folder behind the renaming.
renames=$(export FAULT_CALL=rename; count train) syncs=$(export FAULT_CALL=fsync; count train)
[ "$renames" -gt 8 ] && [ "$syncs" -ge $((2 * renames)) ] || fail "$renames files are renamed, but only $syncs calls of fsync"

# What must hold once a training, or a prediction, has been gone on with to its end.
same_run() {
  cmp -s whole/model.safetensors run/model.safetensors || fail "$1: another model"
  for name in whole run; do cut -d, -f1-3 $name/log.csv >$name.rows; done
  cmp -s whole.rows run.rows || fail "$1: another log.csv"
  [ -z "$(find run -name '*.partial-*')" ] || fail "$1: half-written files are left"
}
same_masks() {
  (cd all && find . -name '*.nii.gz' -exec cksum {} + | sort) >all.sums
  (cd masks && find . -name '*.nii.gz' -exec cksum {} + | sort) >masks.sums
  cmp -s all.sums masks.sums || fail "$1: other masks"
  [ -z "$(find masks -name '*.partial-*')" ] || fail "$1: half-written files are left"
}
# Whole files only: what is there under its own name can be read.
whole_files() {
  for file in run/model.safetensors run/checkpoint.safetensors; do
    [ ! -e $file ] || "$program" info $file >said 2>&1 || fail "$1: $file is damaged"
  done
}

seconds() { awk "BEGIN { printf \"%.3f\", $1 }"; }
now() { date +%s.%N; }
start=$(now); rm -rf run; train; long=$(seconds "$(now) - $start")
start=$(now); rm -rf masks; predict; short=$(seconds "$(now) - $start")
awk "BEGIN { srand(11); for (i = 0; i < $moments; ++i) printf \"%.3f %.3f\n\", .01 + rand() * $long, .01 + rand() * $short }" >moments
while read -r at and; do
  rm -rf run masks
  timeout -s KILL "$at" "$program" train tiny.toml run --resume >said 2>&1 || true
  whole_files "killed after $at s"
  train || fail "killed after $at s: --resume fails"
  same_run "killed after $at s"
  timeout -s KILL "$and" "$program" predict whole/model.safetensors cohort/imagesTs masks --only --continue >said 2>&1 || true
  predict || fail "killed after $and s: --continue fails"
  same_masks "killed after $and s"
done <moments
echo "$moments moments of each: the same model, log and masks"

# chosen TOTAL: the numbers of the calls that are tried.
chosen() { awk "BEGIN { n = \"$calls\" == \"all\" ? $1 : $calls; for (i = 0; i < n; ++i) print int(1 + i * ($1 - 1) / (n > 1 ? n - 1 : 1)) }" | uniq; }
tried=0
for verb in train predict; do
  total=$train_calls
  [ $verb = train ] || total=$predict_calls
  for number in $(chosen "$total"); do
    for fault in kill ENOSPC EIO; do
      name="$verb, call $number, $fault"
      rm -rf run masks mark
      status=0
      (export FAULT_MARK=mark FAULT_AT="$number" FAULT=$fault LD_PRELOAD="$faults"; $verb) 2>/dev/null || status=$?
      case $fault-$status in
        kill-137) ;;
        kill-*) fail "$name: status $status, nothing was killed" ;;
        *-0 | *-1) # a failing disk is no bad input; a row of the log is written later
          [ -e mark ] || fail "$name: no call has failed"
          [ -z "$(find run masks -name '*.partial-*' 2>/dev/null)" ] || fail "$name: half-written files are left" ;;
        *) fail "$name: status $status" ;;
      esac
      [ $verb = predict ] || whole_files "$name"
      $verb || fail "$name: going on fails"
      if [ $verb = train ]; then same_run "$name"; else same_masks "$name"; fi
      tried=$((tried + 1))
    done
  done
done
echo "$tried faults in $train_calls and $predict_calls calls: the same model, log and masks"
