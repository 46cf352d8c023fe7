#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fails if a C++ file is not formatted by clang-format-19 with the project's .clang-format, and names its lines. Exits with 77
# (skipped) where clang-format-19 is missing, or outside a git work tree.
#   tests/house/format.sh [the project's folder]        mend: git ls-files '*.hpp' '*.cpp' | xargs clang-format-19 -i
cd "${1:-.}" || exit 2
command -v clang-format-19 >/dev/null 2>&1 || { echo "clang-format-19 is missing"; exit 77; }
git rev-parse --is-inside-work-tree >/dev/null 2>&1 || { echo "not a git work tree"; exit 77; }
git ls-files -z '*.hpp' '*.cpp' | xargs -0 clang-format-19 --dry-run --Werror
