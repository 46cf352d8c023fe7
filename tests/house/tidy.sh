#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs clang-tidy-19 (.clang-tidy) on the headers and examples that changed since BASE, two at a time, and fails if it finds anything. A
# header is looked at in its own unit of headers_alone; tests, whose instances take minutes each, are left to the compilers' warnings. Exits with 77 (skipped) where clang-tidy-19 is missing or outside a git work tree.
#   tests/house/tidy.sh BUILD [BASE]        BUILD: a configured folder with compile_commands.json; BASE: as changed.sh takes it
set -u
build=$(cd "$1" && pwd) || exit 2
cd "$(dirname "$0")/../.." || exit 2
command -v clang-tidy-19 >/dev/null 2>&1 || { echo "clang-tidy-19 is missing"; exit 77; }
[ -f "$build/compile_commands.json" ] || { echo "tidy: $build has no compile_commands.json; configure it with the preset native" >&2; exit 2; }

files=$(sh tests/house/changed.sh ${2:+"$2"}) || exit $?

# Units that the build knows: programs themselves, headers by their units. What no unit compiles on its own is left to those
# that include it.
units=$(mktemp) || exit 2
trap 'rm -f "$units"' EXIT
for file in $files; do
  case $file in
    include/*.hpp) unit=$build/tests/headers/$(echo "${file#include/}" | tr '/.' '__').cpp ;;
    *.cpp) unit=$PWD/$file ;;
    *) continue ;;
  esac
  grep -qF "\"file\": \"$unit\"" "$build/compile_commands.json" && echo "$unit $file" >>"$units"
done
count=$(wc -l <"$units")
echo "clang-tidy: $count files changed"
# A change of the whole house is looked at by hand, in parts: each header takes some 20 s of a core.
if [ -z "${2:-}" ] && [ "$count" -gt 60 ]; then
  echo "clang-tidy: more than 60 files; name a base: sh tests/house/tidy.sh BUILD BASE"
  exit 77
fi
# Options of GCC alone are not known to Clang; its OpenMP finds omp.h in libomp-19-dev.
xargs -P 2 -L 1 sh -c '
  words=$(clang-tidy-19 --quiet -p "$0" --header-filter="/$2\$" --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-ignored-optimization-argument --extra-arg=-Wno-unused-command-line-argument --extra-arg=-Wno-deprecated-declarations "$1" 2>/dev/null) && [ -z "$words" ] && exit 0
  printf "%s\n" "$words"
  exit 1' "$build" <"$units"
