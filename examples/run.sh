#!/bin/sh
# The main job, from nothing to a report: installs what is missing, builds, makes a phantom cohort, trains "supervised only" and
# "contrastive mutual learning" for the same number of steps, predicts, evaluates, and prints a table and the report's path.
#   sh examples/run.sh [folder]        default folder: runs/phantom
# SEED, STEPS, GRID and SPACING may be set in the environment; a second run rebuilds nothing and takes a folder of its
# own. The 2000 steps are enough for unlabelled cases to help (bench/history/2026-11-28-demo.md); 500 are not.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
seed=${SEED:-1}
steps=${STEPS:-2000}
grid=${GRID:-[48, 48, 32]}
spacing=${SPACING:-[3.0, 3.0, 4.0]}
out=${1:-$top/runs/phantom}

sh "$top/cmake/install_packages.sh"
if [ ! -f "$top/build/native/build.ninja" ]; then
  (cd "$top" && cmake --preset native >/dev/null)
fi
cmake --build "$top/build/native" --parallel "$(nproc)" --target comodal_cli
comodal=$top/build/native/examples/cli/comodal

n=1
base=$out
while [ -e "$out" ]; do
  n=$((n + 1))
  out=$base-$n
done
mkdir -p "$out"

"$comodal" phantom "$out/cohort" --seed "$seed" --phantom.grid "$grid" --phantom.spacing "$spacing"
# ema_decay: an average of 0.99 would lag behind by a good part of a short run. counted_voxels: of 36 mm3, 32 of them are more than
# most necrotic cores have.
for method in supervised contrastive_mutual_learning; do
  set -- --method.name "$method" "--method.$method.ema_decay" 0.97
  [ "$method" = supervised ] || set -- "$@" "--method.$method.counted_voxels" 8
  "$comodal" train "$top/examples/phantom.toml" "$out/$method" --data.folder "$out/cohort" --train.seed "$seed" --train.steps "$steps" "$@"
  "$comodal" predict "$out/$method/model.safetensors" "$out/cohort/imagesTs" "$out/$method/predictions" --branches --only
done
echo
"$comodal" evaluate "$out/supervised/predictions" "$out/contrastive_mutual_learning/predictions" --labels "$out/cohort/labelsTs"
echo
printf 'report: '
"$comodal" report "$out/supervised" "$out/contrastive_mutual_learning" --labels "$out/cohort/labelsTs" --images "$out/cohort/imagesTs" \
  --out "$out/report.html" --title "comodal: phantom, seed $seed, $steps steps"
