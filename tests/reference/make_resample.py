# SPDX-License-Identifier: Apache-2.0
"""Golden values of data/resample.hpp: python3 make_resample.py > resample.json (numpy, scipy).

Arrays are [k, j, i]. Images: ndimage.zoom of order 3 with grid_mode and the edge continued, cut off at the range; along a
thick axis slices are resized by themselves and the nearest is taken. Labels: the largest of the indicators after zoom of
order 1, of equals the larger label; `threshold` is the rule of nnU-Net, 1/2 and more, later labels first."""
import json

import numpy as np
import scipy
from scipy import ndimage

random = np.random.default_rng(20261129)


def zoom(x, shape, order):
    factors = [n / o for n, o in zip(shape, x.shape)]
    y = ndimage.zoom(x.astype(float), factors, order=order, mode="nearest", grid_mode=True)
    assert y.shape == tuple(shape), (y.shape, shape)
    return y


def resize(x, shape, order, thick):
    if thick is None:
        return zoom(x, shape, order)
    flat = [n for a, n in enumerate(shape) if a != thick]
    slices = np.stack([zoom(s, flat, order) for s in np.moveaxis(x, thick, 0)])
    at = np.floor((np.arange(shape[thick]) + 0.5) * x.shape[thick] / shape[thick] - 0.5 + 0.5).astype(int)
    return np.moveaxis(slices[np.clip(at, 0, x.shape[thick] - 1)], 0, thick)


def rounded(x):
    return [float(f"{v:.7g}") for v in x.ravel()]


cases = []
for old, new, thick in [((6, 7, 9), (9, 12, 13), None), ((9, 8, 11), (5, 8, 7), None), ((4, 10, 9), (7, 6, 12), 0),
                        ((10, 3, 8), (12, 3, 5), 1), ((1, 6, 5), (2, 9, 4), None), ((2, 5, 7), (4, 10, 14), None),
                        ((12, 9, 2), (6, 13, 5), 2)]:
    image = ndimage.gaussian_filter(random.normal(0, 3, old), 0.7).astype(np.float32)
    kinds = np.array([0, 1, 2, 5], np.uint8)
    labels = kinds[np.argmax([ndimage.gaussian_filter(random.normal(0, 1, old), 1.0) for _ in kinds], 0)]
    indicators = np.stack([resize(labels == c, new, 1, thick) for c in kinds])
    best = len(kinds) - 1 - np.argmax(np.round(indicators[::-1], 6), 0)
    threshold = np.zeros(new, np.uint8)
    for c, p in zip(kinds, indicators):
        threshold[p >= 0.5] = c
    cubic = np.clip(resize(image, new, 3, thick), image.min(), image.max())
    cases.append({"old": old[::-1], "new": new[::-1], "thick": -1 if thick is None else 2 - thick, "image": rounded(image),
                  "cubic": rounded(cubic), "linear": rounded(resize(image, new, 1, thick)), "labels": labels.ravel().tolist(),
                  "best": kinds[best].ravel().tolist(), "threshold": threshold.ravel().tolist()})

onto = []
for old, new, turn in [((7, 9, 8), (6, 10, 7), 0.0), ((6, 8, 9), (9, 7, 8), 0.3)]:
    image = ndimage.gaussian_filter(random.normal(0, 3, old), 0.7).astype(np.float32)
    c, s = np.cos(turn), np.sin(turn)
    source = np.array([[1.1, 0, 0, -4], [0, 0.9, 0.1, -3], [0, 0, 1.7, -6]])
    target = np.array([[0.9 * c, -0.9 * s, 0, -3], [1.2 * s, 1.2 * c, 0.2, -4], [0, 0.1, 1.5, -5]])
    square = lambda a: np.vstack([a, [0, 0, 0, 1]])
    way = np.linalg.inv(square(source)) @ square(target)
    matrix, offset = way[:3, :3][::-1, ::-1], way[:3, 3][::-1]
    values = ndimage.affine_transform(image.astype(float), matrix, offset, new, order=3, mode="nearest")
    at = np.einsum("ab,b...->a...", matrix, np.indices(new)) + offset[:, None, None, None]
    edge = np.array(old)[:, None, None, None] - 0.5
    seen = ((at >= -0.5) & (at <= edge)).all(0)
    values = np.where(seen, np.clip(values, image.min(), image.max()), image.min())
    onto.append({"old": old[::-1], "new": new[::-1], "source": source.tolist(), "target": target.tolist(), "image": rounded(image),
                 "values": rounded(values), "seen": int(seen.sum())})

print(json.dumps({"scipy": scipy.__version__, "cases": cases, "onto": onto}))
