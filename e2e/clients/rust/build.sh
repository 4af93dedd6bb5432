#!/usr/bin/env bash
# Builds the driver with the packages of packages.lock, which is a Cargo.lock without the lines that say where packages come from. cargo adds them.
set -euo pipefail
cd "$(dirname "$0")"
if [[ ! Cargo.lock -nt packages.lock ]]; then
  cargo generate-lockfile --quiet
  source=$(grep -m1 '^source = ' Cargo.lock)
  awk -v source="$source" '/^checksum = / {print source} {print}' packages.lock >Cargo.lock
fi
cargo build --quiet --locked
