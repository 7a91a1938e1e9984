"""Find the model behind a path, and what kind it is, before any library sees it.

For: one sentence for a person where a path leads to no model that is served.
Must not know: how a model is loaded, HTTP, settings.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.modelcode import pin_code
from api.modeldigests import pin
from api.modelfiles import Kind, ModelFileError
from api.modellayouts import Found, located
from predictor.errors import LoadError
from wire import folders
from wire.folders import Folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A model on this machine."""

    path: Path  # what to load, a file or a folder
    files: Folder  # the folder it was found in
    name: str  # of the file that was named in there; "" where the folder was
    found: Found

    @property
    def kind(self) -> Kind:
        """What its format is."""
        return self.found.kind

    def digest(self) -> str:
        """As Revisions pin it, with all that belongs to it. Costs a read of every file."""
        with _told(self.path):
            return pin(self.files, self.name).digest


def find(path: Path) -> Artifact:
    """The model that a path names, a file or one in a folder."""
    with _told(path):
        files, name = folders.of(path)
        found = located(files, name)
    return Artifact(path=files.root / found.path, files=files, name=name, found=found)


def code_digest(path: Path) -> str:
    """Of a Python file, as Revisions pin it: with the neighbours it imports."""
    with _told(path):
        files, name = folders.of(path)
        return pin_code(files, name).digest


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """A LoadError for whatever keeps the files at a path from being read."""
    try:
        yield
    except ModelFileError as error:
        raise LoadError(f"{path} {error}") from None
    except FileNotFoundError:
        raise LoadError(f"there is no model file at {path}") from None
    except OSError as error:
        raise LoadError(f"cannot read {path}: {error.strerror}") from None
