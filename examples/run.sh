#!/bin/sh
# The main job, from nothing to a report: installs what is missing, builds, makes a phantom cohort, trains "supervised only" and
# "contrastive mutual learning" for the same number of steps, predicts, evaluates, and prints a table and the report's path.
#   sh examples/run.sh [folder]        default folder: runs/phantom
# SEED, STEPS, GRID and SPACING may be set in the environment; a second run rebuilds nothing and takes a folder of its own. The 500 steps
# fit into 15 minutes; with STEPS=1500 it shows what unlabelled cases are worth (docs/results.md).
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
seed=${SEED:-1}
steps=${STEPS:-500}
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
for method in supervised contrastive_mutual_learning; do
  "$comodal" train "$top/examples/phantom.toml" "$out/$method" --data.folder "$out/cohort" --method.name "$method" --train.seed "$seed" \
    --train.steps "$steps"
  "$comodal" predict "$out/$method/model.safetensors" "$out/cohort/imagesTs" "$out/$method/predictions" --branches --only
done
echo
"$comodal" evaluate "$out/supervised/predictions" "$out/contrastive_mutual_learning/predictions" --labels "$out/cohort/labelsTs"
echo
printf 'report: '
"$comodal" report "$out/supervised" "$out/contrastive_mutual_learning" --labels "$out/cohort/labelsTs" --images "$out/cohort/imagesTs" \
  --out "$out/report.html" --title "comodal: phantom, seed $seed, $steps steps"
