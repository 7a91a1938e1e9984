#!/bin/sh
# Ask a real Kubernetes, made by kind, the same as our own server: hack/kind.sh [NAME]
#
# Needs Docker (or podman) and kind on the PATH. Makes a cluster of one node, runs
# `make conformance` against it and deletes it again.
set -eu
cd "$(dirname "$0")/.."
name=${1:-relight-conformance}

for tool in kind kubectl; do
  command -v "$tool" >/dev/null || { echo "$tool is not on the PATH: install it first" >&2; exit 2; }
done
docker info >/dev/null 2>&1 || podman info >/dev/null 2>&1 || {
  echo "neither docker nor podman answers: kind needs one of them" >&2
  exit 2
}

kubeconfig=$(mktemp)
trap 'kind delete cluster --name "$name"; rm -f "$kubeconfig"' EXIT
kind create cluster --name "$name" --kubeconfig "$kubeconfig" --wait 120s
make conformance KUBECONFIG="$kubeconfig"
