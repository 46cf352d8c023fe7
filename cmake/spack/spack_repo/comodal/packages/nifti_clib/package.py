# SPDX-License-Identifier: Apache-2.0
from spack_repo.builtin.build_systems.cmake import CMakePackage

from spack.package import *


class NiftiClib(CMakePackage):
    """C libraries that read and write files of the NIfTI-1 and NIfTI-2 formats."""

    homepage = "https://nifti-imaging.github.io"
    git = "https://github.com/NIFTI-Imaging/nifti_clib.git"

    license("public-domain")

    version("3.0.1", tag="v3.0.1", commit="96b9954fafcf3bd69a4ee2091b0d707ed2077697")

    depends_on("c", type="build")
    depends_on("cmake@3.10.2:", type="build")
    depends_on("zlib-api")

    def cmake_args(self):
        return [
            self.define("BUILD_SHARED_LIBS", True),
            self.define("USE_NIFTI2_CODE", True),
            self.define("NIFTI_BUILD_APPLICATIONS", False),
            self.define("BUILD_TESTING", False),
        ]
