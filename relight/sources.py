"""The local file or folder a deployment names: checked, made absolute, fingerprinted.

For: finding a mistyped path before anything is sent, and noticing a file that changed.
Must not know: what models contain, Services, or how anything is sent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from api.modelcode import pin_code
from api.modeldigests import Pin, Readable, pair, pin
from api.modelfiles import ModelFileError
from relight.errors import UsageError
from wire import folders


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What to write into the manifest, and the digest of the file if it is a local one."""

    text: str
    digest: str | None  # "sha256:<64 hex>"


def model(given: str, *, folder: Path, is_checked: bool) -> Source:
    """A model by path, by file:// URI (both local) or by any other URI (taken as it is)."""
    path = _path(given, folder)
    if path is None:
        return Source(text=given, digest=None)
    digest = _digest("--model", path, pin) if is_checked else None
    return Source(text=str(path.absolute()), digest=digest)


def repository(given: str, *, folder: Path, is_checked: bool) -> str:
    """The absolute path of a folder of models. It has no digest: they come and go."""
    path = _path(given, folder)
    if path is None:
        raise UsageError(f"--repository: {given} is not fetched: name a folder, or one --model")
    if is_checked:
        try:
            next(path.iterdir(), None)
        except FileNotFoundError:
            told = f"{path} does not exist (--no-check skips this test)"
            raise UsageError(f"--repository: {told}") from None
        except NotADirectoryError:
            told = f"{path} is a file: name the folder of models it is in, or give --model"
            raise UsageError(f"--repository: {told}") from None
        except OSError as error:
            raise UsageError(f"--repository: {path}: {error.strerror}") from None
    return str(path.absolute())


def _path(given: str, folder: Path) -> Path | None:
    """Of what lies on this machine; None for a URI of something elsewhere."""
    scheme, separator, _ = given.partition("://")
    if separator and scheme != "file":
        return None
    return Path(unquote(urlsplit(given).path)) if separator else folder / Path(given).expanduser()


def python(given: str, *, folder: Path, is_checked: bool, flag: str = "--python") -> Source:
    """A class in a local file, as FILE.py:CLASS."""
    file, separator, name = given.rpartition(":")
    if not separator or not name.isidentifier():
        raise UsageError(f"{flag}: expected FILE.py:CLASS, got {given}")
    path = (folder / Path(file).expanduser()).absolute()
    if is_checked and path.is_dir():
        raise UsageError(f"{flag}: {path} is a directory; name a file")
    digest = _digest(flag, path, pin_code) if is_checked else None
    return Source(text=f"{path}:{name}", digest=digest)


def paired(model: Source | None, transformer: Source | None) -> Source | None:
    """A model with the digest of both, where there is code around it."""
    if transformer is None or model is None:
        return model or transformer
    digests = (model.digest, transformer.digest)
    known = [digest for digest in digests if digest is not None]
    return Source(text=model.text, digest=pair(*known) if len(known) == len(digests) else None)


def _digest(flag: str, path: Path, pinned: Callable[[Readable, str], Pin]) -> str:
    """As the platform pins it."""
    try:
        return pinned(*folders.of(path)).digest
    except ModelFileError as error:
        raise UsageError(f"{flag}: {path} {error}") from None
    except FileNotFoundError:
        raise UsageError(f"{flag}: {path} does not exist (--no-check skips this test)") from None
    except OSError as error:
        raise UsageError(f"{flag}: {path}: {error.strerror}") from None
