#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds what the scripts beside it run on a machine with an NVIDIA card, and packs it with the libraries that such a
# machine may lack.
#   Kokkos_ROOT=PREFIX sh bench/device/pack.sh FOLDER     PREFIX: a Kokkos with CUDA; FOLDER: new, to be carried to the card
# Programs are stripped, and for x86-64-v4. The CUDA toolkit's own libraries (cuDNN, cudart) must be on the other
# machine.
set -eu
[ $# = 1 ] || { echo "usage: Kokkos_ROOT=PREFIX sh bench/device/pack.sh FOLDER" >&2; exit 2; }
[ -n "${Kokkos_ROOT:-}" ] || { echo "pack.sh: set Kokkos_ROOT to a Kokkos with CUDA (docs/how-to/gpu.md)" >&2; exit 2; }
[ ! -e "$1" ] || { echo "pack.sh: $1 exists" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
build=${BUILD:-$source/build/device}
tests="test_core_teams test_core_loops test_core_step_block test_core_upload test_core_context test_engine_conv3d
  test_engine_agreement_convolution test_engine_agreement_resampling
  test_engine_agreement_reduction test_engine_agreement_structure
  test_engine_agreement_arithmetic test_autograd_recording test_train_step main_network"
cmake --preset cuda -S "$source" -B "$build" -DCOMODAL_ARCH=x86-64-v4 -DCOMODAL_BUILD_BENCH=ON
# shellcheck disable=SC2086
cmake --build "$build" --parallel "${JOBS:-2}" --target comodal_cli comodal_micro $tests
mkdir -p "$1/bin" "$1/lib"
cp "$build/examples/cli/comodal" "$build/bench/comodal_micro" "$1/bin/"
for t in $tests; do cp "$build/tests/$t" "$1/bin/$t"; done
strip "$1"/bin/*
cp "$here"/*.sh "$here"/torch_gpu.py "$1"
# What a bare system lacks: neither the C and C++ run-time libraries nor the toolkit's.
for p in "$1"/bin/*; do ldd "$p"; done | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | sort -u |
  grep -Ev '/(libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s|ld-linux[^/]*|libcuda|libcudart|libcudnn[^/]*)\.so' |
  while read -r library; do cp "$library" "$1/lib/"; done
du -sh "$1"
