"""What kind of model a file holds, by its name, its first bytes and what an archive lists.

For: one answer wherever a file is named as a model: pinning, keeping copies, loading.
Must not know: how files are read, how folders are laid out, nor how a model is loaded.

A name decides where it can, the bytes where it says nothing or too little.
"""

import enum
import re
from collections.abc import Sequence

from api.modelrefusals import BY_MEMBER, BY_NAME, BY_START, BY_SUFFIX, MODEL_JSON


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


SUFFIXES = {  # that say what a file is
    ".onnx": Kind.ONNX,
    ".skops": Kind.SKOPS,
    ".joblib": Kind.PICKLE,
    ".pkl": Kind.PICKLE,
    ".pickle": Kind.PICKLE,
    ".ubj": Kind.XGBOOST,
    ".xgb": Kind.XGBOOST,
    ".lgb": Kind.LIGHTGBM,
    ".pmml": Kind.PMML,
    ".pfa": Kind.PFA,
    ".tflite": Kind.TFLITE,
    ".ts": Kind.TORCHSCRIPT,
    ".pt": Kind.TORCHSCRIPT,
    ".pth": Kind.TORCHSCRIPT,
    ".pt2": Kind.TORCH_EXPORT,
}
VAGUE = (".bst", ".model", ".json", ".txt", ".xml")  # that many files have; the content decides
LOADABLE = ", ".join((*SUFFIXES, *VAGUE[:2]))
HEAD_BYTES = 65_536  # what `recognise` needs of a file, if it has as many
FLAGS = (
    "--model",
    "--model_dir",
)  # a predictor's flags that name the model; the second is KServe's

_ZIP = b"PK\x03\x04"
_IR_FIELD = 0x08  # how a serialised ModelProto starts: field 1 (ir_version), a varint
_IR_VERSION_MAX = 32
_LFS = b"version https://git-lfs"
_TORCH_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"  # torch.save before 1.6
_XGBOOST_BINARY = (b"binf", b"\x00\x00\x00\x3f", b"\x00\x00\x00\xbf")  # "binf", or base_score 0.5
_WEIGHTS = (
    "holds weights without the code that runs them, as torch.save writes: "
    "save the model with torch.jit.save, torch.export.save or torch.onnx.export"
)
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]:]')
_PFA_KEYS = frozenset(("input", "output", "action"))
_PFA_MORE = frozenset(("cells", "pools", "fcns", "begin", "end", "method"))
_PFA_NAMES = (".pfa.json", ".pfa.yaml", ".pfa.yml")
_SHOWN = 8


class ModelFileError(ValueError):
    """No file can be served; the message is a clause that follows the path."""


def kind_of(name: str) -> Kind | None:
    """What a file's name says it is; None if it says nothing."""
    return SUFFIXES.get(suffix_of(name))


def suffix_of(name: str) -> str:
    """The suffix of a file's name in small letters; "" of a name that is nothing else."""
    base = name.rpartition("/")[2].lower()
    if base.endswith(_PFA_NAMES):
        return ".pfa"
    stem, dot, suffix = base.rpartition(".")
    return dot + suffix if stem else ""


def is_archive(head: bytes) -> bool:
    """Whether `recognise` wants to know what the file lists, as a zip archive."""
    return head.startswith(_ZIP)


def is_pointer(head: bytes) -> bool:
    """Whether Git LFS left a few lines where the file should be."""
    return head.startswith(_LFS)


def recognise(name: str, head: bytes, members: Sequence[str] = ()) -> Kind:
    """What a file holds, by its name, its first bytes and the names in it if it is an archive.

    ModelFileError says what else it is.
    """
    if not head:
        raise ModelFileError("is empty")
    if is_pointer(head):
        raise ModelFileError("is a Git LFS pointer, not the model; run git lfs pull")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:64].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        raise ModelFileError(
            "is an HTML page, not a model: what was downloaded may be a page about it"
        )
    if refusal := BY_NAME.get(name.rpartition("/")[2]) or BY_SUFFIX.get(suffix_of(name)):
        raise ModelFileError(refusal)
    said, seen = kind_of(name), _kind_by_bytes(name, head, members)
    if seen is None:
        if said is None:
            raise ModelFileError(f"{_other(head, members)}; this version serves {LOADABLE}")
        return said
    if said is not None and seen is not said and not _is_torch(said, seen):
        raise ModelFileError(f"holds {seen.value}, while its name says {said.value}: rename it")
    return seen


