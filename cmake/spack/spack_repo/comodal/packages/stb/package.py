# SPDX-License-Identifier: Apache-2.0
from spack_repo.builtin.build_systems.generic import Package

from spack.package import *


class Stb(Package):
    """Headers for C and C++ without a build: images, fonts, and more."""

    homepage = "https://github.com/nothings/stb"
    git = "https://github.com/nothings/stb.git"

    license("MIT")

    version("master", branch="master")
    # Its newest commit when the recipe was written; stb has no releases.
    version("2026.04.15", commit="31c1ad37456438565541f4919958214b6e762fb4")

    def install(self, spec, prefix):
        mkdirp(prefix.include.stb)
        for header in find(".", "*.h", recursive=False):
            install(header, prefix.include.stb)
