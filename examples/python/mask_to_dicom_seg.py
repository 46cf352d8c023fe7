#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A NIfTI mask and the DICOM series that its image came from in, a DICOM SEG out (docs/how-to/dicom.md).

python3 mask_to_dicom_seg.py MASK.nii.gz SERIES_FOLDER OUT.dcm --label 1=oedema=79654002=Edema --label 2=core
python3 mask_to_dicom_seg.py MASK.nii.gz SERIES_FOLDER OUT_FOLDER --images

--label VALUE=NAME[=CODE=MEANING]: what a label value means; CODE is of SNOMED CT. Without it: the values of the mask.
--images: the mask as an ordinary series of images instead, for viewers that know no SEG; the label is the pixel.
--version WORDS: the version of what made the mask, for the file; without it, what the mask says of itself.
Needs pydicom, nibabel and, for SEG, highdicom. Exit status: 0 done, 2 refused, with one line on stderr.
"""

import argparse
import pathlib
import sys

import nibabel
import numpy
import pydicom
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

LPS = numpy.diag([-1.0, -1.0, 1.0, 1.0])  # NIfTI's patient space (RAS) <-> that of DICOM


class Refused(Exception):
    pass


def read_series(folder):
    """The images of a folder of one series, sorted along their normal, and the affine (column, row, slice) -> mm."""
    images = []
    for file in sorted(path for path in pathlib.Path(folder).rglob("*") if path.is_file()):
        try:
            image = pydicom.dcmread(file)
        except pydicom.errors.InvalidDicomError:
            continue
        if "NumberOfFrames" in image:
            raise Refused(f"{file}: has several frames in one file, expected one image per slice")
        if all(tag in image for tag in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")):
            images.append(image)
    if len(images) < 2:
        raise Refused(f"{folder}: holds {len(images)} DICOM images with a place in the patient, expected two at least")
    if len({image.SeriesInstanceUID for image in images}) > 1:
        raise Refused(f"{folder}: holds several series, expected one; put each into a folder of its own")
    first = images[0]
    turn = numpy.array(first.ImageOrientationPatient, float)
    normal = numpy.cross(turn[:3], turn[3:])
    for image in images:
        same = all(image[tag].value == first[tag].value for tag in ("Rows", "Columns", "PixelSpacing"))
        if not same or not numpy.allclose(numpy.array(image.ImageOrientationPatient, float), turn, atol=1e-4):
            raise Refused(f"{folder}: its images are not of one grid, such as {image.filename}")
    images.sort(key=lambda image: numpy.dot(normal, numpy.array(image.ImagePositionPatient, float)))
    places = numpy.array([image.ImagePositionPatient for image in images], float)
    step = (places[-1] - places[0]) / (len(images) - 1)
    even = places[0] + numpy.outer(numpy.arange(len(images)), step)
    if numpy.abs(places - even).max() > 0.1 * numpy.linalg.norm(step):
        raise Refused(f"{folder}: its slices are not evenly spaced; is one missing, or there twice?")
    affine = numpy.eye(4)
    affine[:3, 0] = turn[:3] * float(first.PixelSpacing[1])
    affine[:3, 1] = turn[3:] * float(first.PixelSpacing[0])
    affine[:3, 2] = step
    affine[:3, 3] = places[0]
    return images, affine


def read_labels(file):
    """The label values of a mask as integers, its affine to mm in NIfTI's patient space, and who wrote it."""
    try:
        mask = nibabel.load(file)
        values = numpy.asanyarray(mask.dataobj)
    except Exception as failure:
        raise Refused(f"{file}: cannot be read as NIfTI ({failure})") from failure
    labels = numpy.rint(values)
    if values.ndim != 3 or abs(values - labels).max() > 1e-3 or labels.min() < 0 or labels.max() > 255:
        raise Refused(f"{file}: is no mask; expected three axes and integers from 0 to 255")
    return labels.astype(numpy.uint8), mask.affine, mask.header["descrip"].item().decode("latin-1").strip("\0 ")


def on_grid(labels, mask_affine, affine, shape):
    """The labels by (column, row, slice) of the series; None where the two do not have the same voxels."""
    to = numpy.linalg.inv(affine) @ LPS @ mask_affine  # voxel of the mask -> voxel of the series
    turn = numpy.rint(to[:3, :3]).astype(int)  # a permutation with signs, if they share a grid
    if (numpy.abs(turn).sum(0) != 1).any() or (numpy.abs(turn).sum(1) != 1).any():
        return None
    axes = [int(numpy.flatnonzero(turn[a])[0]) for a in range(3)]
    signs = [turn[a, axes[a]] for a in range(3)]
    if tuple(labels.shape[a] for a in axes) != shape:
        return None
    start = numpy.array([0 if signs[a] > 0 else shape[a] - 1 for a in range(3)])
    for corner in numpy.ndindex(2, 2, 2):
        voxel = numpy.array(corner) * (numpy.array(labels.shape) - 1)
        if numpy.abs(to[:3, :3] @ voxel + to[:3, 3] - (turn @ voxel + start)).max() > 0.1:
            return None
    labels = labels.transpose(axes)
    return labels[tuple(slice(None, None, int(sign)) for sign in signs)]


