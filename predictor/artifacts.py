"""Find the model file behind a path, and what kind it is, before any library sees it.

For: one sentence for a person where a path leads to no model that is served.
Must not know: how a model is loaded, HTTP, settings.
"""

from itertools import chain, islice
from pathlib import Path

from api.modelfiles import HEAD_BYTES, NAMES_MAX, Kind, ModelFileError, choose, recognise
from predictor.errors import LoadError


def find(path: Path) -> tuple[Path, Kind]:
    """The file to load, the path itself or the model in that folder, and its kind."""
    try:
        file = path / choose(_names(path)) if path.is_dir() else path
        with file.open("rb") as opened:
            head = opened.read(HEAD_BYTES)
    except ModelFileError as error:
        raise LoadError(f"{path} {error}") from None
    except FileNotFoundError:
        raise LoadError(f"there is no model file at {path}") from None
    except OSError as error:
        raise LoadError(f"cannot read {path}: {error.strerror}") from None
    try:
        return file, recognise(file.name, head)
    except ModelFileError as error:
        raise LoadError(f"{file} {error}") from None


def _names(folder: Path) -> list[str]:
    found = (path for path in chain(folder.glob("*"), folder.glob("*/*")) if path.is_file())
    return [str(path.relative_to(folder)) for path in islice(found, NAMES_MAX + 1)]
