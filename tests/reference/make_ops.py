#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Golden values of operations and of one training step, from PyTorch (1.13) in double; writes ops.json beside itself.

PyTorch keeps images as (N, C, D, H, W) and filters as (out, in, KD, KH, KW); the file holds the channels-last order of this
library: (N, D, H, W, C) and (KD, KH, KW, in, out). Every case has inputs, the output, the direction that the output is
projected on, and the gradients of that projection with respect to the inputs that need one.
"""
import json
import pathlib

import torch
import torch.nn.functional as F

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)


def draw(*shape, low=-1.0, high=1.0):
    """Uniform values of two decimals, so that the file stays small and exact."""
    return torch.round((torch.rand(*shape) * (high - low) + low) * 100) / 100


def first(x):
    return x.movedim(-1, 1)


def last(x):
    return x.movedim(1, -1)


def filters(w):
    """(KD, KH, KW, in, out) -> (out, in, KD, KH, KW)"""
    return w.permute(4, 3, 0, 1, 2)


def stored(x):
    return {"shape": list(x.shape), "values": [float(f"{v:.9g}") for v in x.detach().reshape(-1).tolist()]}


def case(function, inputs, constants=None):
    inputs = {name: value.requires_grad_() for name, value in inputs.items()}
    output = function(**inputs)
    direction = draw(*output.shape)
    gradients = torch.autograd.grad((output * direction).sum(), list(inputs.values()))
    return {
        "inputs": {name: stored(value) for name, value in {**inputs, **(constants or {})}.items()},
        "output": stored(output),
        "direction": stored(direction),
        "gradients": {name: stored(g) for name, g in zip(inputs, gradients)},
    }


def conv(stride):
    def run(x, w):
        padding = [k // 2 for k in w.shape[:3]]
        return last(F.conv3d(first(x), filters(w), stride=stride, padding=padding))
    return run


def conv_transpose(x, w):
    return last(F.conv_transpose3d(first(x), w.permute(3, 4, 0, 1, 2), stride=w.shape[:3]))


def norm(x, gamma, beta):
    return F.leaky_relu(last(F.instance_norm(first(x), weight=gamma, bias=beta, eps=1e-5)), 0.01)


def sums(z, y, w, kind):
    """sum w, sum w CE, then by class sum w p y, sum w p^2, sum w y^2, a row for each sample."""
    if kind == "classes":
        p = torch.softmax(z, -1)
        ce = F.cross_entropy(first(z), first(y), reduction="none")
    else:
        p = torch.sigmoid(z)
        ce = F.binary_cross_entropy_with_logits(z, y, reduction="none").mean(-1)
    spatial = tuple(range(1, w.dim()))
    v = w.unsqueeze(-1)
    return torch.cat([w.sum(spatial)[:, None], (w * ce).sum(spatial)[:, None], (v * p * y).sum(spatial),
                      (v * p * p).sum(spatial), (v * y * y).sum(spatial)], 1)


def training_step():
    """Convolution, instance norm with leaky ReLU, a 1x1x1 head; mean cross-entropy + 1 - mean soft Dice; plain SGD."""
    rate, classes = 0.1, 2
    x = draw(2, 3, 4, 3, 2)
    labels = torch.randint(0, classes, (2, 3, 4, 3))
    y = F.one_hot(labels, classes).to(x.dtype)
    parameters = {"w": draw(3, 3, 3, 2, 3, low=-0.4, high=0.4), "gamma": draw(3, low=0.5, high=1.5), "beta": draw(3),
                  "head": draw(1, 1, 1, 3, classes)}
    before = {name: stored(p) for name, p in parameters.items()}
    for p in parameters.values():
        p.requires_grad_()

    def loss():
        h = norm(conv(1)(x, parameters["w"]), parameters["gamma"], parameters["beta"])
        z = conv(1)(h, parameters["head"])
        s = sums(z, y, torch.ones(labels.shape), "classes").sum(0)
        dice = 2 * s[2:4] / (s[4:6] + s[6:8])
        return s[1] / s[0] + 1 - dice.mean()

    losses = []
    for _ in range(2):
        value = loss()
        losses.append(value.item())
        gradients = torch.autograd.grad(value, list(parameters.values()))
        with torch.no_grad():
            for p, g in zip(parameters.values(), gradients):
                p -= rate * g
    losses.append(loss().item())
    return {"rate": rate, "x": stored(x), "y": stored(y), "before": before, "losses": losses,
            "after": {name: stored(p) for name, p in parameters.items()}}


weights = torch.tensor([0.0, 0.5, 1.0])[torch.randint(0, 3, (2, 2, 2, 3))]
soft = torch.round(torch.softmax(draw(2, 2, 2, 3, 3), -1) * 64) / 64
soft[..., 0] = 1 - soft[..., 1:].sum(-1)
regions = torch.round(torch.rand(2, 2, 2, 3, 3))

golden = {
    "conv3d": case(conv(1), {"x": draw(1, 3, 4, 3, 2), "w": draw(3, 3, 3, 2, 3)}),
    "conv3d_stride": case(conv((2, 1, 2)), {"x": draw(2, 3, 3, 5, 2), "w": draw(3, 1, 5, 2, 3)}),
    "conv_transpose3d": case(conv_transpose, {"x": draw(2, 2, 1, 3, 3), "w": draw(2, 1, 3, 3, 2)}),
    "instance_norm": case(norm, {"x": draw(2, 2, 3, 3, 3), "gamma": draw(3), "beta": draw(3)}),
    "max_pool3d": case(lambda x: last(F.max_pool3d(first(x), (2, 3, 1))), {"x": draw(1, 5, 6, 2, 3)}),
    "average_pool3d": case(lambda x: last(F.avg_pool3d(first(x), (2, 3, 1))), {"x": draw(1, 5, 6, 2, 3)}),
    "upsample3d": case(lambda x: last(F.interpolate(first(x), scale_factor=(2, 3, 1), mode="trilinear", align_corners=False)),
                       {"x": draw(1, 3, 2, 3, 2)}),
    "softmax": case(lambda x: torch.softmax(x, 1), {"x": draw(2, 4, 3, low=-3, high=3)}),
    "segmentation_classes": case(lambda z: sums(z, soft, weights, "classes"), {"z": draw(2, 2, 2, 3, 3, low=-2, high=2)},
                                 {"y": soft, "w": weights}),
    "segmentation_regions": case(lambda z: sums(z, regions, weights, "regions"), {"z": draw(2, 2, 2, 3, 3, low=-2, high=2)},
                                 {"y": regions, "w": weights}),
    "training_step": training_step(),
}

path = pathlib.Path(__file__).with_name("ops.json")
path.write_text("{\n" + ",\n".join(f'"{name}": {json.dumps(value, separators=(",", ":"))}' for name, value in golden.items()) + "\n}\n")
print(path, path.stat().st_size, "bytes")
