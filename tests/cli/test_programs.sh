#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The programs of docs/how-to/inference-in-cpp.md give the masks of `comodal predict`:
#   sh test_programs.sh COMODAL PREDICT_FILES PREDICT_MEMORY
set -eu
comodal=$1 predict_files=$2 predict_memory=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
cd "$work"
export OMP_WAIT_POLICY=passive

fail() { echo "FAILED: $1" >&2; exit 1; }
refuses() {
  status=$1; words=$2; shift 2
  got=0
  "$@" >out.txt 2>err.txt || got=$?
  [ "$got" = "$status" ] || { cat err.txt >&2; fail "status $got, expected $status: $*"; }
  grep -q -- "$words" err.txt || { cat err.txt >&2; fail "expected '$words' from: $*"; }
  [ "$(wc -l <err.txt)" = 1 ] || { cat err.txt >&2; fail "more than one line: $*"; }
}

"$comodal" phantom cohort --seed 3 --phantom.grid '[32, 32, 24]' --phantom.spacing '[4.5, 4.5, 5.5]' \
  --phantom.missing 0 --phantom.labelled 4 --phantom.unlabelled 2 --phantom.test 1 >/dev/null
cat >tiny.toml <<'T'
[data]
folder = "cohort"
[model]
stream_channels = [2, 4]
fused_channels = [4, 8]
[batch]
patch_size = [16, 16, 8]
[train]
steps = 1  # a network that knows nothing marks everything
T
"$comodal" crossval tiny.toml folds --folds 2 >/dev/null 2>&1
"$comodal" train tiny.toml run >/dev/null 2>&1
image=cohort/imagesTs/phantom_5000
rm ${image}_0002.nii.gz

for model in run folds; do
  "$comodal" predict $model cohort/imagesTs masks_$model >/dev/null 2>&1
  "$predict_files" $model own_$model.nii.gz ${image}_0000.nii.gz ${image}_0001.nii.gz - ${image}_0003.nii.gz
  cmp own_$model.nii.gz masks_$model/phantom_5000.nii.gz || fail "predict_files and predict differ ($model)"
done
"$predict_memory" run/model.safetensors >mask.raw
gunzip -c masks_run/phantom_5000.nii.gz | tail -c +353 >expected.raw
cmp mask.raw expected.raw || fail "predict_memory and predict differ"
[ "$(tr -d '\000' <mask.raw | wc -c)" -gt 50 ] || fail "the mask is empty: it could not show a difference"

refuses 1 "expected 4 (FLAIR, T1, T1ce, T2)" "$predict_files" run x.nii.gz ${image}_0000.nii.gz
refuses 1 "nothing.nii.gz" "$predict_files" run x.nii.gz nothing.nii.gz - - -
refuses 1 "nothing" "$predict_memory" nothing
refuses 2 "usage" "$predict_files"
echo "passed"
