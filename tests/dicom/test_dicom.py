# SPDX-License-Identifier: Apache-2.0
"""From DICOM to NIfTI, through the library, and back to DICOM: an asymmetric object keeps its place in the patient.

python3 test_dicom.py BRIGHT_MASK MASK_TO_DICOM_SEG.py
Series are made with pydicom; dcm2niix converts them; `bright_mask` segments the object by its brightness; the script of
the examples writes it as DICOM SEG and as images. The voxels that these mark are compared with the object, in mm. Every
wrong flip must be seen. Headers must say what was segmented and by which model, and that no scanner made it. Exit
status 77: something that is needed is not there.
"""

import contextlib
import datetime
import importlib.util
import io
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

try:
    import highdicom  # noqa: F401, the script needs it
    import nibabel
    import numpy
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid
except ImportError as missing:
    print(f"skipped: needs pydicom, highdicom and nibabel ({missing})")
    sys.exit(77)
if not shutil.which("dcm2niix"):
    print("skipped: dcm2niix is not there")
    sys.exit(77)

bright_mask, script = sys.argv[1:]
spec = importlib.util.spec_from_file_location("mask_to_dicom_seg", script)
mask_to_dicom_seg = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mask_to_dicom_seg)
work = pathlib.Path(tempfile.mkdtemp())
failures = []

KINDS = {"CT": ("1.2.840.10008.5.1.4.1.1.2", -1000, 40, 400), "MR": ("1.2.840.10008.5.1.4.1.1.4", 0, 300, 900)}


def turned(x, y, z):
    """The rotation by degrees about x, then y, then z."""
    out = numpy.eye(3)
    for axis, degrees in enumerate((x, y, z)):
        c, s = numpy.cos(numpy.radians(degrees)), numpy.sin(numpy.radians(degrees))
        one = numpy.eye(3)
        a, b = [(1, 2), (2, 0), (0, 1)][axis]
        one[a, a], one[a, b], one[b, a], one[b, b] = c, -s, s, c
        out = one @ out
    return out


def phantom(size):
    """An ellipsoid, 1, with an object in it, 2, that no turn or mirror image maps to itself."""
    grid = numpy.stack(numpy.meshgrid(*[numpy.arange(n) for n in size], indexing="ij"), -1)
    parts = (((grid - (numpy.array(size) - 1) / 2) / (numpy.array(size) * 0.46)) ** 2).sum(-1) < 1
    image = parts.astype(int)
    n = numpy.array(size)
    c = n // 2
    image[c[0] - 6 : c[0] + 7, c[1], c[2]] = 2
    image[c[0] + 4, c[1] : c[1] + 6, c[2]] = 2
    image[c[0] - 5, c[1] - 2, c[2] : c[2] + 5] = 2
    image[c[0] + 2 : c[0] + 5, c[1] - 4, c[2] - 3] = 2
    return image


def make_series(folder, kind, size, spacing, turn, origin, backwards):
    """Writes a series; returns the affine (column, row, slice) -> mm in DICOM's space, and the voxels of the object."""
    sop_class, air, tissue, bright = KINDS[kind]
    folder.mkdir()
    affine = numpy.eye(4)
    affine[:3, :3] = turn @ numpy.diag(spacing)
    affine[:3, 3] = origin
    image = phantom(size)
    noise = numpy.random.default_rng(1).integers(-15, 16, size)
    values = numpy.choose(image, [air, tissue, bright]) + noise
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    for k in range(size[2]):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        d = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        d.SOPClassUID, d.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
        d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID = study, series, frame
        d.Modality, d.PatientName, d.PatientID, d.PatientBirthDate, d.PatientSex = kind, "Phantom^A", "1", "", "O"
        d.StudyDate, d.StudyTime, d.AccessionNumber, d.StudyID = "20260101", "120000", "", "1"
        d.ReferringPhysicianName, d.Manufacturer, d.SeriesNumber = "", "A scanner", 3
        d.ManufacturerModelName, d.StationName, d.SoftwareVersions, d.DeviceSerialNumber = "X", "ROOM1", "syngo 1", "7"
        d.ContentDate, d.ContentTime, d.SeriesDate, d.SeriesTime = "20260101", "120000", "20260101", "120000"
        d.private_block(0x0029, "A SCANNER", create=True).add_new(0x10, "LO", "how it was scanned")
        d.PositionReferenceIndicator, d.PatientPosition, d.SeriesDescription = "", "HFS", "phantom"
        d.InstanceNumber = size[2] - k if backwards else k + 1
        d.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        d.ImagePositionPatient = [round(v, 6) for v in (affine @ [0, 0, k, 1])[:3].tolist()]
        d.ImageOrientationPatient = [round(v, 9) for v in [*turn[:, 0].tolist(), *turn[:, 1].tolist()]]
        d.PixelSpacing, d.SliceThickness = [spacing[1], spacing[0]], spacing[2]
        d.SpacingBetweenSlices = spacing[2]
        d.Rows, d.Columns, d.SamplesPerPixel, d.PhotometricInterpretation = size[1], size[0], 1, "MONOCHROME2"
        d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 16, 15, 1
        d.RescaleIntercept, d.RescaleSlope = (-1024, 1) if kind == "CT" else (0, 1)
        if kind == "CT":
            d.KVP, d.AcquisitionNumber, d.RescaleType = 120, 1, "HU"
        else:
            d.ScanningSequence, d.SequenceVariant, d.ScanOptions, d.MRAcquisitionType = "SE", "NONE", "", "2D"
            d.RepetitionTime, d.EchoTime, d.EchoTrainLength = 500, 10, 1
        d.PixelData = (values[:, :, k].T - int(d.RescaleIntercept)).astype("<i2").tobytes()
        d.save_as(folder / f"{generate_uid()}.dcm", enforce_file_format=True)
    return affine, {tuple(v) for v in numpy.argwhere(image == 2).tolist()}


