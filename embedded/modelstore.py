"""Keep a verified copy of each pinned model, named by its digest.

For: serving a Revision from the bytes it was made with, even after the user's file changed, so
that a roll-back is one; and sparing every later start the hashing.
Must not know: Pods, what a model contains, or who asked for it.
"""

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import Collection
from itertools import chain, islice
from pathlib import Path
from urllib.parse import unquote, urlsplit

from api.modelfiles import NAMES_MAX, ModelFileError, choose

_CHUNK_BYTES = 1 << 20
# An ONNX tensor kept in a file of its own says so with an entry of this key (onnx.proto,
# TensorProto.external_data: field 1, 8 bytes), and the file is looked for beside the model.
# Such a model is served where it lies.
_EXTERNAL_KEY = b"\x0a\x08location"


class ModelError(Exception):
    """The model can not be served; the message is one sentence for a person."""


class ModelStore:
    """A folder of models, one sub-folder a digest."""

    def __init__(self, root: Path, *, model_root: Path) -> None:
        self._root = root
        self._model_root = model_root

    async def prepare(self, model: str, digest: str) -> str:
        """The path to load for a `--model` value pinned to a digest ("sha256:…" or "").

        Of a folder, the one file that is its model; once copied, whatever became of the folder.
        Raises `ModelError` where the file is gone or is not the one that was pinned.
        """
        source = self._source(model)
        if digest:
            folder = self._folder(digest)
            if (target := folder / source.name).exists():
                return str(target)
            if kept := await asyncio.to_thread(_kept, folder, source):
                return str(kept)
        return await asyncio.to_thread(self._find, source, digest)

    async def check(self, file: str, digest: str) -> None:
        """Raise `ModelError` unless a file that is served where it lies is the pinned one."""
        if digest:
            await asyncio.to_thread(self._check, self._model_root / file, digest)

    def sweep(self, digests: Collection[str]) -> None:
        """Remove the copies that none of these digests names."""
        kept = {self._folder(digest).name for digest in digests}
        for folder in self._root.iterdir():
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def _folder(self, digest: str) -> Path:
        return self._root / digest.replace(":", "-")

    def _source(self, model: str) -> Path:
        parts = urlsplit(model)
        if parts.scheme not in ("", "file"):
            raise ModelError(
                f'"{model}": only local paths and file:// are served by this version of Relight'
            )
        return self._model_root / (unquote(parts.path) if parts.scheme else model)

    def _check(self, source: Path, digest: str) -> None:
        try:
            found = hashlib.sha256(source.read_bytes()).hexdigest()
        except OSError as error:
            raise ModelError(f"{source}: {error.strerror or error}") from error
        _require(source, found, digest)

    def _find(self, source: Path, digest: str) -> str:
        if source.is_dir():
            try:
                source = source / choose(_names(source))
            except ModelFileError as error:
                raise ModelError(f"{source} {error}") from None
        if not digest:
            return str(source)
        return self._fetch(source, self._folder(digest) / source.name, digest)

    def _fetch(self, source: Path, target: Path, digest: str) -> str:
        try:
            return self._copy(source, target, digest)
        except OSError as error:
            raise ModelError(f"{source}: {error.strerror or error}") from error

    def _copy(self, source: Path, target: Path, digest: str) -> str:
        self._root.mkdir(parents=True, exist_ok=True)
        hasher, has_external_data = hashlib.sha256(), False
        with source.open("rb") as model, tempfile.NamedTemporaryFile(dir=self._root) as copy:
            while chunk := model.read(_CHUNK_BYTES):
                hasher.update(chunk)
                copy.write(chunk)
                has_external_data = has_external_data or _EXTERNAL_KEY in chunk
            copy.flush()
            _require(source, hasher.hexdigest(), digest)
            if has_external_data:
                return str(source)
            target.parent.mkdir(exist_ok=True)
            Path(copy.name).chmod(0o444)
            # A link, not a rename: the temporary name goes with the `with`.
            target.unlink(missing_ok=True)
            target.hardlink_to(copy.name)
        return str(target)


def _kept(folder: Path, source: Path) -> Path | None:
    """The copy of a folder's model, under the name it had in there."""
    return next(folder.glob("*"), None) if source.is_dir() or not source.exists() else None


def _names(folder: Path) -> list[str]:
    found = (path for path in chain(folder.glob("*"), folder.glob("*/*")) if path.is_file())
    return [str(path.relative_to(folder)) for path in islice(found, NAMES_MAX + 1)]


def _require(source: Path, found: str, digest: str) -> None:
    if f"sha256:{found}" != digest:
        raise ModelError(
            f"{source} changed since the revision was made "
            f"(pinned {digest[:19]}…, found sha256:{found[:12]}…): deploy it again"
        )
