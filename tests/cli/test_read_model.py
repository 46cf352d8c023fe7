# SPDX-License-Identifier: Apache-2.0
"""The NumPy reader of the examples reads a model that the program wrote: python3 test_read_model.py COMODAL READER

What it finds is compared with `comodal info` and, byte by byte, with the file's check sum. Exit status 77: no NumPy.
"""

import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile
import zlib

try:
    import numpy
except ImportError as missing:
    print(f"skipped: needs NumPy ({missing})")
    sys.exit(77)

comodal, reader = sys.argv[1:]
spec = importlib.util.spec_from_file_location("read_model", reader)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

EXPERIMENT = """
[data]
folder = "cohort"
[model]
stream_channels = [2, 4]
fused_channels = [4, 8]
[batch]
patch_size = [16, 16, 8]
[train]
steps = 3
"""


def said(folder, *words):
    return subprocess.run([comodal, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def checksum(arrays, metadata):
    """As docs/reference/file-formats.md says."""
    total = 0
    for name in sorted(arrays, key=str.encode):
        array = arrays[name]
        kind = {"f4": "F32", "f8": "F64", "i8": "I64", "u1": "U8"}[array.dtype.str[1:]]
        shape = "(" + ", ".join(map(str, array.shape)) + ")"
        total = zlib.crc32("".join(f"{words}\0" for words in (name, kind, shape)).encode(), total)
        total = zlib.crc32(array.tobytes(), total)
    for name in sorted(metadata, key=str.encode):
        if name != "comodal.checksum":
            total = zlib.crc32(f"{name}\0{metadata[name]}\0".encode(), total)
    return f"{total:x}"


def expect(truth, words):
    if not truth:
        sys.exit(f"FAILED: {words}")
    print("ok:", words)


with tempfile.TemporaryDirectory() as folder:
    pathlib.Path(folder, "tiny.toml").write_text(EXPERIMENT)
    said(folder, "phantom", "cohort", "--phantom.grid", "[32, 32, 24]", "--phantom.spacing", "[4.5, 4.5, 5.5]",
         "--phantom.labelled", "4", "--phantom.unlabelled", "2", "--phantom.test", "1")
    said(folder, "train", "tiny.toml", "run")
    model = pathlib.Path(folder, "run", "model.safetensors")
    arrays, metadata = module.read_model(model)
    told = said(folder, "info", "run/model.safetensors")
    plan = json.loads(metadata["comodal.plan"])

    expect(metadata["comodal.format"] == "2", "the format")
    expect(checksum(arrays, metadata) == metadata["comodal.checksum"], "the check sum of what was read")
    for weights in ("ema", "student"):
        count = sum(array.size for name, array in arrays.items() if name.startswith(weights + "/"))
        expect(count > 9000 and f"{count} parameters" in told, f"info counts the parameters of {weights}")
    expect(plan["modalities"] == ["FLAIR", "T1", "T1ce", "T2"], "the modalities")
    for name in plan["modalities"] + [one["name"] for one in plan["labels"]]:
        expect(name in told, f"info says {name}")
    first = arrays["ema/stream.0.0.0.conv.weight"]
    expect(first.shape == (3, 3, 3, 1, 2), "filter (kd, kh, kw), channels in, channels out")
    expect(numpy.isfinite(first).all() and first.std() > 0, "its values")
    expect((arrays["student/stream.0.0.0.conv.weight"] != first).any(), "the student is not its average")
    printed = subprocess.run([sys.executable, reader, model], check=True, capture_output=True, text=True).stdout
    expect("ema/stream.0.0.0.conv.weight 3 3 3 1 2\n" in printed and "parameters of FLAIR T1 T1ce T2" in printed,
           "what the reader prints")
print("passed")
