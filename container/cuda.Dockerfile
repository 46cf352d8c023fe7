# comodal on NVIDIA's GPUs, as docs/how-to/gpu.md builds it. NOT RUN: no container engine with these images was at hand.
#   docker build -f container/cuda.Dockerfile --build-arg ARCH=HOPPER90 --build-arg COMMIT="$(git rev-parse --short=12 HEAD)" -t comodal:cuda .
#   docker run --rm --gpus all --user "$(id -u):$(id -g)" -v "$PWD":/data -w /data comodal:cuda info
# cuDNN is that of NVIDIA's own packages, whose source the images have: the images "-cudnn-" of CUDA 13.0.1 hold 9.13, whose bf16 and
# TF32 are refused (docs/reference/numerics.md). 9.16 or newer is needed.
ARG CUDNN=9.19.0.56-1

FROM nvidia/cuda:13.0.1-devel-ubuntu24.04 AS build
# A card of docs/how-to/gpu.md, and a release of Kokkos for the toolkit's version. A unit takes several GB of memory.
ARG ARCH=HOPPER90
ARG KOKKOS=4.7.01
ARG JOBS=2
ARG CUDNN
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install -y --no-install-recommends cmake ninja-build g++ ca-certificates \
  libcudnn9-cuda-13=$CUDNN libcudnn9-headers-cuda-13=$CUDNN libcudnn9-dev-cuda-13=$CUDNN
ADD https://github.com/kokkos/kokkos/releases/download/${KOKKOS}/kokkos-${KOKKOS}.tar.gz /src/
RUN cd /src && tar xf kokkos-${KOKKOS}.tar.gz && cd kokkos-${KOKKOS} && \
  cmake -G Ninja -B build -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_STANDARD=20 -DCMAKE_INSTALL_PREFIX=/opt/kokkos \
    -DCMAKE_CXX_COMPILER="$PWD/bin/nvcc_wrapper" -DKokkos_ENABLE_SERIAL=ON -DKokkos_ENABLE_CUDA=ON -DKokkos_ARCH_${ARCH}=ON && \
  cmake --build build --parallel "$JOBS" && cmake --install build
COPY . /src/comodal
# What `comodal info` and results say of the sources: there is no git in the image. Empty: nothing.
ARG COMMIT=
# The program alone: the tests are built where they are needed.
RUN cd /src/comodal && sh cmake/install_packages.sh && \
  Kokkos_ROOT=/opt/kokkos cmake --preset cuda -DCOMODAL_BUILD_TESTS=OFF -DCOMODAL_WARNINGS_AS_ERRORS=OFF -DCMAKE_INSTALL_PREFIX=/usr/local \
    -DCOMODAL_COMMIT="$COMMIT" && \
  cmake --build build/cuda --parallel "$JOBS" --target comodal_cli && DESTDIR=/installed cmake --install build/cuda --strip

FROM nvidia/cuda:13.0.1-runtime-ubuntu24.04
ARG CUDNN
RUN apt-get update && apt-get install -y --no-install-recommends libcudnn9-cuda-13=$CUDNN libnifti2-2 libgomp1 zlib1g && \
  rm -rf /var/lib/apt/lists/*
COPY --from=build /installed/usr/local /usr/local
ENTRYPOINT ["comodal"]
