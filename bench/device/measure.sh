#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How fast is a card, ours and PyTorch in turns? At most six minutes.   sh measure.sh OUT ["unet_step method_step"]
# in the folder that
# pack.sh made. PyTorch comes from the machine's python3; without it only ours is measured. JSON and logs in OUT;
# BUDGET=seconds (340).
set -u
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?folder for results}
works=${2:-unet_step method_step nnunet_step unet_predict}
mkdir -p "$out"
LD_LIBRARY_PATH="${LD_LIBRARY_PATH:-}:$here/lib:/usr/local/cuda/lib64"
export LD_LIBRARY_PATH
chmod +x "$here"/bin/*
began=$(date +%s)
left() { echo $((${BUDGET:-340} - ($(date +%s) - began))); }
plain="--augment.rotation_chance 0 --augment.scale_chance 0"
plainer="$plain --augment.mirror_chance 0 --augment.gamma_chance 0 --augment.noise_chance 0 --augment.blur_chance 0"

# ours NAME WORK PRECISION STEPS WARM [words]: one JSON file, and the device's memory while it ran.
# shellcheck disable=SC2086
ours() {
  name=$1 work=$2 precision=$3 steps=$4 warm=$5
  shift 5
  [ "$(left)" -gt 10 ] || { echo "$name: left out, no time left"; return; }
  unet="--modalities 2 --classes 3 --model.fusion early"
  case $work in
    unet_step) set -- --work train $unet --model.fused_channels "[16, 32, 64, 128]" --batch.patch_size "[64, 64, 64]" \
      --method.name supervised --batch.labelled 2 --augment.modality_dropout 0 $plainer "$@" ;;
    unet_predict) set -- --work predict --volume 128 128 96 $unet --model.fused_channels "[16, 32, 64, 128]" \
      --batch.patch_size "[64, 64, 64]" "$@" ;;
    method_step) set -- --work train --modalities 3 --classes 3 --method.name contrastive_mutual_learning \
      --batch.patch_size "[64, 64, 32]" $plain "$@" ;;
    # nnU-Net's sizes; our U-Net pools where nnU-Net has strides, with the same number of parameters.
    nnunet_step) set -- --work train --modalities 4 --classes 4 --model.fusion early \
      --model.fused_channels "[32, 64, 128, 256, 320, 320]" --model.stream_channels "[4, 4, 4, 4, 4, 4]" \
      --batch.patch_size "[128, 128, 128]" --method.name supervised --batch.labelled 2 \
      --augment.modality_dropout 0 --optimiser.momentum 0.99 $plainer "$@" ;;
  esac
  nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits -lms 200 >"$out/$name.memory" 2>/dev/null &
  sampler=$!
  timeout "$(left)" "$here/bin/comodal" benchmark "$@" --precision "$precision" --steps "$steps" --warm "$warm" \
    --json "$out/$name.json" >"$out/$name.log" 2>&1 || echo "$name: failed: $(tail -1 "$out/$name.log")"
  kill $sampler 2>/dev/null
  echo "$name: $(grep median "$out/$name.log" | head -1)"
}

nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
for work in $works; do
  for precision in fp32 tf32 bf16; do
    case $work in
      nnunet_step) [ $precision = fp32 ] || ours "${work}_$precision" "$work" "$precision" 5 2 ;;
      *) ours "${work}_$precision" "$work" "$precision" 10 5 ;;
    esac
  done
  if [ "$work" != unet_predict ] && [ "$(left)" -gt 20 ] && python3 -c 'import torch' 2>/dev/null; then
    timeout "$(left)" python3 "$here/torch_gpu.py" "$out/torch_$work" --work "$work" --modes eager --budget "$(left)"
  fi
done
# Single operations against a copy of the device.
[ "$(left)" -lt 60 ] || timeout 60 "$here/bin/comodal_micro" --benchmark_min_time=0.05 \
  --benchmark_out="$out/micro.json" --benchmark_out_format=json >"$out/micro.log" 2>&1
# Where the time goes outside of convolutions.
for work in method_step unet_step; do
  case " $works " in
    *" $work "*)
      ours "${work}_profile" "$work" bf16 5 2 --profile
      sed -n '/^operation/,$p' "$out/${work}_profile.log" | head -30 ;;
  esac
done
