#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The weights of a model file, with NumPy alone (docs/reference/file-formats.md): python3 read_model.py MODEL"""

import json
import sys

import numpy

TYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8", "U8": "u1"}


def read_model(path):
    """Arrays by name, and the metadata: words by name."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    metadata, arrays = header.pop("__metadata__"), {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        arrays[name] = numpy.frombuffer(data[first:last], TYPES[entry["dtype"]]).reshape(entry["shape"])
    return arrays, metadata


if __name__ == "__main__":
    arrays, metadata = read_model(sys.argv[1])
    plan = json.loads(metadata["comodal.plan"])
    weights = {name: array for name, array in arrays.items() if name.startswith(plan["predictors"][0] + "/")}
    for name, array in weights.items():
        print(name, *array.shape)
    print(sum(array.size for array in weights.values()), "parameters of", *plan["modalities"])
