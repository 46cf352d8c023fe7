#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles programs of a configured build folder, one at a time, and prints seconds, processor seconds (what counts
where the cores are shared) and the compiler's peak memory: as the build does it, and from headers alone where the build
links comodal::compiled. bench/compile/quickstart.cpp is frozen, and is also compiled with one more registered name.
Goals: at most 45 s of one core from headers and 15 with comodal::compiled, under 1 GiB each, at most 1 s more for the
name.

    compile_time.py [build folder] [object ...]
                                default: build/native, bench/compile/quickstart.cpp and main_network.cpp
"""
import os
import shlex
import subprocess
import sys
import time

build = sys.argv[1] if len(sys.argv) > 1 else "build/native"
sources = sys.argv[2:] or ["bench/compile/quickstart.cpp", "tests/compile/main_network.cpp"]
listing = ["ninja", "-C", build, "-t", "commands", "all", "main_network"]
commands = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.splitlines()
print("| program | from headers alone | seconds | of a processor | compiler's peak |\n| --- | --- | --- | --- | --- |")


def measure(name, command, alone):
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=build)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"compile_time.py: {name} does not compile")
    seconds, processor, peak = time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20
    print(f"| {name} | {alone} | {seconds:.1f} | {processor:.1f} | {peak:.2f} GiB |", flush=True)


for source in sources:
    found = [line for line in commands
             if (f"{source}.o -c " in line or line.rstrip().endswith(source)) and " -E " not in line]
    if not found:
        sys.exit(f"compile_time.py: {build} has no command that compiles {source}; "
                 "configure it with examples and tests")
    for line in found:
        words = [w for w in shlex.split(line) if not w.endswith("ccache") and w != "-MD"]
        words[words.index("-o") + 1] = os.devnull
        for option in ("-MF", "-MT"):
            if option in words:
                del words[words.index(option):words.index(option) + 2]
        name = source + (", one more name" if "-DCOMODAL_ONE_MORE_NAME" in words else "")
        headers = [w for w in words if not w.startswith("-DCOMODAL_COMPILED_")]
        if headers != words:
            measure(name, words, "no, with comodal::compiled")
        measure(name, headers, "yes")
