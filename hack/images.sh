#!/usr/bin/env bash
# hack/images.sh [--tag T] [--with docker|podman|buildah|FILE] [--dir STATE]... [--push PREFIX] [NAME]...
#
# Builds the container images from this checkout: activator autoscaler controller predictor and
# predictor's variants, NAMEd predictor-onnx, predictor-torch ... (all: --list). Without NAMEs:
# the first four.
#
#   --tag T      the tag, instead of the version; a variant's name is added: T-onnx
#   --with TOOL  docker, podman or buildah, else the first of them that answers here; or a script
#                that builds an image without any of them and imports it into a cluster: it is called
#                as FILE NAME:TAG --python --copy DIR:DIR ... --dir STATE
#   --dir STATE  the cluster such a script imports into; may be repeated
#   --push P     with docker, podman, buildah: tags the images P/relight/NAME:T and pushes them
#   --list       prints every NAME
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python3}

tag='' tool='' push='' states=() names=()

die() { echo "images.sh: $*" >&2; exit 2; }
log() { echo "$*" >&2; }

list() {
  (cd "$root" && "$python" -c 'from hack.image_requirements import COMPONENTS, VARIANTS
print("\n".join([*COMPONENTS, *("predictor-" + each for each in VARIANTS if each)]))')
}

version() { "$python" -c 'import sys, tomllib; print(tomllib.load(open(sys.argv[1], "rb"))["project"]["version"])' "$root/pyproject.toml"; }

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
      --tag) tag=$2; shift 2 ;;
      --with) tool=$2; shift 2 ;;
      --dir) states+=("$2"); shift 2 ;;
      --push) push=$2; shift 2 ;;
      --list) list; exit 0 ;;
      -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"; exit 0 ;;
      -*) die "unknown argument $1 (try --help)" ;;
      *) names+=("$1"); shift ;;
    esac
  done
  [ ${#names[@]} -gt 0 ] || names=(activator autoscaler controller predictor)
  [ -n "$tag" ] || tag=$(version)
  local name known
  known=$(list)
  for name in "${names[@]}"; do
    grep -qx "$name" <<<"$known" || die "no image $name: one of $(tr '\n' ' ' <<<"$known")"
  done
}

answers() {
  case $1 in
    buildah) buildah info >/dev/null 2>&1 ;;
    *) command -v "$1" >/dev/null && "$1" info >/dev/null 2>&1 ;;
  esac
}

choose() {
  if [ -n "$tool" ]; then
    [[ $tool = docker || $tool = podman || $tool = buildah || -x $tool ]] || die "--with $tool: no such tool"
    return
  fi
  for tool in docker podman buildah; do
    ! answers "$tool" || return 0
  done
  die "neither docker, podman nor buildah answers here: start one, or name a script by --with FILE"
}

component_of() { echo "${1%%-*}"; }
variant_of() { [[ $1 != *-* ]] || echo "${1#*-}"; }
# predictor-onnx is relight/predictor:TAG-onnx: a cluster knows ours by the repository's name.
image_of() {
  local variant
  variant=$(variant_of "$1")
  echo "relight/$(component_of "$1"):$tag${variant:+-$variant}"
}

# By an engine: the Containerfile does it all.
build_by_engine() {
  local name=$1 image command=(build)
  image=$(image_of "$name")
  [ "$tool" != podman ] || command=(build --format docker)
  "$tool" "${command[@]}" -f "$root/hack/images/Containerfile" --target "$(component_of "$name")" \
    --build-arg VARIANT="$(variant_of "$name")" -t "$image" "$root"
  [ -n "$push" ] || return 0
  "$tool" tag "$image" "$push/$image"
  "$tool" push "$push/$image"
}

# By a script: the same three steps here, in a folder of our own (pip builds a project in place).
make_wheel() {
  mkdir "$work/source" "$work/wheels"
  (cd "$root" && tar -c --exclude=__pycache__ pyproject.toml README.md LICENSE hack/image_requirements.py \
    activator api autoscaler cluster controller embedded manifests predictor rehearsal relight telemetry wire) |
    tar -x -C "$work/source"
  "$python" -m pip wheel -qq --no-deps --wheel-dir "$work/wheels" "$work/source"
}

# installed FILE: the folder of what it lists; made once a week for each list.
installed() {
  local kept=${XDG_CACHE_HOME:-$HOME/.cache}/relight/sites
  kept+=/$(date +%G-%V)-$( ("$python" -V && cat "$1") | sha256sum | cut -c1-16)
  if [ ! -d "$kept" ]; then
    "$python" -m pip install -qq --root-user-action=ignore --target "$kept.$$" -r "$1" >&2
    mv -T "$kept.$$" "$kept" 2>/dev/null || rm -rf "$kept.$$" # another did it meanwhile
  fi
  echo "$kept"
}

site_of() {
  local component variant site
  component=$(component_of "$1") variant=$(variant_of "$1")
  [ "$component" = predictor ] || component=control
  site=$work/site-$component-$variant
  if [ ! -e "$site" ]; then
    (cd "$root" && "$python" hack/image_requirements.py "${component/control/activator}" ${variant:+"$variant"}) >"$work/requirements.txt"
    cp -a "$(installed "$work/requirements.txt")" "$site"
    "$python" -m pip install -qq --root-user-action=ignore --target "$site" --no-deps "$work"/wheels/*.whl >&2
    rm -rf "$site/bin"
  fi
  echo "$site"
}

build_by_script() {
  local name=$1 site state
  site=$(site_of "$name")
  for state in "${states[@]}"; do
    "$tool" "$(image_of "$name")" --python --copy "$site:/opt/relight" --env PYTHONPATH=/opt/relight \
      --env PYTHONDONTWRITEBYTECODE=1 --env PYTHONUNBUFFERED=1 --env HOME=/tmp --workdir / \
      --user 65532:65532 --entrypoint "python3 -m $(component_of "$name")" --dir "$state"
  done
}

main() {
  parse "$@"
  choose
  case $tool in
    docker | podman | buildah)
      for name in "${names[@]}"; do build_by_engine "$name"; log "$(image_of "$name")"; done
      ;;
    *)
      [ ${#states[@]} -gt 0 ] || die "--with $tool: say into which cluster, --dir STATE"
      [ -z "$push" ] || die "--push needs docker, podman or buildah"
      work=$(mktemp -d)
      trap 'rm -rf "$work"' EXIT
      make_wheel
      for name in "${names[@]}"; do build_by_script "$name"; done
      ;;
  esac
}

main "$@"
