"""Which file of a folder is the model, and what kind of model a file holds.

For: one answer wherever a folder is named as a model: pinning, keeping copies, loading.
Must not know: how files are listed or read, nor how a model is loaded.

A name decides where it can, the first bytes decide where it says nothing.
"""

import enum
import re
from collections.abc import Sequence


class Kind(enum.Enum):
    """A kind of model file that is served; the value is what a person calls it."""

    ONNX = "ONNX"
    SKOPS = "skops"
    PICKLE = "pickle"
    XGBOOST = "XGBoost"
    LIGHTGBM = "LightGBM"
    PMML = "PMML"
    PFA = "PFA"
    SAVED_MODEL = "TensorFlow SavedModel"  # a folder
    TFLITE = "TensorFlow Lite"
    TORCHSCRIPT = "TorchScript"
    TORCH_EXPORT = "torch.export"
    MLFLOW = "MLflow"  # a folder
    HUGGINGFACE = "Hugging Face"  # a folder


SUFFIXES = {
    ".onnx": Kind.ONNX,
    ".skops": Kind.SKOPS,
    ".joblib": Kind.PICKLE,
    ".pkl": Kind.PICKLE,
    ".pickle": Kind.PICKLE,
}
LOADABLE = ", ".join(SUFFIXES)
HEAD_BYTES = 512  # what `recognise` needs of a file
FLAGS = (
    "--model",
    "--model_dir",
)  # a predictor's flags that name the model; the second is KServe's
NAMES_MAX = 1000  # of files in a folder and one level below; list one more to tell
_NAMES_SHOWN = 8

_IR_FIELD = 0x08  # how a serialised ModelProto starts: field 1 (ir_version), a varint
_IR_VERSION_MAX = 32
_LFS = b"version https://git-lfs"
_OTHERS = (
    (b"\x89HDF", "an HDF5 file, as Keras writes"),
    (b"GGUF", "a GGUF file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"{L", "a UBJSON file, as XGBoost writes"),
    (b"tree\nversion=", "a LightGBM text model"),
)


class ModelFileError(ValueError):
    """No file can be served; the message is a clause that follows the path."""


def choose(names: Sequence[str]) -> str:
    """The model among the files of a folder, by their names relative to it.

    At the top, or in the highest of the sub-folders that are numbers (Triton's and TensorFlow
    Serving's versions). Where no name says that it is a model, a lone file is taken and its
    content decides. Names that start with a dot are nobody's.
    """
    if len(names) > NAMES_MAX:
        raise ModelFileError(f"holds more than {NAMES_MAX} files: name the one to serve")
    visible = sorted(name for name in names if not any(p[:1] == "." for p in name.split("/")))
    top = [name for name in visible if "/" not in name]
    versions = {name.partition("/")[0] for name in visible} - set(top)
    numbers = sorted((version for version in versions if _is_number(version)), key=int)
    groups = [("", top)]
    if numbers:
        start = f"{numbers[-1]}/"
        deeper = [name for name in visible if name.startswith(start) and name.count("/") == 1]
        groups.append((f" in {numbers[-1]}", deeper))
    for where, group in groups:
        models = [name for name in group if kind_of(name) is not None]
        if len(models) > 1:
            raise ModelFileError(
                f"holds {len(models)} model files{where} ({_list(models)}): name the one to serve"
            )
        if models:
            return models[0]
    for _, group in groups:
        if len(group) == 1:
            return group[0]
    found = f"holds {_list(visible)}, none of which is a model" if visible else "holds no file"
    raise ModelFileError(
        f"{found}; a folder is served that has one file of {LOADABLE}, "
        "or one in a sub-folder named by a version number"
    )


def kind_of(name: str) -> Kind | None:
    """What a file's name says it is; None if it says nothing."""
    base = name.rpartition("/")[2].lower()
    stem, dot, suffix = base.rpartition(".")
    return SUFFIXES.get(dot + suffix) if stem else None


def recognise(name: str, head: bytes) -> Kind:
    """What a file holds, by its name and its first bytes; ModelFileError says what else it is."""
    if not head:
        raise ModelFileError("is empty")
    if head.startswith(_LFS):
        raise ModelFileError("is a Git LFS pointer, not the model; run git lfs pull")
    if page := _text_page(head):
        raise ModelFileError(page)
    said, seen = kind_of(name), _kind_by_bytes(head)
    if said is None:
        if seen is None:
            raise ModelFileError(f"{_other(head)}; this version serves {LOADABLE}")
        return seen
    if seen is not None and seen is not said:
        raise ModelFileError(f"holds {seen.value}, while its name says {said.value}: rename it")
    return said


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) <= 19


def _kind_by_bytes(head: bytes) -> Kind | None:
    if len(head) > 1 and head[0] == _IR_FIELD and 0 < head[1] <= _IR_VERSION_MAX:
        return Kind.ONNX
    if head.startswith(b"PK\x03\x04"):
        return Kind.SKOPS  # or another archive: skops' own reader says
    if head[0] == 0x80 and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return Kind.PICKLE
    return None


def _text_page(head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:64].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "is an HTML page, not a model: what was downloaded may be a page about it"
    if start.startswith(b"<?xml") and b"<pmml" in head.lower():
        return f"is a PMML document; this version serves {LOADABLE}"
    return ""


def _other(head: bytes) -> str:
    for start, words in _OTHERS:
        if head.startswith(start):
            return f"is {words}"
    if head[4:8] == b"TFL3":
        return "is a TensorFlow Lite file"
    if re.fullmatch(rb"[\t\n\r\x20-\x7e]+", head):
        first = head.split(b"\n", 1)[0].strip()[:40].decode("ascii")
        return f"is text, not a model: it starts with '{first}'"
    return f"is no model that is known here: it starts with {head[:8]!r}"


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
