"""Every shape of the tree, rendered once a run."""

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
TREE = ROOT / "manifests"
KUBECTL = Path(sys.executable).parent / "kubectl"
OVERLAYS = sorted(each.name for each in (TREE / "overlays").iterdir())
BESIDE = "overlays/beside-knative"  # the autoscaler alone
SHAPES = ["", *(f"overlays/{each}" for each in OVERLAYS if f"overlays/{each}" != BESIDE)]
EVERY = [*SHAPES, BESIDE]
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@functools.cache
def rendered(shape: str) -> tuple[dict[str, Any], ...]:
    """As `kubectl apply -k` would send it, without the definitions: others test those."""
    done = subprocess.run(
        [KUBECTL, "kustomize", str(TREE / shape)], capture_output=True, check=True, timeout=60
    )
    texts = done.stdout.decode().split("\n---\n")
    return tuple(
        yaml.load(text, Loader=_LOADER)
        for text in texts
        if "\nkind: CustomResourceDefinition\n" not in text
    )


def of(shape: str, kind: str) -> list[dict[str, Any]]:
    """Its objects of a kind."""
    return [each for each in rendered(shape) if each["kind"] == kind]


def workloads(shape: str) -> list[dict[str, Any]]:
    """Whatever makes Pods."""
    return [e for k in ("Deployment", "StatefulSet", "DaemonSet") for e in of(shape, k)]


def title(obj: dict[str, Any]) -> str:
    """Its kind and name, for a failure to name it."""
    return f"{obj['kind']} {obj['metadata']['name']}"
