# SPDX-License-Identifier: Apache-2.0
"""nnU-Net's summary.json of small masks, some of them empty: python3 make_nnunet_summary.py > nnunet_summary.json (nnunetv2, nibabel)."""
import json
import math
import os
import tempfile
import warnings

import nibabel
import numpy as np
from nnunetv2.evaluation.evaluate_predictions import compute_metrics_on_folder
from nnunetv2.imageio.nibabel_reader_writer import NibabelIO


def masks():
    random = np.random.default_rng(7)
    for name, truth, found in [("a", .4, .5), ("b", .3, .2), ("no_truth", 0, .2), ("no_mask", .3, 0), ("neither", 0, 0), ("no_rim", .3, .3)]:
        pair = []
        for share in (truth, found):
            mask = random.choice([0, 1, 2], size=(6, 5, 4), p=[1 - share, share / 2, share / 2])
            pair.append(np.where(mask == 2, 0, mask) if name == "no_rim" else mask)
        yield name, pair


def without_nan(value):
    if isinstance(value, dict):
        return {str(k): without_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [without_nan(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def main():
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        cases = []
        for name, (truth, found) in masks():
            for part, mask in (("truth", truth), ("found", found)):
                os.makedirs(f"{folder}/{part}", exist_ok=True)
                nibabel.save(nibabel.Nifti1Image(mask.astype(np.uint8), np.eye(4)), f"{folder}/{part}/{name}.nii.gz")
            cases.append({"case": name, "truth": truth.ravel(order="F").tolist(), "found": found.ravel(order="F").tolist()})
        runs = {}
        for key, regions, ids in (("all", [1, 2, (1, 2)], None), ("empty", [1, 2], ["neither"])):
            for part in ("truth", "found"):
                os.makedirs(f"{folder}/{key}/{part}")
                for file in os.listdir(f"{folder}/{part}"):
                    if ids is None or file.split(".")[0] in ids:
                        os.link(f"{folder}/{part}/{file}", f"{folder}/{key}/{part}/{file}")
            summary = compute_metrics_on_folder(f"{folder}/{key}/truth", f"{folder}/{key}/found", None, NibabelIO(), ".nii.gz", regions, num_processes=1)
            for one in summary["metric_per_case"]:
                one["case"] = os.path.basename(one.pop("prediction_file")).split(".")[0]
                del one["reference_file"]
            runs[key] = summary
        print(json.dumps(without_nan({"size": [6, 5, 4], "cases": cases, "summaries": runs})))


if __name__ == "__main__":
    main()