def voxels_at(points, affine):
    """The voxels of the series that points in mm lie at; a point between voxels is none of them."""
    inside = (numpy.linalg.inv(affine) @ numpy.c_[points, numpy.ones(len(points))].T)[:3].T
    near = numpy.rint(inside)
    return {tuple(v) if close else "between voxels"
            for v, close in zip(near.astype(int).tolist(), abs(inside - near).max(1) < 0.05)}


def points_of_frame(pixels, position, orientation, spacing):
    rows, columns = numpy.nonzero(pixels)
    turn, start = numpy.array(orientation, float), numpy.array(position, float)
    return start + numpy.outer(columns * float(spacing[1]), turn[:3]) + numpy.outer(rows * float(spacing[0]), turn[3:])


def voxels_of_seg(file, affine):
    """Read with pydicom alone, frame by frame."""
    seg = pydicom.dcmread(file)
    shared, points = seg.SharedFunctionalGroupsSequence[0], []
    for frame, pixels in zip(seg.PerFrameFunctionalGroupsSequence, seg.pixel_array):
        points.append(points_of_frame(
            pixels, frame.PlanePositionSequence[0].ImagePositionPatient,
            shared.PlaneOrientationSequence[0].ImageOrientationPatient, shared.PixelMeasuresSequence[0].PixelSpacing))
    return voxels_at(numpy.concatenate(points), affine)


def voxels_of_images(folder, affine):
    images = [pydicom.dcmread(file) for file in sorted(folder.iterdir())]
    return voxels_at(numpy.concatenate([
        points_of_frame(i.pixel_array, i.ImagePositionPatient, i.ImageOrientationPatient, i.PixelSpacing)
        for i in images]), affine)


def expect(truth, words, said=""):
    print(f"ok: {words}" if truth else f"FAILED: {words}: {said}")
    if not truth:
        failures.append(words)


def convert(*words):
    """Calls the script, in this process since its imports take seconds: the line of a refusal, or nothing."""
    sys.argv = [script, *map(str, words)]
    try:
        mask_to_dicom_seg.main()
    except mask_to_dicom_seg.Refused as why:
        return str(why)
    return ""


def write_like(mask, name, values, affine):
    nibabel.save(nibabel.Nifti1Image(values, affine), work / name)
    return work / name


def seg_codes(file):
    """Category, scheme and code of the type, and its scheme, of every segment."""
    found = []
    for segment in pydicom.dcmread(file).SegmentSequence:
        category, kind = segment.SegmentedPropertyCategoryCodeSequence[0], segment.SegmentedPropertyTypeCodeSequence[0]
        found.append((category.CodeValue, category.CodingSchemeDesignator, kind.CodeValue, kind.CodingSchemeDesignator))
    return found


