#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the headers and examples that changed since BASE, one per line: sh tests/house/changed.sh [BASE]
# BASE is the merge base with origin/main by default; where that is HEAD itself, the last commit that is six hours older than HEAD. "all": every
# file. Exits with 77 outside a git work tree.
set -u
cd "$(dirname "$0")/../.." || exit 2
git rev-parse --is-inside-work-tree >/dev/null 2>&1 || { echo "not a git work tree" >&2; exit 77; }
base=${1:-$(git merge-base HEAD origin/main 2>/dev/null)}
if [ -z "${1:-}" ] && { [ -z "$base" ] || [ "$base" = "$(git rev-parse HEAD)" ]; }; then
  base=$(git rev-list -1 --before="$(($(git log -1 --format=%ct) - 21600))" HEAD)
fi
if [ "$base" = all ] || [ -z "$base" ]; then
  git ls-files include examples
else
  git diff --name-only --diff-filter=d "$base" -- include examples
  git ls-files --others --exclude-standard include examples
fi
