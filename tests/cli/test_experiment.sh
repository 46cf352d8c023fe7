#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `experiment` as a user meets it: sh test_experiment.sh PROGRAM. Cells in processes of their own, killed, stopped and
# taken up again. Everything happens in a temporary folder.
set -eu
comodal=$1
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
# waits CONDITION: until it holds, half a minute at most.
waits() {
  n=0
  while ! eval "$1" 2>/dev/null && [ $n -lt 1500 ]; do sleep 0.02; n=$((n + 1)); done
  [ $n -lt 1500 ] || fail "it never came to: $1"
}

"$comodal" phantom cohort --seed 3 --phantom.grid '[32, 32, 16]' --phantom.spacing '[5.0, 5.0, 9.0]' --phantom.labelled 2 \
  --phantom.unlabelled 2 --phantom.test 2 >/dev/null
cat >study.toml <<'T'
[data]
folder = "cohort"
[model]
stream_channels = [2, 4]
fused_channels = [4, 8]
[batch]
patch_size = [16, 16, 8]
[train]
steps = 40
log_every = 1
checkpoint_every = 3

[experiment]
methods = ["supervised", "mean_teacher"]
seeds = [1, 2]
baseline = "supervised"
processes = 2
T

echo "what is wrong is said in one line, before anything is written"
refuses "there is no key 'experiment.sedes'; did you mean 'experiment.seeds'?" "$comodal" experiment study.toml --experiment.sedes '[1]'
refuses "variant 'supervised': command line: there is no key 'train.stesp'; did you mean 'train.steps'?" "$comodal" experiment study.toml --train.stesp 3
refuses "supervised; seed 1: data.folder = 'nowhere': there is no such folder" "$comodal" experiment study.toml --data.folder nowhere
refuses "there is no cell 'supervised-seed3'; did you mean 'supervised-seed" "$comodal" experiment study.toml --cell supervised-seed3
refuses ", which compares methods; here, leave it out" "$comodal" train study.toml run
[ ! -e study ] || fail "a refused study leaves a folder"
printf '[[experiment.label_sets]]\nname = ""\nlabelled = ["phantom_0000"]\n' | cat study.toml - >unnamed.toml
refuses "the names of label sets: one is empty" "$comodal" experiment unnamed.toml
refuses "nowhere: there is no such folder" "$comodal" experiment study.toml --cell supervised-seed1 --experiment.labels nowhere
"$comodal" experiment --help | grep -q "^seeds = \[1\] *# seeds (train.seed)" || fail "the keys of [experiment] are not listed"
"$comodal" experiment study.toml --list >list.txt
[ "$(grep -c '^-         \(supervised\|mean_teacher\)-seed[12]$' list.txt)" = 4 ] || { cat list.txt >&2; fail "--list has not four cells"; }

