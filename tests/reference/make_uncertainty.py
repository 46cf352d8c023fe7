# SPDX-License-Identifier: Apache-2.0
"""Golden values of infer/uncertainty.hpp and metric/uncertainty.hpp: python3 make_uncertainty.py > uncertainty.json (numpy, scipy)."""
import json

import numpy as np
import scipy
from scipy import ndimage, stats

random = np.random.default_rng(20261128)


def single(x):
    """As C++ has them: floats."""
    return np.asarray(x, np.float32).astype(float)


def disagreement(p, kind, modalities):
    """p (K, C, voxels): entropy of the mean minus mean of the entropies, over its bound."""
    if kind == "classes":
        h = lambda q: stats.entropy(q, axis=-2)
        return (h(p.mean(0)) - h(p).mean(0)) / np.log(min(modalities, p.shape[1]))
    h = lambda q: stats.entropy(np.stack([q, 1 - q]), axis=0, base=2)
    return (h(p.mean(0)) - h(p).mean(0)).mean(0)


maps = []
for kind, branches, channels, modalities in [("classes", 2, 2, 2), ("classes", 4, 4, 4), ("classes", 3, 4, 4), ("classes", 2, 5, 3),
                                             ("regions", 2, 1, 4), ("regions", 4, 3, 4)]:
    voxels = 24
    if kind == "classes":
        p = np.stack([random.dirichlet(np.full(channels, .3), voxels).T for _ in range(branches)])
    else:
        p = random.beta(.4, .4, (branches, channels, voxels))
    p = single(p)
    maps.append({"kind": kind, "branches": branches, "channels": channels, "modalities": modalities, "p": p.ravel().tolist(),
                 "u": disagreement(p, kind, modalities).tolist()})


def table(u, wrong, bins):
    order = np.sort(u)
    edges = [order[-(-len(u) * (b + 1) // bins) - 1] for b in range(bins)]
    rows, low = [], -1.
    for high in edges:
        inside = (u > low) & (u <= high)
        if inside.any():
            rows.append([float(u[inside].min()), float(high), int(inside.sum()), float(u[inside].mean()), float(wrong[inside].mean())])
        low = high
    return rows


cases = []
for size, rounded in [((9, 8, 7), False), ((12, 5, 6), True)]:  # (k, j, i); rounded values have many ties
    mask = (random.random(size) < .04) * random.integers(1, 4, size)
    truth = np.where(random.random(size) < .1, random.integers(0, 4, size), mask)
    wrong = truth != mask
    u = single(np.clip(random.random(size) ** 2 * (.4 + .6 * wrong), 0, 1))
    if rounded:
        u = single(np.round(u * 8) / 8)
    judged = ndimage.binary_dilation(mask != 0, ndimage.generate_binary_structure(3, 1), iterations=2)
    a, b = u[judged & wrong], u[judged & ~wrong]
    rows = table(u[judged], wrong[judged], 10)
    cases.append({"size": size[::-1], "mask": mask.ravel().tolist(), "truth": truth.ravel().tolist(), "u": u.ravel().tolist(),
                  "judged": int(judged.sum()), "mean": float(u[judged].mean()), "wrong": len(a), "wrong_elsewhere": int((wrong & ~judged).sum()),
                  "auroc": float(stats.mannwhitneyu(a, b).statistic / (len(a) * len(b))), "reliability": rows,
                  "calibration": float(sum(r[2] * abs(r[3] - r[4]) for r in rows) / judged.sum())})

pairs = []
for a, b in [(random.random(12), random.random(12)), (random.integers(0, 4, 30), random.integers(0, 5, 30)), ([1, 2, 3], [9, 4, 1])]:
    pairs.append({"a": [float(v) for v in a], "b": [float(v) for v in b], "spearman": float(stats.spearmanr(a, b).statistic)})

print(json.dumps({"scipy": scipy.__version__, "maps": maps, "cases": cases, "pairs": pairs}))
