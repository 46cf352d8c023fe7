# SPDX-License-Identifier: Apache-2.0
"""Writes morphology.json: closing and hole filling by SciPy, Otsu's split by its definition, quantiles by NumPy.

Needs numpy and scipy. Run in this folder: python3 make_morphology.py
"""
import json

import numpy as np
from scipy import ndimage

random = np.random.default_rng(7)
shape = (12, 11, 9)
cross = ndimage.generate_binary_structure(3, 1)


def packed(mask):
    return "".join("1" if v else "0" for v in mask.flatten(order="F"))


def closed(mask, radius):
    wide = np.pad(mask, radius + 1)
    wide = ndimage.binary_closing(wide, cross, iterations=radius)
    return wide[tuple(slice(radius + 1, -radius - 1) for _ in range(3))]


def without_islands(mask, share):
    numbers, count = ndimage.label(mask, cross)
    voxels = np.bincount(numbers.ravel(), minlength=count + 1)
    voxels[0] = 0
    return mask & (voxels >= share * voxels.max())[numbers]


smooth = ndimage.gaussian_filter(random.normal(size=shape), 1.2)
blob = np.abs(smooth) > 0.13
shell = np.zeros(shape, bool)
shell[2:10, 2:9, 1:8] = True
shell[4:8, 4:7, 3:6] = False
shell[0, :, 4] = True

cases = []
for mask in (blob, shell):
    cases.append({
        "mask": packed(mask),
        "closed": {str(r): packed(closed(mask, r)) for r in (1, 2, 3)},
        "filled": packed(ndimage.binary_fill_holes(mask)),
        "without_islands": {str(share): packed(without_islands(mask, share)) for share in (0, 0.1, 0.5, 1)},
    })


def otsu(values, bins=256):
    """The bin edge that maximises the variance between the classes, by trying every one."""
    counts, edges = np.histogram(values, bins)
    numbers = np.arange(bins)
    best, split = -1.0, 0
    for b in range(bins - 1):
        low, high = counts[: b + 1].sum(), counts[b + 1:].sum()
        if low == 0 or high == 0:
            continue
        gap = (counts[: b + 1] * numbers[: b + 1]).sum() / low - (counts[b + 1:] * numbers[b + 1:]).sum() / high
        if low * high * gap * gap > best:
            best, split = low * high * gap * gap, b
    return float(edges[split + 1])


values = np.concatenate([random.normal(1, 0.4, 120), random.normal(5, 1.2, 80)]).astype(np.float32)
result = {
    "size": list(shape),
    "masks": cases,
    "values": [float(v) for v in values],
    "otsu": otsu(values.astype(np.float64)),
    "quantiles": {str(q): float(np.quantile(values.astype(np.float64), q)) for q in (0, 0.25, 0.5, 0.75, 0.995, 1)},
    "mean": float(values.astype(np.float64).mean()),
    "deviation": float(values.astype(np.float64).std()),
}
with open("morphology.json", "w") as file:
    json.dump(result, file, separators=(",", ":"))
    file.write("\n")
