#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The benchmark's work in PyTorch, on a GPU (adapted from bench/peer_torch.py; nnunet_step is new).

    torch_gpu.py OUT [--budget 420]                     all variants, each in a process of its own; JSON lines in OUT/torch_gpu.jsonl, complaints and the table in OUT/torch_gpu.log
    torch_gpu.py --worker unet_step [--precision bf16] [--mode compile] [--channels-last]     one variant, one JSON line

Processes of one wave start side by side (imports, networks, data, torch.compile: work of the processor), then each is told in turn to warm
up and time its steps, with the GPU for itself. cudnn.benchmark is on, tf32 is allowed in fp32 (precision "ieee": not allowed).
"""
import argparse
import json
import os
import sys

WORKS = ["unet_step", "method_step", "nnunet_step"]


def arguments():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("out", nargs="?", help="folder for results (driver)")
    a.add_argument("--worker", choices=[*WORKS, "unet_predict"])
    a.add_argument("--device", default="cuda")
    a.add_argument("--precision", choices=["fp32", "bf16", "ieee"], default="fp32", help="fp32: tf32 allowed; bf16: torch.autocast; ieee: fp32 without tf32")
    a.add_argument("--mode", choices=["eager", "compile", "graphs"], default="eager", help="graphs: torch.compile(mode='reduce-overhead')")
    a.add_argument("--channels-last", action="store_true", help="torch.channels_last_3d for weights and inputs")
    a.add_argument("--norm", choices=["instance", "group"], default="instance")
    a.add_argument("--conv-bias", action="store_true", help="nnunet_step: convolutions with bias, as nnU-Net has them")
    a.add_argument("--optimiser", choices=["sgd", "adamw"], default="sgd", help="both fused")
    a.add_argument("--wait", action="store_true", help="worker: when ready, print a line and wait for one on standard input")
    a.add_argument("--steps", type=int, default=10)
    a.add_argument("--warm", type=int, default=5)
    a.add_argument("--modalities", type=int, default=0, help="0: 2, of method_step 3, of nnunet_step 4")
    a.add_argument("--classes", type=int, default=0, help="background included; 0: 3, of nnunet_step 4")
    a.add_argument("--windows", type=int, default=1, help="unet_predict: windows that go through the network together")
    a.add_argument("--tiny", action="store_true", help="small patches and few channels: to try the script")
    # Driver.
    a.add_argument("--work", action="append", choices=WORKS, help="repeatable; default: all")
    a.add_argument("--precisions", default="fp32,bf16")
    a.add_argument("--modes", default="eager,compile", help="waves, comma-separated; graphs too on demand")
    a.add_argument("--layouts", default="contiguous,channels_last_3d")
    a.add_argument("--extras", action="store_true", help="also eager, contiguous: group norm, and fp32 without tf32")
    a.add_argument("--limit", type=float, default=90, help="seconds a worker may take to be ready, and again to time")
    a.add_argument("--compile-limit", type=float, default=150, help="the first of these where torch.compile runs; workers compile side by side")
    a.add_argument("--budget", type=float, default=420, help="seconds for everything; what does not fit is left out")
    a.add_argument("--at-once", type=int, default=0, help="workers of a wave that start side by side; 0: 12, or fewer with few cores")
    return a.parse_args()


options = arguments()


# Driver ---------------------------------------------------------------------------------------------------------------------------

def drive():
    import queue
    import statistics
    import subprocess
    import threading
    import time

    begin = time.monotonic()
    out = options.out or "."
    os.makedirs(out, exist_ok=True)
    lines = open(os.path.join(out, "torch_gpu.jsonl"), "w")
    log = open(os.path.join(out, "torch_gpu.log"), "w")
    results = []
    at_once = options.at_once or max(1, min(12, len(os.sched_getaffinity(0)) - 2))

    def left():
        return options.budget - (time.monotonic() - begin)

    def say(*words):
        print(f"{time.monotonic() - begin:6.1f} s", *words, file=sys.stderr, flush=True)

    class Worker:
        def __init__(self, work, precision, mode, layout, norm="instance"):
            self.variant = dict(work=work, precision=precision, mode=mode, layout=layout, norm=norm)
            self.name = f"{work} {precision} {mode} {layout}" + (" group norm" if norm == "group" else "")
            command = [sys.executable, os.path.abspath(__file__), "--worker", work, "--precision", precision, "--mode", mode, "--wait", "--norm", norm,
                       "--device", options.device, "--steps", str(options.steps), "--warm", str(options.warm), "--optimiser", options.optimiser]
            command += ["--channels-last"] * (layout == "channels_last_3d") + ["--tiny"] * options.tiny + ["--conv-bias"] * options.conv_bias
            environment = {**os.environ, "OMP_NUM_THREADS": "2", "TORCHINDUCTOR_COMPILE_THREADS": "2", "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore"}
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
            self.said, self.complaints = queue.Queue(), []
            threading.Thread(target=lambda: [self.said.put(line) for line in self.process.stdout] and None or self.said.put(None), daemon=True).start()
            threading.Thread(target=lambda: [self.complaints.append(line) for line in self.process.stderr], daemon=True).start()
            self.started = time.monotonic()

        def line(self, limit):
            until = time.monotonic() + max(0.1, limit)
            while True:
                try:
                    said = self.said.get(timeout=max(0.1, until - time.monotonic()))
                except queue.Empty:
                    return "late"
                if said is None or said.startswith(("ready", "{")):
                    return said

        def end(self, failure=""):
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()
            if failure:
                tail = [c.strip() for c in self.complaints if c.strip()]
                record = {**self.variant, "failed": failure + (": " + tail[-1][:300] if tail else "")}
                results.append(record)
                lines.write(json.dumps(record) + "\n")
                lines.flush()
                log.write(f"== {self.name}: {failure}\n" + "".join(self.complaints) + "\n")
                log.flush()
                say(self.name, "FAILED", record["failed"][:200])

        def ready(self):
            limit = options.limit if self.variant["mode"] == "eager" else options.compile_limit
            said = self.line(min(limit - (time.monotonic() - self.started), left()))
            if said == "late" or said is None:
                self.end("not ready in time" if said == "late" else "ended while it prepared")
                return False
            return True

        def measure(self):
            self.process.stdin.write("go\n")
            self.process.stdin.flush()
            said = self.line(min(options.limit, left()))
            if said == "late" or said is None:
                return self.end("timing took too long" if said == "late" else "ended while it was timed")
            record = {**self.variant, **json.loads(said)}
            results.append(record)
            lines.write(json.dumps(record) + "\n")
            lines.flush()
            say(f"{self.name}: {1e3 * statistics.median(record['seconds']):.2f} ms, {record['allocated_bytes'] / 2**30:.2f} GiB")
            self.end()

    works = options.work or WORKS
    layouts = options.layouts.split(",")
    waves = []
    for mode in options.modes.split(","):
        waves.append([(w, p, mode, layout) for w in works for p in options.precisions.split(",") for layout in layouts])
        if mode == "eager" and options.extras:
            waves.append([(w, p, mode, "contiguous", "group") for w in works for p in options.precisions.split(",")] +
                         [(w, "ieee", mode, "contiguous") for w in works])
    for wave in waves:
        while wave:
            some, wave = wave[:at_once], wave[at_once:]
            if left() < 15:
                for v in some:
                    say("left out for lack of time:", *v)
                continue
            say("starting", len(some), "workers:", some[0][2])
            workers = [Worker(*v) for v in some]
            # All must be ready (or have failed) before the first is timed: whoever prepares uses the GPU too.
            prepared = [w for w in workers if w.ready()]
            say(len(prepared), "ready")
            for w in prepared:
                if left() < 5:
                    w.end("left out for lack of time")
                else:
                    w.measure()
    heads = ["work", "precision", "mode", "layout", "norm", "ms a step", "min", "max", "pipelined", "allocated GiB", "reserved GiB", "prepared s", "note"]
    rows = []
    for r in sorted(results, key=lambda r: (WORKS.index(r["work"]), r["precision"], statistics.median(r["seconds"]) if "seconds" in r else 1e9)):
        if "failed" in r:
            rows.append([r["work"], r["precision"], r["mode"], r["layout"], r["norm"], *["-"] * 7, r["failed"][:90]])
        else:
            rows.append([r["work"], r["precision"], r["mode"], r["layout"], r["norm"], f"{1e3 * statistics.median(r['seconds']):.2f}", f"{1e3 * min(r['seconds']):.2f}",
                         f"{1e3 * max(r['seconds']):.2f}", f"{1e3 * r['pipelined_seconds']:.2f}", f"{r['allocated_bytes'] / 2**30:.2f}",
                         f"{r['reserved_bytes'] / 2**30:.2f}", f"{r['prepare_seconds']:.0f}", ""])
    table = "\n".join("| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *rows])
    log.write(table + "\n")
    log.close()
    first = next((r for r in results if "program" in r), None)
    print((f"{first['program']} on {first['device']}, cuDNN {first['cudnn']}; " if first else "") + f"{time.monotonic() - begin:.0f} s in all\n" + table)


if not options.worker:
    drive()
    sys.exit(0)

# Worker ---------------------------------------------------------------------------------------------------------------------------

import contextlib  # noqa: E402
import fcntl
import gc
import inspect
import itertools
import math
import queue
import resource
import statistics
import threading
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

BEGIN = time.perf_counter()
DEVICE = torch.device(options.device)
CUDA = DEVICE.type == "cuda"
torch.manual_seed(1)
torch.set_float32_matmul_precision("highest" if options.precision == "ieee" else "high")
torch.backends.cudnn.allow_tf32 = options.precision != "ieee"
torch.backends.cudnn.benchmark = False  # until it is this process's turn
CLASSES = options.classes or (4 if options.worker == "nnunet_step" else 3)
MODALITIES = options.modalities or {"method_step": 3, "nnunet_step": 4}.get(options.worker, 2)
LAYOUT = torch.channels_last_3d if options.channels_last else torch.contiguous_format


volumes_seconds = 0.0
extra = {}


@contextlib.contextmanager
def making_volumes():
    """What a user's program would read from disk: left out of the time from start to first step."""
    global volumes_seconds
    begin = time.perf_counter()
    yield
    volumes_seconds += time.perf_counter() - begin


