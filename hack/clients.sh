#!/bin/sh
# An environment of their own for the clients that tests/clients tries: hack/clients.sh VENV
#
# They bring half a gigabyte that nothing of ours needs (KServe's SDK most of it). The versions
# are pinned: what is tested is our server, not tomorrow's release of somebody else's client.
# kubernetes stays at 35: 37 wants plain dicts where KServe 0.21 sends its models, and 36 gives a
# log as the text of a bytes literal. Our server has been tried with 37 too.
set -eu
venv=$1
python=${PYTHON:-$(dirname "$0")/../.venv/bin/python}
if [ ! -x "$python" ]; then
  echo "clients: no Python at $python: run make setup, or set PYTHON" >&2
  exit 1
fi
echo "clients: $("$python" --version), into $venv (takes a minute or two)"
"$python" -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check \
  grpcio-reflection==1.81.1 \
  kopf==1.45.2 \
  kr8s==0.20.15 \
  kserve==0.21.0 \
  kubernetes==35.0.0 \
  kubernetes-asyncio==36.1.0 \
  lightkube==1.0.1 \
  lightkube-models==1.37.0.8 \
  openai==3.54.0 \
  'tritonclient[grpc,http]==2.73.0'

# Programs whose requirements contradict the others' or each other's: one environment each.
for package in mlserver==1.7.1 schemathesis==4.32.5; do
  own=$venv/apart/${package%%==*}
  echo "clients: $package, into $own"
  "$python" -m venv "$own"
  "$own/bin/pip" install --quiet --disable-pip-version-check "$package"
done
echo "clients: done"
