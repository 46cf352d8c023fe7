#!/bin/sh
# Installs what the project is built with from Debian's (12) or Ubuntu's packages, where it is missing. Needs root or sudo.
# Further package names may be given as arguments; after --only, they alone are installed.
set -eu
packages="g++ cmake ninja-build libtrilinos-kokkos-dev libxtensor-dev libxtensor-blas-dev libopenblas-dev liblapack-dev
libnifti2-dev zlib1g-dev librandom123-dev nlohmann-json3-dev libstb-dev libdnnl-dev libcli11-dev libtoml11-dev
libboost-test-dev $*"
[ "${1:-}" != --only ] || { shift; packages=$*; }
missing=""
for package in $packages; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if ! command -v apt-get >/dev/null 2>&1; then
  echo "comodal: missing packages:$missing; this script knows apt-get only: install them by hand, see README.md" >&2
  exit 1
fi
as_root=""
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null 2>&1 || { echo "comodal: missing packages:$missing; run as root, or install sudo" >&2; exit 1; }
  as_root=sudo
fi
echo "installing:$missing"
$as_root apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
