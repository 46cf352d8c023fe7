#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A cache that is killed and shared, a cross-validation that is killed, its models averaged, post-processing, lesions:
# sh test_folds.sh PROGRAM. Everything happens in a temporary folder.
set -eu
comodal=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
cd "$work"
export OMP_WAIT_POLICY=passive

fail() { echo "FAILED: $1" >&2; exit 1; }
refuses() {
  status=$1; words=$2; shift 2
  got=0
  "$@" >out.txt 2>&1 || got=$?
  [ "$got" = "$status" ] || { cat out.txt >&2; fail "status $got, expected $status: $*"; }
  grep -q -- "$words" out.txt || { cat out.txt >&2; fail "expected '$words' from: $*"; }
}
has() { grep -q -- "$1" out.txt || { cat out.txt >&2; fail "expected '$1'"; }; }

"$comodal" phantom cohort --seed 3 --phantom.grid '[48, 48, 24]' --phantom.spacing '[4.0, 4.0, 6.0]' \
  --phantom.labelled 4 --phantom.unlabelled 8 --phantom.test 2 >/dev/null
cat >tiny.toml <<'T'
[data]
folder = "cohort"
[model]
stream_channels = [2, 4]
fused_channels = [4, 8]
[batch]
patch_size = [16, 16, 8]
[train]
steps = 30
checkpoint_every = 2
T

echo "prepare: without a folder, killed, shared, and once"
refuses 2 "data.cache is not set" "$comodal" prepare tiny.toml
refuses 2 "there is no key 'data.cash'" "$comodal" prepare tiny.toml --data.cash c
refuses 2 "cohort: holds something else than prepared cases" "$comodal" prepare tiny.toml --data.cache cohort
"$comodal" prepare tiny.toml --data.cache cache >/dev/null 2>&1 &
pid=$!
n=0
while [ "$(ls cache 2>/dev/null | grep -c 'case$')" -lt 2 ] && [ $n -lt 1000 ]; do sleep 0.01; n=$((n + 1)); done
kill -9 $pid 2>/dev/null || true
wait $pid 2>/dev/null || true
"$comodal" prepare tiny.toml --data.cache cache >one.txt 2>/dev/null &
first=$!
"$comodal" prepare tiny.toml --data.cache cache >two.txt 2>/dev/null || fail "a shared cache"
wait $first || fail "a shared cache"
[ "$(ls cache | grep -c 'case$')" = 12 ] || { ls cache >&2; fail "not twelve prepared cases"; }
! ls -A cache | grep -q partial || { ls -A cache >&2; fail "half a case is left"; }
"$comodal" prepare tiny.toml --data.cache cache >out.txt 2>&1
has "^cache: 12 cases, 0 prepared now, "
"$comodal" train tiny.toml memory >out.txt 2>&1
has "^waited for crops: "
"$comodal" train tiny.toml cached --data.cache cache >/dev/null 2>&1
cmp memory/model.safetensors cached/model.safetensors || fail "the cache changes the bytes of a model"

echo "crossval: killed, gone on, and the same bytes"
refuses 2 "folds: 9 of 4 labelled cases" "$comodal" crossval tiny.toml many --folds 9
"$comodal" crossval tiny.toml folds --folds 2 --data.cache cache >/dev/null 2>&1 &
pid=$!
n=0
while [ ! -e folds/fold_1/checkpoint.safetensors ] && [ $n -lt 3000 ]; do sleep 0.02; n=$((n + 1)); done
kill -9 $pid 2>/dev/null || true
wait $pid 2>/dev/null || true
[ ! -e folds/summary.json ] || fail "crossval was over before it could be killed"
"$comodal" crossval tiny.toml folds --data.cache cache >out.txt 2>&1
has "^folds: 2 of 2 folds are finished"
has "Dice before"
"$comodal" crossval tiny.toml whole --folds 2 >/dev/null 2>&1
for file in scores.csv splits.json fold_0/model.safetensors fold_1/model.safetensors; do
  cmp folds/$file whole/$file || fail "$file of a cross-validation that was killed"
done

echo "predict: the models of a folder are averaged, with probabilities and entropy"
"$comodal" predict folds cohort/imagesTs mean --probabilities --entropy >out.txt 2>&1
has "averaging 2 models"
[ -e mean/probabilities/phantom_5000.nii.gz ] && [ -e mean/entropy/phantom_5000.nii.gz ] || fail "no map"
"$comodal" predict folds/fold_0 cohort/imagesTs one >/dev/null 2>&1
"$comodal" predict folds/fold_0 cohort/imagesTs two --also folds/fold_1/model.safetensors >/dev/null 2>&1
cmp mean/phantom_5001.nii.gz two/phantom_5001.nii.gz || fail "--also is not the folder"
refuses 2 "nothing.safetensors: there is no such file" "$comodal" predict nothing.safetensors cohort/imagesTs x
refuses 2 "cohort: holds no model.safetensors" "$comodal" predict cohort cohort/imagesTs x

echo "evaluate: lesions and the comparison of folders"
"$comodal" evaluate one mean --labels cohort/labelsTs --lesions --out tables >out.txt 2>&1
has "^lesions of mean"
has "Wilcoxon"
[ -e tables/comparison.csv ] && [ -e tables/one/lesions.csv ] || fail "no table"

echo "postprocess: masks choose, the model keeps, predict does it"
"$comodal" predict memory cohort/imagesTs raw --raw >/dev/null 2>&1
"$comodal" postprocess memory raw --labels cohort/labelsTs >out.txt 2>&1
has "2 cases; kept in 1 model file"
"$comodal" info memory/model.safetensors >/dev/null
"$comodal" predict memory cohort/imagesTs done >/dev/null 2>&1
"$comodal" predict memory cohort/imagesTs raw --raw --continue >out.txt 2>&1
has "2 cases left out"
refuses 2 "there is no such folder of masks" "$comodal" postprocess memory nowhere --labels cohort/labelsTs
echo "passed"