def _is_torch(said: Kind, seen: Kind) -> bool:
    both = (Kind.TORCHSCRIPT, Kind.TORCH_EXPORT)  # both are saved as .pt
    return said in both and seen in both


def _kind_by_bytes(name: str, head: bytes, members: Sequence[str]) -> Kind | None:
    if len(head) > 1 and head[0] == _IR_FIELD and 0 < head[1] <= _IR_VERSION_MAX:
        return Kind.ONNX
    if is_archive(head):
        return _kind_of_archive(name, members)
    if head[0] == 0x80 and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return _of_torch_save(name) if head.startswith(_TORCH_MAGIC) else _kind_of_pickle(name)
    if head[4:8] == b"TFL3":
        return Kind.TFLITE
    if head.startswith(b"{") and b"learner" in head[:24] and head[1:2] in b"LlUiI":
        return Kind.XGBOOST
    if re.match(rb"tree\r?\nversion=", head):
        return Kind.LIGHTGBM
    if _is_old_xgboost(name, head):
        raise ModelFileError(
            "is an XGBoost model in the old binary format, which XGBoost 3 no longer reads: "
            'load it with XGBoost 2 and save it again with save_model("model.ubj")'
        )
    return _kind_of_text(head)


def _kind_of_pickle(name: str) -> Kind:
    """A pickle under a name of PyTorch's is PyTorch's to explain."""
    return Kind.TORCHSCRIPT if kind_of(name) is Kind.TORCHSCRIPT else Kind.PICKLE


def _of_torch_save(name: str) -> Kind:
    """A module with its code's name, which is served with consent, or nothing but weights."""
    if kind_of(name) is Kind.TORCHSCRIPT:
        return Kind.TORCHSCRIPT
    raise ModelFileError(_WEIGHTS)


def _is_old_xgboost(name: str, head: bytes) -> bool:
    is_named = suffix_of(name) in (".bst", ".xgb", ".model")
    return head.startswith(b"binf") or (is_named and head.startswith(_XGBOOST_BINARY))


def _kind_of_archive(name: str, members: Sequence[str]) -> Kind | None:
    bases = {member.rpartition("/")[2] for member in members}
    folders = {part for member in members for part in member.split("/")[:-1]}
    if "archive_format" in bases or "serialized_exported_program.json" in bases:
        return Kind.TORCH_EXPORT
    if "constants.pkl" in bases and "code" in folders:
        return Kind.TORCHSCRIPT
    if "data.pkl" in bases and "schema.json" not in members:
        return _of_torch_save(name)
    if "schema.json" in members:
        return Kind.SKOPS
    for wanted, sentence in BY_MEMBER:
        if any(member == wanted or member.startswith(wanted) for member in members):
            raise ModelFileError(sentence)
    return kind_of(name)  # its own reader says what is wrong with it


def _kind_of_text(head: bytes) -> Kind | None:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"<") and b"<pmml" in text.lower():
        return Kind.PMML
    if not text.startswith(b"{"):
        return None
    keys = top_level_keys(text)
    if "learner" in keys:
        return Kind.XGBOOST
    if len(keys & _PFA_KEYS) > 1 or ("action" in keys and keys & _PFA_MORE):
        return Kind.PFA
    for wanted, sentence in MODEL_JSON:
        if wanted <= keys:
            raise ModelFileError(sentence)
    return None


def top_level_keys(text: bytes) -> frozenset[str]:
    """The names of a JSON object's fields, as far as its beginning shows them."""
    found: set[str] = set()
    depth, last = 0, b""
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in b"{[":
            depth += 1
        elif token in b"}]":
            depth -= 1
        elif token == b":" and depth == 1 and last:
            found.add(last[1:-1].decode(errors="replace"))
        last = token if token[:1] == b'"' else b""
    return frozenset(found)


def _other(head: bytes, members: Sequence[str]) -> str:
    for start, words in BY_START:
        if head.startswith(start):
            return f"is {words}"
    if is_archive(head):
        return f"is a zip archive of {listed(sorted(members))}" if members else "is a zip archive"
    if re.fullmatch(rb"[\t\n\r\x20-\x7e]+", head):
        first = head.split(b"\n", 1)[0].strip()[:40].decode("ascii")
        return f"is text, not a model: it starts with '{first}'"
    return f"is no model that is known here: it starts with {head[:8]!r}"


def listed(names: Sequence[str]) -> str:
    """A few names and how many more there are."""
    shown = ", ".join(names[:_SHOWN])
    more = len(names) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
