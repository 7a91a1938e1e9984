"""The folder of a packed predictor: which models are in it, and how each of them is asked for.

For: names to models, found anew whenever somebody asks for one that was not there.
Must not know: which are open, memory, HTTP.
"""

import dataclasses
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from api.modelfiles import ModelFileError, kind_of
from api.repositories import MLSERVER, TRITON, mlserver
from predictor import artifacts, config
from predictor.config import Settings
from predictor.errors import LoadError
from wire.folders import Folder

_LOG = logging.getLogger(__name__)
_MODELS_MAX = 10_000


class Files(NamedTuple):
    """What a model's files say before it is opened."""

    size_bytes: int  # a first guess at the memory it takes
    stamp: int  # another one once a file is another


class Repository:
    """Each sub-folder is a model of that name, and each model file is one of its stem's.

    A name that model-settings.json gives goes before its folder's, as in MLServer.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._found: Mapping[str, Path] = {}
        self._told: set[Path] = set()  # what can not be served, once each

    def names(self) -> list[str]:
        """What is there now; LoadError for a folder that cannot be read or is ambiguous."""
        self._found, nameless = _models(self.root)
        for path in sorted(nameless - self._told):
            why = f"{path.name}: a name is of letters, digits and, between them, '.', '_', '-'"
            _LOG.warning("WARNING: --repository: not served for its name: %s", why)
        self._told |= nameless
        return sorted(self._found)

    def path(self, name: str) -> Path | None:
        """Where a model lies; None where there is none."""
        known = self._found.get(name)
        if known is None or not known.exists():
            self.names()
        return self._found.get(name)

    def settings(self, name: str, path: Path, of_process: Settings) -> Settings:
        """Those of the process, for one model. A digest of its own is made when it is opened."""
        return dataclasses.replace(
            of_process,
            repository="",
            model=str(path),
            model_name=name,
            is_name_given=True,
            model_digest="",
        )


def _models(root: Path) -> tuple[dict[str, Path], set[Path]]:
    """By name, and those that no name can be given."""
    try:
        entries = sorted(root.iterdir())
    except OSError as error:
        raise LoadError(f"--repository: cannot read {root}: {error.strerror}") from None
    found: dict[str, Path] = {}
    nameless: set[Path] = set()
    for entry in entries:
        is_model = entry.is_dir() or _is_model(entry)
        name = _name(entry) if entry.is_dir() else entry.stem
        if not is_model or not config.is_name(name):
            if is_model and _is_meant(entry):
                nameless.add(entry)
            continue  # what lies beside models, and hidden folders
        if name in found:
            both = f"{found[name].name} and {entry.name}"
            raise LoadError(f"--repository: {root} holds two models named '{name}': {both}")
        found[name] = entry
    if len(found) > _MODELS_MAX:
        raise LoadError(f"--repository: {root} holds more than {_MODELS_MAX} models")
    return found, nameless


def _is_meant(entry: Path) -> bool:
    """Whether somebody may miss it: hidden ones, and what systems and Python put there, none."""
    return entry.name[0] not in "._" and entry.name != "lost+found"


def _name(folder: Path) -> str:
    """Where settings can not be read, the folder's: opening it says what is wrong with them."""
    if (folder / TRITON).exists() or not (folder / MLSERVER).exists():
        return folder.name
    try:
        said = mlserver(Folder(folder).text(MLSERVER)).get("name")
    except (ModelFileError, OSError):
        return folder.name
    return said if isinstance(said, str) and config.is_name(said) else folder.name


def _is_model(file: Path) -> bool:
    """By its name; where that says nothing, by what it starts with."""
    if kind_of(file.name) is not None:
        return True
    try:
        artifacts.find(file)
    except LoadError:
        return False
    return True


def files_of(path: Path) -> Files:
    """What goes meanwhile counts nothing: to open it says what is wrong."""
    size_bytes, seen = 0, []
    for one in _all(path):
        try:
            found = one.stat()
        except OSError:
            continue
        size_bytes += found.st_size
        seen.append((str(one), found.st_size, found.st_mtime_ns))
    return Files(size_bytes, hash(tuple(sorted(seen))))


def _all(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, _, names in os.walk(path):
        yield from (Path(folder, name) for name in names)
