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
experiment=$1 folder=$2
shift 2
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-2}"
status=0
# --resume begins a new run where there is none. On SIGTERM the step ends, a checkpoint is written, the status is 1.
srun --cpus-per-task="$OMP_NUM_THREADS" comodal train "$experiment" "$folder" --resume "$@" || status=$?
if [ "$status" = 1 ] && [ -e "$folder/checkpoint.safetensors" ] && [ ! -e "$folder/model.safetensors" ] &&
  [ "${SLURM_RESTART_COUNT:-0}" -lt 50 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
