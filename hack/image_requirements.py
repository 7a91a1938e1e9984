"""What an image installs beside our wheel: `python3 hack/image_requirements.py activator`.

The wheel asks for all that `relight up` needs; a component needs less of it. Versions stand in
pyproject.toml alone, and a test holds each list against what the component imports.
"""

import re
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"

# The three that share every layer: which of our dependencies they import, by name.
_CONTROL = (
    *("aiohttp", "cryptography", "hpack", "httptools", "orjson", "prometheus-client"),
    *("pyyaml", "redis", "typing-extensions", "uvloop"),
)
_PREDICTOR = (
    *("hpack", "httptools", "numpy", "orjson", "protobuf", "pyyaml"),
    *("typing-extensions", "uvloop"),
)
COMPONENTS = {
    "activator": _CONTROL,
    "autoscaler": _CONTROL,
    "controller": _CONTROL,
    "predictor": _PREDICTOR,
}
# What each predictor image installs more, by the end of its tag. Every one fetches from anywhere.
_ANYWHERE = ("codecs", "gcs", "s3")
# The first serves every format whose library is light; controller/own_runtimes.py names the others.
VARIANTS = {
    "": ("cpu", *_ANYWHERE, "formats"),
    "onnx": ("cpu", *_ANYWHERE),
    "explain": ("cpu", *_ANYWHERE, "formats", "explain"),
    "mlflow": ("cpu", *_ANYWHERE, "formats", "mlflow"),
    "tensorflow": ("cpu", *_ANYWHERE, "tensorflow"),
    "torch": ("cpu", *_ANYWHERE, "huggingface"),
    "gpu": ("gpu", *_ANYWHERE, "formats"),
    "gpu-tensorflow": ("gpu", *_ANYWHERE, "tensorflow"),  # which computes on the processor
    "gpu-torch": ("gpu", *_ANYWHERE, "huggingface"),
}


def requirements(component: str, variant: str = "") -> list[str]:
    """The lines of a requirements file, sorted; ValueError names what does not exist."""
    if component not in COMPONENTS:
        raise ValueError(f"no image {component!r}: one of {', '.join(COMPONENTS)}")
    if variant and (component != "predictor" or variant not in VARIANTS):
        raise ValueError(f"no image {component} {variant!r}: of predictor {', '.join(VARIANTS)}")
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    known = {_name(each): each for each in (*project["dependencies"], *extras["redis"])}
    found = {known.get(name, name) for name in COMPONENTS[component]}
    if component == "predictor":
        found.update(*(_expanded(extras, each) for each in VARIANTS[variant]))
    return sorted(found)


def _expanded(extras: dict[str, list[str]], extra: str) -> set[str]:
    """What an extra installs, with those it names itself."""
    found: set[str] = set()
    for each in extras[extra]:
        own = re.fullmatch(r"relight\[(.+)\]", each)
        if own is None:
            found.add(each)
        else:
            found.update(*(_expanded(extras, name) for name in own[1].split(",")))
    return found


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9-]", requirement, maxsplit=1)[0]


def main(arguments: list[str]) -> int:
    """Print the requirements of one image; the exit code."""
    try:
        print("\n".join(requirements(*arguments)))
    except (TypeError, ValueError) as error:
        print(f"usage: image_requirements.py COMPONENT [VARIANT]: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