# Networks -------------------------------------------------------------------------------------------------------------------------

def he_normal(weight, fan_in, slope=0.01):
    nn.init.normal_(weight, 0, math.sqrt(2 / ((1 + slope * slope) * fan_in)))


def conv(inputs, outputs, size=1, bias=False, fan_in=None, slope=0.01):
    layer = nn.Conv3d(inputs, outputs, size, padding=size // 2, bias=bias)
    he_normal(layer.weight, fan_in or inputs * size ** 3, slope)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def up_conv(inputs, outputs):
    layer = nn.ConvTranspose3d(inputs, outputs, 2, 2)
    he_normal(layer.weight, inputs)
    nn.init.zeros_(layer.bias)
    return layer


def normalisation(channels):
    if options.norm == "group":
        return nn.GroupNorm(channels, channels, eps=1e-5)
    return nn.InstanceNorm3d(channels, eps=1e-5, affine=True)


def conv_norm_act(inputs, outputs):
    return nn.Sequential(conv(inputs, outputs, 3), normalisation(outputs), nn.LeakyReLU(0.01, inplace=True))


def block(inputs, outputs, convolutions=2):
    return nn.Sequential(*[conv_norm_act(outputs if i else inputs, outputs) for i in range(convolutions)])


def encoder(inputs, channels):
    return nn.ModuleList(block(a, b) for a, b in zip([inputs] + channels, channels))


class Decoder(nn.Module):
    def __init__(self, channels, classes, convolutions=2):
        super().__init__()
        pairs = list(zip(channels[1:], channels))
        self.up = nn.ModuleList(up_conv(a, b) for a, b in pairs)
        self.blocks = nn.ModuleList(block(2 * b, b, convolutions) for _, b in pairs)
        self.head = conv(channels[0], classes, bias=True)

    def forward(self, maps):
        x = maps[-1]
        for skip, up, b in reversed(list(zip(maps, self.up, self.blocks))):
            x = b(torch.cat([skip, up(x)], 1))
        return self.head(x)


class UNet(nn.Module):
    def __init__(self, modalities, classes, channels):
        super().__init__()
        self.encoder = encoder(modalities, channels)
        self.decoder = Decoder(channels, classes)

    def forward(self, x):
        maps = []
        for s, stage in enumerate(self.encoder):
            x = stage(F.max_pool3d(x, 2) if s else x)
            maps.append(x)
        return self.decoder(maps)


class FusionStage(nn.Module):
    """Gated fusion, joined with what the finer stage fused, and enhancement. Convolutions of a concatenation are sums of
    convolutions of its parts, and those that share an input are one: the same parameters and values with fewer copies."""

    def __init__(self, modalities, c, fused, finer):
        super().__init__()
        self.m = modalities
        self.gate_own = nn.ModuleList(conv(c, 1, bias=True, fan_in=2 * c) for _ in range(modalities))
        self.gate_mean = conv(c, modalities, fan_in=2 * c)
        self.align = conv(modalities * c, fused, fan_in=c, slope=1)
        self.join = conv_norm_act(fused + finer, fused) if finer else None
        self.enhance_own = nn.ModuleList(conv(c, c, bias=True, fan_in=c + fused) for _ in range(modalities))
        self.enhance_gate = conv(fused, modalities * c, fan_in=c + fused)
        self.enhance_return = conv(fused, modalities * c)
        self.gamma = nn.Parameter(torch.zeros(modalities * c))

    def fuse(self, maps, present, share, finer):
        share = share[:, :, None, None, None, None].unbind(1)
        mean = maps[0] * share[0]
        for f, s in zip(maps[1:], share[1:]):
            mean = torch.addcmul(mean, f, s)
        scores = torch.cat([g(f) for g, f in zip(self.gate_own, maps)], 1) + self.gate_mean(mean)
        alpha = scores.masked_fill(~present[:, :, None, None, None], -math.inf).softmax(1)
        z = self.align(torch.cat([f * alpha[:, m:m + 1] for m, f in enumerate(maps)], 1))
        return z if self.join is None else z + self.join(torch.cat([z, F.max_pool3d(finer, 2)], 1))

    def enhance(self, maps, fused):
        scaled = self.enhance_return.weight * self.gamma[:, None, None, None, None]
        both = F.conv3d(fused, torch.cat([self.enhance_gate.weight, scaled])).chunk(2 * self.m, 1)
        return [torch.addcmul(f, torch.sigmoid(own(f) + gate), back)
                for f, own, gate, back in zip(maps, self.enhance_own, both[:self.m], both[self.m:])]


class Multimodal(nn.Module):
    """A stream a modality, fusion and enhancement at every stage, a fused decoder, a light decoder a modality."""

    def __init__(self, modalities, classes, streams, fused):
        super().__init__()
        self.streams = nn.ModuleList(encoder(1, streams) for _ in range(modalities))
        self.fusion = nn.ModuleList(FusionStage(modalities, c, u, finer) for c, u, finer in zip(streams, fused, [0] + fused[:-1]))
        self.decoder = Decoder(fused, classes)
        self.branches = nn.ModuleList(Decoder(streams, classes, 1) for _ in range(modalities))

    def forward(self, volumes, present, share, branches):
        """volumes (N, M, D, H, W), present (N, M) bool, share (N, M) -> fused logits, or those and one of each branch"""
        volumes = volumes.masked_fill(~present[:, :, None, None, None], 0)
        maps = [v.contiguous(memory_format=LAYOUT) for v in volumes.split(1, 1)]
        fused, skips = [], []
        for s, stage in enumerate(self.fusion):
            maps = [stream[s](F.max_pool3d(x, 2) if s else x) for stream, x in zip(self.streams, maps)]
            fused.append(stage.fuse(maps, present, share, fused[-1] if s else None))
            if branches or s + 1 < len(self.fusion):
                maps = stage.enhance(maps, fused[-1])
            skips.append(maps)
        out = [self.decoder(fused)]
        if branches:
            out += [decode([maps[m] for maps in skips]) for m, decode in enumerate(self.branches)]
        return out


# Losses ---------------------------------------------------------------------------------------------------------------------------

def one_hot(labels):
    """(N, D, H, W) bytes -> (N, C, D, H, W)"""
    return (labels[:, None] == torch.arange(CLASSES, dtype=torch.uint8, device=labels.device)[:, None, None, None]).float()


def dot(a, b):
    """Sums of products over voxels: (N, C, V), (N, C, V) -> (N, C)"""
    return torch.einsum("ncv,ncv->nc", a, b)


def hard_dice_cross_entropy(z, labels):
    """Cross-entropy and soft Dice of exclusive labels, the mean over samples."""
    log_p = F.log_softmax(z.float(), 1)
    p, y = log_p.exp()[:, 1:].flatten(2), one_hot(labels)[:, 1:].flatten(2)
    dice = (2 * dot(p, y) + 1) / (dot(p, p) + y.sum(2) + 1)
    return F.nll_loss(log_p, labels.long()) + (1 - dice).mean()


def soft_dice_cross_entropy(z, weighted, total, squares, root, counts):
    """The same with soft targets, voxel weights w and counting classes -> losses (N), soft Dice (N, K), probabilities.
    weighted: w y (N, C, V); total: sum w (N); squares: sum w y^2 (N, C); root: sqrt w (N, 1, V); counts (N, K)"""
    log_p = F.log_softmax(z.float().flatten(2), 1)
    p = log_p.exp()
    entropy = -dot(weighted, log_p).sum(1) / total.clamp_min(1e-30)
    rooted = p[:, 1:] * root
    dice = (2 * dot(weighted[:, 1:], p[:, 1:]) + 1) / (dot(rooted, rooted) + squares[:, 1:] + 1)
    return entropy + ((1 - dice) * counts).sum(1) / counts.sum(1).clamp_min(1), dice, p


def area_similarity_contrast(anchors, negatives, allowed, tau):
    """Soft Dice's contrast of all ordered pairs: anchors (M, U, K, V), negatives (J, K, V), allowed (U, J, K) -> (M, M, U, K), where [m, n] is
    what m learns from n."""
    own = (anchors * anchors).sum(3)
    positive = 2 * torch.einsum("mukv,nukv->mnuk", anchors, anchors.detach()) + 1e-6
    positive = positive / (own[:, None] + own.detach()[None] + 1e-6)
    against = 2 * torch.einsum("mukv,jkv->mujk", anchors, negatives) + 1e-6
    against = against / (own[:, :, None] + (negatives * negatives).sum(2) + 1e-6)
    excess = ((against[:, None] - positive[:, :, :, None]) / tau).masked_fill(~allowed, -math.inf)
    return tau * torch.logsumexp(torch.cat([torch.zeros_like(excess[:, :, :, :1]), excess], 3), 3)


# Training -------------------------------------------------------------------------------------------------------------------------

def optimiser(model):
    """SGD with Nesterov momentum; weight decay on convolutions' weights alone."""
    weights = [p for p in model.parameters() if p.dim() > 1]
    groups = [{"params": weights, "weight_decay": 3e-5}, {"params": [p for p in model.parameters() if p.dim() <= 1], "weight_decay": 0.0}]
    if options.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=1e-3, fused=True)
    return torch.optim.SGD(groups, lr=0.01, momentum=0.99 if options.worker == "nnunet_step" else 0.9, nesterov=True, fused=True)


