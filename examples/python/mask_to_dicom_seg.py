#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A NIfTI mask and the DICOM series that its image came from in, a DICOM SEG out (docs/how-to/dicom.md).

python3 mask_to_dicom_seg.py MASK.nii.gz SERIES_FOLDER OUT.dcm --label 1=kidney --type 1=64033007=Kidney \\
  --category 1=91723000="Anatomical Structure" --label 2=core
python3 mask_to_dicom_seg.py MASK.nii.gz SERIES_FOLDER OUT_FOLDER --images

--label VALUE=NAME[=CODE=MEANING]: the name of a label value, and its type. Without it: the values of the mask.
--type, --category VALUE=CODE[=MEANING]: what it is, and of which kind. CODE is of SNOMED CT, or SCHEME:CODE. Without
a type: a private code that says no more than the name. Without a category: Spatial and Relational Concept.
--images: the mask as an ordinary series of images instead, for viewers that know no SEG; the label is the pixel.
--version WORDS: the version of what made the mask, for the file; without it, what predictions.json beside the mask
says, or the mask itself. predictions.json also names the models by their SHA-256.
Needs pydicom, nibabel and, for SEG, highdicom. Exit status: 0 done, 2 refused, with one line on stderr.
"""

import argparse
import datetime
import hashlib
import json
import pathlib
import sys

import nibabel
import numpy
import pydicom
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

LPS = numpy.diag([-1.0, -1.0, 1.0, 1.0])  # NIfTI's patient space (RAS) <-> that of DICOM
LONGEST = {"SH": 16, "LO": 64}  # characters of DICOM's short and long strings
# What holds for the scan and its values, and not for a map of labels.
OF_THE_SCAN = (
    "SmallestImagePixelValue LargestImagePixelValue PixelPaddingValue PixelPaddingRangeLimit VOILUTSequence "
    "ModalityLUTSequence WindowCenterWidthExplanation RealWorldValueMappingSequence IconImageSequence StationName "
    "DeviceUID DateOfLastCalibration TimeOfLastCalibration SUVType").split()


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


def text_of(words, kind, what):
    """Words that fit a string of DICOM."""
    if not words.strip() or "\\" in words or not words.isprintable() or len(words) > LONGEST[kind]:
        raise Refused(f"{what} '{words}': expected 1 to {LONGEST[kind]} printable characters and no backslash")
    return words


def known(group):
    """Meanings by scheme and code of a context group of DICOM, as far as pydicom has it."""
    entries = [getattr(group, name) for name in group.dir()]
    return {(entry.scheme_designator, entry.value): entry.meaning for entry in entries}


def coded(option, words, group, name):
    """VALUE=CODE[=MEANING] as number and code; one line on stderr where the context group says otherwise."""
    number, *rest = words.split("=", 2)
    if not number.isdecimal() or not rest:
        raise Refused(f"{option} {words}: expected VALUE=CODE or VALUE=CODE=MEANING")
    scheme, colon, value = rest[0].rpartition(":")
    key = (text_of(scheme if colon else "SCT", "SH", option), text_of(value, "SH", option))
    meaning = known(group).get(key)
    if len(rest) < 2 and meaning is None:
        raise Refused(f"{option} {words}: pydicom's {name} has no such code; add its meaning, VALUE=CODE=MEANING")
    said = text_of(rest[1], "LO", option) if len(rest) > 1 else meaning
    if meaning is None:
        print(f"note: {option} {words}: pydicom's {name} has no such code; nobody checked it", file=sys.stderr)
    elif said.casefold() != meaning.casefold():
        print(f"note: {option} {words}: in {name} the code means '{meaning}'", file=sys.stderr)
    return int(number), Code(key[1], key[0], said)


def private_type(name):
    """A code that means the name of a label and claims nothing else: the name itself, or its sum where that is long."""
    short = len(name) <= LONGEST["SH"] and name.isascii()
    return Code(name if short else hashlib.sha256(name.encode()).hexdigest()[:LONGEST["SH"]], "99COMODAL", name)


def meanings(words, labels):
    """Name, category and type by label value."""
    names, types = {int(value): f"label {value}" for value in numpy.unique(labels) if value}, list(words.type)
    if words.label:
        given = [word.split("=", 3) for word in words.label]
        if any(len(parts) not in (2, 4) or not parts[0].isdecimal() for parts in given):
            raise Refused("--label: expected VALUE=NAME or VALUE=NAME=CODE=MEANING")
        named = {int(parts[0]): text_of(parts[1], "LO", "--label") for parts in given}
        if missing := sorted(set(names) - set(named)):
            raise Refused(f"the mask holds label {missing[0]}, which no --label names")
        names = named
        types = [f"{p[0]}={p[2]}={p[3]}" for p in given if len(p) == 4] + types
    if not names:
        raise Refused("the mask is empty, and no --label says what it could hold")
    found = {"--type": {}, "--category": {}}
    for option, all_words, group, name in (("--type", types, codes.CID7151, "CID 7151"),
                                           ("--category", words.category, codes.CID7150, "CID 7150")):
        for one in all_words:
            value, code = coded(option, one, group, name)
            if value not in names or value in found[option]:
                raise Refused(f"{option} {one}: label {value} " + ("has two" if value in names else "is not there"))
            found[option][value] = code
    neutral = codes.SCT.SpatialAndRelationalConcept
    return {value: (name, found["--category"].get(value, neutral), found["--type"].get(value) or private_type(name))
            for value, name in sorted(names.items())}


def who_made(mask, writer, given):
    """Versions of the programs, and SHA-256 of the models, that may have made a mask."""
    mask = pathlib.Path(mask).absolute()
    above = [mask.parent.parent] if mask.parent.name.startswith(("branch_", "only_")) else []
    files = [folder / "predictions.json" for folder in [mask.parent, *above]]
    file = next((file for file in files if file.is_file()), None)
    versions, models = [], []
    if file and not writer.startswith("comodal"):
        print(f"note: {mask.name}: another program wrote it since; {file.name} beside it is not used", file=sys.stderr)
    elif file:
        try:
            said = json.loads(file.read_text(encoding="utf-8"))
            if mask.name.removesuffix(".gz").removesuffix(".nii") in said["cases"]:
                models = sorted(set(map(str, said.get("models", {}).values())))
                for call in said.get("provenance", []):
                    versions.append(f"comodal {call['version']}" + (f" {call['commit']}" if call["commit"] else ""))
        except (ValueError, KeyError, TypeError, AttributeError) as failure:
            raise Refused(f"{file}: is damaged ({failure!r}); predict anew, or move it away") from failure
    if given or not versions:
        versions = [given or writer or "unknown"]
    if given and text_of(given, "LO", "--version") and not given.isascii():
        raise Refused(f"--version '{given}': expected plain letters (ASCII)")
    plain = ["".join(c if " " <= c <= "~" and c != "\\" else "_" for c in words)[:LONGEST["LO"]] for words in versions]
    return list(dict.fromkeys(plain)), models


def write_seg(images, labels, named, versions, models, out):
    import highdicom

    joined = "; ".join(versions)
    made_by = highdicom.AlgorithmIdentificationSequence(
        name="comodal", version=joined if len(joined) <= LONGEST["LO"] else versions[-1],
        family=codes.DCM.ArtificialIntelligence,
        parameters={f"model_{n}_sha256": model for n, model in enumerate(models, 1)} or None)
    segments, numbered = [], numpy.zeros_like(labels)
    for number, (value, (name, category, kind)) in enumerate(named.items(), 1):
        numbered[labels == value] = number
        segments.append(highdicom.seg.SegmentDescription(
            segment_number=number, segment_label=name, algorithm_type="AUTOMATIC", algorithm_identification=made_by,
            segmented_property_category=category, segmented_property_type=kind))
    about = f"comodal, {len(models)} model(s), SHA-256 {models[0][:12]}..." if models else None
    seg = highdicom.seg.Segmentation(
        source_images=images, pixel_array=numbered.transpose(2, 1, 0), segmentation_type="BINARY",
        segment_descriptions=segments, series_instance_uid=generate_uid(), series_number=900,
        sop_instance_uid=generate_uid(), instance_number=1, manufacturer="comodal", manufacturer_model_name="comodal",
        software_versions=versions if len(versions) > 1 else versions[0], device_serial_number="none",
        content_label="SEGMENTATION", content_description=about, series_description="comodal segmentation")
    if not all((name + category.meaning + kind.meaning).isascii() for name, category, kind in named.values()):
        seg.decode()  # names of the patient, by the scan's character set
        seg.SpecificCharacterSet = "ISO_IR 192"
    if any(kind.scheme_designator == "99COMODAL" for _, _, kind in named.values()):
        scheme = Dataset()
        scheme.CodingSchemeDesignator, scheme.CodingSchemeName = "99COMODAL", "names of labels, private"
        seg.CodingSchemeIdentificationSequence = [scheme]
    seg.save_as(out)


def code_item(code):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


def say_derived(image, source, versions, models, now):
    """Turns the header of a slice of the scan into that of an image that software derived from it."""
    image.remove_private_tags()  # they are the scanner's
    for tag in OF_THE_SCAN:
        if tag in image:
            delattr(image, tag)
    for element in list(image):
        if element.tag.group & 0xFF00 == 0x6000:  # what was drawn over the scan
            del image[element.tag]
    # CT and MR ask for a third value; that of the scanner may say how a signal was made.
    kinds = source.get("ImageType") or []
    kinds = [] if isinstance(kinds, str) else list(kinds)  # one value comes as a text
    third = {"CT": kinds[2:3] or ["AXIAL"], "MR": ["OTHER"]}.get(source.get("Modality"), [])
    image.ImageType = ["DERIVED", "SECONDARY", *third]
    image.Manufacturer = image.ManufacturerModelName = "comodal"
    image.SoftwareVersions, image.DeviceSerialNumber = list(versions), "none"
    image.SeriesDate = image.ContentDate = image.InstanceCreationDate = now.strftime("%Y%m%d")
    image.SeriesTime = image.ContentTime = image.InstanceCreationTime = now.strftime("%H%M%S")
    made = f" Models, SHA-256: {', '.join(models)}."[:600] if models else ""
    image.DerivationDescription = (f"Made by software ({'; '.join(versions)[:200]}), no scan: each pixel is the number "
                                   f"of a label of a segmentation of the source images. Not for diagnosis.{made}")
    image.DerivationCodeSequence = [code_item(codes.DCM.SegmentationImageDerivation)]
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = source.SOPClassUID, source.SOPInstanceUID
    reference.SpatialLocationsPreserved = "YES"
    reference.PurposeOfReferenceCodeSequence = [code_item(codes.DCM.SourceImageForImageProcessingOperation)]
    image.SourceImageSequence = [reference]


def write_images(images, labels, versions, models, out):
    pathlib.Path(out).mkdir(parents=True, exist_ok=True)
    series, now = generate_uid(), datetime.datetime.now()
    for k, source in enumerate(images):
        image = source.copy()
        say_derived(image, source, versions, models, now)
        image.SeriesInstanceUID, image.SOPInstanceUID = series, generate_uid()
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.SeriesNumber, image.InstanceNumber, image.SeriesDescription = 901, k + 1, "comodal segmentation"
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
        image.RescaleSlope, image.RescaleIntercept, image.RescaleType = 1, 0, "US"
        if "Units" in image:
            image.Units = "NONE"
        image.WindowCenter, image.WindowWidth = int(labels.max()) / 2, max(1, int(labels.max()))
        image.PixelData = labels[:, :, k].T.astype("<u2").tobytes()
        image.save_as(pathlib.Path(out) / f"{k + 1:04}.dcm", enforce_file_format=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mask")
    parser.add_argument("series")
    parser.add_argument("out")
    parser.add_argument("--label", action="append", default=[], metavar="VALUE=NAME[=CODE=MEANING]")
    parser.add_argument("--type", action="append", default=[], metavar="VALUE=[SCHEME:]CODE[=MEANING]")
    parser.add_argument("--category", action="append", default=[], metavar="VALUE=[SCHEME:]CODE[=MEANING]")
    parser.add_argument("--images", action="store_true")
    parser.add_argument("--version")
    words = parser.parse_args()
    images, affine = read_series(words.series)
    labels, mask_affine, writer = read_labels(words.mask)
    shape = (images[0].Columns, images[0].Rows, len(images))
    placed = on_grid(labels, mask_affine, affine, shape)
    if placed is None:
        sizes = [" x ".join(map(str, size)) for size in (labels.shape, shape)]
        raise Refused(f"{words.mask}: is not on the grid of {words.series} ({sizes[0]} voxels, the series has "
                      f"{sizes[1]}, or they lie elsewhere); give the series of the image that was segmented")
    versions, models = who_made(words.mask, writer, words.version)
    if words.images:
        write_images(images, placed, versions, models, words.out)
    else:
        write_seg(images, placed, meanings(words, placed), versions, models, words.out)


if __name__ == "__main__":
    try:
        main()
    except Refused as why:
        sys.exit((print(why, file=sys.stderr), 2)[1])