def meanings(words, labels):
    """Names and codes by label value."""
    found = {int(value): (f"label {value}", "52988006", "Lesion") for value in numpy.unique(labels) if value}
    if words:
        given = [word.split("=") for word in words]
        if any(len(parts) not in (2, 4) or not parts[0].isdigit() for parts in given):
            raise Refused("--label: expected VALUE=NAME or VALUE=NAME=CODE=MEANING")
        named = {int(p[0]): (p[1], *(p[2:] or ("52988006", "Lesion"))) for p in given}
        if missing := sorted(set(found) - set(named)):
            raise Refused(f"the mask holds label {missing[0]}, which no --label names")
        found = named
    if not found:
        raise Refused("the mask is empty, and no --label says what it could hold")
    return dict(sorted(found.items()))


def write_seg(images, labels, named, version, out):
    import highdicom
    from pydicom.sr.codedict import codes
    from pydicom.sr.coding import Code

    made_by = highdicom.AlgorithmIdentificationSequence(
        name="comodal", version=version, family=codes.DCM.ArtificialIntelligence)
    segments, numbered = [], numpy.zeros_like(labels)
    for number, (value, (name, code, meaning)) in enumerate(named.items(), 1):
        numbered[labels == value] = number
        segments.append(highdicom.seg.SegmentDescription(
            segment_number=number, segment_label=name, algorithm_type="AUTOMATIC", algorithm_identification=made_by,
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=Code(code, "SCT", meaning)))
    seg = highdicom.seg.Segmentation(
        source_images=images, pixel_array=numbered.transpose(2, 1, 0), segmentation_type="BINARY",
        segment_descriptions=segments, series_instance_uid=generate_uid(), series_number=900,
        sop_instance_uid=generate_uid(), instance_number=1, manufacturer="comodal", manufacturer_model_name="comodal",
        software_versions=version, device_serial_number="none", content_label="SEGMENTATION",
        series_description="comodal segmentation")
    seg.save_as(out)


def write_images(images, labels, out):
    pathlib.Path(out).mkdir(parents=True, exist_ok=True)
    series = generate_uid()
    for k, source in enumerate(images):
        image = source.copy()
        for tag in ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue", "VOILUTSequence"):
            if tag in image:
                delattr(image, tag)
        image.SeriesInstanceUID, image.SOPInstanceUID = series, generate_uid()
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.SeriesNumber, image.InstanceNumber, image.SeriesDescription = 901, k + 1, "comodal segmentation"
        image.ImageType = ["DERIVED", "SECONDARY"]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
        image.RescaleSlope, image.RescaleIntercept = 1, 0
        image.WindowCenter, image.WindowWidth = int(labels.max()) / 2, max(1, int(labels.max()))
        image.PixelData = labels[:, :, k].T.astype("<u2").tobytes()
        image.save_as(pathlib.Path(out) / f"{k + 1:04}.dcm", enforce_file_format=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mask")
    parser.add_argument("series")
    parser.add_argument("out")
    parser.add_argument("--label", action="append", default=[], metavar="VALUE=NAME[=CODE=MEANING]")
    parser.add_argument("--images", action="store_true")
    parser.add_argument("--version")
    words = parser.parse_args()
    images, affine = read_series(words.series)
    labels, mask_affine, writer = read_labels(words.mask)
    shape = (images[0].Columns, images[0].Rows, len(images))
    placed = on_grid(labels, mask_affine, affine, shape)
    if placed is None:
        sizes = [" x ".join(map(str, size)) for size in (labels.shape, shape)]
        raise Refused(f"{words.mask}: is not on the grid of {words.series} ({sizes[0]} voxels, the series has {sizes[1]}, "
                      "or they lie elsewhere); give the series of the image that was segmented")
    if words.images:
        write_images(images, placed, words.out)
    else:
        write_seg(images, placed, meanings(words.label, placed), words.version or writer or "unknown", words.out)


if __name__ == "__main__":
    try:
        main()
    except Refused as why:
        sys.exit((print(why, file=sys.stderr), 2)[1])
