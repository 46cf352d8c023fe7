#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The job scripts of docs/how-to/slurm.md as plain shell, with an srun that only runs and a scontrol that only notes:
#   sh test_slurm.sh COMODAL FOLDER_OF_SCRIPTS
set -eu
comodal=$1 scripts=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
cd "$work"
export OMP_WAIT_POLICY=passive SLURM_JOB_ID=7 SLURM_CPUS_PER_TASK=1

fail() { echo "FAILED: $1" >&2; exit 1; }

mkdir bin
ln -s "$comodal" bin/comodal
cat >bin/srun <<'S'
#!/bin/sh
case $1 in --cpus-per-task=1) shift ;; *) exit 99 ;; esac
exec ${STOP_BY:-} "$@"
S
printf '#!/bin/sh\necho "$@" >>noted.txt\n' >bin/scontrol
chmod +x bin/*
PATH=$work/bin:$PATH

comodal phantom cohort --seed 3 --phantom.grid '[32, 32, 24]' --phantom.spacing '[4.5, 4.5, 5.5]' \
  --phantom.labelled 4 --phantom.unlabelled 2 --phantom.test 3 >/dev/null
cat >tiny.toml <<'T'
[data]
folder = "cohort"
[model]
stream_channels = [2, 4]
fused_channels = [4, 8]
[batch]
patch_size = [16, 16, 8]
[train]
steps = 4
T
cat >study.toml <<'T'
[experiment]
base = "tiny.toml"
methods = ["supervised", "mean_teacher"]
T

echo "train: stopped, put into the queue again, and taken up"
# Runs a command and sends it SIGTERM, as Slurm does, when the run has logged a row.
cat >stopping <<'S'
#!/bin/sh
rows() { cat run/log.jsonl 2>/dev/null | wc -l; }
before=$(rows)
"$@" &
pid=$!
n=0
while [ "$(rows)" -le "$before" ] && [ $n -lt 600 ]; do sleep 0.1; n=$((n + 1)); done
kill -TERM $pid
wait $pid
S
chmod +x stopping
export STOP_BY=./stopping
for time in first second; do
  got=0
  sh "$scripts/train.sh" tiny.toml run --train.steps 100000 >out.txt 2>&1 || got=$?
  [ "$got" = 1 ] || { cat out.txt >&2; fail "status $got of a run that was stopped"; }
  grep -q "stopped on request; continue with the same command and --resume" out.txt || fail "not stopped on request"
  [ -e run/checkpoint.safetensors ] && [ ! -e run/model.safetensors ] || fail "what a stopped run leaves"
done
grep -q "continued behind" out.txt || fail "the run was not taken up"
[ "$(grep -c '^requeue 7$' noted.txt)" = 2 ] || fail "it was not put into the queue again"
SLURM_RESTART_COUNT=50 sh "$scripts/train.sh" tiny.toml run --train.steps 100000 >out.txt 2>&1 || got=$?
[ "$(wc -l <noted.txt)" = 2 ] || fail "it was put into the queue without end"
unset STOP_BY
sh "$scripts/train.sh" tiny.toml whole >/dev/null 2>&1
[ -e whole/model.safetensors ] && [ "$(wc -l <noted.txt)" = 2 ] || fail "a run that ended was put into the queue again"
got=0
sh "$scripts/train.sh" tiny.toml other --train.stepps 3 >/dev/null 2>&1 || got=$?
[ "$got" = 2 ] && [ "$(wc -l <noted.txt)" = 2 ] || fail "bad input was put into the queue again"

echo "train: what ended with 1 and was not stopped is not put into the queue again"
mkdir failing
cat >failing/comodal <<'S'
#!/bin/sh
echo "run: step 3 of 4"
echo "comodal: run/log.jsonl: No space left on device" >&2
[ -z "${SAY:-}" ] || echo "$SAY"
sleep "${SECONDS_LEFT:-0}"
exit "${STATUS:-1}"
S
chmod +x failing/comodal
# failing WORDS STATUS: train.sh ends with the status of a program that says the words, and lets them be seen.
failing() {
  got=0
  SAY=$1 STATUS=$2 PATH=$work/failing:$PATH sh "$scripts/train.sh" tiny.toml run >out.txt 2>&1 || got=$?
  [ "$got" = "$2" ] && grep -q "step 3 of 4" out.txt || { cat out.txt >&2; fail "status $got of a program that ends with $2"; }
}
[ -e run/checkpoint.safetensors ] && [ ! -e run/model.safetensors ] || fail "the run is not one to be taken up"
before=$(wc -l <noted.txt)
failing "" 1
failing "" 137
failing "stopped on request; continue with the same command and --resume" 0
[ "$(wc -l <noted.txt)" = "$before" ] || fail "a failure was put into the queue again"
failing "stopped on request; continue with the same command and --resume" 1
[ "$(wc -l <noted.txt)" = $((before + 1)) ] || fail "a stop was not put into the queue again"
# What the program says is in the log while it runs.
SECONDS_LEFT=5 PATH=$work/failing:$PATH sh "$scripts/train.sh" tiny.toml run >early.txt 2>&1 &
running=$!
n=0
until grep -q "step 3 of 4" early.txt || [ $n -ge 40 ]; do sleep 0.1; n=$((n + 1)); done
kill -0 $running 2>/dev/null && grep -q "step 3 of 4" early.txt || fail "the log is silent while the program runs"
wait $running || true

echo "arguments that are missing, and a job outside an array"
for script in train folds study predict; do
  got=0
  sh "$scripts/$script.sh" >out.txt 2>&1 || got=$?
  [ "$got" != 0 ] && grep -q "usage: sbatch .*$script.sh [A-Z]" out.txt || { cat out.txt >&2; fail "$script.sh without arguments"; }
done
for script in folds study; do
  got=0
  sh "$scripts/$script.sh" tiny.toml folder >out.txt 2>&1 || got=$?
  [ "$got" != 0 ] && grep -q "no job of an array.* sbatch --array=" out.txt || { cat out.txt >&2; fail "$script.sh outside an array"; }
done
[ ! -e folder ] || fail "a job outside an array began"

echo "folds: two jobs at once, the last one scores"
SLURM_ARRAY_TASK_ID=0 sh "$scripts/folds.sh" tiny.toml folds --folds 2 >zero.txt 2>&1 &
zero=$!
SLURM_ARRAY_TASK_ID=1 sh "$scripts/folds.sh" tiny.toml folds --folds 2 >one.txt 2>&1 || { cat one.txt >&2; fail "fold 1"; }
wait $zero || { cat zero.txt >&2; fail "fold 0"; }
[ "$(wc -l <folds/scores.csv)" = 13 ] || fail "not four cases of three classes are scored"

echo "study: a job per cell, then the table"
cells=$(comodal experiment study.toml --list | wc -l)
[ "$cells" = 2 ] || fail "$cells cells"
for n in 1 2; do
  SLURM_ARRAY_TASK_ID=$n sh "$scripts/study.sh" study.toml >out.txt 2>&1 || { cat out.txt >&2; fail "cell $n"; }
done
got=0
SLURM_ARRAY_TASK_ID=3 sh "$scripts/study.sh" study.toml >out.txt 2>&1 || got=$?
[ "$got" = 2 ] && grep -q "there is no cell 3" out.txt || fail "a cell that there is not"
[ "$(comodal experiment study.toml --list | grep -c '^finished')" = 2 ] || fail "cells are not finished"
comodal experiment study.toml >out.txt 2>&1
grep -q "2 of 2 cells are finished" out.txt && [ -e study/table.md ] || { cat out.txt >&2; fail "no table"; }

echo "predict: two jobs, one folder"
sh "$scripts/predict.sh" whole cohort/imagesTs masks >one.txt 2>&1 &
one=$!
sh "$scripts/predict.sh" whole cohort/imagesTs masks >two.txt 2>&1 || { cat two.txt >&2; fail "a shared folder"; }
wait $one || { cat one.txt >&2; fail "a shared folder"; }
[ "$(ls masks/*.nii.gz | wc -l)" = 3 ] || fail "not three masks"
echo "passed"
