#!/usr/bin/env bash
# Runs every fuzz target of all modules, each for the given time: build/fuzz.sh 5s
set -euo pipefail
cd "$(dirname "$0")/.."

time_each=${1:-5s}
found=0
while IFS=: read -r file declaration; do
  directory=$(dirname "$file")
  target=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$declaration")
  echo "fuzz ./$directory $target"
  go -C "$directory" test -run '^$' -fuzz "^$target\$" -fuzztime "$time_each" .
  found=$((found + 1))
done < <(grep -rE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*\(' . | sed 's#^\./##' | sort)

if ((found == 0)); then
  echo "no fuzz targets found" >&2
  exit 1
fi
echo "figures: fuzz_targets=$found"
