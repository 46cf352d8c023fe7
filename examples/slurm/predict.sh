#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Masks of one folder of images by several jobs; each takes cases that no other has:
#   sbatch --array=1-4 --time=1:00:00 predict.sh MODEL IMAGES FOLDER
#SBATCH --job-name=predict
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
set -u
usage="sbatch --array=1-4 --time=1:00:00 predict.sh MODEL IMAGES FOLDER"
model=${1:?usage: $usage}
images=${2:?IMAGES, a folder of images, is missing; usage: $usage}
folder=${3:?FOLDER, where the masks go, is missing; usage: $usage}
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-2}"
srun --cpus-per-task="$OMP_NUM_THREADS" comodal predict "$model" "$images" "$folder" --continue
