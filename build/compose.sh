#!/usr/bin/env bash
# Starts deploy/compose.yaml, types the commands that it tells people to type, and asks the sidecar: build/compose.sh. Needs root, make image, and
# Debian's podman, runc, docker-compose and curl. There is no registry: the image of NATS is the server of go.mod, and the application, which needs
# one of Node.js, is left out. podman runs health checks only under systemd, so they are run here.
set -euo pipefail
cd "$(dirname "$0")/.."

dir="$(mktemp -d)"
export STORAGE_DRIVER="${STORAGE_DRIVER:-vfs}" BUILDAH_ISOLATION="${BUILDAH_ISOLATION:-chroot}" DOCKER_HOST="unix://$dir/podman.sock"
export CONTAINERS_CONF="$dir/containers.conf"
cat >"$CONTAINERS_CONF" <<'CONF'
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
CONF

arch="$(go env GOARCH)"
for program in publisher sidecar; do
  loaded="$(podman load --quiet --input "dist/images/$program-$arch.tar")"
  export FLAGSIDE_VERSION="${loaded##*:}"
done
mkdir "$dir/nats"
CGO_ENABLED=0 go build -o "$dir/nats/nats-server" github.com/nats-io/nats-server/v2
printf 'FROM scratch\nCOPY nats-server /nats-server\nENTRYPOINT ["/nats-server"]\n' >"$dir/nats/Dockerfile"
buildah bud --quiet --tag docker.io/library/nats:2 "$dir/nats" >/dev/null

grep -v '^name:' deploy/compose.yaml >"$dir/compose.yaml" # docker-compose 1.29 does not know it
compose() { docker-compose --project-name flagside-try --file "$dir/compose.yaml" "$@"; }
state() { podman inspect "flagside-try_$1_1" --format "{{.State.$2}}"; }
finish() {
  for service in sidecar publisher keys nats; do podman rm --force "flagside-try_${service}_1" >/dev/null 2>&1 || true; done
  podman volume rm flagside-try_nats flagside-try_data flagside-try_last >/dev/null 2>&1 || true
  podman network rm flagside-try_default >/dev/null 2>&1 || true
  kill "$service_pid"
  rm -rf "$dir"
}
podman system service --time=0 "$DOCKER_HOST" 2>"$dir/service.log" &
service_pid=$!
trap finish EXIT
until [ -S "$dir/podman.sock" ]; do sleep 0.1; done

compose up -d nats keys publisher sidecar
for service in publisher sidecar; do
  for _ in $(seq 30); do podman healthcheck run "flagside-try_${service}_1" 2>/dev/null && break || sleep 1; done
done
ask() {
  nsenter --net --target "$(state nats Pid)" \
    curl --silent --fail --data '{"context":{"targetingKey":"u1"}}' http://127.0.0.1:8016/ofrep/v1/evaluate/flags/new-checkout
  echo
}
sed -n 's/^#.* exec publisher //p' deploy/compose.yaml | while read -r line; do
  echo "\$ $line"
  # shellcheck disable=SC2086
  compose exec -T publisher $line </dev/null
done
sleep 2
ask | tee "$dir/answer"
grep -q '"variant":"on"' "$dir/answer"
podman kill flagside-try_publisher_1 >/dev/null
ask
compose stop --timeout 10 sidecar
[ "$(state sidecar ExitCode)" = 0 ]
echo "compose: started, changed, asked, stopped"
