"""Write `manifests/` from `api/`: `make manifests`.

They are committed, so that a cluster needs no Python to install them; a test proves that they
are what `api/` says.
"""

from pathlib import Path

import yaml

from api import crds
from api.runtime_builtin import built_in

ROOT = Path(__file__).parent.parent / "manifests"
HEADER = "# Written by `make manifests` from api/: do not edit.\n"

_LIST = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}


class _Plain(yaml.SafeDumper):
    """Without anchors: parts that stand in several places are written out in each."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def files() -> dict[str, str]:
    """The text of every file, by its path below `manifests/`."""
    found = {f"300-crds/{name}.yaml": each for name, each in crds.definitions().items()}
    # Those by a name of KServe's are for laptops: a cluster may run KServe's own.
    runtimes = {each["metadata"]["name"]: each for each in built_in()}
    found |= {
        f"400-runtimes/{name}.yaml": each
        for name, each in runtimes.items()
        if name.startswith("relight-")
    }
    texts = {path: HEADER + _text(each) for path, each in found.items()}
    # Without a suffix: `kubectl apply -f` of a folder takes what ends in .yaml for objects.
    for folder in ("300-crds", "400-runtimes"):
        names = sorted(Path(path).name for path in texts if path.startswith(folder))
        texts[f"{folder}/Kustomization"] = HEADER + _text(_LIST | {"resources": names})
    return texts


def _text(raw: object) -> str:
    return yaml.dump(raw, Dumper=_Plain, sort_keys=False, width=100)


if __name__ == "__main__":
    for path, text in files().items():
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        print(f"manifests/{path}")
