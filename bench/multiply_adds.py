# SPDX-License-Identifier: Apache-2.0
"""Parameters of a model, and multiply-adds of its convolutions in one forward pass of one crop.

  python3 bench/multiply_adds.py MODEL.safetensors I J K

Reads names and shapes of the file, no weights. A weight (KD, KH, KW, in, out) of stage s is used once per voxel of that
stage; one of an up-convolution (in, out, with the stride as filter) once per voxel of the next
coarser one. The backward
pass takes twice as many again. Norms, activations and the like are left out.
"""

import json
import math
import re
import struct
import sys


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    plan = json.loads(header.pop("__metadata__")["comodal.plan"])
    root = plan["predictors"][0] + "/"
    strides = plan["model"]["strides"] or [[2, 2, 2]] * (len(plan["model"]["stream_channels"]) - 1)
    voxels = [math.prod(int(n) for n in sys.argv[2:])]
    for stride in strides:
        voxels.append(voxels[-1] // math.prod(stride))
    parameters, per_part = 0, {}
    for name, array in header.items():
        if not name.startswith(root) or "/optimiser." in name:
            continue
        if name.startswith(root + "heads."):  # outputs that a method trained with
            continue
        size, path = math.prod(array["shape"]), name[len(root):]
        parameters += size
        if not path.endswith("weight") or len(array["shape"]) != 5:
            continue
        # stream.M.S..., branch.M.S..., stream.S... (shared), fusion.S..., decoder.S..., encoder.S...
        # A stem is of stage 0.
        part, numbers = path.split(".")[0], re.findall(r"(?<=\.)\d+(?=\.)", path)
        own = part == "branch" or (part == "stream" and not plan["model"]["shared_encoder"])
        stem = ".stem." in path
        stage = 0 if stem else int(numbers[1 if own else 0])
        at = voxels[stage + 1] if ".up." in path else voxels[stage]
        uses = len(plan["modalities"]) if part == "stream" and plan["model"]["shared_encoder"] else 1
        per_part[part] = per_part.get(part, 0) + size * at * uses
    print(f"{parameters} parameters, {sum(per_part.values()) / 1e9:.2f} G multiply-adds per crop")
    for part, count in per_part.items():
        print(f"  {part}: {count / 1e9:.2f} G")


main()
