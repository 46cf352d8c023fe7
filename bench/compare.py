#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times `comodal benchmark` and the same work in PyTorch, in turns, and prints Markdown tables. bench/README.md says what is fair.

    compare.py --program build/native/examples/cli/comodal --python python3 --json results.json
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent

# What our program is told. Data of the U-Net step are plain crops: the peer's step has its input ready. Rotation and scaling are off in
# both programs' method step.
UNET = ["--modalities", "2", "--classes", "3", "--model.fusion", "early", "--model.fused_channels", "[16, 32, 64, 128]",
        "--batch.patch_size", "[64, 64, 64]"]
PLAIN = [word for key in ("rotation", "scale") for word in (f"--augment.{key}_chance", "0")]
PLAINER = PLAIN + [word for key in ("mirror", "gamma", "noise", "blur") for word in (f"--augment.{key}_chance", "0")]
OURS = {
    "unet_step": ["--work", "train", *UNET, "--method.name", "supervised", "--batch.labelled", "2", "--augment.modality_dropout", "0", *PLAINER],
    "unet_predict": ["--work", "predict", "--volume", "128", "128", "96", *UNET],
    "method_step": ["--work", "train", "--modalities", "3", "--classes", "3", "--method.name", "contrastive_mutual_learning", "--batch.patch_size",
                    "[64, 64, 32]", *PLAIN],
}
# The peer's variants: further words for peer_torch.py.
PEERS = [["--keep-heap"], ["--channels-last"], ["--channels-last", "--keep-heap"], [],
         ["--norm", "group", "--keep-heap"], ["--norm", "group", "--channels-last", "--keep-heap"],
         ["--compile", "--keep-heap"], ["--compile", "--channels-last", "--keep-heap"]]
PEERS_PREDICT = [[*words, "--keep-heap", "--windows", str(n)] for n, words in
                 [(1, []), (6, []), (2, []), (2, ["--channels-last"]), (2, ["--norm", "group"]), (1, ["--jit"]), (2, ["--jit"]),
                  (2, ["--jit", "--channels-last"]), (2, ["--compile"]), (2, ["--compile", "--channels-last"])]]
# What we want to reach: ours / fastest PyTorch, and within our program.
GOALS = {"time": {"unet_step fp32": 0.45, "unet_step bf16": 0.35}, "other time": 0.5, "memory": 0.5, "convolutions": 1.25, "allocations": 0, "start": 0.5,
         "threads": 1.7}


def arguments():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--program", required=True, help="the comodal program")
    a.add_argument("--python", action="append", default=[], help="an interpreter that has torch; repeatable")
    a.add_argument("--work", action="append", choices=list(OURS), help="repeatable; default: all")
    a.add_argument("--precision", action="append", choices=["fp32", "bf16"], help="repeatable; default: both")
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--steps", type=int, default=5, help="timed steps of a process")
    a.add_argument("--warm", type=int, default=2)
    a.add_argument("--quick-steps", type=int, default=2, help="timed steps of the pass that chooses variants")
    a.add_argument("--keep", type=int, default=2, help="variants of the peer that go on after the first pass")
    a.add_argument("--threads", type=int, default=0, help="0: OMP_NUM_THREADS, else all cores")
    a.add_argument("--timeout", type=int, default=1200, help="seconds a process may take")
    a.add_argument("--patience", type=int, default=0, help="seconds to wait and try again, a process, while others use the cores")
    a.add_argument("--no-compile", action="store_true", help="leave torch.compile out (it needs a C++ compiler and minutes)")
    a.add_argument("--json", help="file for everything that was measured")
    return a.parse_args()


class Failed(Exception):
    pass


