#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles programs of a configured build folder, one at a time, and prints seconds, processor seconds (what counts where
the cores are shared) and the compiler's peak memory: as the build does it, and from headers alone where the build links comodal::compiled.
Goal for quickstart.cpp: at most 25 s on one core, under 2 GiB.

    compile_time.py [build folder] [object ...]        default: build/native, examples/quickstart.cpp and main_network.cpp
"""
import os
import shlex
import subprocess
import sys
import time

build = sys.argv[1] if len(sys.argv) > 1 else "build/native"
sources = sys.argv[2:] or ["examples/quickstart.cpp", "tests/compile/main_network.cpp"]
commands = subprocess.run(["ninja", "-C", build, "-t", "commands", "all", "main_network"], capture_output=True, text=True, check=True).stdout.splitlines()
print("| program | from headers alone | seconds | of a processor | compiler's peak |\n| --- | --- | --- | --- | --- |")
for source in sources:
    found = [line for line in commands if f"{source}.o -c " in line or line.rstrip().endswith(source)]
    if not found:
        sys.exit(f"compile_time.py: {build} has no command that compiles {source}; configure it with examples and tests")
    words = [w for w in shlex.split(found[-1]) if not w.endswith("ccache")]
    words[words.index("-o") + 1] = os.devnull
    for option in ("-MF", "-MT"):
        if option in words:
            del words[words.index(option):words.index(option) + 2]
    words = [w for w in words if w != "-MD"]
    headers = [w for w in words if not w.startswith("-DCOMODAL_COMPILED_")]
    for command, alone in [(words, "yes" if headers == words else "no, with comodal::compiled")] + ([(headers, "yes")] if headers != words else []):
        start = time.monotonic()
        process = subprocess.Popen(command, cwd=build)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"compile_time.py: {source} does not compile")
        print(f"| {source} | {alone} | {time.monotonic() - start:.1f} | {usage.ru_utime + usage.ru_stime:.1f} | {usage.ru_maxrss / 2**20:.2f} GiB |", flush=True)
