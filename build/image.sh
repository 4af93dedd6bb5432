#!/usr/bin/env bash
# Builds the images of deploy/Dockerfile: build/image.sh [ARCH...], by default for the architecture of this machine. Each becomes an OCI archive
# in dist/images. buildah builds them (Debian has it); the programs are compiled here, so that nothing is downloaded.
set -euo pipefail
cd "$(dirname "$0")/.."

archs=("$@")
((${#archs[@]} > 0)) || archs=("$(go env GOARCH)")
{ read -r version; read -r revision; read -r created; } < <(build/version.sh)
ldflags="$(build/version.sh ldflags)"
tag="${version//+/-}" # which tags of images cannot have

# Without a kernel that allows more, which is usual on runners.
export STORAGE_DRIVER="${STORAGE_DRIVER:-vfs}" BUILDAH_ISOLATION="${BUILDAH_ISOLATION:-chroot}"

mkdir -p dist/images
cp "${CA_BUNDLE:-/etc/ssl/certs/ca-certificates.crt}" dist/ca-certificates.crt
for arch in "${archs[@]}"; do
  for program in publisher sidecar flagside; do
    CGO_ENABLED=0 GOOS=linux GOARCH="$arch" go build -trimpath -ldflags="$ldflags" -o "dist/linux/$arch/$program" "./cmd/$program"
  done
  for target in publisher sidecar; do
    archive="dist/images/$target-$arch.tar"
    rm -f "$archive"
    buildah bud --quiet --timestamp 0 --platform "linux/$arch" --build-arg "TARGETARCH=$arch" --build-arg "VERSION=$version" \
      --build-arg "REVISION=$revision" --build-arg "CREATED=$created" --target "$target" --tag "localhost/flagside/$target:$arch" \
      --file deploy/Dockerfile --ignorefile deploy/dockerignore . >/dev/null
    buildah push --quiet "localhost/flagside/$target:$arch" "oci-archive:$archive:flagside/$target:$tag"
    echo "$archive"
  done
done
