# SPDX-License-Identifier: Apache-2.0
"""Golden values of metric/lesion_scores.hpp: python3 make_lesions.py > lesions.json (numpy, scipy).

Boxes of voxels make the masks. Scores follow the description of the BraTS 2023 metrics: lesions are components of the
grown true mask."""
import json

import numpy as np
import scipy
from scipy import ndimage

random = np.random.default_rng(20261130)
EDGES = ndimage.generate_binary_structure(3, 2)
CORNERS = ndimage.generate_binary_structure(3, 3)


def mask_of(boxes, size):
    """Index (k, j, i); boxes are [i, j, k, i end, j end, k end]."""
    mask = np.zeros(size[::-1], bool)
    for i, j, k, x, y, z in boxes:
        mask[k:z, j:y, i:x] = True
    return mask


def directed(a, b, spacing):
    border = lambda m: m & ~ndimage.binary_erosion(m)
    distance = ndimage.distance_transform_edt(~border(b), sampling=spacing[::-1])
    return np.percentile(distance[border(a)], 95)


def scores(prediction, truth, spacing, dilation, smallest, penalty=374.):
    grown = ndimage.binary_dilation(truth, EDGES, iterations=dilation) if dilation else truth
    lesions, count = ndimage.label(grown, CORNERS)
    parts, part_count = ndimage.label(prediction, CORNERS)
    dices, distances, missed, belongs, kept = [], [], 0, set(), 0
    for lesion in range(1, count + 1):
        own = (lesions == lesion) & truth
        touching = set(np.unique(parts[lesions == lesion])) - {0}
        belongs |= touching
        if own.sum() * np.prod(spacing) <= smallest:
            continue
        kept += 1
        if not touching:
            missed += 1
            dices.append(0.)
            distances.append(penalty)
            continue
        found = np.isin(parts, list(touching))
        dices.append(2 * (found & own).sum() / (found.sum() + own.sum()))
        distances.append(max(directed(found, own, spacing), directed(own, found, spacing)))
    invented = part_count - len(belongs)
    dices += [0.] * invented
    distances += [penalty] * invented
    mean = lambda values, none: float(np.mean(values)) if values else none
    return {"lesions": kept, "missed": missed, "invented": invented, "dice": mean(dices, 1.),
            "hd95": mean(distances, 0.)}


cases = []
for number in range(14):
    size = [int(v) for v in random.integers(14, 26, 3)]
    spacing = [[1, 1, 1], [1, 1, 3], [2, 2, 2]][number % 3]

    def boxes(count):
        out = []
        for _ in range(count):
            first = [int(random.integers(0, s - 2)) for s in size]
            out.append(first + [min(f + int(random.integers(1, 6)), s) for f, s in zip(first, size)])
        return out

    true, found = boxes([3, 6, 1, 0][number % 4]), boxes([2, 0, 5][number % 3])
    if number % 2:  # some that overlap
        found += [[max(b[0] - 1, 0)] + b[1:] for b in true[:2]]
    dilation, smallest = [3, 1, 0][number % 3], [50, 2, 0][number % 3]
    cases.append({"size": size, "spacing": spacing, "truth": true, "prediction": found, "dilation": dilation,
                  "smallest": smallest,
                  **scores(mask_of(found, size), mask_of(true, size), spacing, dilation, smallest)})

print(json.dumps({"numpy": np.__version__, "scipy": scipy.__version__, "cases": cases}))
