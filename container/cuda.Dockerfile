# comodal on NVIDIA's GPUs, as docs/how-to/gpu.md builds it. NOT RUN: no container engine with these images was at hand.
#   docker build -f container/cuda.Dockerfile --build-arg ARCH=HOPPER90 -t comodal:cuda .
#   docker run --rm --gpus all --user "$(id -u):$(id -g)" -v "$PWD":/data -w /data comodal:cuda info
FROM nvidia/cuda:13.0.1-cudnn-devel-ubuntu24.04 AS build
# A card of docs/how-to/gpu.md, and a release of Kokkos for the toolkit's version. A unit takes several GB of memory.
ARG ARCH=HOPPER90
ARG KOKKOS=4.7.01
ARG JOBS=2
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install -y --no-install-recommends cmake ninja-build g++ ca-certificates
ADD https://github.com/kokkos/kokkos/releases/download/${KOKKOS}/kokkos-${KOKKOS}.tar.gz /src/
RUN cd /src && tar xf kokkos-${KOKKOS}.tar.gz && cd kokkos-${KOKKOS} && \
  cmake -G Ninja -B build -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_STANDARD=20 -DCMAKE_INSTALL_PREFIX=/opt/kokkos \
    -DCMAKE_CXX_COMPILER="$PWD/bin/nvcc_wrapper" -DKokkos_ENABLE_SERIAL=ON -DKokkos_ENABLE_CUDA=ON -DKokkos_ARCH_${ARCH}=ON && \
  cmake --build build --parallel "$JOBS" && cmake --install build
COPY . /src/comodal
# The program alone: the tests are built where they are needed.
RUN cd /src/comodal && sh cmake/install_packages.sh && \
  Kokkos_ROOT=/opt/kokkos cmake --preset cuda -DCOMODAL_BUILD_TESTS=OFF -DCOMODAL_WARNINGS_AS_ERRORS=OFF -DCMAKE_INSTALL_PREFIX=/usr/local && \
  cmake --build build/cuda --parallel "$JOBS" --target comodal_cli && DESTDIR=/installed cmake --install build/cuda --strip

FROM nvidia/cuda:13.0.1-cudnn-runtime-ubuntu24.04
RUN apt-get update && apt-get install -y --no-install-recommends libnifti2-2t64 libgomp1 zlib1g && rm -rf /var/lib/apt/lists/*
COPY --from=build /installed/usr/local /usr/local
ENTRYPOINT ["comodal"]
