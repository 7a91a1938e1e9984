"""What belongs to a model, and the one digest that stands for all of it.

For: a Revision that is pinned to the bytes it was made with, the files beside the model included.
Must not know: how files are listed, read or copied, nor who pins what.

Of a model that is one file, its sha256. Of more files, the sha256 of a line for each,
"<sha256>  <name>", sorted by name: what `sha256sum` prints of them.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from api import textproto
from api.modelfiles import Kind, ModelFileError
from api.modellayouts import Files, Found, find, join, stray, visible
from api.repositories import MLSERVER, TRITON, triton

SIGNATURE = "signature.json"
WARMUP = "warmup.json"
BASELINE = "baseline.json"
WARMUP_FOLDER = "warmup"  # any number of files
PARTS_MAX = 10_000  # files of one model
_DEPTH_MAX = 16
# An ONNX tensor kept in a file of its own says so with an entry of this key (onnx.proto,
# TensorProto.external_data: field 1, 8 bytes), then its value (field 2, its length, the path).
_EXTERNAL = b"\x0a\x08location\x12"
_LOCATION_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What there is to know of one file's bytes."""

    sha256: str  # 64 hex digits
    locations: tuple[str, ...] = ()  # of an ONNX model: the files its weights are in


class Readable(Files, Protocol):
    """A folder whose files can be read through."""

    def fingerprint(self, name: str) -> Fingerprint:
        """Of all of a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """The files of a model, and their digest."""

    root: str  # the folder the names are relative to
    names: tuple[str, ...]
    load: str  # what a predictor is told to load, relative to `root`: a file, or "" for all of it
    digest: str  # "sha256:<64 hex>"


def fingerprint(chunks: Iterable[bytes]) -> Fingerprint:
    """Of a file's bytes, as they come."""
    hasher, found, rest = hashlib.sha256(), set[str](), b""
    for chunk in chunks:
        hasher.update(chunk)
        text = rest + chunk
        found.update(_locations(text))
        rest = text[-_LOCATION_BYTES_MAX - len(_EXTERNAL) - 2 :]
    return Fingerprint(sha256=hasher.hexdigest(), locations=tuple(sorted(found)))


def pin(files: Readable, name: str) -> Pin:
    """Everything that is loaded with a model, pinned: with a file, or "" for one in a folder.

    What a named file holds is not asked: that is told when it is loaded.
    """
    if name:
        known = files.fingerprint(name)
        names = {name, *_weights(files, name, known.locations)} if known.locations else {name}
        return pinned(files, names, root="", load=name, known={name: known})
    found = find(files)
    names, known_of = set(_settings(files, found)), {}
    if found.is_folder:
        names.update(_folder(files, found.path))
    else:
        known = known_of[found.path] = files.fingerprint(found.path)
        names.add(found.path)
        if found.kind is Kind.ONNX:
            names.update(_weights(files, found.path, known.locations))
    is_file = names == {found.path}
    load = found.path if is_file else found.root
    return pinned(files, names, root=found.root, load=load, known=known_of)


def pinned(
    files: Readable, names: set[str], *, root: str, load: str, known: Mapping[str, Fingerprint]
) -> Pin:
    """These files, pinned together; `known` are fingerprints that were taken before."""
    start = len(root) + 1 if root else 0
    sums = {
        name[start:]: (known.get(name) or files.fingerprint(name)).sha256 for name in sorted(names)
    }
    return Pin(
        root=root,
        names=tuple(sorted(sums)),
        load=load[start:],
        digest=digest(sums, is_file=names == {load}),
    )


def digest(sums: Mapping[str, str], *, is_file: bool) -> str:
    """The one digest of files whose sha256 are known by name; of a file, its own."""
    if is_file:
        return f"sha256:{next(iter(sums.values()))}"
    lines = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))
    return f"sha256:{hashlib.sha256(lines.encode(errors='surrogateescape')).hexdigest()}"


def pair(model: str, transformer: str) -> str:
    """The one digest of a model and of the code around it, whose digests are known."""
    parts = {"model": model, "transformer": transformer}
    sums = {name: each.removeprefix("sha256:") for name, each in parts.items()}
    return digest(sums, is_file=False)


def labels(said: textproto.Message) -> Iterator[str]:
    """The files of labels that config.pbtxt names, of all its outputs."""
    for output in said.get("output", ()):
        for name in output.get("label_filename", ()) if isinstance(output, dict) else ():
            if name:
                yield str(name)


def _locations(text: bytes) -> Iterator[str]:
    at = text.find(_EXTERNAL)
    while at >= 0:
        at += len(_EXTERNAL)
        size, shift = 0, 0
        while at < len(text) and shift < 21:
            size |= (text[at] & 0x7F) << shift
            shift += 7
            at += 1
            if text[at - 1] < 0x80:
                break
        value = text[at : at + size]
        if len(value) == size and 0 < size <= _LOCATION_BYTES_MAX:
            yield value.decode(errors="replace")
        at = text.find(_EXTERNAL, at)


def _weights(files: Files, model: str, locations: Sequence[str]) -> Iterator[str]:
    """The files beside an ONNX model that its weights are in; it is told what is missing later."""
    folder = model.rpartition("/")[0]
    for location in locations:
        parts = [part for part in location.split("/") if part != "."]
        if location.startswith("/") or ".." in parts:
            raise ModelFileError(f"holds {model}, whose weights are outside its folder: {location}")
        path = join(folder, *parts)
        if _is_file(files, path):
            yield path


def _is_file(files: Files, path: str) -> bool:
    folder, _, name = path.rpartition("/")
    try:
        entries = files.entries(folder)
    except OSError:
        return False
    if name in entries.strays:
        raise stray(path)
    return name in entries.files


def _settings(files: Files, found: Found) -> Iterator[str]:
    """What is read beside the model: how it is served, its tensors, what warms it."""
    names = [TRITON, MLSERVER, SIGNATURE, WARMUP, BASELINE]
    folders = {found.root, join(found.root, found.version)}
    if TRITON in files.entries(found.root).files:
        names += labels(triton(files.text(join(found.root, TRITON))))
    for folder in folders:
        for name in names:
            if ".." not in name.split("/") and _is_file(files, join(folder, name)):
                yield join(folder, name)
        if WARMUP_FOLDER in files.entries(folder).folders:
            yield from _folder(files, join(folder, WARMUP_FOLDER))


def _folder(files: Files, top: str) -> Iterator[str]:
    """All files in a folder, at any depth."""
    left, count = [(top, 0)], 0
    while left:
        folder, depth = left.pop()
        entries = visible(files.entries(folder))
        for name in entries.strays:
            raise stray(join(folder, name))
        count += len(entries.files)
        if count > PARTS_MAX or depth > _DEPTH_MAX:
            raise ModelFileError(
                f"holds more than {PARTS_MAX} files or {_DEPTH_MAX} levels of folders"
            )
        yield from (join(folder, name) for name in entries.files)
        left += [(join(folder, name), depth + 1) for name in entries.folders]
