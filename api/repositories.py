"""Which file and which version a model repository's own settings name.

For: config.pbtxt (Triton) and model-settings.json (MLServer), as far as they choose a model.
Must not know: how files are listed or read, nor what else those settings say.
"""

import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api import textproto
from api.modelfiles import Kind, ModelFileError

TRITON = "config.pbtxt"
MLSERVER = "model-settings.json"

_ANY: frozenset[Kind] = frozenset()
_TORCH = frozenset((Kind.TORCHSCRIPT, Kind.TORCH_EXPORT))
_TREES = frozenset((Kind.XGBOOST, Kind.LIGHTGBM))
_SAVED = frozenset((Kind.SAVED_MODEL,))
_PLATFORMS = {  # Triton's older and newer words for what runs a model
    "onnxruntime_onnx": frozenset((Kind.ONNX,)),
    "onnxruntime": frozenset((Kind.ONNX,)),
    "tensorflow_savedmodel": _SAVED,
    "tensorflow": _SAVED,
    "pytorch_libtorch": _TORCH,
    "pytorch": _TORCH,
    "fil": _TREES,
}
_PLATFORMS_NOT = {
    "tensorrt_plan": "a TensorRT engine runs only on the kind of card it was built on",
    "tensorrt": "a TensorRT engine runs only on the kind of card it was built on",
    "tensorflow_graphdef": "a frozen graph has no signature: save a SavedModel",
    "ensemble": "no ensembles are served: make a transformer of one's steps",
    "python": "Triton's Python models use its own module: serve a class with --python",
}
_IMPLEMENTATIONS = {  # the package in front of MLServer's class
    "mlserver_sklearn": frozenset((Kind.PICKLE, Kind.SKOPS)),
    "mlserver_xgboost": frozenset((Kind.XGBOOST,)),
    "mlserver_lightgbm": frozenset((Kind.LIGHTGBM,)),
    "mlserver_mlflow": frozenset((Kind.MLFLOW,)),
    "mlserver_huggingface": frozenset((Kind.HUGGINGFACE,)),
    "mlserver_onnx": frozenset((Kind.ONNX,)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the settings ask for; nothing, as a rule."""

    file: str = ""  # of that name, beside the settings or in the version's folder
    uri: str = ""  # a path from the settings' folder, "." for that folder
    kinds: frozenset[Kind] = _ANY  # one of these; empty: any
    versions: tuple[int, ...] = ()  # one of these; empty: any
    because: str = ""  # the words in the settings that say which kinds

    def check(self, kind: Kind, path: str) -> None:
        """ModelFileError if the settings speak of another kind of model."""
        if self.kinds and kind not in self.kinds:
            raise ModelFileError(f"holds {path}, which is {kind.value}, while {self.because}")


def of_triton(text: str) -> Wanted:
    """What config.pbtxt asks for."""
    said = triton(text)
    kinds, because = _ANY, ""
    for field in ("platform", "backend"):
        for word in filter(None, said.get(field, ())):
            kinds, because = _platform(field, str(word)), f'{TRITON} says {field} "{word}"'
    names = said.get("default_model_filename") or [""]
    file = str(names[-1])
    if "/" in file or file.startswith("."):
        raise ModelFileError(f'holds {TRITON} whose default_model_filename "{file}" is no name')
    return Wanted(file=file, kinds=kinds, because=because, versions=_versions(said))


def triton(text: str) -> textproto.Message:
    """The fields of config.pbtxt."""
    try:
        return textproto.parse(text)
    except textproto.TextFormatError as error:
        raise ModelFileError(f"holds {TRITON} that cannot be read: {error}") from None


def of_mlserver(text: str) -> Wanted:
    """What model-settings.json asks for."""
    said = mlserver(text)
    parameters = said.get("parameters") or {}
    uri = parameters.get("uri") or ""
    if not isinstance(parameters, Mapping) or not isinstance(uri, str):
        raise ModelFileError(f"holds {MLSERVER} whose parameters.uri is not text")
    if uri:
        uri = posixpath.normpath(uri)
        if ":" in uri or uri.startswith(("/", "..")):
            raise ModelFileError(
                f"holds {MLSERVER} whose parameters.uri leads out of the folder: {uri}"
            )
    kinds, because = _implementation(str(said.get("implementation") or ""))
    return Wanted(uri=uri, kinds=kinds, because=because)


def mlserver(text: str) -> Mapping[str, Any]:
    """The fields of model-settings.json."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"holds {MLSERVER} that cannot be read: {error}") from None
    if not isinstance(said, Mapping):
        raise ModelFileError(f"holds {MLSERVER} that is not an object")
    return said


def _platform(field: str, word: str) -> frozenset[Kind]:
    if word in _PLATFORMS:
        return _PLATFORMS[word]
    why = _PLATFORMS_NOT.get(word, f"only {', '.join(_PLATFORMS)} are served")
    raise ModelFileError(f'holds {TRITON} that asks for {field} "{word}": {why}')


def _versions(said: textproto.Message) -> tuple[int, ...]:
    for policy in said.get("version_policy", ()):
        for specific in policy.get("specific", ()) if isinstance(policy, dict) else ():
            versions = specific.get("versions", []) if isinstance(specific, dict) else []
            if not versions or not all(isinstance(each, int) for each in versions):
                raise ModelFileError(f"holds {TRITON} whose version_policy names no versions")
            return tuple(versions)
    return ()


def _implementation(name: str) -> tuple[frozenset[Kind], str]:
    if not name:
        return _ANY, ""
    package = name.partition(".")[0]
    if package not in _IMPLEMENTATIONS:
        known = ", ".join(_IMPLEMENTATIONS)
        raise ModelFileError(
            f'holds {MLSERVER} that asks for implementation "{name}": only models of {known} are '
            "served; for code of your own there is --python FILE.py:CLASS"
        )
    return _IMPLEMENTATIONS[package], f'{MLSERVER} says implementation "{name}"'