CLIP = {"foreach": True} if "foreach" in inspect.signature(nn.utils.clip_grad_norm_).parameters else {}


def update(model, optim, loss):
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 12.0, **CLIP)
    optim.step()
    optim.zero_grad(set_to_none=True)


def cast():
    return torch.autocast(DEVICE.type, dtype=torch.bfloat16, enabled=options.precision == "bf16")


def compiled(function):
    if options.mode == "eager":
        return function
    return torch.compile(function, dynamic=False, mode="reduce-overhead" if options.mode == "graphs" else None)


def unet():
    return UNet(MODALITIES, CLASSES, [4, 8, 16, 32] if options.tiny else [16, 32, 64, 128]).to(DEVICE, memory_format=LAYOUT)


def training_step(model, size):
    optim = optimiser(model)
    with making_volumes():
        batches = [(torch.randn(2, MODALITIES, *size, device=DEVICE).contiguous(memory_format=LAYOUT),
                    torch.randint(CLASSES, (2, *size), dtype=torch.uint8, device=DEVICE)) for _ in range(2)]

    @compiled
    def loss_of(x, labels):
        with cast():
            z = model(x)
        return hard_dice_cross_entropy(z, labels)

    def step(t):
        loss = loss_of(*batches[t % 2])
        update(model, optim, loss)
        return loss.detach()

    return model, step


