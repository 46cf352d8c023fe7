#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times two builds of our own program in turns, before and after a change, and prints ratios as Markdown.

    pairs.py --before OLD/comodal --after build/native/examples/cli/comodal [--rounds 9] [--work unet_step]

Each round runs both programs once per work and precision, one after the other; the one that begins changes from round
to round. The ratio is the median over rounds of after / before. A program of 0.1.0 gets its keys under their old names.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from compare import OURS

OLD_NAMES = {"--batch.patch_size": "--batch.patch", "--augment.modality_dropout": "--modality_dropout"}


def measure(program, work, precision, a):
    """What one process measured: the median step, the first step, peaks, allocations of later steps."""
    words = [*OURS[work], "--precision", precision, "--warm", str(a.warm), "--steps", str(a.steps)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(a.threads)} if a.threads else dict(os.environ)
    environment["OMP_WAIT_POLICY"] = "passive"
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        for names in ({}, OLD_NAMES):
            command = [program, "benchmark", *(names.get(w, w) for w in words), "--json", file.name]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode == 0:
                break
        else:
            sys.exit(f"pairs.py: {' '.join(command)}: {done.stderr.strip()}")
        j = json.load(open(file.name))
    return {"step": statistics.median(j["seconds"]), "first step": j["first_step_seconds"],
            "process peak": j["peak_bytes"], "pool": j["pool_bytes"], "allocations": max(j["allocations"], default=0)}


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--before", required=True)
    a.add_argument("--after", required=True)
    a.add_argument("--rounds", type=int, default=9)
    a.add_argument("--work", action="append", choices=list(OURS), help="repeatable; default: all")
    a.add_argument("--precision", action="append", choices=["fp32", "bf16"], help="repeatable; default: both")
    a.add_argument("--steps", type=int, default=5)
    a.add_argument("--warm", type=int, default=2)
    a.add_argument("--threads", type=int, default=0, help="0: all cores")
    a = a.parse_args()
    print("| work | precision | step before, s | after, s | step after / before (least to most) "
          "| first step | process peak | tensor pool | allocations |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for work in a.work or list(OURS):
        for precision in a.precision or ["fp32", "bf16"]:
            before, after = [], []
            for n in range(a.rounds):
                pair = [(a.before, before), (a.after, after)]
                for program, results in pair if n % 2 == 0 else reversed(pair):
                    results.append(measure(program, work, precision, a))
            ratios = {key: sorted(y[key] / x[key] for x, y in zip(before, after))
                      for key in before[0] if key != "allocations"}
            middle = {key: statistics.median(r) for key, r in ratios.items()}
            step = ratios["step"]
            seconds = [statistics.median(one["step"] for one in results) for results in (before, after)]
            print(f"| {work} | {precision} | {seconds[0]:.4f} | {seconds[1]:.4f} "
                  f"| {middle['step']:.3f} ({step[0]:.3f} to {step[-1]:.3f}) | {middle['first step']:.2f} "
                  f"| {middle['process peak']:.2f} | {middle['pool']:.2f} "
                  f"| {max(one['allocations'] for one in after)} |", flush=True)


if __name__ == "__main__":
    main()
