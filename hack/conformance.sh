#!/bin/sh
# Ask every server the same: hack/conformance.sh PYTHON [KUBECONFIG]
#
# Prints a table: rows are behaviours, columns are our server by call, ours over HTTP, and the
# one KUBECONFIG names. That server gets our CRDs (those it lacks, removed again at the end) and
# namespaces named conformance-*. Without KUBECONFIG the third column is not asked.
set -eu
python=$1
kubeconfig=${2:-}

run() {
  RELIGHT_CONFORMANCE_TABLE=1 RELIGHT_CONFORMANCE_KUBECONFIG=$kubeconfig \
    "$@" "$python" -m pytest -q -p no:cacheprovider tests/conformance
}

# A cluster made without Docker may live in a network namespace of its own: enter the one from
# which its API server can be reached: the very one, for several may have the same address.
# `ip netns exec` would hide the cgroups: nsenter does not.
reaches() {
  "$@" "$python" - "$kubeconfig" <<'END'
import socket, sys, urllib.parse
from pathlib import Path
from cluster.auth import load_kubeconfig
address = load_kubeconfig(Path(sys.argv[1]))
url, context = urllib.parse.urlsplit(address.url), address.ssl_context()
try:
    with socket.create_connection((url.hostname, url.port or 443), timeout=5) as plain:
        if context is not None:  # it shows by its certificate that it is the one that is meant
            context.wrap_socket(plain, server_hostname=url.hostname).close()
except OSError as error:
    sys.exit(f"{url.hostname}:{url.port}: {error}")
END
}

if [ -z "$kubeconfig" ] || reaches env 2>/dev/null; then
  run env
  exit
fi
for namespace in /run/netns/*; do
  if [ -e "$namespace" ] && reaches nsenter --net="$namespace" 2>/dev/null; then
    echo "the server of $kubeconfig is reached from $namespace"
    run nsenter --net="$namespace"
    exit
  fi
done
reaches env
