#!/bin/sh
# schemathesis over the Open Inference OpenAPI document: hack/schemathesis.sh FILE URL MODEL VERSION [OPTION...]
#
# FILE is specification/protocol/open_inference_rest.yaml of kserve/open-inference-protocol; MODEL
# is served at URL as VERSION. Every check but one: that what fits the document is accepted, as it
# says nothing of a model's names, datatypes and sizes, nor that data and shape agree.
set -eu
file=$1 url=$2 model=$3 version=$4
shift 4
root=$(cd "$(dirname "$0")/.." && pwd)
program=${SCHEMATHESIS:-$root/.clients/apart/schemathesis/bin/schemathesis}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed 's/\${MODEL/{MODEL/g' "$file" >"$folder/document.yaml" # the file's own slip
cat >"$folder/config.toml" <<TOML
hooks = "$root/tests/clients/scripts/schemathesis_hooks.py"
[parameters]
"path.MODEL_NAME" = "$model"
"path.MODEL_VERSION" = "$version"
TOML
cd "$folder" # it writes a cache where it runs
RELIGHT_NO_NULLS=1 "$program" --config-file config.toml run document.yaml --url "$url" \
  --exclude-checks positive_data_acceptance --generation-database none --no-color "$@"
