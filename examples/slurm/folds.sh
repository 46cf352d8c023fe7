#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A cross-validation, a fold per job; the job that ends last scores all cases:
#   sbatch --array=0-4 --time=12:00:00 folds.sh EXPERIMENT.toml FOLDER
# The same line again goes on with what is not finished.
#SBATCH --job-name=folds
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --signal=TERM@180
set -u
experiment=$1 folder=$2
shift 2
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-2}"
srun --cpus-per-task="$OMP_NUM_THREADS" comodal crossval "$experiment" "$folder" --fold "$SLURM_ARRAY_TASK_ID" "$@"
