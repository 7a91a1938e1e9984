"""Keep a verified copy of each pinned model, named by its digest.

For: serving a Revision from the bytes it was made with, even after the user's files changed, so
that a roll-back is one; and sparing every later start the hashing.
Must not know: Pods, what a model contains, or who asked for it.

    <root>/sha256-<hex>/model.onnx         a model that is one file, under its own name
    <root>/sha256-<hex>/model.onnx, w.bin  one that was named, with what belongs to it beside it
    <root>/sha256-<hex>/iris/1/model.onnx  one of more files in a folder, under the folder's name
    <root>/sha256-<hex>/parts.json         of a model and a transformer, each kept by its own
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from typing_extensions import override

from api.modelcode import pin_code
from api.modeldigests import Fingerprint, Pin, Readable, fingerprint, pair, pin
from api.modelfiles import ModelFileError
from api.storage_uris import refusal
from wire import folders
from wire.folders import Folder

_PARTS = "parts.json"  # of a pair: the digests of its model and its transformer


class ModelError(Exception):
    """The model can not be served; the message is one sentence for a person."""


class ModelStore:
    """A folder of models, one sub-folder a digest."""

    def __init__(self, root: Path, *, model_root: Path) -> None:
        self._root = root
        self._model_root = model_root
        self._copying: set[str] = set()  # folders that are being filled

    async def prepare(self, model: str, digest: str) -> str:
        """The path to load for a `--model` value pinned to a digest ("sha256:…" or "").

        Once copied, whatever became of the original. Raises `ModelError` where that is gone
        or is not the one that was pinned.
        """
        source = self._source(model)
        if not digest:
            return str(source)
        if kept := await asyncio.to_thread(self._kept, source, digest):
            return str(kept)
        return str(await asyncio.to_thread(self._copied, source, digest, pin))

    async def prepare_code(self, file: str, digest: str) -> str:
        """The copy to run of a Python file that changed since it was pinned; "" if it did not.

        It is run where it lies as long as that is right: it may open files that are not pinned.
        """
        source = self._model_root / file
        return str(await asyncio.to_thread(self._code, source, digest) or "") if digest else ""

    async def prepare_pair(
        self, model: str, code: str, transformer: str, digest: str
    ) -> tuple[str, str]:
        """The paths of a model, by URI or as `code`, and of the code around it: pinned together.

        The second is "" where that did not change, as of `prepare_code`; so is the first of code.
        """
        source = self._source(model) if model else self._model_root / code
        around = self._model_root / transformer
        parts = await asyncio.to_thread(self._parted, source, bool(code), around, digest)
        return (
            await (self.prepare(model, parts[0]) if model else self.prepare_code(code, parts[0])),
            await self.prepare_code(transformer, parts[1]),
        )

    def sweep(self, digests: Collection[str]) -> None:
        """Remove the copies that none of these digests names."""
        pairs = [part for digest in digests for part in self._parts(digest)]
        kept = {self._folder(digest).name for digest in (*digests, *pairs)} | self._copying
        for folder in self._root.iterdir():
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def _folder(self, digest: str) -> Path:
        return self._root / digest.replace(":", "-")

    def _parts(self, digest: str) -> list[str]:
        """The digests of a pair's two, where they are known."""
        try:
            found: list[str] = json.loads((self._folder(digest) / _PARTS).read_text())
        except (OSError, ValueError):
            return []
        return found

    def _parted(self, source: Path, is_code: bool, transformer: Path, digest: str) -> list[str]:
        """The digests of a pair's two, found while both are what was pinned, and then kept."""
        if known := self._parts(digest):
            return known
        found = [_digest(source, pin_code if is_code else pin), _digest(transformer, pin_code)]
        _require(source, pair(*found), digest, also=f" with {transformer}")
        folder = self._folder(digest)
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{_PARTS}"
        part.write_text(json.dumps(found))
        part.replace(folder / _PARTS)
        return found

    def _source(self, model: str) -> Path:
        parts = urlsplit(model)
        if parts.scheme not in ("", "file"):
            raise ModelError(f'"{model}": {refusal(model) or "nothing fetches models here"}')
        return self._model_root / (unquote(parts.path) if parts.scheme else model)

    def _kept(self, source: Path, digest: str) -> Path | None:
        """The copy of a model under the name it has; of a folder's, whatever its name was."""
        folder = self._folder(digest)
        name = source.resolve().name if source.is_dir() else source.name
        if (target := folder / name).exists():
            return target
        found = list(folder.glob("*")) if source.is_dir() or not source.exists() else []
        return found[0] if len(found) == 1 else None

    def _code(self, source: Path, digest: str) -> Path | None:
        target = self._folder(digest) / source.name
        if not target.exists():
            self._copied(source, digest, pin_code)
            return None
        try:
            is_same = pin_code(*folders.of(source)).digest == digest
        except (ModelFileError, OSError):
            is_same = False
        return None if is_same else target

    def _copied(self, source: Path, digest: str, pinned: Callable[[Readable, str], Pin]) -> Path:
        self._root.mkdir(parents=True, exist_ok=True)
        filling = Path(tempfile.mkdtemp(dir=self._root, prefix=".copying-"))
        self._copying.add(filling.name)
        try:
            top, name = folders.split(source)
            copy = filling / "model"  # which others than its owner may read
            found = pinned(_Copying(top, name, copy), name)
            _require(source, found.digest, digest)
            called = "" if name else source.resolve().name
            return _placed(found, copy / found.root, self._folder(digest), called)
        except ModelFileError as error:
            raise ModelError(f"{source} {error}") from None
        except OSError as error:
            raise ModelError(f"{source}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(filling, ignore_errors=True)
            self._copying.discard(filling.name)


class _Copying(Folder):
    """A folder of which each file is copied as its fingerprint is taken."""

    def __init__(self, root: Path, named: str, target: Path) -> None:
        super().__init__(root, named=named)
        self._target = target

    @override
    def fingerprint(self, name: str) -> Fingerprint:
        """Of what was copied: the file may change meanwhile."""
        target = self._target / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as copy:
            found = fingerprint(_written(self.chunks(name), copy.write))
        target.chmod(0o444)
        return found


def _written(chunks: Iterator[bytes], write: Callable[[bytes], object]) -> Iterator[bytes]:
    for chunk in chunks:
        write(chunk)
        yield chunk


def _placed(found: Pin, copied: Path, folder: Path, name: str) -> Path:
    """What was copied, moved to where it is kept; what is loaded comes last, for it is looked for.

    `name` is the folder's that it came from, if it came from one.
    """
    folder.mkdir(exist_ok=True)
    if not found.load:
        target = folder / name
        try:
            copied.rename(target)
        except OSError:
            if not target.exists():  # else another replica's start was quicker
                raise
        return target
    names = {each: each if not name else Path(each).name for each in found.names}
    for each in sorted(names, key=lambda each: each == found.load):
        target = folder / names[each]
        target.parent.mkdir(parents=True, exist_ok=True)
        (copied / each).replace(target)
    return folder / names[found.load]


def _digest(source: Path, pinned: Callable[[Readable, str], Pin]) -> str:
    """As Revisions pin it."""
    try:
        return pinned(*folders.of(source)).digest
    except ModelFileError as error:
        raise ModelError(f"{source} {error}") from None
    except OSError as error:
        raise ModelError(f"{source}: {error.strerror or error}") from error


def _require(source: Path, found: str, digest: str, *, also: str = "") -> None:
    if found != digest:
        raise ModelError(
            f"{source}{also} changed since the revision was made "
            f"(pinned {digest[:19]}…, found {found[:19]}…): deploy it again"
        )