def check_headers(name, series, folder):
    """The series of images is of software, of now, and names the slice that each image came from."""
    sources = {str(i.SOPInstanceUID): i for i in map(pydicom.dcmread, series.iterdir())}
    images = [pydicom.dcmread(file) for file in sorted(folder.iterdir())]
    wrong = [tag for i in images for tag, want in (
        ("Manufacturer", "comodal"), ("ManufacturerModelName", "comodal"), ("DeviceSerialNumber", "none"),
        ("StationName", None), ("RescaleType", "US")) if i.get(tag) != want]
    expect(not wrong and all(str(i.SoftwareVersions).startswith("comodal 0") for i in images)
           and not any(e.tag.is_private for i in images for e in i), f"{name}: the images are not the scanner's", wrong)
    today = {(datetime.datetime.now() - datetime.timedelta(days=days)).strftime("%Y%m%d") for days in (0, 1)}
    expect(all(i.ContentDate in today and i.SeriesDate == i.ContentDate and i.StudyDate == "20260101" for i in images),
           f"{name}: they are of today, in the study of the scan")
    third = "AXIAL" if images[0].Modality == "CT" else "OTHER"
    expect(all(list(i.ImageType) == ["DERIVED", "SECONDARY", third] and "no scan" in i.DerivationDescription
               and i.DerivationCodeSequence[0].CodeValue == "113076" for i in images), f"{name}: they are derived")
    named = [(i, i.SourceImageSequence[0]) for i in images]
    expect(len({str(r.ReferencedSOPInstanceUID) for _, r in named}) == len(sources) == len(images)
           and all(sources[r.ReferencedSOPInstanceUID].ImagePositionPatient == i.ImagePositionPatient
                   and r.ReferencedSOPClassUID == i.SOPClassUID
                   and r.PurposeOfReferenceCodeSequence[0].CodeValue == "121322" for i, r in named)
           and not any(str(i.SOPInstanceUID) in sources for i in images), f"{name}: each names the slice that it is of")


def check_codes(series, file):
    """Types and categories: given, looked up, doubted and refused."""
    out, kidney = work / "codes.dcm", ("64033007", "SCT")
    for words, want in (
        (["--label", "1=kidney=64033007=Kidney"], ("309825002", "SCT", *kidney)),
        (["--label", "1=kidney", "--type", "1=64033007=Kidney", "--category", "1=91723000=Anatomical Structure"],
         ("91723000", "SCT", *kidney)),
        (["--label", "1=kidney", "--type", "1=64033007", "--category", "1=91723000"], ("91723000", "SCT", *kidney)),
        (["--type", "1=99HERE:K=Kidney"], ("309825002", "SCT", "K", "99HERE")),
        (["--label", "1=object", "--category", "1=49755003"], ("49755003", "SCT", "object", "99COMODAL")),
    ):
        made = convert(file, series, out, *words)
        expect(not made and seg_codes(out) == [want], f"codes: {' '.join(words)}", made or seg_codes(out))
    made = convert(file, series, out, "--label", "1=a kidney of a long name")
    kind = pydicom.dcmread(out).SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0]
    expect(not made and len(kind.CodeValue) == 16 and kind.CodeMeaning == "a kidney of a long name",
           "codes: a long name has a short code", made)
    for source in series.iterdir():
        scan = pydicom.dcmread(source)
        scan.SpecificCharacterSet, scan.PatientName = "ISO_IR 100", "M\u00fcller^J\u00f6rg"
        scan.save_as(source)
    made = convert(file, series, out, "--label", "1=\u80be\u810f")
    seg = pydicom.dcmread(out)
    expect(not made and seg.PatientName == "M\u00fcller^J\u00f6rg"
           and seg.SegmentSequence[0].SegmentLabel == "\u80be\u810f", "codes: names in any letters", made or seg)
    for words, note in ((["--type", "1=64033007=Liver"], "in CID 7151 the code means 'Kidney'"),
                        (["--category", "1=123037004=Anatomical Structure"], "CID 7150 has no such code"),
                        (["--type", "1=64033007=Kidney"], "")):
        with contextlib.redirect_stderr(io.StringIO()) as said:
            made = convert(file, series, out, *words)
        text = said.getvalue()
        expect(not made and note in text and text.count("\n") == bool(note),
               f"codes: noted for {words[1]}", made or text)
    for words, wrong in ((["--type", "1=640330"], "add its meaning"), (["--type", "kidney"], "expected VALUE=CODE"),
                         (["--type", "2=64033007"], "label 2 is not there"), (["--label", "1="], "1 to 64 printable"),
                         (["--label", "1=a=64033007=Kidney", "--type", "1=10200004"], "label 1 has two")):
        made = convert(file, series, work / "refused.dcm", *words)
        expect(wrong in made and "\n" not in made and not (work / "refused.dcm").exists(),
               f"codes: {' '.join(words)} is refused", made)


