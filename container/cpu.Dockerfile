# The comodal program for processors from x86-64-v3 on, with the library for x86-64-v4 beside it:
#   docker build -f container/cpu.Dockerfile --build-arg COMMIT="$(git rev-parse --short=12 HEAD)" -t comodal:cpu .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD":/data -w /data comodal:cpu info
# The root of the repository is the context. docs/getting-started/install.md says what was run.
FROM debian:12-slim AS build
COPY . /src/comodal
# A unit takes up to 2.5 GB of memory.
ARG JOBS=2
# What `comodal info` and results say of the sources: there is no git in the image. Empty: nothing.
ARG COMMIT=
RUN cd /src/comodal && sh cmake/install_packages.sh && cmake --preset multiarch -DCMAKE_INSTALL_PREFIX=/usr/local -DCOMODAL_COMMIT="$COMMIT" && \
  cmake --build build/multiarch --parallel "$JOBS" && DESTDIR=/installed cmake --install build/multiarch --strip

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends libtrilinos-kokkos-13.2 libdnnl2 libnifti2-2 libgomp1 zlib1g && \
  apt-get clean && rm -rf /var/lib/apt/lists/*
COPY --from=build /installed/usr/local /usr/local
ENTRYPOINT ["comodal"]
