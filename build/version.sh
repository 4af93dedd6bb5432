#!/usr/bin/env bash
# Prints the version, the commit and the time of the commit of this checkout, a line each. "build/version.sh ldflags" prints the flags of the linker
# that tell programs all three.
#
# The version is that of a tag vX.Y.Z on a commit without changes, otherwise X.Y.Z-dev+COMMIT, where X.Y.Z is the appVersion of the chart. VERSION,
# COMMIT and COMMIT_TIME override them, for a build without git.
set -euo pipefail
cd "$(dirname "$0")/.."

# A runner may own the checkout under another name, for which git otherwise refuses to tell anything.
ask() { git -c safe.directory='*' "$@" 2>/dev/null; }

next() { sed -n 's/^appVersion: *"\{0,1\}\([^" ]*\).*/\1/p' deploy/helm/flagside/Chart.yaml; }

version() {
  local tag suffix=
  [[ -z "$(ask status --porcelain --untracked-files=no)" ]] || suffix=.changed
  if [[ -z "$suffix" ]] && tag=$(ask describe --tags --exact-match --match 'v[0-9]*'); then
    echo "${tag#v}"
  else
    echo "$(next)-dev+${commit:0:12}$suffix"
  fi
}

commit="${COMMIT:-$(ask rev-parse HEAD || echo unknown)}"
time="${COMMIT_TIME:-$(TZ=UTC ask log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd || echo 1970-01-01T00:00:00Z)}"
version="${VERSION:-$(version)}"

if [[ "${1:-}" == ldflags ]]; then
  at=github.com/flagside/flagside/internal/telemetry
  echo "-s -w -X $at.version=$version -X $at.commit=$commit -X $at.commitTime=$time"
else
  printf '%s\n' "$version" "$commit" "$time"
fi
