#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A study, a cell per job, as many as `comodal experiment STUDY.toml --list | wc -l` says:
#   sbatch --array=1-12 --time=2:00:00 study.sh STUDY.toml
# Afterwards `comodal experiment STUDY.toml` finds all cells finished and prints the table.
#SBATCH --job-name=study
#SBATCH --cpus-per-task=2
#SBATCH --mem=8G
#SBATCH --signal=TERM@180
set -u
usage="sbatch --array=1-12 --time=2:00:00 study.sh STUDY.toml [--experiment.KEY VALUE ...]"
study=${1:?usage: $usage}
number=${SLURM_ARRAY_TASK_ID:?this is no job of an array, one cell per job; usage: $usage}
shift
cell=$(comodal experiment "$study" --list "$@" | sed -n "${number}s/^[^ ]*  *//p")
[ -n "$cell" ] || { echo "study.sh: there is no cell $number" >&2; exit 2; }
srun --cpus-per-task="${SLURM_CPUS_PER_TASK:-2}" comodal experiment "$study" --cell "$cell" \
  --experiment.threads "${SLURM_CPUS_PER_TASK:-2}" "$@"
