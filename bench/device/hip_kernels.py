#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lists the kernels of a program that hipcc made, without a GPU: hip_kernels.py PROGRAM [NAME...]

Every kernel that the host side launches must be in the code for the device under the same name: if a name differs (a
macro that only one of the two compilations has), the program links and fails when it launches. Prints how many kernels
and instructions there are, and which kernels spill vector registers. Ends with 1 if a kernel is missing, if the program
launches none (it may be stripped), or if none of them contains a NAME, such as conv3d. Needs LLVM 19."""
import re
import subprocess
import sys
import tempfile

MAGIC = b"__CLANG_OFFLOAD_BUNDLE__"


def code_objects(program):
    """The code objects for GPUs of all bundles in a file."""
    data = open(program, "rb").read()
    at = data.find(MAGIC)
    while at >= 0:
        place = at + len(MAGIC)
        entries = int.from_bytes(data[place:place + 8], "little")
        place += 8
        for _ in range(entries):
            offset, size, length = (int.from_bytes(data[place + 8 * k:place + 8 * k + 8], "little") for k in range(3))
            target = data[place + 24:place + 24 + length].decode()
            place += 24 + length
            if "amdgcn" in target and size > 0:
                yield data[at + offset:at + offset + size]
        at = data.find(MAGIC, at + 1)


def tool(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def numbers_of(file):
    """By kernel: what the metadata of a code object say it needs."""
    kernels, one = {}, {}
    for line in tool("llvm-readelf-19", "--notes", file).splitlines():
        found = re.match(r"\s*(?:- )?\.(\w+):\s+(\S+)", line)
        if not found:
            continue
        key, value = found.groups()
        if key == "name" and value.startswith("_Z"):
            one = kernels.setdefault(value.strip("'"), one)
        elif key in ("vgpr_count", "vgpr_spill_count"):
            one[key] = int(value)
        elif key == "wavefront_size":
            one = {}
    return kernels


def instructions_of(file):
    """By function: the number of instructions."""
    counts, name = {}, None
    for line in tool("llvm-objdump-19", "-d", "--no-show-raw-insn", file).splitlines():
        found = re.match(r"[0-9a-f]+ <(\S+)>:", line)
        if found:
            name = found.group(1)
            counts[name] = 0
        elif name and line.startswith("\t"):
            counts[name] += 1
    return counts


def launched(program):
    """The kernels that the host side launches."""
    names = set()
    for line in tool("nm", program).splitlines():
        symbol = line.split()[-1]
        found = re.search(r"(\d+)__device_stub__", symbol)
        if found:
            stub = found.group(0)
            names.add(symbol.replace(stub, str(int(found.group(1)) - len("__device_stub__"))))
    return names


def main():
    program, wanted = sys.argv[1], sys.argv[2:]
    kernels, counts = {}, {}
    for code in code_objects(program):
        with tempfile.NamedTemporaryFile(suffix=".co") as file:
            file.write(code)
            file.flush()
            kernels.update(numbers_of(file.name))
            counts.update(instructions_of(file.name))
    named = launched(program)
    if not named:
        print("no kernel is launched: is this a program of hipcc, with its symbols?", file=sys.stderr)
    missing = sorted(named - set(kernels))
    spilled = {name: one for name, one in kernels.items() if one.get("vgpr_spill_count", 0) > 0}
    print(f"{program}: {len(named)} kernels are launched, {len(kernels)} are in the code for the device, "
          f"{sum(counts.get(name, 0) for name in kernels)} instructions, {len(spilled)} kernels spill registers")
    for name, one in sorted(spilled.items(), key=lambda item: -item[1]["vgpr_spill_count"])[:10]:
        print(f"  spills {one['vgpr_spill_count']} of {one.get('vgpr_count')}: {name[:150]}")
    for name in missing[:10]:
        print(f"missing: {name}", file=sys.stderr)
    absent = [name for name in wanted if not any(name in kernel for kernel in kernels)]
    for name in absent:
        print(f"no kernel is named after {name}", file=sys.stderr)
    return 1 if missing or absent or not named else 0


if __name__ == "__main__":
    sys.exit(main())