def check_model(series, file):
    """What predictions.json beside a mask says is in the header; of another case, or a changed mask, it is not."""
    folder, out = work / "predicted", work / "model.dcm"
    (folder / "only_T1").mkdir(parents=True)
    sums = ["0123456789abcdef" * 4, "fedcba9876543210" * 4]
    calls = [{"version": "0.1.0", "commit": "aaaaaaaaaaaa"}, {"version": "0.2.0", "commit": ""}] * 2
    said = {"cases": ["p1"], "provenance": calls, "models": {"a/model.safetensors": sums[1], "b/m": sums[0]}}
    (folder / "predictions.json").write_text(json.dumps(said))
    for place in ("p1.nii.gz", "p2.nii.gz", "only_T1/p1.nii.gz"):
        shutil.copy(file, folder / place)
    for place in ("p1.nii.gz", "only_T1/p1.nii.gz"):
        made = convert(folder / place, series, out)
        seg = pydicom.dcmread(out)
        by = seg.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
        expect(not made and list(seg.SoftwareVersions) == ["comodal 0.1.0 aaaaaaaaaaaa", "comodal 0.2.0"]
               and by.AlgorithmVersion == "comodal 0.1.0 aaaaaaaaaaaa; comodal 0.2.0"
               and by.AlgorithmParameters == f"model_1_sha256={sums[0]},model_2_sha256={sums[1]}"
               and sums[0][:12] in seg.ContentDescription and len(seg.ContentDescription) <= 64,
               f"model: the SEG of {place} names program and models", made or by)
    made = convert(folder / "p1.nii.gz", series, work / "model_images", "--images")
    image = pydicom.dcmread(next((work / "model_images").iterdir()))
    expect(not made and all(one in image.DerivationDescription for one in sums) and len(image.SoftwareVersions) == 2,
           "model: so do the images", made or image.get("DerivationDescription"))
    made = convert(folder / "p1.nii.gz", series, work / "given_images", "--images", "--version", "mine 3")
    image = pydicom.dcmread(next((work / "given_images").iterdir()))
    expect(not made and image.SoftwareVersions == "mine 3", "model: --version goes before it, of images too", made)
    mask = nibabel.load(file)
    write_like(mask, "predicted/changed.nii.gz", numpy.asanyarray(mask.dataobj), mask.affine)
    (folder / "changed.nii.gz").rename(folder / "p1.nii.gz")
    for place, version in (("p2.nii.gz", "comodal 0"), ("p1.nii.gz", "unknown")):
        with contextlib.redirect_stderr(io.StringIO()) as noted:
            made = convert(folder / place, series, out)
        seg = pydicom.dcmread(out)
        by = seg.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
        expect(not made and str(seg.SoftwareVersions).startswith(version) and "AlgorithmParameters" not in by
               and ("another program wrote it since" in noted.getvalue()) == (version == "unknown"),
               f"model: none is named where it did not make the mask ({version})", made or noted.getvalue())
    (folder / "predictions.json").write_text("{}")
    made = convert(folder / "p2.nii.gz", series, out)
    expect("predictions.json: is damaged" in made and "\n" not in made, "model: a damaged file is refused", made)


