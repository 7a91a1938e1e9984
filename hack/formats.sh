#!/bin/sh
# An environment for the formats whose libraries are large: hack/formats.sh VENV
#
# PyTorch, TensorFlow, transformers and MLflow are three gigabytes that the other tests do not
# need; where they are missing their tests skip. `make formats` runs just those. The versions are
# pinned, torch by its number only, so that a CPU build of it found by pip's settings is taken:
# without one, the CUDA build from PyPI works as well and takes three gigabytes more.
set -eu
venv=$1
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
if [ ! -x "$python" ]; then
  echo "formats: no Python at $python: run make setup, or set PYTHON" >&2
  exit 1
fi
if [ ! -x "$venv/bin/python" ]; then
  echo "formats: $("$python" --version), into $venv (takes a minute or two)"
  "$python" -m venv "$venv"
fi
"$venv/bin/pip" install --quiet --disable-pip-version-check \
  "torch==2.13.*" \
  "tensorflow-cpu==2.21.*" \
  "transformers==5.23.*" \
  "mlflow-skinny==3.17.*" \
  pandas ml_dtypes ai-edge-litert lightgbm xgboost-cpu
"$venv/bin/pip" install --quiet --disable-pip-version-check \
  -e "$root[cpu,sklearn]" onnx pytest pytest-asyncio hypothesis

# Two SavedModels that others wrote, out of their wheels: no golden answer is our own.
models=$venv/models
if [ ! -d "$models/guesslang" ]; then
  wheels=$(mktemp -d)
  if "$venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    -d "$wheels" basic-pitch==0.4.0 guesslang==2.2.1; then
    "$venv/bin/python" - "$wheels" "$models" <<'PY'
import pathlib, sys, zipfile
wheels, models = map(pathlib.Path, sys.argv[1:])
parts = {
    "basic_pitch": "basic_pitch/saved_models/icassp_2022/",
    "guesslang": "guesslang/data/model/",
}
for name, start in parts.items():
    with zipfile.ZipFile(next(wheels.glob(f"{name}-*.whl"))) as wheel:
        for member in wheel.namelist():
            if member.startswith(start) and not member.endswith("/") and ".mlpackage" not in member:
                path = models / name / member[len(start):]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(wheel.read(member))
PY
  else
    echo "formats: basic-pitch and guesslang could not be fetched; their tests will skip" >&2
  fi
  rm -rf "$wheels"
fi
echo "formats: done"