echo "a study in two processes, with its table"
"$comodal" experiment study.toml >table.txt 2>notes.txt || { cat notes.txt >&2; fail "the study failed"; }
grep -q "^cell 1 of 4: supervised; seed 1: begins$" notes.txt || { cat notes.txt >&2; fail "no line when a cell begins"; }
grep -q "^cell 4 of 4: mean_teacher; seed 2: finished, Dice x 100 " notes.txt || { cat notes.txt >&2; fail "no line when a cell ends"; }
grep -q "^mean_teacher  2 .* only T1\|^mean_teacher  2 " table.txt || { cat table.txt >&2; fail "no row of mean_teacher"; }
grep -q "^| mean_teacher | 2 | .* ± .* | .* \[.*, .*\] |" study/table.md || { cat study/table.md >&2; fail "no row in table.md"; }
grep -q "</html>" study/report.html || fail "the report is not whole"
[ -z "$(find study -name '*.safetensors' -o -name '*.nii.gz' -o -name lock)" ] || fail "weights, masks or locks were left"
for log in study/cells/*/log.txt; do
  [ "$(grep -c "parameters, 1 thread, 40 steps" "$log")" = 1 ] || { cat "$log" >&2; fail "$log: not one training with one thread"; }
done

echo "a second call trains nothing"
"$comodal" experiment study.toml >again.txt 2>notes.txt
[ "$(cat notes.txt)" = "4 cells, 4 of them finished, 1 process" ] || { cat notes.txt >&2; fail "a finished study is not left alone"; }
cmp table.txt again.txt || fail "the table has changed"
refuses "the cell was begun with train.steps = 40, study.toml has train.steps = 50" "$comodal" experiment study.toml --train.steps 50

echo "the settings of a cell are those of train: the same model"
"$comodal" experiment study.toml --folder kept --cell mean_teacher-seed2 --experiment.keep true >/dev/null 2>&1
sed '/^\[experiment\]/,$d' study.toml >one.toml
"$comodal" train one.toml one --method.name mean_teacher --train.seed 2 --compute.threads 1 >/dev/null 2>&1
cmp one/model.safetensors kept/cells/mean_teacher-seed2/run/model.safetensors || fail "a cell trains another model than train"
cmp study/cells/mean_teacher-seed2/result.json kept/cells/mean_teacher-seed2/result.json || fail "the cell has other results"

echo "killed, then taken up: cells end with the program, and the results are the same"
"$comodal" experiment study.toml --folder killed >/dev/null 2>&1 &
pid=$!
waits "[ -e killed/cells/supervised-seed1/run/checkpoint.safetensors ]"
kill -9 $pid
wait $pid 2>/dev/null || true
waits "! '$comodal' experiment study.toml --folder killed --list | grep -q '^running'"
[ ! -e killed/results.json ] || fail "the study was over before it could be killed"
"$comodal" experiment study.toml --folder killed >/dev/null 2>notes.txt || { cat notes.txt >&2; fail "the study is not taken up"; }
grep -q ": continues$" notes.txt || { cat notes.txt >&2; fail "no cell was taken up from its checkpoint"; }
cmp study/results.json killed/results.json || fail "the results of the killed study differ"

echo "asked to stop, it stops its cells and says so"
"$comodal" experiment study.toml --folder stopped >out.txt 2>notes.txt &
pid=$!
waits "[ -e stopped/cells/supervised-seed1/run/checkpoint.safetensors ]"
kill -TERM $pid
status=0
wait $pid || status=$?
[ "$status" = 1 ] || { cat out.txt notes.txt >&2; fail "a study that was stopped ends with status $status, expected 1"; }
grep -q "cells are finished; stopped on request, the same command continues$" out.txt || { cat out.txt >&2; fail "it does not say that it was stopped"; }
"$comodal" experiment study.toml --folder stopped --list | grep -q "^begun     supervised-seed1$" || fail "no checkpoint was written"

echo "two programs on one folder: each cell is trained once"
cp -r stopped before
"$comodal" experiment study.toml --folder stopped >first.txt 2>&1 &
pid=$!
"$comodal" experiment study.toml --folder stopped >second.txt 2>&1 || { cat second.txt >&2; fail "the second of two failed"; }
wait $pid || { cat first.txt >&2; fail "the first of two failed"; }
cmp study/results.json stopped/results.json || fail "the results of two programs differ"
for log in stopped/cells/*/log.txt; do
  cell=${log#stopped/}
  was=$(cat "before/$cell" 2>/dev/null | grep -c "parameters, 1 thread" || true)
  [ -e "before/${cell%log.txt}result.json" ] || was=$((was + 1))  # finished ones are left alone
  [ "$(grep -c "parameters, 1 thread" "$log")" = "$was" ] || { cat "$log" >&2; fail "$log: not $was trainings"; }
done

echo "another cohort is another study"
cp -r cohort other
refuses 'the cell was begun with data.folder = "cohort"' "$comodal" experiment study.toml --folder study --data.folder other
rm -r other

echo "a cell that fails names its log; the others are finished"
cat study.toml - >wild.toml <<'T'
[[experiment.variants]]
name = "wild"
method = "supervised"
optimiser.learning_rate = 1e38
T
status=0
"$comodal" experiment wild.toml --folder study >out.txt 2>notes.txt || status=$?
[ "$status" = 1 ] || { cat out.txt notes.txt >&2; fail "a study with a cell that fails ends with status $status, expected 1"; }
grep -q "^warning: cell 3 of 6: wild; seed 1: failed: .*lower optimiser.learning_rate.* (status 2); its log is study/cells/wild-seed1/log.txt$" notes.txt ||
  { cat notes.txt >&2; fail "the cell that failed is not said"; }
grep -q "4 of 6 cells are finished$" out.txt || { cat out.txt >&2; fail "the others are not finished"; }
echo "passed"
