# SPDX-License-Identifier: Apache-2.0
"""Writes augment.json: changes of intensities by PyTorch and NumPy, for tests/data/test_intensities.cpp.

  python make_augment.py augment.json     (PyTorch 2, NumPy)

Low resolution is two calls of torch.nn.functional.interpolate. Contrast and gamma are written from their definitions in
double precision: contrast about the mean, cut off at the old range; gamma on the range of the crop, of the crop or of its
negative, then mean and standard deviation (count - 1) as before.
"""

import json
import sys

import numpy as np
import torch
from torch.nn.functional import interpolate


def rounded(x):
    return [float(f"{v:.9g}") for v in np.asarray(x).ravel()]


def contrast(x, factor):
    return np.clip(x.mean() + factor * (x - x.mean()), x.min(), x.max())


def retained_gamma(x, gamma, negative):
    x = -x if negative else x
    low, extent = x.min(), x.max() - x.min()
    y = ((x - low) / extent) ** gamma * extent + low
    y = (y - y.mean()) * (x.std(ddof=1) / y.std(ddof=1)) + x.mean()
    return -y if negative else y


def low_resolution(x, coarse):
    t = torch.from_numpy(x)[None, None]
    down = interpolate(t, coarse, mode="nearest-exact")
    return interpolate(down, x.shape, mode="trilinear", align_corners=False)[0, 0].numpy()


def main():
    draw = np.random.default_rng(14)
    size = (5, 6, 8)
    x = draw.normal(0.4, 1.3, size).astype(np.float32).astype(np.float64)
    out = {"size": size, "values": rounded(x), "contrast": [], "gamma": [], "low_resolution": []}
    for factor in (0.75, 0.9, 1.25, 2.5):
        out["contrast"].append({"factor": factor, "result": rounded(contrast(x, factor))})
    for gamma in (0.7, 1.0, 1.5):
        for negative in (False, True):
            out["gamma"].append(
                {"gamma": gamma, "negative": negative, "result": rounded(retained_gamma(x, gamma, negative))})
    for coarse in ((3, 3, 4), (5, 4, 7), (4, 5, 5), (1, 1, 1), (5, 6, 8), (2, 6, 3)):
        out["low_resolution"].append({"coarse": coarse, "result": rounded(low_resolution(x, coarse))})
    with open(sys.argv[1], "w") as file:
        json.dump(out, file, separators=(",", ":"))
        file.write("\n")


main()
