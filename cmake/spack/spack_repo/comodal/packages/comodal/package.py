# SPDX-License-Identifier: Apache-2.0
from spack_repo.builtin.build_systems.cmake import CMakePackage
from spack_repo.builtin.build_systems.cuda import CudaPackage
from spack_repo.builtin.build_systems.rocm import ROCmPackage

from spack.package import *


class Comodal(CMakePackage, CudaPackage, ROCmPackage):
    """Semi-supervised, multi-modal 3-D medical image segmentation: a library of headers and a command line."""

    homepage = "https://arxiv.org/abs/2506.17136"
    # The repository that this file is part of.
    git = "file://" + ancestor(__file__, 7)

    license("Apache-2.0")

    version("main", branch="main")

    variant("openmp", default=True, description="Kokkos with OpenMP as well; our own loops use it in any case")
    variant("onednn", default=True, description="Convolutions by oneDNN on the host", when="~cuda")
    variant("cudnn", default=True, description="Convolutions by cuDNN", when="+cuda")

    depends_on("cxx", type="build")
    depends_on("cmake@3.25.2:", type="build")
    depends_on("ninja", type="build")
    generator("ninja")

    depends_on("kokkos@4.6.01: +serial cxxstd=20")
    depends_on("kokkos+openmp", when="+openmp")
    depends_on("kokkos+wrapper", when="+cuda")
    for arch in CudaPackage.cuda_arch_values:
        depends_on(f"kokkos+cuda cuda_arch={arch}", when=f"+cuda cuda_arch={arch}")
    for target in ROCmPackage.amdgpu_targets:
        depends_on(f"kokkos+rocm amdgpu_target={target}", when=f"+rocm amdgpu_target={target}")
    depends_on("kokkos@4.7.01:", when="^cuda@13:")
    depends_on("onednn@2.6: cpu_runtime=omp", when="+onednn")
    depends_on("cudnn@9.16:", when="+cudnn")
    depends_on("zlib-api")
    depends_on("nifti-clib@3.0.1:")
    depends_on("random123@1.14.0:", type="build")
    depends_on("nlohmann-json@3.11:", type="build")
    depends_on("stb", type="build")
    depends_on("cli11@2.1.2:", type="build")
    depends_on("toml11@3.7.1:3", type="build")

    conflicts("%gcc@:11", msg="comodal needs C++20 of GCC 12")
    conflicts("%clang@:13", msg="comodal needs C++20 of Clang 14")
    conflicts("+cuda", when="+rocm", msg="one build is for one kind of device")

    def setup_build_environment(self, env):
        env.set("Kokkos_ROOT", self.spec["kokkos"].prefix)

    def cmake_args(self):
        spec = self.spec
        args = [
            # Spack's compiler wrapper adds the -march of the target.
            self.define("COMODAL_ARCH", ""),
            self.define("COMODAL_BUILD_TESTS", self.run_tests),
            self.define("COMODAL_REFERENCE", self.run_tests),
            self.define("COMODAL_ONEDNN", "ON" if "+onednn" in spec else "OFF"),
            self.define("COMODAL_CUDNN", "ON" if "+cudnn" in spec else "OFF"),
        ]
        if "+cuda" in spec:
            args.append(self.define("COMODAL_REQUIRE_BACKEND", "CUDA"))
            args.append(self.define("CMAKE_CXX_COMPILER", self["kokkos"].kokkos_cxx))
        elif "+rocm" in spec:
            args.append(self.define("COMODAL_REQUIRE_BACKEND", "HIP"))
            args.append(self.define("CMAKE_CXX_COMPILER", spec["hip"].hipcc))
        elif "+openmp" in spec:
            args.append(self.define("COMODAL_REQUIRE_BACKEND", "OPENMP"))
        return args