def check(name, kind, **options):
    series, folder = work / name, work / f"{name}_nifti"
    affine, truth = make_series(series, kind, **options)
    folder.mkdir()
    subprocess.run(["dcm2niix", "-z", "y", "-b", "n", "-f", "image", "-o", folder, series], check=True,
                   stdout=subprocess.DEVNULL)
    file = folder / "mask.nii.gz"
    subprocess.run([bright_mask, folder / "image.nii.gz", str((KINDS[kind][2] + KINDS[kind][3]) / 2), file], check=True)
    made = convert(file, series, work / f"{name}.dcm", "--label", "1=object")
    expect(not made, f"{name}: the mask becomes a SEG", made)
    expect(voxels_of_seg(work / f"{name}.dcm", affine) == truth, f"{name}: the SEG marks the object")
    seg = pydicom.dcmread(work / f"{name}.dcm")
    source = pydicom.dcmread(next(series.iterdir()))
    expect(all(seg[tag].value == source[tag].value for tag in ("StudyInstanceUID", "PatientID", "FrameOfReferenceUID"))
           and seg.SeriesInstanceUID != source.SeriesInstanceUID and "comodal 0" in seg.SoftwareVersions
           and seg.SegmentSequence[0].SegmentLabel == "object", f"{name}: it belongs to the study and says what it is")
    expect(seg_codes(work / f"{name}.dcm") == [("309825002", "SCT", "object", "99COMODAL")]
           and seg.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99COMODAL"
           and "AlgorithmParameters" not in seg.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0],
           f"{name}: without codes and a model, it claims none", seg_codes(work / f"{name}.dcm"))
    made = convert(file, series, work / f"{name}_images", "--images")
    expect(not made, f"{name}: the mask becomes images", made)
    expect(voxels_of_images(work / f"{name}_images", affine) == truth, f"{name}: the images mark the object")
    check_headers(name, series, work / f"{name}_images")

    # What goes wrong in practice: axes turned in the data alone, which nobody but this comparison can see ...
    mask = nibabel.load(file)
    values = numpy.asanyarray(mask.dataobj)
    for axis in range(3):
        flipped = write_like(mask, "flipped.nii.gz", numpy.flip(values, axis), mask.affine)
        made = convert(flipped, series, work / "flipped.dcm")
        expect(not made and voxels_of_seg(work / "flipped.dcm", affine) != truth,
               f"{name}: a flip of axis {axis} is seen", made)
    # ... turned with their affine, which changes no place and must make no difference ...
    turned_too = nibabel.as_closest_canonical(mask)
    moved = numpy.ascontiguousarray(numpy.asanyarray(turned_too.dataobj).transpose(2, 0, 1))
    order = numpy.eye(4)[:, [2, 0, 1, 3]]
    made = convert(write_like(mask, "moved.nii.gz", moved, turned_too.affine @ order), series, work / "moved.dcm")
    expect(not made and voxels_of_seg(work / "moved.dcm", affine) == truth,
           f"{name}: axes in another order are put right", made)
    # ... and grids that are not the series'.
    half = numpy.eye(4)
    half[2, 3] = 0.5
    for words, data, wrong in (
        ("DICOM's signs in a NIfTI affine", values, numpy.diag([-1, -1, 1, 1]) @ mask.affine),
        ("a mirrored affine", values, numpy.diag([-1, 1, 1, 1]) @ mask.affine),
        ("half a slice", values, mask.affine @ half),
        ("another voxel size", values, mask.affine @ numpy.diag([1, 1.02, 1, 1])),
        ("a slice less", values[:, :, 1:], mask.affine),
    ):
        made = convert(write_like(mask, "wrong.nii.gz", data, wrong), series, work / "wrong.dcm")
        expect("is not on the grid of" in made and "\n" not in made and not (work / "wrong.dcm").exists(),
               f"{name}: {words} is refused", made)
    return series, file


try:
    series, file = check("ct", "CT", size=(40, 34, 22), spacing=(0.9, 1.1, 3.25), turn=turned(14, -9, 21),
                         origin=(-31.5, -77.25, 120.5), backwards=False)
    # Sagittal, and its slices numbered against their normal.
    check("mr", "MR", size=(36, 40, 20), spacing=(1.2, 1.0, 4.0), turn=turned(8, 85, 12) @ turned(0, 0, 90),
          origin=(40.0, -60.0, 10.0), backwards=True)

    check_codes(series, file)
    check_model(series, file)
    made = convert(file, series, work / "x.dcm", "--label", "2=other")
    expect("holds label 1, which no --label names" in made, "an unnamed label is refused", made)
    empty = nibabel.load(file)
    write_like(empty, "empty.nii.gz", numpy.zeros(empty.shape, numpy.uint8), empty.affine)
    made = convert(work / "empty.nii.gz", series, work / "empty.dcm")
    expect("the mask is empty" in made, "an empty mask without names is refused", made)
    made = convert(work / "empty.nii.gz", series, work / "empty.dcm", "--label", "1=object")
    expect(not made and not pydicom.dcmread(work / "empty.dcm").pixel_array.any(), "an empty mask with names", made)
    next(iter(sorted(series.iterdir()))).rename(work / "taken.dcm")
    told = subprocess.run([sys.executable, script, file, series, work / "x.dcm"], capture_output=True, text=True)
    expect(told.returncode == 2 and told.stderr.count("\n") == 1 and not told.stdout, "a lost slice is one line", told)
finally:
    shutil.rmtree(work)
print("passed" if not failures else f"{len(failures)} checks failed")
sys.exit(1 if failures else 0)
