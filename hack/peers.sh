#!/bin/sh
# An environment for each server that benchmarks.predictor runs beside ours: hack/peers.sh FOLDER NAME...
#
# Each in its own, because their requirements contradict each other; 1.5 GB in all. The versions
# are pinned: a claim about speed is about one version.
set -eu
folder=$1
shift
python=${PYTHON:-$(dirname "$0")/../.venv/bin/python}
if [ ! -x "$python" ]; then
  echo "peers: no Python at $python: run make setup, or set PYTHON" >&2
  exit 1
fi
for name in "$@"; do
  case $name in
    kserve) packages="kserve==0.21.0" ;;
    mlserver) packages="mlserver==1.7.1" ;;
    bentoml) packages="bentoml==1.4.39" ;;
    litserve) packages="litserve==0.2.19" ;;
    mosec) packages="mosec==0.9.8" ;;
    *) echo "peers: unknown name $name" >&2; exit 1 ;;
  esac
  [ -e "$folder/$name/.installed" ] && continue
  echo "peers: $packages, into $folder/$name"
  "$python" -m venv "$folder/$name"
  # shellcheck disable=SC2086 # several words where several packages are needed
  "$folder/$name/bin/pip" install --quiet --disable-pip-version-check $packages onnxruntime==1.32.0 orjson
  "$folder/$name/bin/python" -m compileall -q "$folder/$name/lib" || true # some ship templates
  touch "$folder/$name/.installed"
done
