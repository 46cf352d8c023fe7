#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A program with skipped cases ends with 77 and says why; one that fails besides ends as failed: skip.sh PROGRAM
set -u
words=$("$1"); status=$?
[ $status = 77 ] || { echo "status $status, expected 77: $words"; exit 1; }
[ "$(printf '%s\n' "$words" | grep "^skipped: ")" = "skipped: cannot_run: needs a processor of tomorrow
skipped: cannot_run_either: needs another" ] || { echo "unexpected output: $words"; exit 1; }
SKIPPING_FAILS=1 "$1" >/dev/null 2>&1; status=$?
[ $status = 201 ] || { echo "a failure beside a skipped case ends with status $status, expected 201"; exit 1; }
"$1" --run_test=runs >/dev/null 2>&1 || { echo "nothing was skipped, expected status 0"; exit 1; }
