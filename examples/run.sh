#!/usr/bin/env bash
# Runs the example applications against a publisher and a sidecar that serve examples/flags.json, and checks what they print. Those in
# JavaScript need Node.js, the page needs Chromium; what cannot run here is skipped.
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

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo "node, web: skipped, because there is no Node.js"
  exit
fi
npm --prefix node ci --no-audit --no-fund >"$scratch/npm.out" 2>&1 || { cat "$scratch/npm.out" >&2; exit 1; }
node node/main.mjs >"$scratch/node.out"
check node "$scratch/node.out"
npm --prefix usage-hook/node ci --no-audit --no-fund >"$scratch/npm.out" 2>&1 || { cat "$scratch/npm.out" >&2; exit 1; }
node usage-hook/node/main.mjs >"$scratch/usage-node.out"
check 'node, with a hook for usage' "$scratch/usage-node.out"

if ! command -v chromium >/dev/null; then
  echo "web: skipped, because there is no Chromium"
  exit
fi
npm --prefix web ci --no-audit --no-fund >"$scratch/npm.out" 2>&1 || { cat "$scratch/npm.out" >&2; exit 1; }
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