def unet_step():
    return training_step(unet(), (16, 16, 16) if options.tiny else (64, 64, 64))


class StridedStage(nn.Module):
    """nnU-Net's plain encoder stage: the first of two convolutions has the stride."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.layers = block(inputs, outputs)
        for i, layer in enumerate(self.layers):
            old = layer[0]
            layer[0] = nn.Conv3d(old.in_channels, old.out_channels, 3, stride=1 if i else stride, padding=1, bias=options.conv_bias)
            he_normal(layer[0].weight, old.in_channels * 27)

    def forward(self, x):
        return self.layers(x)


class NnUNet(nn.Module):
    def __init__(self, modalities, classes, channels):
        super().__init__()
        self.encoder = nn.ModuleList(StridedStage(a, b, 2 if i else 1) for i, (a, b) in enumerate(zip([modalities] + channels, channels)))
        self.decoder = Decoder(channels, classes)
        if options.conv_bias:
            for b in self.decoder.blocks:
                for layer in b:
                    layer[0].bias = nn.Parameter(torch.zeros(layer[0].out_channels))

    def forward(self, x):
        maps = []
        for stage in self.encoder:
            x = stage(x)
            maps.append(x)
        return self.decoder(maps)


def nnunet_step():
    channels = [4, 8, 8] if options.tiny else [32, 64, 128, 256, 320, 320]
    model = NnUNet(MODALITIES, CLASSES, channels).to(DEVICE, memory_format=LAYOUT)
    return training_step(model, (16, 16, 16) if options.tiny else (128, 128, 128))


def positions(n, window, step=0.5):
    gaps = math.ceil((n - window) / (window * step))
    return [round(i * (n - window) / gaps) for i in range(gaps + 1)] if gaps > 0 else [0]


def unet_predict():
    size, window = ((48, 48, 48), 32) if options.tiny else ((96, 128, 128), 64)
    model = unet().eval()
    with making_volumes():
        volume = torch.randn(1, MODALITIES, *size, device=DEVICE)
    x = torch.arange(window, dtype=torch.float64) - window // 2
    line = torch.exp(-0.5 * (x / (window / 8)) ** 2)
    weight = (line[:, None, None] * line[None, :, None] * line[None, None, :]).float().to(DEVICE)
    places = list(itertools.product(*[[slice(i, i + window) for i in positions(n, window)] for n in size]))

    def probabilities(crops):
        with cast():
            z = model(crops)
        return z.float().softmax(1)

    probabilities = compiled(probabilities)

    @torch.no_grad()
    def step(_):
        total, sums = torch.zeros(size, device=DEVICE), torch.zeros(CLASSES, *size, device=DEVICE)
        for first in range(0, len(places), options.windows):
            some = places[first:first + options.windows]
            for at, p in zip(some, probabilities(torch.cat([volume[(..., *at)] for at in some]).contiguous(memory_format=LAYOUT))):
                sums[(slice(None), *at)].addcmul_(p, weight)
                total[at] += weight
        labels = (sums / total).argmax(0).to(torch.uint8)
        return labels.float().mean()

    return model, step


class BatchMaker:
    """Labelled, weak and strong crops from volumes in memory, as data/batch_maker.hpp draws them, without rotation and scaling."""

    def __init__(self, modalities, patch, labelled=2, unlabelled=2, seed=1):
        self.modalities, self.patch, self.seed = modalities, np.array(patch), seed
        rng = np.random.default_rng(seed)
        with making_volumes():
            self.labelled = [self.case(rng) for _ in range(labelled)]
            self.unlabelled = [self.case(rng)[0] for _ in range(unlabelled)]

    def case(self, rng):
        size = self.patch * 3 // 2
        axes = np.meshgrid(*[np.linspace(-1, 1, n, dtype=np.float32) for n in size], indexing="ij", sparse=True)
        label = np.zeros(size, np.uint8)
        for c in range(1, CLASSES):
            centre, radius = rng.uniform(-0.4, 0.4, 3), 0.6 / c
            label[sum((a - p) ** 2 for a, p in zip(axes, centre)) < radius ** 2] = c
        images = np.stack([rng.normal(0, 1, CLASSES).astype(np.float32)[label] for _ in range(self.modalities)])
        images += rng.standard_normal(images.shape, np.float32) * 0.3
        return images, label, [np.argwhere(label == c) for c in range(1, CLASSES)]

    def make(self, step):
        rng = np.random.default_rng((self.seed, step))
        lab, weak, strong = [], [], []
        for n in range(2):
            images, label, voxels = self.labelled[(2 * step + n) % len(self.labelled)]
            centre = voxels[rng.integers(len(voxels))] if n % 2 else None
            at = self.place(rng, label.shape, None if centre is None else centre[rng.integers(len(centre))])
            keep = self.drop(rng)
            lab.append((self.strong(rng, np.ascontiguousarray(images[(slice(None), *at)]), keep), np.ascontiguousarray(label[at]), keep))
        cases = rng.choice(len(self.unlabelled), 2, replace=False)
        for c in cases:
            images = self.unlabelled[c]
            crop = np.ascontiguousarray(images[(slice(None), *self.place(rng, images.shape[1:], None))])
            keep = self.drop(rng)
            strong.append([self.strong(rng, crop.copy(), keep), keep])
            weak.append(self.gain(rng, crop, np.ones(self.modalities, bool), (0.9, 1.1), 0.1))
        known, labels = np.zeros((2, *self.patch), bool), np.zeros((2, *self.patch), np.uint8)
        for n in range(2):
            self.mix(rng, strong[n], lab[n], known[n], labels[n])
        tensor = torch.from_numpy
        return (tensor(np.stack([x[0] for x in lab] + [x[0] for x in strong])), tensor(np.stack([x[2] for x in lab] + [x[1] for x in strong])),
                tensor(np.stack([x[1] for x in lab])), tensor(np.stack(weak)), tensor(labels), tensor(known), tensor(cases.astype(np.int64)))

    def place(self, rng, size, centre):
        room = np.array(size) - self.patch
        first = rng.integers(0, room + 1) if centre is None else np.clip(
            np.floor(centre - self.patch / 2 + rng.uniform(-0.25, 0.25, 3) * self.patch + 1).astype(int), 0, room)
        flips = [False, *(rng.random(2) < 0.5)]
        return tuple(slice(a + p - 1, a - 1 if a else None, -1) if flip else slice(a, a + p) for a, p, flip in zip(first, self.patch, flips))

    def drop(self, rng):
        keep = np.ones(self.modalities, bool)
        if rng.random() < 0.5:
            keep[rng.permutation(self.modalities)[rng.integers(1, self.modalities):]] = False
        return keep

    @staticmethod
    def gain(rng, crop, keep, gain, shift):
        for m in np.flatnonzero(keep):
            crop[m] *= np.float32(rng.uniform(*gain))
            crop[m] += np.float32(rng.uniform(-shift, shift))
        return crop

    def strong(self, rng, crop, keep):
        crop[~keep] = 0
        self.gain(rng, crop, keep, (0.7, 1.4), 0.4)
        for m in np.flatnonzero(keep):
            x = crop[m]
            if rng.random() < 0.3:
                low, high = x.min(), x.max()
                x -= low
                x /= high - low
                np.power(x, np.float32(np.exp(rng.uniform(-0.4, 0.4))), out=x)
                x *= high - low
                x += low
            if rng.random() < 0.3:
                x += rng.standard_normal(x.shape, np.float32) * np.float32(rng.uniform(0, 0.2))
            if rng.random() < 0.2:
                self.blur(x, rng.uniform(0.5, 1))
        return crop

    @staticmethod
    def blur(x, sigma):
        radius = math.ceil(3 * sigma)
        taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
        taps = (taps / taps.sum()).astype(np.float32)
        for axis in range(3):
            padded = np.pad(x, [(radius, radius) if a == axis else (0, 0) for a in range(3)], mode="edge")
            x[...] = sum(t * padded[tuple(slice(i, i + x.shape[axis]) if a == axis else slice(None) for a in range(3))] for i, t in enumerate(taps))

    def mix(self, rng, strong, labelled, known, labels):
        crop, keep = strong
        side = np.round(self.patch * 2 / 3).astype(int)
        first = rng.integers(0, self.patch - side + 1)
        both = keep & labelled[2]
        if not both.any():
            return
        known[tuple(slice(a, a + n) for a, n in zip(first, side))] = True
        if rng.random() < 0.5:
            np.logical_not(known, out=known)
        strong[1] = both
        crop[~both] = 0
        for m in np.flatnonzero(both):
            np.copyto(crop[m], labelled[0][m], where=known)
        np.copyto(labels, labelled[1], where=known)


def batches_of(maker):
    """The maker's batches, made ahead in a thread."""
    ready = queue.Queue(4)

    def work():
        for step in itertools.count():
            ready.put(maker.make(step))

    threading.Thread(target=work, daemon=True).start()
    while True:
        yield ready.get()


