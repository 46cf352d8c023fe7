#!/bin/sh
# Installs what is missing, builds everything and runs all tests: sh tests/run.sh
# Further arguments go to CTest, for example: sh tests/run.sh -R engine
set -eu
cd "$(dirname "$0")/.."
sh cmake/install_packages.sh
cmake --preset native >/dev/null || cmake --preset native
cmake --build --preset native --parallel "$(nproc)"
ctest --preset native --parallel "$(nproc)" "$@"
