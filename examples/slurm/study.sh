#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A study, a cell per job, as many as `comodal experiment STUDY.toml --list | wc -l` says:
#   sbatch --array=1-12 --time=2:00:00 study.sh STUDY.toml
# Afterwards `comodal experiment STUDY.toml` finds all cells finished and prints the table.
#SBATCH --job-name=study
#SBATCH --cpus-per-task=2
#SBATCH --mem=8G
set -u
study=$1
shift
cell=$(comodal experiment "$study" --list "$@" | sed -n "${SLURM_ARRAY_TASK_ID}s/^[^ ]*  *//p")
[ -n "$cell" ] || { echo "study.sh: there is no cell $SLURM_ARRAY_TASK_ID" >&2; exit 2; }
srun --cpus-per-task="${SLURM_CPUS_PER_TASK:-2}" comodal experiment "$study" --cell "$cell" \
  --experiment.threads "${SLURM_CPUS_PER_TASK:-2}" "$@"
