#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One run, taken up again after a preemption or at the end of its time:
#   sbatch --time=4:00:00 train.sh EXPERIMENT.toml FOLDER [--SECTION.KEY VALUE ...]
#SBATCH --job-name=comodal
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --signal=TERM@180
#SBATCH --requeue
#SBATCH --open-mode=append
set -u
usage="sbatch --time=4:00:00 train.sh EXPERIMENT.toml FOLDER [--SECTION.KEY VALUE ...]"
experiment=${1:?usage: $usage}
folder=${2:?FOLDER, where the run is kept, is missing; usage: $usage}
shift 2
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-2}"
kept=$(mktemp -d) || exit 1
trap 'rm -rf "$kept"' EXIT
# --resume begins a new run where there is none. On SIGTERM the step ends, a checkpoint is written, the program says so and
# ends with 1, as after every failure: what it says is kept beside Slurm's log. tee must not end before it.
{
  srun --cpus-per-task="$OMP_NUM_THREADS" comodal train "$experiment" "$folder" --resume "$@"
  echo $? >"$kept/status"
} | (trap '' TERM; exec tee "$kept/words")
status=$(cat "$kept/status")
if [ "$status" = 1 ] && grep -q '^stopped on request' "$kept/words" && [ "${SLURM_RESTART_COUNT:-0}" -lt 50 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "${status:-1}"
