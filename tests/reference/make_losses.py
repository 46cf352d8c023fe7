#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Golden values of losses and optimisers from PyTorch (1.13) in double; writes losses.json and optimisers.json beside itself.

The losses are written here from their formulas with PyTorch's own operations and differentiated by it. Arrays keep the
channels-last order of the library.
"""
import json
import math
import pathlib

import torch
import torch.nn.functional as F

torch.manual_seed(11)
torch.set_default_dtype(torch.float64)
here = pathlib.Path(__file__).parent


def draw(*shape, low=-1.0, high=1.0):
    """Uniform values of two decimals, so that the file stays small and exact."""
    return torch.round((torch.rand(*shape) * (high - low) + low) * 100) / 100


def stored(x):
    return {"shape": list(x.shape), "values": [float(f"{v:.10g}") for v in x.detach().reshape(-1).tolist()]}


def voxels(x):
    """(N, D, H, W, C) -> (N, voxels, C)"""
    return x.reshape(x.shape[0], -1, x.shape[-1])


def dice_cross_entropy(z, y, w, counts, regions, smooth=1.0):
    z, y = voxels(z), voxels(y)
    w = torch.ones(z.shape[:2]) if w is None else w.reshape(w.shape[0], -1)
    if regions:
        p = torch.sigmoid(z)
        entropy = F.binary_cross_entropy_with_logits(z, y, reduction="none").mean(-1)
    else:
        p = torch.softmax(z, -1)
        entropy = F.cross_entropy(z.movedim(-1, 1), y.movedim(-1, 1), reduction="none")
    out = []
    first = 0 if regions else 1
    for n in range(z.shape[0]):
        value = (w[n] * entropy[n]).sum() / w[n].sum() if w[n].sum() > 0 else 0 * z[n].sum()
        lost = []
        for c in range(first, z.shape[-1]):
            if counts is not None and counts[n, c] == 0:
                continue
            overlap = (w[n] * p[n, :, c] * y[n, :, c]).sum()
            squares = (w[n] * p[n, :, c] ** 2).sum() + (w[n] * y[n, :, c] ** 2).sum()
            lost.append(1 - (2 * overlap + smooth) / (squares + smooth))
        if lost:
            value = value + sum(lost) / len(lost)
        out.append(value)
    return torch.stack(out)


def similarity(a, b, kind, eps=1e-6):
    """over the axis of voxels: (V, K), (V, K) -> (K)"""
    ab, aa, bb = (a * b).sum(0), (a * a).sum(0), (b * b).sum(0)
    if kind == "soft_dice":
        return (2 * ab + eps) / (aa + bb + eps)
    if kind == "iou":
        return (ab + eps) / (aa + bb - ab + eps)
    return ab / torch.sqrt((aa + eps) * (bb + eps))


def contrast(anchor, partner, negatives, allowed, kind, tau):
    rows = []
    for n in range(anchor.shape[0]):
        s = similarity(anchor[n], partner[n], kind) / tau
        terms = torch.exp(s)
        for j in range(negatives.shape[0]):
            terms = terms + allowed[n, j] * torch.exp(similarity(anchor[n], negatives[j], kind) / tau)
        rows.append(tau * (torch.log(terms) - s))
    return torch.stack(rows)


losses = {}


def keep(name, leaf, output, **inputs):
    direction = draw(*output.shape)
    (output * direction).sum().backward()
    losses[name] = {k: stored(v) for k, v in inputs.items()}
    losses[name].update(output=stored(output), direction=stored(direction), gradient=stored(leaf.grad))


shape = (3, 2, 2, 3, 4)
soft = torch.softmax(3 * draw(*shape), -1)
hard = F.one_hot(torch.randint(0, 4, shape[:-1]), 4).double()
weight = draw(*shape[:-1], low=0)
weight[0, 0] = 0
weight[2] = 0  # a sample without any weight
counts = torch.tensor([[0, 1, 0, 1], [0, 0, 0, 0], [0, 1, 1, 1]]).double()

for name, y, w, c, regions in [
    ("classes", hard, None, None, False),
    ("classes_weighted", soft, weight, None, False),
    ("classes_counted", soft, None, counts, False),
    ("classes_both", hard, weight, counts, False),
    ("regions", torch.round(soft * 2), None, None, True),
    ("regions_both", soft, weight, counts, True),
]:
    z = draw(*shape, low=-2, high=2).requires_grad_()
    extra = {}
    if w is not None:
        extra["w"] = w
    if c is not None:
        extra["counts"] = c
    keep("dice_cross_entropy_" + name, z, dice_cross_entropy(z, y, w, c, regions), z=z, y=y, **extra)

for name, regions, w in [("classes", False, None), ("regions", True, None), ("weighted", False, weight)]:
    q = torch.sigmoid(2 * draw(*shape)) if regions else soft
    z = draw(*shape, low=-2, high=2).requires_grad_()
    p = torch.sigmoid(z) if regions else torch.softmax(z, -1)
    each = voxels((p - q) ** 2).mean(-1)
    flat = torch.ones(each.shape) if w is None else w.reshape(3, -1)
    value = (each * flat).sum(1) / torch.clamp(flat.sum(1), min=1e-30)
    keep("mean_squared_error_" + name, z, value, z=z, q=q, **({} if w is None else {"w": w}))

    z = draw(*shape, low=-2, high=2).requires_grad_()
    if regions:
        each = voxels(F.binary_cross_entropy_with_logits(z, (q >= 0.5).double(), reduction="none")).mean(-1)
    else:
        each = F.cross_entropy(voxels(z).movedim(-1, 1), voxels(q).argmax(-1), reduction="none")
    value = (each * flat).sum(1) / torch.clamp(flat.sum(1), min=1e-30)
    keep("cross_pseudo_supervision_" + name, z, value, z=z, q=q, **({} if w is None else {"w": w}))

for kind in ["soft_dice", "cosine", "iou"]:
    anchor = draw(2, 5, 3, low=0).requires_grad_()
    partner, negatives = draw(2, 5, 3, low=0), draw(4, 5, 3, low=0)
    allowed = (torch.rand(2, 4, 3) < 0.6).double()
    allowed[0, :, 1] = 0
    keep("contrast_" + kind, anchor, contrast(anchor, partner, negatives, allowed, kind, 0.25), anchor=anchor, partner=partner,
         negatives=negatives, allowed=allowed)

# Optimisers: five steps on two parameters, one with decay and one without, with fixed gradients; clip_grad_norm_ before each.
optimisers = {}
for name, options in {
    "sgd": dict(rate=0.05, momentum=0.9, weight_decay=0.1, clip=0.0),
    "sgd_clipped": dict(rate=0.05, momentum=0.8, weight_decay=0.02, clip=1.5),
    "adamw": dict(rate=0.02, beta1=0.9, beta2=0.99, epsilon=1e-6, weight_decay=0.1, clip=0.0),
    "adamw_clipped": dict(rate=0.02, beta1=0.8, beta2=0.999, epsilon=1e-8, weight_decay=0.05, clip=1.0),
}.items():
    w, b = draw(2, 3).requires_grad_(), draw(3).requires_grad_()
    groups = [{"params": [w], "weight_decay": options["weight_decay"]}, {"params": [b], "weight_decay": 0.0}]
    if name.startswith("sgd"):
        torch_optimiser = torch.optim.SGD(groups, lr=options["rate"], momentum=options["momentum"], nesterov=True)
    else:
        torch_optimiser = torch.optim.AdamW(groups, lr=options["rate"], betas=(options["beta1"], options["beta2"]), eps=options["epsilon"])
    case = {"options": options, "w": stored(w), "b": stored(b), "steps": []}
    for step in range(5):
        # The rate falls from step to step, as a schedule makes it; one step has a small gradient, which is not clipped.
        rate = options["rate"] * (1 - step / 10)
        for group in torch_optimiser.param_groups:
            group["lr"] = rate
        scale = 0.1 if step == 2 else 1.0
        w.grad, b.grad = draw(2, 3) * scale, draw(3) * scale
        one = {"rate": rate, "w_gradient": stored(w.grad), "b_gradient": stored(b.grad)}
        one["norm"] = float(torch.sqrt((w.grad ** 2).sum() + (b.grad ** 2).sum()))
        if options["clip"] > 0:
            torch.nn.utils.clip_grad_norm_([w, b], options["clip"])
        torch_optimiser.step()
        one.update(w=stored(w), b=stored(b))
        case["steps"].append(one)
    optimisers[name] = case

(here / "optimisers.json").write_text(json.dumps(optimisers, separators=(",", ":")) + "\n")

# Drawn last, so that what is above keeps its numbers.
for name, regions, w in [("classes", False, None), ("regions", True, None), ("weighted", False, weight)]:
    z = draw(*shape, low=-2, high=2).requires_grad_()
    if regions:
        p = torch.sigmoid(z)
        each = voxels(torch.special.entr(p) + torch.special.entr(1 - p)).mean(-1) / math.log(2)
    else:
        each = voxels(torch.special.entr(torch.softmax(z, -1))).sum(-1) / math.log(shape[-1])
    flat = torch.ones(each.shape) if w is None else w.reshape(3, -1)
    value = (each * flat).sum(1) / torch.clamp(flat.sum(1), min=1e-30)
    keep("entropy_" + name, z, value, z=z, **({} if w is None else {"w": w}))

for name, regions in [("classes", False), ("regions", True)]:
    z = draw(*shape, low=-2, high=2).requires_grad_()
    others = [draw(*shape, low=-2, high=2) for _ in range(2)]
    all_p = [torch.sigmoid(x) if regions else torch.softmax(x, -1) for x in [z, *others]]
    q = sum(all_p) / 3
    value = 0
    for p in all_p:
        far = q * (torch.log(q) - torch.log(p))
        if regions:
            far = (far + (1 - q) * (torch.log(1 - q) - torch.log(1 - p))).mean(-1)
        else:
            far = far.sum(-1)
        far, squares = voxels(far.unsqueeze(-1)).squeeze(-1), voxels((q - p) ** 2).mean(-1)
        w = torch.exp(-far)
        value = value + (w * squares).sum(1) / w.sum(1) + far.mean(1)
    keep("pyramid_consistency_" + name, z, value / 3, z=z, second=others[0], third=others[1])

# Batches of two crops of three classes, of which class 2 is empty.
two = (2, 2, 2, 3, 3)
no_class_2 = F.one_hot(torch.randint(0, 2, two[:-1]), 3).double()
for name, regions in [("classes", False), ("regions", True)]:
    # Bidirectional copy-paste: true labels inside a box, pseudo-labels of weight 1/2 outside.
    known = torch.zeros(two[:-1]).double()
    known[0, :, 1:, :2] = 1
    known[1] = 1 - known[0]
    z = draw(*two, low=-2, high=2).requires_grad_()
    value = dice_cross_entropy(z, no_class_2, known, None, regions) + 0.5 * dice_cross_entropy(z, no_class_2, 1 - known, None, regions)
    keep("copy_paste_" + name, z, value, z=z, y=no_class_2, known=known)


def channel_contrast(a, b, tau):
    rows = []
    for n in range(a.shape[0]):
        units = torch.cat([a[n] / torch.sqrt((a[n] ** 2).sum(0) + 1e-6), b[n] / torch.sqrt((b[n] ** 2).sum(0) + 1e-6)], 1)
        s, channels = units.T @ units / tau, a.shape[2]
        value = 0
        for c in range(2 * channels):
            others = torch.cat([s[c, :c], s[c, c + 1:]])
            value = value + torch.logsumexp(others, 0) - s[c, (c + channels) % (2 * channels)]
        rows.append(value / (2 * channels))
    return torch.stack(rows)


for differentiated in ["a", "b"]:
    pair = {k: draw(2, 6, 4) for k in "ab"}
    leaf = pair[differentiated].requires_grad_()
    keep("channel_contrast_" + differentiated, leaf, channel_contrast(pair["a"], pair["b"], 0.5), a=pair["a"], b=pair["b"])

# The contrast of Semi-CML: no temperature, gradients for all maps. Class 2 is empty in every map.
for differentiated in ["anchor", "partner", "negatives"]:
    maps = {k: draw(4 if k == "negatives" else 2, 5, 3, low=0) for k in ["anchor", "partner", "negatives"]}
    for m in maps.values():
        m[:, :, 2] = 0
    allowed = torch.ones(2, 4, 3).double()
    allowed[0, :2] = 0
    leaf = maps[differentiated].requires_grad_()
    keep("mutual_contrast_" + differentiated, leaf, contrast(*maps.values(), allowed, "soft_dice", 1.0), allowed=allowed, **maps)


def keep_all(name, output, leaves, **inputs):
    """Value, and the gradient with respect to every leaf; zeros where none arrives."""
    direction = draw(*output.shape)
    (output * direction).sum().backward()
    losses[name] = {k: stored(v) for k, v in {**leaves, **inputs}.items()}
    losses[name].update(output=stored(output), direction=stored(direction))
    for k, leaf in leaves.items():
        losses[name]["gradient_" + k] = stored(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad)


def mean_of_crop(x):
    return x.reshape(x.shape[0], -1).mean(1)


def signed_distances(mask):
    """One crop (D, H, W) of bools -> from -1 to 1, by a search over all pairs of voxels."""
    if not mask.any() or mask.all():
        return torch.full(mask.shape, -1.0 if mask.all() else 1.0)
    place = torch.nonzero(torch.ones_like(mask)).double()
    far = torch.cdist(place, place)
    inside = mask.reshape(-1)
    to_inside, to_outside = far[:, inside].min(1).values, far[:, ~inside].min(1).values
    field = to_inside / to_inside.max() - to_outside / to_outside.max()
    field[inside & (to_outside == 1)] = 0
    return field.reshape(mask.shape)


# From here on every group has a seed of its own: groups may be added without changing the others.
# MC-Net+ and DTC: two crops of three classes; in the second crop class 2 is absent.
torch.manual_seed(141)
shape = (2, 3, 4, 4, 3)
labels = torch.zeros(shape[:-1], dtype=torch.long)
labels[0, :2, :3, 1:] = 1
labels[0, 1, 1:, 2:] = 2
labels[1, 1:, :2, :3] = 1
for name, regions, detached in [("classes", False, True), ("regions", True, True), ("undetached", False, False)]:
    temperature = 0.1 if detached else 0.5
    leaves = {k: draw(*shape, low=-2, high=2).requires_grad_() for k in ["z", "second", "third"]}
    predictions = [torch.sigmoid(z) if regions else torch.softmax(z, -1) for z in leaves.values()]
    targets = []
    for p in predictions:
        power = p ** (1 / temperature)
        rest = (1 - p) ** (1 / temperature) + power if regions else power.sum(-1, keepdim=True)
        targets.append((power / rest).detach() if detached else power / rest)
    value = sum(mean_of_crop((p - t) ** 2) for i, p in enumerate(predictions) for j, t in enumerate(targets) if i != j)
    keep_all("sharpened_consistency_" + name, value, leaves)

for name, regions in [("classes", False), ("regions", True)]:
    # The channels that are foreground: classes 1 and 2, or three regions that overlap.
    masks = [labels == 1, labels == 2] if not regions else [labels > 0, labels == 2, labels == 1]
    target = torch.stack([torch.stack([signed_distances(m[n]) for n in range(2)]) for m in masks], -1)
    leaves = {"z": draw(*shape, low=-2, high=2).requires_grad_(),
              "distances": draw(*shape[:-1], len(masks), low=-0.9, high=0.9).requires_grad_()}
    s = torch.tanh(leaves["distances"])
    p = torch.sigmoid(leaves["z"]) if regions else torch.softmax(leaves["z"], -1)[..., 1:]
    # A steepness at which not everything is saturated, then the source's.
    value = mean_of_crop((s - target) ** 2) * 0.3 + mean_of_crop((torch.sigmoid(-5 * s) - p) ** 2)
    keep_all("distance_consistency_" + name, value, leaves, labels=labels, target=target)

leaves = {"z": draw(*shape, low=-2, high=2).requires_grad_(),
          "distances": (draw(*shape[:-1], 2, low=-1, high=1) * 0.002).requires_grad_()}
s, p = torch.tanh(leaves["distances"]), torch.softmax(leaves["z"], -1)[..., 1:]
keep_all("distance_consistency_steep", mean_of_crop((torch.sigmoid(-1500 * s) - p) ** 2), leaves)

for differentiated in ["x", "y"]:
    pair = {k: draw(4, 5, low=-2, high=2) for k in "xy"}
    leaf = pair[differentiated].requires_grad_()
    value = -(torch.softmax(pair["y"], 1) * torch.log_softmax(pair["x"], 1)).sum(1, keepdim=True)
    keep("soft_cross_entropy_" + differentiated, leaf, value, x=pair["x"], y=pair["y"])

# Rows 0 to 3 of two crops, classes 0, 0, 1, 1: cells of other classes and two further vectors stand against each.
units = {k: F.normalize(draw(n, 6), dim=1) for k, n in [("anchor", 4), ("partners", 4), ("further", 2)]}
allowed = torch.tensor([[1, 0, 1, 1], [0, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 1]]).double()
allowed_further = torch.tensor([[0, 1], [1, 1], [0, 0], [1, 0]]).double()
leaf = units["anchor"].requires_grad_()
s = torch.cat([leaf @ units["partners"].T, leaf @ units["further"].T], 1) / 0.25
s = s.masked_fill(torch.cat([allowed, allowed_further], 1) == 0, -torch.inf)
value = torch.logsumexp(s, 1, keepdim=True) - (leaf * units["partners"]).sum(1, keepdim=True) / 0.25
keep("info_nce", leaf, value, penalty=(1 - allowed) * -1e4, further_penalty=(1 - allowed_further) * -1e4, **units)

# Partial labels: the marginal loss from probabilities. In the second crop class 2 (region 2) is not annotated.
torch.manual_seed(142)


def marginal(z, y, annotated, regions, smooth=1.0):
    z, y = voxels(z), voxels(y)
    out = []
    for n in range(z.shape[0]):
        known = [c for c in range(0 if regions else 1, z.shape[-1]) if annotated[n, c] == 1]
        if regions:
            p = torch.sigmoid(z[n])
            entropy = -sum(y[n, :, c] * p[:, c].log() + (1 - y[n, :, c]) * (1 - p[:, c]).log() for c in known) / z.shape[-1]
        else:
            p = torch.softmax(z[n], -1)
            rest = 1 - sum(p[:, c] for c in known)
            entropy = -((1 - sum(y[n, :, c] for c in known)) * rest.log() + sum(y[n, :, c] * p[:, c].log() for c in known))
        lost = [1 - (2 * (p[:, c] * y[n, :, c]).sum() + smooth) / ((p[:, c] ** 2).sum() + (y[n, :, c] ** 2).sum() + smooth) for c in known]
        out.append(entropy.mean() + sum(lost) / len(lost))
    return torch.stack(out)


labels = torch.zeros(shape[:-1], dtype=torch.long)
labels[0, :2, :3, 1:] = 1
labels[0, 1, 1:, 2:] = 2
labels[1, 1:, :2, :3] = 1
annotated = torch.tensor([[1.0, 1, 1], [1, 1, 0]])
for name, regions in [("classes", False), ("regions", True)]:
    # Regions overlap: 0 is all that is labelled; 2 has a voxel of the second crop, which says nothing there.
    y = torch.stack([labels > 0, labels == 1, labels == 2], -1).double() if regions else F.one_hot(labels, 3).double()
    if regions:
        y[1, 0, 0, 0, 2] = 1
    leaves = {"z": draw(*shape, low=-2, high=2).requires_grad_()}
    keep_all("marginal_" + name, marginal(leaves["z"], y, annotated, regions), leaves, y=y, annotated=annotated)

(here / "losses.json").write_text(json.dumps(losses, separators=(",", ":")) + "\n")
