#!/bin/sh
# Makes the cohort, the three models and the masks: sh make_files.sh PROGRAM FOLDER.
# PROGRAM is the absolute path of the `comodal` program of commit 9e21811. FOLDER must be new.
# The committed files are FOLDER/images, FOLDER/strides, FOLDER/bf16 and FOLDER/regions.
set -eu
comodal=$1
mkdir "$2"
cd "$2"

# Large lesions of clear contrast, so that few steps give a network that is sure.
# Tissues: CSF, grey, white, oedema, rim, core.
"$comodal" phantom cohort --easy --seed 4 --phantom.grid '[32, 32, 16]' --phantom.spacing '[5.0, 5.0, 9.0]' \
  --phantom.labelled 8 --phantom.unlabelled 4 --phantom.test 3 --phantom.oblique_fraction 0.5 \
  --phantom.second_lesion 0 --phantom.lesion_ml 120 --phantom.lesion_limits_ml '[100, 160]' \
  --phantom.tumour_share '[0.6, 0.7]' --phantom.core_share '[0.4, 0.5]' \
  --phantom.contrast_flair '[0.5, 0.5, 0.5, 2, 2, 2]' --phantom.contrast_t1 '[0.5, 0.5, 0.5, 0.5, 2, 2]' \
  --phantom.contrast_t1ce '[0.5, 0.5, 0.5, 0.5, 2, 0.5]' --phantom.contrast_t2 '[0.5, 0.5, 0.5, 2, 0.5, 2]' >/dev/null

cat >experiment.toml <<'T'
modality_dropout = 0.3
[data]
folder = "cohort"
[model]
stream_channels = [2, 4]
fused_channels = [4, 6]
strides = [[2, 2, 1]]
[batch]
patch = [16, 16, 8]
[sampling]
foreground = 0.8
[augment]
strong_gain = [0.9, 1.1]
strong_shift = [-0.1, 0.1]
gamma_chance = 0.0
noise_chance = 0.0
blur_chance = 0.0
rotation_chance = 0.0
scale_chance = 0.0
[prefetch]
threads = 1
[optimiser]
name = "adamw"
rate = 0.03
[method]
ema = 0.9
[train]
steps = 300
log_every = 50
T
"$comodal" train experiment.toml strides_run --method.name supervised
"$comodal" train experiment.toml bf16_run --method.name supervised --model.precision bf16 --model.strides '[[2, 2, 2]]'

# The same cohort with overlapping regions instead of classes.
cp -r cohort region_cohort
cat >region_cohort/dataset.json <<'J'
{"channel_names": {"0": "FLAIR", "1": "T1", "2": "T1ce", "3": "T2"}, "numTraining": 8, "file_ending": ".nii.gz",
 "labels": {"background": 0, "whole tumour": [1, 2, 3], "tumour core": [1, 3], "enhancing rim": 3},
 "regions_class_order": [2, 1, 3]}
J
"$comodal" train experiment.toml regions_run --method.name supervised --data.folder region_cohort

# Case 5000 lacks its first modality. Case 5001 has an oblique affine. Case 5002 is stored as LPS (both axes of a slice
# reversed), has an sform alone, and lacks its last modality.
mv cohort/imagesTs images
rm images/phantom_5000_0000.nii.gz images/phantom_5002_0003.nii.gz
cat >flip.py <<'P'
import gzip, struct, sys
for name in sys.argv[1:]:
    raw = bytearray(gzip.open(name).read())
    nx, ny, nz = struct.unpack_from("<3h", raw, 42)
    width = struct.unpack_from("<h", raw, 72)[0] // 8
    start = int(struct.unpack_from("<f", raw, 108)[0])
    for k in range(nz):  # a slice backwards is a slice with both of its axes reversed
        first = start + k * nx * ny * width
        voxels = [bytes(raw[first + v * width:first + (v + 1) * width]) for v in range(nx * ny)]
        raw[first:first + nx * ny * width] = b"".join(reversed(voxels))
    for row in range(3):
        i, j, k, origin = struct.unpack_from("<4f", raw, 280 + 16 * row)
        struct.pack_into("<4f", raw, 280 + 16 * row, -i, -j, k, origin + (nx - 1) * i + (ny - 1) * j)
    struct.pack_into("<h", raw, 252, 0)
    open(name, "wb").write(gzip.compress(bytes(raw), mtime=0))
P
python3 flip.py images/phantom_5002_* cohort/labelsTs/phantom_5002.nii.gz
for model in strides bf16 regions; do
  mkdir $model
  cp ${model}_run/model.safetensors $model
  "$comodal" predict $model/model.safetensors images ${model}_run/masks
  "$comodal" evaluate ${model}_run/masks --labels cohort/labelsTs
  cp ${model}_run/masks/*.nii.gz $model
done