def run(command, threads, timeout):
    """Standard output of a process, or Failed with its last line of complaint."""
    environment = {k: v for k, v in os.environ.items() if k not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    environment["OMP_NUM_THREADS"] = str(threads)
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise Failed(f"took more than {timeout} s") from None
    except OSError as error:
        raise Failed(str(error)) from None
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise Failed(lines[-1][:300] if lines else f"exit status {done.returncode}")
    return done.stdout


def core_seconds():
    """(of all processes, of our children that have ended)"""
    with open("/proc/stat") as f:
        ticks = [int(v) for v in f.readline().split()[1:9]]
    mine = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK"), mine.ru_utime + mine.ru_stime


def others_during(work):
    """What work() returns, and the share of all cores that other processes took meanwhile."""
    before, start = core_seconds(), time.monotonic()
    result = work()
    after, spent = core_seconds(), time.monotonic() - start
    share = (after[0] - before[0] - (after[1] - before[1])) / (spent * (os.cpu_count() or 1))
    return result, min(1.0, max(0.0, share))


def undisturbed(options, work):
    """work()'s result with the key "others"; with patience, of the least disturbed of several tries."""
    limit, best = time.monotonic() + options.patience, None
    while best is None or (best["others"] > 0.05 and time.monotonic() < limit):
        while options.patience and others_during(lambda: time.sleep(2))[1] > 0.05 and time.monotonic() < limit:
            time.sleep(3)
        result, share = others_during(work)
        if best is None or share < best["others"]:
            best = {**result, "others": share}
    return best


def run_ours(options, work, precision, threads, steps, warm):
    command = [options.program, "benchmark", *OURS[work], "--steps", str(steps), "--warm", str(warm)]
    command += [] if precision == "fp32" else ["--precision", precision]

    def once():
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "result.json"
            run([*command, "--json", str(out)], threads, options.timeout)
            return json.loads(out.read_text())

    return undisturbed(options, once)


def run_peer(options, peer, work, precision, threads, steps, warm):
    command = [peer["python"], str(HERE / "peer_torch.py"), work, "--precision", precision, "--threads", str(threads), "--steps", str(steps),
               "--warm", str(warm), *peer["words"]]

    def once():
        lines = run(command, threads, options.timeout).strip().splitlines()
        if not lines:
            raise Failed("no output")
        return json.loads(lines[-1])

    return undisturbed(options, once)


def say(*words):
    print(time.strftime("%H:%M:%S"), *words, file=sys.stderr, flush=True)


def first_line(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return ""


def machine(options, threads):
    fields, memory, system = {}, 0, platform.system()
    with open("/proc/cpuinfo") as f:
        for line in f:
            key, _, value = line.partition(":")
            fields.setdefault(key.strip(), value.strip())
    with open("/proc/meminfo") as f:
        memory = int(f.readline().split()[1]) * 1024
    for line in pathlib.Path("/etc/os-release").read_text().splitlines():
        if line.startswith("PRETTY_NAME="):
            system = line.split("=", 1)[1].strip('"')
    flags = set(fields.get("flags", "").split())
    info = run([options.program, "info"], threads, 60).strip().splitlines()
    inside = ["git", "-C", str(HERE)]
    return {"date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"), "cpu": fields.get("model name", platform.machine()),
            "flags": {f: f in flags for f in ("avx2", "avx512f", "avx512_bf16", "amx_bf16")}, "cores": len(os.sched_getaffinity(0)),
            "threads": threads, "memory_bytes": memory, "system": system, "kernel": platform.release(), "virtual": "hypervisor" in flags,
            "huge_pages": chosen("/sys/kernel/mm/transparent_hugepage/enabled"), "compiler": first_line([os.environ.get("CXX", "c++"), "--version"]),
            "comodal": info, "revision": first_line([*inside, "describe", "--always", "--dirty"]) if shutil.which("git") else "",
            "load_before": os.getloadavg()}


def chosen(file):
    try:
        return pathlib.Path(file).read_text().partition("[")[2].partition("]")[0]
    except OSError:
        return ""


def peers_of(options, work):
    found = []
    for python in options.python:
        version = first_line([python, "-c", "import torch; print(torch.__version__)"])
        if not version:
            raise SystemExit(f"compare.py: {python} cannot import torch")
        for words in PEERS_PREDICT if work == "unet_predict" else PEERS:
            if "--compile" in words and (options.no_compile or version.startswith("1.")):
                continue
            kind = [] if "--compile" in words or "--jit" in words else ["eager"]
            shown = [{"group": "group norm", "--keep-heap": "kept heap"}.get(w, w.lstrip("-").replace("-", "_")) for w in words if w != "--norm"]
            name = ", ".join([f"torch {version}"] + kind + shown).replace("windows, ", "windows ")
            found.append({"python": python, "words": words, "name": name})
    return found


def compare(options, work, precision, threads):
    """All of one row: the quick pass over the variants, then rounds of our program and the fastest of them in turns."""
    row = {"work": work, "precision": precision, "ours": [], "ours_one_thread": [], "ours_failed": "", "peers": peers_of(options, work)}
    for peer in row["peers"]:
        peer.update(quick=None, runs=[], failed="")
        say(f"{work} {precision}, first pass: {peer['name']}")
        try:
            peer["quick"] = run_peer(options, peer, work, precision, threads, options.quick_steps, options.warm)
        except Failed as failure:
            peer["failed"] = str(failure)
            say("  failed:", failure)
    chosen_peers = sorted((p for p in row["peers"] if p["quick"]), key=lambda p: min(p["quick"]["seconds"]))[:options.keep]

    def ours(result, count):
        if row["ours_failed"]:
            return
        try:
            result.append(run_ours(options, work, precision, count, options.steps, options.warm))
        except Failed as failure:
            row["ours_failed"] = str(failure)
            say("  failed:", failure)

    def theirs(peer):
        if peer["failed"]:
            return
        try:
            peer["runs"].append(run_peer(options, peer, work, precision, threads, options.steps, options.warm))
        except Failed as failure:
            peer["failed"] = str(failure)
            say("  failed:", failure)

    for r in range(options.rounds):
        say(f"{work} {precision}, round {r + 1} of {options.rounds}")
        turns = [lambda: ours(row["ours"], threads)] + [lambda p=p: theirs(p) for p in chosen_peers]
        for turn in turns if r % 2 == 0 else reversed(turns):
            turn()
        if work == "unet_step" and precision == "fp32" and threads > 1:
            ours(row["ours_one_thread"], 1)
    return row


def median(runs, key="seconds"):
    values = [v for r in runs for v in (r[key] if isinstance(r[key], list) else [r[key]])]
    return statistics.median(values) if values else None


def best_peer(row):
    done = [p for p in row["peers"] if p["runs"] and not p["failed"]]
    return min(done, key=lambda p: median(p["runs"]), default=None)


def duration(seconds):
    return "-" if seconds is None else f"{seconds:.3f} s" if seconds >= 0.1 else f"{seconds * 1e3:.1f} ms"


def size(count):
    return "-" if count is None else f"{count / 2 ** 30:.2f} GiB"


def ratio(a, b):
    return "-" if not a or not b else f"{a / b:.2f}"


def table(heads, rows):
    return "\n".join("| " + " | ".join(str(c).replace("|", "/") for c in line) + " |" for line in [heads, ["---"] * len(heads), *rows]) + "\n"


def our_state(row):
    if not row["ours_failed"]:
        return ""
    return "not built" if row["precision"] != "fp32" and not row["ours"] else "failed: " + row["ours_failed"]


def report(results):
    m, rows = results["machine"], results["rows"]
    flags = ", ".join(f if on else f"no {f}" for f, on in m["flags"].items())
    out = [f"Measured {m['date']}: {m['cpu']}{' (virtual machine)' if m['virtual'] else ''}, {m['cores']} cores, {m['threads']} threads, {flags}, "
           f"{size(m['memory_bytes'])}, {m['system']}, Linux {m['kernel']}, {m['compiler']}; {'; '.join(m['comodal'])}"
           f"{'; revision ' + m['revision'] if m['revision'] else ''}. Medians of all steps of {results['rounds']} rounds of {results['steps']}.\n"]
    main = []
    for row in rows:
        best, ours = best_peer(row), row["ours"]
        time_ours, peak_ours = median(ours) if ours else None, max((r["peak_bytes"] for r in ours), default=None)
        time_peer, peak_peer = (median(best["runs"]), max(r["peak_bytes"] for r in best["runs"])) if best else (None, None)
        main.append([row["work"], row["precision"], our_state(row) or duration(time_ours),
                     f"{duration(time_peer)} ({best['name']})" if best else "all failed",
                     ratio(time_ours, time_peer), f"at most {GOALS['time'].get(row['work'] + ' ' + row['precision'], GOALS['other time'])}", size(peak_ours), size(peak_peer), ratio(peak_ours, peak_peer),
                     f"at most {GOALS['memory']}"])
    out.append(table(["work", "precision", "ours", "fastest PyTorch", "ratio", "goal", "our peak", "that PyTorch's peak", "ratio", "goal"], main))

    own = []
    for row in rows:
        runs, name = row["ours"], f"{row['work']} {row['precision']}"
        if not runs:
            continue
        if all("convolution_seconds" in r for r in runs):
            convolutions = median(runs, "convolution_seconds")
            own.append([name, "time / convolutions alone", ratio(median(runs), convolutions), f"at most {GOALS['convolutions']}"])
        if all(r.get("allocations") for r in runs):
            own.append([name, "allocations in the last step", max(r["allocations"][-1] for r in runs), GOALS["allocations"]])
        own.append([name, "start to first step, without making volumes", duration(median(runs, "start_seconds")), f"at most {GOALS['start']} s"])
        own.append([name, "first step / later steps", ratio(median(runs, "first_step_seconds"), median(runs)), ""])
        if row["ours_one_thread"]:
            one = median(row["ours_one_thread"])
            own.append([name, f"{m['threads']} threads against one", ratio(one, median(runs)), f"at least {GOALS['threads']}"])
    if own:
        out.append(table(["our program", "what", "measured", "goal"], own))

    every = []
    for row in rows:
        for p in sorted(row["peers"], key=lambda p: median(p["runs"] or [p["quick"]]) if p["runs"] or p["quick"] else 1e9):
            runs = p["runs"] or ([p["quick"]] if p["quick"] else [])
            peak = max((r["peak_bytes"] for r in runs), default=None)
            every.append([row["work"], row["precision"], p["name"], duration(median(runs)) if runs else "-", size(peak),
                          duration(median(runs, "start_seconds")) if runs else "-", duration(median(runs, "first_step_seconds")) if runs else "-", f"failed: {p['failed']}" if p["failed"] else
                          f"{len(runs)} rounds" if p["runs"] else f"first pass, {len(runs[0]['seconds'])} steps"])
    out.append(table(["work", "precision", "variant", "median", "peak", "start to first step", "first step", "measured in"], every))
    failed = [f"{row['work']} {row['precision']}: our program says: {row['ours_failed']}" for row in rows if row["ours_failed"]]
    counts = {row["work"]: ({r["parameters"] for r in row["ours"]}, {r["parameters"] for p in row["peers"] for r in p["runs"]}) for row in rows}
    failed += [f"{work}: {a} parameters here, {b} in PyTorch: not the same work" for work, (a, b) in counts.items() if a and b and a != b]
    for row in rows:
        runs = row["ours"] + row["ours_one_thread"] + [r for p in row["peers"] for r in [p["quick"], *p["runs"]] if r]
        worst = max((r["others"] for r in runs), default=0)
        if worst > 0.05:
            failed.append(f"{row['work']} {row['precision']}: other processes took up to {worst:.0%} of the cores meanwhile; measure again (--patience)")
    return "\n".join(out + [line + "\n" for line in failed])


def main():
    options = arguments()
    threads = options.threads or int(os.environ.get("OMP_NUM_THREADS", "0")) or len(os.sched_getaffinity(0))
    if not options.python:
        raise SystemExit("compare.py: give at least one --python that can import torch")
    results = {"machine": machine(options, threads), "rounds": options.rounds, "steps": options.steps, "goals": GOALS, "rows": []}
    for work in options.work or list(OURS):
        for precision in options.precision or ["fp32", "bf16"]:
            results["rows"].append(compare(options, work, precision, threads))
            if options.json:
                pathlib.Path(options.json).write_text(json.dumps(results, indent=1) + "\n")
    print(report(results))


if __name__ == "__main__":
    main()
