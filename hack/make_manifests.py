"""Write `manifests/` from `api/`: `make manifests`.

They are committed, so that a cluster needs no Python to install them; a test proves that they
are what `api/` says.
"""

from pathlib import Path

import yaml

from api import crds

ROOT = Path(__file__).parent.parent / "manifests"
HEADER = "# Written by `make manifests` from api/: do not edit.\n"


class _Plain(yaml.SafeDumper):
    """Without anchors: parts that stand in several places are written out in each."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def files() -> dict[str, str]:
    """The text of every file, by its path below `manifests/`."""
    return {
        f"300-crds/{name}.yaml": HEADER
        + yaml.dump(definition, Dumper=_Plain, sort_keys=False, width=100)
        for name, definition in crds.definitions().items()
    }


if __name__ == "__main__":
    for path, text in files().items():
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        print(f"manifests/{path}")
