#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Reads by themselves the headers that changed since BASE (changed.sh) and those that include them by name: each must be complete.
#   tests/house/headers_alone.sh BUILD [BASE]        BUILD: a folder configured with the preset native; BASE: all for every header
# Exits with 77 (skipped) outside a git work tree.
set -u
build=$(cd "$1" && pwd) || exit 2
cd "$(dirname "$0")/../.." || exit 2
files=$(sh tests/house/changed.sh ${2:+"$2"}) || exit $?
changed=$(printf '%s\n' "$files" | sed -n 's|^include/\(.*\.hpp\)$|\1|p')
[ -n "$changed" ] || { echo "headers alone: none changed"; exit 0; }
including=$(for header in $changed; do grep -rlF "#include <$header>" include; done | sed 's|^include/||')
units=$(printf '%s\n%s\n' "$changed" "$including" | sort -u | sed '/^$/d; s|[/.]|_|g; s|.*|headers/&.cpp.o|')
# A header that this build leaves out, such as that of an engine without its library, has no unit.
known=$(cd "$build" && ninja -t targets all | sed -n 's|^\(.*headers_alone.dir/headers/.*\.cpp\.o\):.*|\1|p')
[ -n "$known" ] || { echo "headers alone: $build knows no unit of headers_alone; configure it with the preset native" >&2; exit 2; }
targets=$(for unit in $units; do printf '%s\n' "$known" | grep "/headers_alone.dir/$unit\$"; done)
echo "headers alone: $(printf '%s\n' "$targets" | grep -c .) of $(printf '%s\n' "$known" | grep -c .)"
# shellcheck disable=SC2086
[ -z "$targets" ] || ninja -k 0 -C "$build" $targets
