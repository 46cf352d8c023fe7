#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A program with names of its own, and one that lacks them: sh test_names.sh OWN_PROGRAM COMODAL names.toml. Everything
# happens in a temporary folder.
set -eu
own=$1
comodal=$2
experiment=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
cd "$work"
export OMP_WAIT_POLICY=passive
fail() { echo "FAILED: $1" >&2; exit 1; }
# refuses WORDS COMMAND...: the command ends with status 2 and one line that has WORDS.
refuses() {
  words=$1; shift
  status=0
  "$@" >out.txt 2>&1 || status=$?
  [ "$status" = 2 ] || { cat out.txt >&2; fail "status $status, expected 2: $*"; }
  grep -qF -- "$words" out.txt || { cat out.txt >&2; fail "expected '$words' from: $*"; }
  [ "$(wc -l <out.txt)" = 1 ] || { cat out.txt >&2; fail "more than one line from: $*"; }
}

"$own" phantom cohort --seed 3 --phantom.grid '[32, 32, 16]' --phantom.spacing '[5.0, 5.0, 9.0]' --phantom.labelled 2 \
  --phantom.unlabelled 2 --phantom.test 1 >/dev/null
small="--data.folder cohort --model.stream_channels [2,4] --model.fused_channels [4,8] --batch.patch_size [16,16,8] --train.steps 6"
for precision in fp32 bf16; do
  # shellcheck disable=SC2086  # words of a list
  "$own" train "$experiment" $precision $small --model.precision $precision >/dev/null 2>&1 || fail "train in $precision"
  "$own" predict $precision/model.safetensors cohort/imagesTs $precision/predictions >/dev/null || fail "predict in $precision"
  "$own" info $precision/model.safetensors >info.txt || fail "info in $precision"
  for name in "dense encoders, strongest fusion" "two_students after 6 steps"; do
    grep -qF -- "$name" info.txt || { cat info.txt >&2; fail "info does not say $name"; }
  done
done
grep -q '^gamma = 1.5 ' fp32/experiment.toml || fail "the run does not keep the options of its loss"
# shellcheck disable=SC2086
refuses "model.fusion = 'strongset': this program has no fusion block of that name; did you mean 'strongest'?" \
  "$own" train "$experiment" wrong $small --model.fusion strongset
# shellcheck disable=SC2086
refuses "method.name = 'two_students': this program has no method of that name" "$comodal" train "$experiment" wrong $small
for verb in info "predict" ; do
  rest=""
  [ $verb = info ] || rest="cohort/imagesTs p"
  # shellcheck disable=SC2086
  refuses "fp32/model.safetensors: model.encoder = 'dense': this program has no encoder of that name" "$comodal" $verb fp32/model.safetensors $rest
done
[ ! -e wrong ] && [ ! -e p ] || fail "a refused command leaves a folder"
echo "passed"
