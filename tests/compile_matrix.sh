#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the main network and every header alone against one Kokkos after another, runs the program where it can run, and prints
# a dated table (bench/history/2026-11-23-portability.md keeps one).
#
#   tests/compile_matrix.sh                                    the system's Kokkos
#   tests/compile_matrix.sh system openmp=PREFIX cuda=PREFIX   several legs; also serial=PREFIX and hip=PREFIX
#
# PREFIX is what Kokkos was installed to; a wrong one is an error. Host legs must print the same numbers with 1 and with 2 threads,
# and the same as each other. Environment: MATRIX_BUILD (folder, default build/matrix), MATRIX_JOBS (default 2), MATRIX_ARCH (default
# native), MATRIX_HEADERS=0 (leaves the headers out). The exit status is 0 if every leg passed.
set -u
source=$(cd "$(dirname "$0")/.." && pwd)
build=${MATRIX_BUILD:-$source/build/matrix}
jobs=${MATRIX_JOBS:-2}
legs=("$@")
[ ${#legs[@]} -gt 0 ] || legs=(system)
failed=0
reference=
rows=()

# True where there is a device of that kind to run on.
has_device() {
  case $1 in
    cuda) nvidia-smi -L >/dev/null 2>&1 ;;
    hip) rocminfo 2>/dev/null | grep -q 'Device Type: *GPU' ;;
  esac
}

for leg in "${legs[@]}"; do
  kind=${leg%%=*}
  root=${leg#*=}
  folder=$build/$kind
  log=$folder.log
  program=failed headers=- run=- kokkos=- compiler=-
  case $kind in
    system) preset=release ;;
    serial) preset=release ;;
    openmp | cuda | hip) preset=$kind ;;
    *) echo "compile_matrix: unknown leg '$leg', expected system, or serial, openmp, cuda or hip with =PREFIX" >&2; exit 2 ;;
  esac
  if [ "$kind" = system ]; then
    unset Kokkos_ROOT
  elif [ "$root" = "$leg" ] || [ -z "$root" ]; then
    echo "compile_matrix: the leg '$kind' needs a Kokkos: $kind=PREFIX" >&2
    exit 2
  else
    export Kokkos_ROOT=$root
  fi
  mkdir -p "$build"
  backend=$(tr '[:lower:]' '[:upper:]' <<<"$kind")
  [ "$kind" = system ] && backend=SERIAL

  start=$SECONDS
  if cmake --preset "$preset" --fresh -S "$source" -B "$folder" -DCOMODAL_ARCH="${MATRIX_ARCH-native}" -DCOMODAL_BUILD_EXAMPLES=OFF \
    -DCOMODAL_REQUIRE_BACKEND="$backend" >"$log" 2>&1; then
    kokkos=$(sed -n 's/^-- comodal: Kokkos \([^ ]* ([^)]*)\).*/\1/p' "$log")
    compiler=$(sed -n 's/^-- The CXX compiler identification is //p' "$log")
    [ "$kind" = cuda ] && compiler="nvcc $(nvcc --version | sed -n 's/^Cuda.* V\([0-9.]*\)$/\1/p') on $compiler"
    if cmake --build "$folder" --target main_network -j "$jobs" >>"$log" 2>&1; then
      program="built ($((SECONDS - start)) s)"
      out=$folder/main_network.out
      if [ "$kind" = cuda ] || [ "$kind" = hip ]; then
        run="no device here"
        if has_device "$kind"; then
          if "$folder/tests/main_network" >"$out.txt" 2>>"$log"; then run="ran"; else run="failed"; failed=1; fi
        fi
      elif "$folder/tests/main_network" 1 >"$out.1" 2>>"$log" && OMP_PROC_BIND=false "$folder/tests/main_network" 2 >"$out.2" 2>>"$log" &&
        cmp -s "$out.1" "$out.2"; then
        run="1 and 2 threads equal; student $(sed -n 's/^student //p' "$out.1")"
        if [ -n "$reference" ] && ! cmp -s "$reference" "$out.1"; then
          run="$run: differs from the first leg"
          failed=1
        fi
        reference=${reference:-$out.1}
      else
        run=failed
        failed=1
      fi
    else
      failed=1
    fi
    if [ "${MATRIX_HEADERS:-1}" != 0 ]; then
      if ! cmake --build "$folder" --target headers_alone -j "$jobs" -- -k 0 >"$folder.headers.log" 2>&1; then failed=1; fi
      all=$(find "$folder/tests/headers" -name '*.cpp' | wc -l)
      headers="$((all - $(grep -c '^FAILED: ' "$folder.headers.log"))) of $all"
    fi
  else
    program="not configured: $(grep -A1 'CMake Error' "$log" | tail -1 | sed 's/^ *//')"
    failed=1
  fi
  rows+=("| $kind | $kokkos | $compiler | $program | $headers | $run |")
done

echo "$(date +%F), $(uname -m), -march=${MATRIX_ARCH-native}; logs in ${build#"$source"/}"
echo
echo "| leg | Kokkos | compiler | main network | headers alone | run |"
echo "| --- | --- | --- | --- | --- | --- |"
printf '%s\n' "${rows[@]}"
exit $failed
