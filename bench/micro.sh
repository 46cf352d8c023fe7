#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds and runs the micro-benches: sh bench/micro.sh [arguments of Google Benchmark], for example --benchmark_filter=conv3d.forward
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
sh "$top/cmake/install_packages.sh" libbenchmark-dev
(cd "$top" && cmake --preset native -DCOMODAL_BUILD_BENCH=ON >/dev/null)
cmake --build "$top/build/native" --parallel "$(nproc)" --target comodal_micro
mkdir -p "$top/build/bench"
exec "$top/build/native/bench/comodal_micro" --benchmark_out="$top/build/bench/micro.json" --benchmark_out_format=json "$@"
