#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A cross-validation, a fold per job; the job that ends last scores all cases. The array is as long as there are folds, five if
# --folds does not say another number:
#   sbatch --array=0-4 --time=12:00:00 folds.sh EXPERIMENT.toml FOLDER
# The same line again goes on with what is not finished.
#SBATCH --job-name=folds
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --signal=TERM@180
#SBATCH --requeue
#SBATCH --open-mode=append
set -u
usage="sbatch --array=0-4 --time=12:00:00 folds.sh EXPERIMENT.toml FOLDER [--folds N] [--SECTION.KEY VALUE ...]"
experiment=${1:?usage: $usage}
folder=${2:?FOLDER, where the folds are kept, is missing; usage: $usage}
fold=${SLURM_ARRAY_TASK_ID:?this is no job of an array, one fold per job; usage: $usage}
shift 2
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-2}"
srun --cpus-per-task="$OMP_NUM_THREADS" comodal crossval "$experiment" "$folder" --fold "$fold" "$@"
