#!/bin/sh
# Make the virtual environment: hack/setup.sh VENV cpu|gpu. Called by `make setup`.
set -eu
venv=$1
runtime=$2

usable() { # a Python of 3.11 or later that can make virtual environments
  "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
  # The system's Python comes first: Debian builds it with profile-guided optimisation, which
  # takes a quarter off the CPU of the request path (docs/decisions/0003-hot-path.md).
  for candidate in ${PYTHON:-} /usr/bin/python3 python3 python3.13 python3.12 python3.11; do
    if usable "$candidate"; then echo "$candidate"; return; fi
  done
}

python=$(find_python)
if [ -z "$python" ] && command -v apt-get >/dev/null 2>&1; then
  if [ "$(id -u)" = 0 ]; then
    echo "setup: installing python3-venv with apt-get"
    apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
    python=$(find_python)
  else
    echo "setup: Python has no venv module; as root: apt-get install python3-venv" >&2
  fi
fi
if [ -z "$python" ]; then
  echo "setup: no Python of 3.11 or later with venv was found (set PYTHON=/path/to/python3)" >&2
  exit 1
fi

echo "setup: $("$python" --version) at $python, into $venv (takes about half a minute)"
"$python" -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check -e ".[$runtime,dev]"
# Without byte code an import takes three times as long, and some machines forbid writing it
# as a side effect (PYTHONDONTWRITEBYTECODE).
"$venv/bin/python" -m compileall -q relight embedded activator autoscaler controller predictor \
  cluster wire api telemetry || true
echo "setup: done"
