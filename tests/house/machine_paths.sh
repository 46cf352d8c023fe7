#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fails if a committed file names a folder of one machine. Exits with 77 (skipped) outside a git work tree.
#   tests/house/machine_paths.sh [the project's folder]
cd "${1:-.}" || exit 2
git rev-parse --is-inside-work-tree >/dev/null 2>&1 || exit 77
! git grep -nIE '/(work|farm|root|home)/' -- . ':!tests/house/machine_paths.sh'
