"""What a PyTorch file holds, read before torch sees it: a script, an export, or a pickle.

For: refusing what would run or write without consent, by looking at names and text only.
Must not know: torch, settings, or how a model is run.

A TorchScript archive is a program in a language of its own, which torch interprets without
Python; a module's __setstate__ runs while it is loaded. Two of its operators touch files, save
and from_file, so code that names them needs consent.
"""

import enum
import re
import zipfile
import zlib
from pathlib import Path

from predictor.errors import LoadError

_TOUCHES_FILES = re.compile(rb"\b(save|from_file)\b")
_FOREIGN_CLASS = re.compile(rb"\btorch\s*\.\s*classes\s*\.\s*(?!quantized\b|xnnpack\b)(\w+)")
_CODE_BYTES_MAX = 64 * 1024 * 1024
_LEGACY_START = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # torch.save before 1.6


class Held(enum.Enum):
    """What torch wrote."""

    SCRIPT = "a TorchScript"
    EXPORT = "a torch.export program"
    PICKLE = "what torch.save wrote"


def look(path: Path) -> Held:
    """What is in the file; LoadError where torch did not write it."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
        if not head.startswith(b"PK"):
            if head.startswith(_LEGACY_START) or head[:1] == b"\x80":
                return Held.PICKLE
            raise LoadError(f"{path} is not a file of PyTorch's: it starts with {head[:8]!r}")
        with zipfile.ZipFile(path) as archive:
            names = [name.partition("/")[2] for name in archive.namelist()]
    except zipfile.BadZipFile:
        raise LoadError(f"{path} is cut short or damaged: its archive has no end") from None
    except OSError as error:
        raise LoadError(f"cannot read {path}: {error.strerror}") from None
    if "archive_format" in names or "serialized_exported_program.json" in names:
        return Held.EXPORT
    if "constants.pkl" in names or "model.json" in names:
        return Held.SCRIPT
    if "data.pkl" in names:
        return Held.PICKLE
    raise LoadError(f"{path} is an archive, but not one that PyTorch wrote: no data.pkl in it")


def unsafe(path: Path) -> str:
    """Why a script may not be loaded without consent; '' where it only computes."""
    try:
        return _unsafe(path)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError):
        return "holds code that can not be read: damaged, encrypted or packed in an unusual way"


def _unsafe(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        files = archive.infolist()
        if len({file.filename for file in files}) != len(files):
            return "holds two files of one name, which readers take differently"
        if any(file.filename.partition("/")[2] == "model.json" for file in files):
            return "has the form of PyTorch before 1.4, whose code is not looked through"
        for file in files:
            if not file.filename.endswith(".py"):
                continue
            if file.file_size > _CODE_BYTES_MAX:
                return f"holds {file.file_size} bytes of code in one file"
            code = archive.read(file)
            if found := _TOUCHES_FILES.search(code):
                return f"names {found[1].decode()} in its code, which can read or write files"
            if found := _FOREIGN_CLASS.search(code):
                return f"uses the class {found[1].decode(errors='replace')} of an extension"
    return ""
