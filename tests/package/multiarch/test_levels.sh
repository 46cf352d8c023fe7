#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Which library the loader takes, on emulated processors and on this one: sh test_levels.sh PREFIX
# PREFIX is where tests/package/multiarch was installed. 77: the part on this processor passed, the emulated ones cannot run.
set -u
program=$1/bin/comodal
fail() { echo "FAILED: $1" >&2; exit 1; }
expect() {
  [ "$status" = "$2" ] || fail "$1: status $status, expected $2: $words"
  [ "$words" = "$3" ] || fail "$1: '$words', expected '$3'"
}
libraries=$(cd "$1" && find . -name 'libcomodal_application*' -type f | sort | tr '\n' ' ')
case $libraries in
  "./lib"*"/glibc-hwcaps/x86-64-v3/libcomodal_application.so.0.1.0 ./lib"*"/glibc-hwcaps/x86-64-v4/libcomodal_application.so.0.1.0 ./lib"*"/libcomodal_application.so.0.1.0 ") ;;
  *) fail "installed: $libraries" ;;
esac
# The loader names the levels that this processor has.
loader=$(ldd "$program" | sed -n 's/^[^/]*\(\/[^ ]*ld-linux[^ ]*\).*/\1/p')
newest=$("$loader" --help | sed -n 's/^ *\(x86-64-v[34]\) (supported, searched).*/\1/p' | head -n 1)
if [ -n "$newest" ]; then
  words=$("$program" words 2>&1); status=$?
  expect "this processor" 0 "$newest with words"
  # The program has written its completions while it was installed.
  words=$(cat "$1/share/bash-completion/completions/comodal" "$1/share/zsh/site-functions/_comodal" 2>&1 | tr '\n' ' '); status=$?
  expect "completions" 0 "$newest with bash $newest with zsh "
fi
command -v qemu-x86_64 >/dev/null 2>&1 || { echo "skipped: needs qemu-x86_64 (Debian: qemu-user)"; exit 77; }
words=$(qemu-x86_64 -cpu max "$program" words 2>&1); status=$?
expect max 0 "x86-64-v3 with words"
words=$(qemu-x86_64 -cpu Nehalem "$program" words 2>&1); status=$?
expect Nehalem 1 "comodal: this program is for processors with AVX2 (x86-64-v3, since about 2015), which this one lacks: run it on a newer one"
# Without the folders for newer processors the reason is another.
rm -r "$1"/lib*/glibc-hwcaps 2>/dev/null || rm -r "$1"/lib/*/glibc-hwcaps
words=$(qemu-x86_64 -cpu max "$program" words 2>&1); status=$?
expect "max without glibc-hwcaps" 1 "comodal: the loader took no library of lib/glibc-hwcaps: expected glibc 2.33 or newer, and these folders beside libcomodal_application.so"
echo "passed"
