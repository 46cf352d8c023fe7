#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Programs compiled for x86-64-v3 and -v4 on emulated processors: sh processor_check.sh V3 V4 UNCHECKED
# UNCHECKED is the program for v3 without the check: it must end by a signal, or the emulated processor proves nothing.
set -u
command -v qemu-x86_64 >/dev/null 2>&1 || { echo "skipped: needs qemu-x86_64 (Debian: qemu-user)"; exit 77; }
fail() { echo "FAILED: $1" >&2; exit 1; }
# expect PROGRAM PROCESSOR STATUS WORDS: the program ends with the status, and one line that has WORDS.
expect() {
  words=$(qemu-x86_64 -cpu "$2" "$1" 2>&1)
  status=$?
  [ "$status" = "$3" ] || fail "$1 on $2: status $status, expected $3: $words"
  [ "$(printf '%s\n' "$words" | wc -l)" = 1 ] || fail "$1 on $2: expected one line: $words"
  case $words in *"$4"*) ;; *) fail "$1 on $2: expected '$4': $words" ;; esac
}
# 132: ended by signal 4, SIGILL. qemu says so in lines of its own.
qemu-x86_64 -cpu Nehalem "$3" >/dev/null 2>&1
[ $? = 132 ] || fail "a program for x86-64-v3 without the check runs on the emulated Nehalem"
expect "$1" Nehalem 1 "comodal: this program was compiled with -march=x86-64-v3 for a processor with avx, which this one lacks: "
expect "$1" max 0 "the last value is 4097"
expect "$2" Nehalem 1 "-march=x86-64-v4 for a processor with avx, which"
expect "$2" max 1 "-march=x86-64-v4 for a processor with avx512f, which"
echo "passed"
