# SPDX-License-Identifier: Apache-2.0
"""Stops unless an nnU-Net plan and an experiment file have one patch, batch and strides.

    same_plan.py PLANS.json FILE.toml

Sizes are printed along i, j, k. Needs Python 3.11 for tomllib.
"""
import json
import sys
import tomllib

with open(sys.argv[1]) as file:
    theirs = json.load(file)["configurations"]["3d_fullres"]
with open(sys.argv[2], "rb") as file:
    ours = tomllib.load(file)
strides = theirs["architecture"]["arch_kwargs"]["strides"][1:]
a = (theirs["patch_size"][::-1], theirs["batch_size"], [s[::-1] for s in strides])
b = (ours["batch"]["patch_size"], ours["batch"]["labelled"], ours["model"]["strides"])
print("nnU-Net: patch %s, batch %s, strides %s" % a)
print("comodal: patch %s, batch %s, strides %s" % b)
sys.exit(0 if a == b else "same_plan.py: the plans differ; choose other NNUNET_GB and COMODAL_GB")
