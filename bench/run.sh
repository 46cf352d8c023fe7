#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the program, finds or makes Python interpreters with PyTorch, and compares both on this machine:
#   sh bench/run.sh [arguments of compare.py]        for example --work unet_step --rounds 1
# TORCH_PYTHON may name interpreters that can import torch, separated by spaces. Without it a virtual environment is made in
# build/bench-venv with PyTorch from the package index (some gigabytes). The system's python3 takes part too if it has torch.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)

sh "$top/cmake/install_packages.sh"
if [ ! -f "$top/build/native/build.ninja" ]; then
  (cd "$top" && cmake --preset native >/dev/null)
fi
cmake --build "$top/build/native" --parallel "$(nproc)" --target comodal_cli

has_torch() { "$1" -c "import numpy, torch" >/dev/null 2>&1; }
set -- --json "$top/build/bench/results.json" "$@"
if [ -n "${TORCH_PYTHON:-}" ]; then
  for python in $TORCH_PYTHON; do
    has_torch "$python" || { echo "bench: $python cannot import torch and numpy (named by TORCH_PYTHON)" >&2; exit 2; }
    set -- --python "$python" "$@"
  done
else
  venv=$top/build/bench-venv
  if ! has_torch "$venv/bin/python"; then
    python3 -m venv "$venv" || { echo "bench: python3 cannot make a virtual environment; install python3-venv or set TORCH_PYTHON" >&2; exit 2; }
    "$venv/bin/python" -m pip install --quiet torch numpy
  fi
  set -- --python "$venv/bin/python" "$@"
fi
system=/usr/bin/python3
case " ${TORCH_PYTHON:-} " in
  *" $system "*) ;;
  *) if has_torch "$system"; then set -- --python "$system" "$@"; fi ;;
esac

mkdir -p "$top/build/bench"
exec python3 "$top/bench/compare.py" --program "$top/build/native/examples/cli/comodal" "$@"
