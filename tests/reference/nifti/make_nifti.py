# SPDX-License-Identifier: Apache-2.0
"""Writes the tiny NIfTI files of this folder and expected.json, what nibabel reads from them.

Needs numpy and nibabel. Run in this folder: python3 make_nifti.py
"""
import json
import os

import nibabel as nib
import numpy as np
from nibabel.orientations import aff2axcodes

SHAPE = (3, 4, 5)
expected = {}


def save(name, image, affine=None):
    """Writes the image; expected values and affine are nibabel's own reading of the file."""
    nib.save(image, name)
    again = nib.load(name)
    values = np.asarray(again.get_fdata(dtype=np.float64)).reshape(again.shape[:3])
    affine = again.affine if affine is None else affine
    canonical = nib.as_closest_canonical(nib.Nifti1Image(values, affine))
    expected[name] = {
        "size": list(again.shape[:3]),
        "affine": np.asarray(affine, dtype=float)[:3].tolist(),
        "orientation": "".join(aff2axcodes(affine)),
        "values": [float(np.float32(v)) for v in values.flatten(order="F")],
    }
    if expected[name]["orientation"] != "RAS":
        expected[name]["canonical_size"] = list(canonical.shape)
        expected[name]["canonical_affine"] = canonical.affine[:3].tolist()
        expected[name]["canonical_values"] = [float(np.float32(v)) for v in canonical.get_fdata().flatten(order="F")]


def rotation(axis, degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    m = np.eye(3)
    a, b = [i for i in range(3) if i != axis]
    m[a, a] = m[b, b] = c
    m[a, b], m[b, a] = -s, s
    return m


def affine_of(directions, spacing, origin):
    m = np.eye(4)
    m[:3, :3] = np.asarray(directions) @ np.diag(spacing)
    m[:3, 3] = origin
    return m


random = np.random.default_rng(1)
plain = affine_of(np.eye(3), (1.5, 2, 3), (-10, 20, -30))
oblique = affine_of(rotation(0, 12) @ rotation(2, -20), (0.9, 1.1, 4), (5.5, -7.25, 100))

for code in ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"):
    kind = np.dtype(code)
    if kind.kind == "f":
        data = random.normal(0, 100, SHAPE).astype(kind)
    else:
        low, high = (-100 if kind.kind == "i" else 0), (120 if kind.itemsize == 1 else 30000)
        data = random.integers(low, high, SHAPE).astype(kind)
    save(f"type_{code}.nii", nib.Nifti1Image(data, plain, dtype=kind))
    save(f"big_{code}.nii.gz", nib.Nifti1Image(data, oblique, header=nib.Nifti1Header(endianness=">"), dtype=kind))

# NIfTI-2, both byte orders.
data = random.integers(-300, 300, SHAPE).astype(np.int16)
save("nifti2.nii.gz", nib.Nifti2Image(data, oblique))
save("nifti2_big.nii", nib.Nifti2Image(data, oblique, header=nib.Nifti2Header(endianness=">")))

# Scaling.
image = nib.Nifti1Image(data, plain)
image.header.set_slope_inter(0.005, -2.5)
save("slope.nii.gz", image)


def patched(name, offset, raw):
    """Overwrites header bytes of an uncompressed file that was just saved."""
    with open(name, "r+b") as file:
        file.seek(offset)
        file.write(raw)


save("slope_zero.nii", nib.Nifti1Image(data, plain))
patched("slope_zero.nii", 112, np.array([0, 7], "<f4").tobytes())
assert np.array_equal(nib.load("slope_zero.nii").get_fdata(), data)

# qform and sform.
for name, q, s in (("qform_only", 1, 0), ("sform_only", 0, 2), ("both", 1, 4)):
    image = nib.Nifti1Image(data, oblique)
    image.set_qform(oblique, code=q)
    image.set_sform(oblique if name != "both" else plain, code=s)
    image.header.set_zooms(np.linalg.norm(oblique[:3, :3], axis=0))
    save(f"{name}.nii.gz", image)
left = affine_of(np.diag([-1, 1, 1]) @ rotation(1, 8), (1, 2, 3), (1, 2, 3))
image = nib.Nifti1Image(data, left)
image.set_qform(left, code=1)
image.set_sform(left, code=0)
save("qform_left_handed.nii.gz", image)

# Neither: nifti1.h's "method 1", x = pixdim[1] * i (nibabel flips x and centres the grid instead).
image = nib.Nifti1Image(data, None)
image.header.set_zooms((1.5, 2, 3))
save("neither.nii.gz", image, affine_of(np.eye(3), (1.5, 2, 3), (0, 0, 0)))

# Orientations.
save("las.nii.gz", nib.Nifti1Image(data, affine_of(np.diag([-1, 1, 1]), (1, 1, 2), (30, -20, 10))))
for name, axes, signs in (("pir", (1, 2, 0), (-1, -1, 1)), ("sal", (2, 1, 0), (1, 1, -1)), ("lps", (0, 1, 2), (-1, -1, 1))):
    m = np.zeros((3, 3))
    for column, (row, sign) in enumerate(zip(axes, signs)):
        m[row, column] = sign
    save(f"{name}.nii.gz", nib.Nifti1Image(data, affine_of(rotation(2, 10) @ m, (1, 2, 3), (3, -5, 8))))
shear = plain.copy()
shear[0, 1], shear[2, 0] = 0.6, -0.3
save("sheared.nii.gz", nib.Nifti1Image(data, shear))

# Units: metres and micrometres, expected in millimetres.
for name, unit, factor in (("metres", "meter", 1e3), ("microns", "micron", 1e-3)):
    stored = plain.copy()
    stored[:3] /= factor
    image = nib.Nifti1Image(data, stored)
    image.header.set_xyzt_units(unit)
    save(f"{name}.nii.gz", image, plain)

# A fourth axis of one volume; an extension between header and voxels.
save("four_axes.nii.gz", nib.Nifti1Image(data[..., None], plain))
image = nib.Nifti1Image(data, plain)
image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"made by make_nifti.py"))
save("extension.nii.gz", image)

# A label map stored as floats, some of them not quite integers.
labels = random.integers(0, 5, SHAPE)
near = labels + np.where(labels == 1, -0.0001, 0.0)
save("labels_float.nii.gz", nib.Nifti1Image(near.astype(np.float32), plain))
expected["labels_float.nii.gz"] = {"labels": labels.flatten(order="F").tolist()}

# Files that must be refused.
nib.save(nib.Nifti1Image(random.integers(0, 9, SHAPE + (2,)).astype(np.uint8), plain), "refuse_two_volumes.nii.gz")
rgb = np.zeros(SHAPE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
nib.save(nib.Nifti1Image(rgb, plain), "refuse_rgb.nii.gz")
nib.save(nib.Nifti1Image(np.zeros(SHAPE, np.complex64), plain), "refuse_complex.nii.gz")

with open("expected.json", "w") as file:
    json.dump(expected, file, separators=(",", ":"))
    file.write("\n")
print(sum(os.path.getsize(f) for f in os.listdir(".")), "bytes in all")
