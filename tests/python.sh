#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs a test that is a Python script, or skips it where there is no Python: sh python.sh PYTHON SCRIPT ARGUMENTS...
command -v "$1" >/dev/null 2>&1 || { echo "skipped: there is no Python (COMODAL_PYTHON names one)"; exit 77; }
exec "$@"
