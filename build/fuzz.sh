#!/usr/bin/env bash
# Runs every fuzz target of all modules, each for the given time: build/fuzz.sh 5s
set -euo pipefail
cd "$(dirname "$0")/.."

time_each=${1:-5s}
found=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# fuzz runs one target. Before 1.27, Go may report the end of the time as a failure (https://go.dev/issue/75804): no input has failed then.
fuzz() {
  go -C "$1" test -run '^$' -fuzz "^$2\$" -fuzztime "$time_each" -fuzzminimizetime 100x . 2>&1 | tee "$log" && return
  grep -qx ' *context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log"
}

while IFS=: read -r file declaration; do
  directory=$(dirname "$file")
  target=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$declaration")
  echo "fuzz ./$directory $target"
  fuzz "$directory" "$target"
  found=$((found + 1))
done < <(grep -rE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*\(' . | sed 's#^\./##' | sort)

if ((found == 0)); then
  echo "no fuzz targets found" >&2
  exit 1
fi
echo "figures: fuzz_targets=$found"
