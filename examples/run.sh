#!/usr/bin/env bash
# Runs the example applications against a publisher and a sidecar that serve examples/flags.json, and checks what they print. They need Python,
# Java with Maven, Node.js and, for the page, Chromium. What cannot run here is skipped, but with CI=true that is a failure.
set -euo pipefail
cd "$(dirname "$0")"

scratch=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$scratch"' EXIT

# await FILE PATTERN: prints the first match of the pattern, for which it waits.
await() {
  for _ in $(seq 300); do
    if grep -oEm1 "$2" "$1" 2>/dev/null; then return; fi
    sleep 0.1
  done
  echo "$1 never had $2:" >&2
  cat "$1" >&2
  exit 1
}

# check NAME FILE: fails unless the output has the answers that every client must get.
check() {
  local line
  for line in 'ada@shop.example new-checkout=true variant=on reason=TARGETING_MATCH' \
    'guest@example.org new-checkout=false variant=off reason=TARGETING_MATCH' 'no-such-flag="my default" error=FLAG_NOT_FOUND'; do
    if ! grep -qF "$line" "$2"; then
      echo "$1 did not print: $line" >&2
      cat "$2" >&2
      exit 1
    fi
  done
  echo "$1: ok"
}

# present NAME PROGRAM...: whether the programs are installed.
present() {
  local name=$1 program
  for program in "${@:2}"; do
    if command -v "$program" >/dev/null; then continue; fi
    if [[ ${CI:-} == true ]]; then
      echo "$name: $program is not installed, and with CI=true nothing is skipped" >&2
      exit 1
    fi
    echo "$name: skipped, because $program is not installed"
    return 1
  done
}

# quietly COMMAND...: shows what the command prints only if it fails.
quietly() {
  "$@" >"$scratch/quiet.out" 2>&1 || { cat "$scratch/quiet.out" >&2; exit 1; }
}

go -C .. build -o "$scratch/flagside" ./cmd/flagside
web=127.0.0.1:8088
"$scratch/flagside" dev flags.json --ofrep-addr 127.0.0.1:0 --flagd-addr off --flagd-sync-addr 127.0.0.1:0 --management-addr 127.0.0.1:0 \
  --admin-addr 127.0.0.1:0 --nats-addr 127.0.0.1:0 --cors-origin "http://$web" >"$scratch/flagside.out" 2>&1 &
OFREP_ENDPOINT=$(await "$scratch/flagside.out" 'http://127\.0\.0\.1:[0-9]+')
FLAGD_SYNC_ENDPOINT=$(await "$scratch/flagside.out" 'in-process off, 127\.0\.0\.1:[0-9]+' | cut -d' ' -f3)
export OFREP_ENDPOINT FLAGD_SYNC_ENDPOINT

go -C go run . >"$scratch/go.out"
check go "$scratch/go.out"
go -C usage-hook/go run . >"$scratch/usage-go.out" 2>"$scratch/usage-go.err" || { cat "$scratch/usage-go.err" >&2; exit 1; }
check 'go, with a hook for usage' "$scratch/usage-go.out"

if present python python3; then
  quietly python3 -m venv python/venv
  quietly python/venv/bin/pip install --disable-pip-version-check --require-hashes --only-binary :all: -r python/requirements.txt
  python/venv/bin/python python/main.py >"$scratch/python.out"
  check python "$scratch/python.out"
fi
if present java java mvn; then
  quietly mvn -q -B -f java/pom.xml compile dependency:copy-dependencies -DoutputDirectory=target/libs
  java -cp 'java/target/classes:java/target/libs/*' shop.Main >"$scratch/java.out" 2>"$scratch/java.err" || { cat "$scratch/java.err" >&2; exit 1; }
  check java "$scratch/java.out"
fi
if ! present 'node, web' node npm; then exit; fi
quietly npm --prefix node ci --no-audit --no-fund
node node/main.mjs >"$scratch/node.out"
check node "$scratch/node.out"
quietly npm --prefix usage-hook/node ci --no-audit --no-fund
node usage-hook/node/main.mjs >"$scratch/usage-node.out"
check 'node, with a hook for usage' "$scratch/usage-node.out"

if ! present web chromium; then exit; fi
quietly npm --prefix web ci --no-audit --no-fund
(cd web && exec node_modules/.bin/esbuild main.mjs --bundle --format=esm --outfile="$scratch/site/main.js" --log-level=warning)
cp web/index.html "$scratch/site/"
mkfifo "$scratch/stdin"
exec 3<>"$scratch/stdin" # esbuild serves as long as its input is open
(cd web && exec node_modules/.bin/esbuild --servedir="$scratch/site" --serve="$web" <&3 >"$scratch/esbuild.out" 2>&1) &
await "$scratch/esbuild.out" 'http://[0-9.:]+' >"$scratch/address"
for user in ada@shop.example guest@example.org; do
  timeout 60 chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync \
    --user-data-dir="$scratch/profile" --virtual-time-budget=5000 --dump-dom \
    "http://$web/?sidecar=$OFREP_ENDPOINT&user=$user&changes=none" >>"$scratch/web.out" 2>"$scratch/chromium.out"
done
check web "$scratch/web.out"
