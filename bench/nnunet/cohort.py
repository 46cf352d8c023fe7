#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small labelled cohort for bench/nnunet/run.sh from an nnU-Net raw folder: complete cases, fewer voxels per plane.

    cohort.py SOURCE TARGET --training 30 --in-plane 2 --slice 4

The first cases of "train" in SOURCE/splits.json that have every modality train; the complete others of "train" and
"validation" are judged (imagesTs, labelsTs). Images are means over IN_PLANE x IN_PLANE voxels; a voxel of the label
map has the label that half or more of them have. --slice sets the distance of slices in mm, where the files' own is
nominal: both planners go by voxel sizes. Cases without a label take no part. Needs numpy and nibabel.
"""
import argparse
import json
import pathlib

import nibabel
import numpy


def coarser(file, factor, distance, is_label):
    """The volume of `file` with `factor` x `factor` voxels of a slice as one; `distance` of slices, 0: the file's."""
    image = nibabel.load(file)
    values = numpy.asanyarray(image.dataobj).astype(numpy.float32)
    i, j, k = (values.shape[0] // factor, values.shape[1] // factor, values.shape[2])
    blocks = values[: i * factor, : j * factor].reshape(i, factor, j, factor, k)
    if is_label:
        out = numpy.zeros((i, j, k), numpy.uint8)
        for label in numpy.unique(values)[1:]:
            out[(blocks == label).mean(axis=(1, 3)) >= 0.5] = label
    else:
        out = blocks.mean(axis=(1, 3))
    affine = image.affine.copy()
    affine[:3, 3] += affine[:3, :2] @ numpy.full(2, (factor - 1) / 2)
    affine[:3, :2] *= factor
    if distance:
        affine[:3, 2] *= distance / numpy.linalg.norm(affine[:3, 2])
    return nibabel.Nifti1Image(out, affine)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("source", type=pathlib.Path)
    a.add_argument("target", type=pathlib.Path)
    a.add_argument("--training", type=int, default=30)
    a.add_argument("--in-plane", type=int, default=2)
    a.add_argument("--slice", type=float, default=0)
    options = a.parse_args()

    dataset = json.loads((options.source / "dataset.json").read_text())
    splits = json.loads((options.source / "splits.json").read_text())
    images = options.source / "imagesTr"

    def is_complete(case):
        return all((images / f"{case}_{int(m):04d}.nii.gz").exists() for m in dataset["channel_names"])

    training = [case for case in splits["train"] if is_complete(case)]
    judged = training[options.training :] + [case for case in splits["validation"] if is_complete(case)]
    training = training[: options.training]
    for folder in ("imagesTr", "labelsTr", "imagesTs", "labelsTs"):
        (options.target / folder).mkdir(parents=True, exist_ok=True)
    shapes = []
    for cases, end in ((training, "Tr"), (judged, "Ts")):
        for case in cases:
            for m in dataset["channel_names"]:
                name = f"{case}_{int(m):04d}.nii.gz"
                image = coarser(images / name, options.in_plane, options.slice, False)
                nibabel.save(image, options.target / f"images{end}" / name)
            label = coarser(options.source / "labelsTr" / f"{case}.nii.gz", options.in_plane, options.slice, True)
            nibabel.save(label, options.target / f"labels{end}" / f"{case}.nii.gz")
            shapes.append(label.shape)
            if not label.get_fdata().any():
                print(f"{case}: the label is empty")
    dataset["numTraining"] = len(training)
    (options.target / "dataset.json").write_text(json.dumps(dataset, indent=1) + "\n")
    (options.target / "cases.json").write_text(json.dumps({"training": training, "judged": judged}, indent=1) + "\n")
    print(f"{len(training)} cases train, {len(judged)} are judged; median size {numpy.median(shapes, axis=0)}")


main()
