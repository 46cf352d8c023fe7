#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Dice of the experiment that `comodal plan` writes beside nnU-Net's, for the same cases, patch, batch and steps:
#   NNUNET=my-venv/bin sh bench/nnunet/run.sh SOURCE FOLDER
# SOURCE is an nnU-Net raw folder with splits.json (see cohort.py), FOLDER a new one for everything that is made.
# NNUNET is the bin folder of an environment with nnunetv2 and nibabel. The environment may also set:
#   STEPS (300, a multiple of 30), SEEDS ("1 2"), THREADS (1) of each training,
#   PRECISION of nnU-Net's training (fp32, or bf16: by autocast), NNUNET_GB (0.15) for nnU-Net's planner and
#   COMODAL_GB (0.4) for ours. Both must give one patch, batch and strides; the script stops where they do not.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
here=$top/bench/nnunet
program=${COMODAL:-$top/build/native/examples/cli/comodal}
: "${NNUNET:?names the bin folder of an environment with nnunetv2}"
: "${STEPS:=300}" "${SEEDS:=1 2}" "${THREADS:=1}" "${PRECISION:=fp32}" "${NNUNET_GB:=0.15}" "${COMODAL_GB:=0.4}"
[ $# = 2 ] || { sed -n '3,10s/^# //p' "$0" >&2; exit 2; }
mkdir -p "$2/preprocessed" "$2/masks"
out=$(cd "$2" && pwd)
data=$out/raw/Dataset501_small
PATH=$NNUNET:$PATH
export PATH STEPS THREADS PRECISION CUDA_VISIBLE_DEVICES= OMP_NUM_THREADS="$THREADS" nnUNet_raw="$out/raw" nnUNet_preprocessed="$out/preprocessed" \
  nnUNet_extTrainer="$here/trainer" nnUNet_def_n_proc=1

python "$here/cohort.py" "$1" "$data" --training 30 --in-plane 2 --slice 4

export nnUNet_results="$out/results" nnUNet_n_proc_DA=1 # the planner refuses 0
nnUNetv2_extract_fingerprint -d 501 -np 1 --no_pbar
nnUNetv2_plan_experiment -d 501 -gpu_memory_target "$NNUNET_GB" -overwrite_plans_name small
nnUNetv2_preprocess -d 501 -plans_name small -c 3d_fullres -np 1 --no_pbar
export nnUNet_n_proc_DA=0 # batches by the seed, in the process that trains
"$program" plan "$data" "$out/plan.toml" --memory "$COMODAL_GB"
python "$here/same_plan.py" "$out/preprocessed/Dataset501_small/small.json" "$out/plan.toml"

for seed in $SEEDS; do
  export nnUNet_results="$out/results_$seed" SEED="$seed"
  mkdir -p "$nnUNet_results"
  nnUNetv2_train 501 3d_fullres all -tr nnUNetTrainerSteps -p small -device cpu >"$out/nnunet_$seed.log" 2>&1
  "$program" train "$out/plan.toml" "$out/run_$seed" --train.steps "$STEPS" --train.seed "$seed" --compute.threads "$THREADS" \
    >"$out/comodal_$seed.log" 2>&1
  for mirror in "" mirror; do
    masks=$seed${mirror:+_$mirror}
    nnUNetv2_predict -i "$data/imagesTs" -o "$out/masks/nnunet_$masks" -d 501 -c 3d_fullres -f all -tr nnUNetTrainerSteps -p small \
      -device cpu -npp 1 -nps 1 --disable_progress_bar $([ -n "$mirror" ] || echo --disable_tta) >>"$out/nnunet_$seed.log" 2>&1
    "$program" predict "$out/run_$seed" "$data/imagesTs" "$out/masks/comodal_$masks" $([ -z "$mirror" ] || echo --mirror i j k) \
      --threads "$THREADS" >>"$out/comodal_$seed.log" 2>&1
    "$program" evaluate "$out/masks/nnunet_$masks" "$out/masks/comodal_$masks" --labels "$data/labelsTs" --dataset "$data/dataset.json" \
      --unit voxel --complete --out "$out/scores_$masks"
  done
done
