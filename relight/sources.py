"""The local file a deployment names: checked, made absolute, fingerprinted.

For: finding a mistyped path before anything is sent, and noticing a file that changed.
Must not know: what models contain, Services, or how anything is sent.
"""

import hashlib
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from urllib.parse import unquote, urlsplit

from api.modelfiles import NAMES_MAX, ModelFileError, choose
from relight.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What to write into the manifest, and the digest of the file if it is a local one."""

    text: str
    digest: str | None  # "sha256:<64 hex>"


def model(given: str, *, folder: Path, is_checked: bool) -> Source:
    """A model by path, by file:// URI (both local) or by any other URI (taken as it is)."""
    scheme, separator, _ = given.partition("://")
    if separator and scheme != "file":
        return Source(text=given, digest=None)
    path = Path(unquote(urlsplit(given).path)) if separator else folder / Path(given).expanduser()
    chosen = _chosen(path) if is_checked and path.is_dir() else path
    return Source(text=str(path.absolute()), digest=_checked("--model", chosen, is_checked))


def python(given: str, *, folder: Path, is_checked: bool) -> Source:
    """A class in a local file, as FILE.py:CLASS."""
    file, separator, name = given.rpartition(":")
    if not separator or not name.isidentifier():
        raise UsageError(f"--python: expected FILE.py:CLASS, got {given}")
    path = (folder / Path(file).expanduser()).absolute()
    return Source(text=f"{path}:{name}", digest=_checked("--python", path, is_checked))


def _checked(flag: str, path: Path, is_checked: bool) -> str | None:
    if not is_checked:
        return None
    try:
        if path.is_dir():
            raise UsageError(f"{flag}: {path} is a directory; name a file")
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except FileNotFoundError:
        raise UsageError(f"{flag}: {path} does not exist (--no-check skips this test)") from None
    except OSError as error:
        raise UsageError(f"{flag}: {path}: {error.strerror}") from error


def _chosen(folder: Path) -> Path:
    """The model in a folder, as the platform chooses it."""
    files = (path for path in chain(folder.glob("*"), folder.glob("*/*")) if path.is_file())
    names = [str(path.relative_to(folder)) for path in islice(files, NAMES_MAX + 1)]
    try:
        return folder / choose(names)
    except ModelFileError as error:
        raise UsageError(f"--model: {folder} {error}") from None