def method_step():
    modalities, patch = MODALITIES, (16, 16, 16) if options.tiny else (32, 64, 64)
    pool, tau, capacity, steps = 4, 0.1, 32, 2000
    voxels = math.prod(patch)
    kept = math.prod(n // pool for n in patch)
    kinds = CLASSES - 1
    make = lambda: Multimodal(modalities, CLASSES, *([[4, 8], [8, 16]] if options.tiny else [[8, 16, 32, 64], [16, 32, 64, 128]])).to(DEVICE, memory_format=LAYOUT)  # noqa: E731
    student, teacher = make(), make().requires_grad_(False)
    teacher.load_state_dict(student.state_dict())
    optim = optimiser(student)
    source, averaged = [p.data for p in student.parameters()], [p.data for p in teacher.parameters()]
    # Made ahead, since NumPy's maker in one thread would be slower than the GPU; every step copies one to the device.
    maker = BatchMaker(modalities, patch)
    ready, times = [], []
    for t in range(8):
        before = time.perf_counter()
        ready.append([x.pin_memory() if CUDA else x for x in maker.make(t)])
        times.append(time.perf_counter() - before)
    extra["batch_seconds"] = statistics.median(times)
    queued = {"maps": torch.zeros(capacity, kinds, kept, device=DEVICE), "counts": torch.zeros(capacity, kinds, device=DEVICE),
              "cases": torch.full((capacity,), -1, device=DEVICE)}
    reliability = torch.full((modalities + 1,), 0.5, device=DEVICE)
    apart = ~torch.eye(modalities, dtype=torch.bool, device=DEVICE)
    ramp = torch.zeros((), device=DEVICE)
    sure = torch.ones(2, kinds, device=DEVICE)
    first = torch.ones(1, 2, device=DEVICE)

    def coarse(p):
        """Foreground probabilities (U, C, V) -> averages of blocks (U, K, V')"""
        return F.avg_pool3d(p[:, 1:].unflatten(2, patch), pool).flatten(2)

    def enough(y):
        """Classes (N, C, V) whose mass is enough to count in the Dice part."""
        return (y.sum(2) >= max(32, 1e-4 * voxels)).float()

    @torch.no_grad()
    @compiled
    def look(weak, labels, known, everything, share):
        with cast():
            z = teacher(weak, everything, share, False)[0]
        q = z.float().softmax(1).flatten(2)
        sharp = q * q  # temperature 1/2
        sharp = sharp / sharp.sum(1, keepdim=True)
        known = known.flatten(1)[:, None]
        target = torch.where(known, one_hot(labels).flatten(2), sharp)
        weight = ((q.amax(1, keepdim=True) - 1 / CLASSES) / (1 - 1 / CLASSES)).masked_fill(known, 1)
        return target, weight, coarse(q), enough(sharp)[:, 1:]

    @compiled
    def loss_of(volumes, present, labels, target, weight, maps, own_counts, cases, q_maps, q_counts, q_cases, reliable, ramp):
        y = torch.cat([one_hot(labels).flatten(2), target])
        w = torch.cat([torch.ones_like(weight), weight])
        counts = torch.cat([sure, enough(target)[:, 1:]])
        weighted = w * y
        total, squares, root = w.sum((1, 2)), dot(weighted, y), w.sqrt()
        share = present / present.sum(1, keepdim=True)
        with cast():
            outputs = student(volumes, present, share, True)
        losses, dices, p = zip(*[soft_dice_cross_entropy(z, weighted, total, squares, root, counts) for z in outputs])
        each = losses[0] + 0.5 * (torch.stack(losses[1:], 1) * share).sum(1)
        supervised, consensus = each[:2].mean(), each[2:].mean()

        # Contrast of all ordered pairs of branches.
        other = cases[:, None] != torch.cat([cases, q_cases])
        allowed = other[:, :, None] & (torch.cat([own_counts, q_counts]) > 0)
        by_class = area_similarity_contrast(torch.stack([coarse(x[2:]) for x in p[1:]]), torch.cat([maps, q_maps]), allowed, tau)
        counting = counts[2:]
        value = (by_class * counting).sum(3) / counting.sum(1).clamp_min(1)
        here = present[2:].t()
        pairs = (here[:, None] & here[None] & apart[:, :, None]).float()
        teach = (0.5 + (reliable[None, 1:] - reliable[1:, None]) / 0.2).clamp(0, 1)
        contrast = (value * pairs * teach[:, :, None]).sum() / pairs.sum().clamp_min(1)

        # Running soft Dice of every output on labelled crops.
        with torch.no_grad():
            dice = torch.stack([d[:2] for d in dices])
            counted = torch.cat([first, present[:2].t().float()])[:, :, None] * (squares[:2, 1:] > 0)
            number = counted.sum((1, 2))
            now = (dice * counted).sum((1, 2)) / number.clamp_min(1)
            followed = reliable + 0.01 * (number > 0) * (now - reliable)
        return supervised + ramp * (0.5 * consensus + 0.1 * contrast), followed

    everything = torch.ones(2, modalities, dtype=torch.bool, device=DEVICE)
    even = torch.full((2, modalities), 1 / modalities, device=DEVICE)

    def step(t):
        volumes, present, labels, weak, mixed, known, cases = [x.to(DEVICE, non_blocking=True) for x in ready[t % len(ready)]]
        ramp.fill_(math.exp(-5 * (1 - min(1, t / (0.4 * steps))) ** 2))
        for group in optim.param_groups:
            group["lr"] = 0.01 * (1 - t / steps) ** 0.9
        target, weight, maps, counts = look(weak, mixed, known, everything, even)
        loss, followed = loss_of(volumes, present, labels, target, weight, maps, counts, cases, queued["maps"], queued["counts"], queued["cases"],
                                 reliability, ramp)
        update(student, optim, loss)
        with torch.no_grad():
            keep = min(1 - 1 / (t + 1), 0.99)
            torch._foreach_mul_(averaged, keep)
            torch._foreach_add_(averaged, source, alpha=1 - keep)
            reliability.copy_(followed)
            at = torch.arange(2 * t, 2 * t + 2, device=DEVICE) % capacity
            for name, value in (("maps", maps), ("counts", counts), ("cases", cases)):
                queued[name].index_copy_(0, at, value)
        return loss.detach()

    return student, step


# Measuring ------------------------------------------------------------------------------------------------------------------------

def wait():
    if CUDA:
        torch.cuda.synchronize()


def settle():
    gc.collect()
    if CUDA:
        wait()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


@contextlib.contextmanager
def alone():
    """One process at a time for first steps that need much of the GPU's memory and compile nothing."""
    if options.worker != "nnunet_step" or options.mode != "eager":
        yield
        return
    with open(os.path.join(__import__("tempfile").gettempdir(), "torch_gpu.lock"), "w") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def peaks():
    return (torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()) if CUDA else (0, 0)


def main():
    model, make_step = {"unet_step": unet_step, "unet_predict": unet_predict, "method_step": method_step, "nnunet_step": nnunet_step}[options.worker]()
    number = itertools.count()

    def step():
        if options.mode == "graphs":
            torch.compiler.cudagraph_mark_step_begin()
        return make_step(next(number))

    # Libraries, kernels, torch.compile: while others of the wave do the same.
    with alone():
        loss = step()
        wait()
        first = float(loss)
        del loss
        settle()
    prepare = time.perf_counter() - BEGIN
    if options.wait:
        print("ready", flush=True)
        if not sys.stdin.readline():
            return
    torch.backends.cudnn.benchmark = True
    for _ in range(options.warm):
        step()
    wait()
    warm_allocated, warm_reserved = peaks()
    settle()  # cudnn.benchmark's trials take memory that no later step needs
    step()
    seconds, event_seconds = [], []
    for _ in range(options.steps):
        wait()
        if CUDA:
            start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            start.record()
        begin = time.perf_counter()
        loss = step()
        if CUDA:
            stop.record()
        wait()
        seconds.append(time.perf_counter() - begin)
        if CUDA:
            event_seconds.append(start.elapsed_time(stop) / 1e3)
    wait()
    begin = time.perf_counter()
    for _ in range(options.steps):
        loss = step()
    wait()
    pipelined = (time.perf_counter() - begin) / options.steps
    allocated, reserved = peaks()
    print(json.dumps({"program": "torch " + torch.__version__, "device": torch.cuda.get_device_name() if CUDA else "cpu", "cudnn": torch.backends.cudnn.version() if CUDA else 0,
                      "work": options.worker, "precision": options.precision, "mode": options.mode, "channels_last": options.channels_last, "norm": options.norm,
                      "seconds": seconds, "event_seconds": event_seconds, "pipelined_seconds": pipelined, "allocated_bytes": allocated, "reserved_bytes": reserved,
                      "warm_allocated_bytes": warm_allocated, "warm_reserved_bytes": warm_reserved, "process_peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                      "first_loss": first, "loss": float(loss), "parameters": sum(p.numel() for p in model.parameters()), "prepare_seconds": prepare, **extra}), flush=True)


if __name__ == "__main__":
    main()
