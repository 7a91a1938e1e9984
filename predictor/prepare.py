"""Prepare one model for its next loads: `python -m predictor.prepare`, started by a replica.

For: writing, verifying and measuring a model's variants where nobody waits, and keeping the best.
Must not know: requests, replicas, or who loads the model next.

One at a time in a cache, one thread, lowest priority. What it finds out is written down in any
case, so that it is not found out again.
"""

import argparse
import gc
import logging
import mmap
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from predictor import artifacts, loader, onnx_bytes, prepared, settings_files, trials
from predictor.apart import ApartError
from predictor.config import PREPARED_DEFAULT_BYTES
from predictor.errors import LoadError
from predictor.model_settings import Warmup
from predictor.prepared import GRAPH, WEIGHTS, Entry, Measure, Variant
from predictor.prepared_store import PreparedStore, file_of, sync
from predictor.trials import UnfitError
from predictor.warming import Rehearsal

_LOG = logging.getLogger("predictor.prepare")

_NICE = 19
_ALL_S = 1800  # waiting for others included; the system ends us after that
_MEMORY_RATIO = 6  # of the model's size: two sessions, and what writing one takes
_DISK_RATIO = 12  # of the model's size: two graphs, which folding can blow up
# What a control group's files are called, by its controllers: version 2 and version 1.
_GROUP_FILES = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}
_TRIED = (Variant.PACKED, Variant.SAVED, Variant.UNPACKED)


class NotNowError(Exception):
    """The machine has no room for it at this moment; the message is a clause."""


def prepare(plain: Path, workspace: Path, stored: Sequence[Warmup] = ()) -> tuple[Entry, Path]:
    """What to write of a model, and the folder that holds the entry's files.

    `stored`: requests that came with it, which a variant has to answer as the model does.
    ApartError and NotNowError: it may do better at another time.
    """
    try:
        _check(plain, workspace)
        found = trials.sizes(plain, stored)
    except UnfitError as error:
        return _nothing(f"it is not prepared: {error}", workspace)
    _write(plain, workspace)
    faults: dict[Variant, str] = {}
    for variant in _TRIED:
        if fault := trials.compare(plain, workspace, variant, found):
            faults[variant] = fault
    same = [variant for variant in _TRIED if variant not in faults]
    measured = trials.measure(plain, workspace, [Variant.PLAIN, *same], found)
    choice = prepared.choose(measured)
    told = _told(measured, faults)
    if choice.variant is Variant.PLAIN:
        return _nothing(choice.reason, workspace, told)
    folder = workspace / prepared.SOURCE[choice.variant].value
    files = {name: file_of(folder / name) for name in (GRAPH, WEIGHTS) if (folder / name).exists()}
    entry = Entry(variant=choice.variant, reason=choice.reason, files=files, measured=told)
    return entry, folder


def _check(plain: Path, workspace: Path) -> None:
    size_bytes = plain.stat().st_size
    if size_bytes > prepared.SIZE_MAX_BYTES:
        raise UnfitError("it is larger than an ONNX file can be")
    with plain.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        view = memoryview(data)
        try:
            is_external = onnx_bytes.has_external_data(view)
        except onnx_bytes.DamagedBytesError as error:
            raise UnfitError(f"its bytes can not be followed ({error})") from None
        finally:
            gc.collect()  # views of the map that a generator left
            view.release()
    if is_external:
        raise UnfitError("its weights are in files beside it, and are mapped as they are")
    if _available_bytes() < _MEMORY_RATIO * size_bytes:
        raise NotNowError(f"less memory is free than {_MEMORY_RATIO} times the model")
    if shutil.disk_usage(workspace).free < _DISK_RATIO * size_bytes:
        raise NotNowError(f"less room is left in the cache than {_DISK_RATIO} times the model")


def _available_bytes(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Of the machine, or less where a control group bounds us and the replica together.

    Beyond that bound the kernel may end the replica with us, at each of its starts.
    """
    free = [0]
    for line in (proc / "meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            free = [int(line.split()[1]) * 1024]
    own = proc / "self/cgroup"
    for line in own.read_text().splitlines() if own.exists() else ():
        _, controllers, path = line.split(":", 2)
        names = _GROUP_FILES.get(controllers)
        root = groups / controllers
        group = root / path.lstrip("/")
        for folder in (group, *group.parents) if names else ():
            if folder.is_relative_to(root):
                free += _left(folder, names or ())
    return min(free)


def _left(folder: Path, names: Sequence[str]) -> list[int]:
    """What a control group leaves; [] where it bounds nothing. The kernel drops what it cached."""
    limit_name, used_name, cached_name = names
    try:
        limit, used = (int((folder / name).read_text()) for name in (limit_name, used_name))
        words = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return [max(0, limit - used + int(words[cached_name]))]
    except (OSError, ValueError, KeyError):  # "max", or a group that is not shown in here
        return []


def _write(plain: Path, workspace: Path) -> None:
    for variant in prepared.WRITING:
        folder = workspace / variant.value
        folder.mkdir(mode=0o700)
        trials.write(plain, folder, variant)
        for path in folder.iterdir():
            sync(path)  # dirty pages would count as a process's own


def _told(measured: dict[Variant, Measure], faults: dict[Variant, str]) -> dict[str, object]:
    """For people who look into the entry."""
    costs = {
        variant.value: {
            "load_ms": round(each.load_ms, 2),
            "run_ms": round(each.run_ms, 3),
            "private_mib": round(each.private_mib, 1),
            "resident_mib": round(each.resident_mib, 1),
        }
        for variant, each in measured.items()
    }
    return costs | {variant.value: {"fault": fault} for variant, fault in faults.items()}


def _nothing(
    reason: str, workspace: Path, told: dict[str, object] | None = None, *, is_final: bool = True
) -> tuple[Entry, Path]:
    """An entry that says why there is nothing to load."""
    folder = workspace / "nothing"
    folder.mkdir(mode=0o700)
    entry = Entry(variant=Variant.PLAIN, reason=reason, is_final=is_final, measured=told or {})
    return entry, folder


def main(arguments: Sequence[str]) -> int:
    """Prepare one model; 0 when something was written down."""
    parser = argparse.ArgumentParser(prog="predictor.prepare", allow_abbrev=False)
    parser.add_argument("--model", type=Path, required=True, metavar="FILE")
    parser.add_argument("--stored-with", default="", metavar="URI", help="what names the model")
    parser.add_argument("--key", required=True, help="the entry's name")
    parser.add_argument("--cache-dir", type=Path, required=True, metavar="DIR")
    parser.add_argument("--prepared-bytes-max", type=int, default=PREPARED_DEFAULT_BYTES)
    flags = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    os.nice(_NICE)
    signal.alarm(_ALL_S)
    try:
        stored = _stored(flags.stored_with) if flags.stored_with else ()
        return _prepare(flags.model, stored, flags.key, flags.cache_dir, flags.prepared_bytes_max)
    except OSError as error:
        _LOG.warning("%s is not prepared: %s", flags.model, error)
        return 1


def _stored(uri: str) -> tuple[Warmup, ...]:
    """The requests that lie beside a model, as a replica finds them."""
    try:
        return settings_files.read(artifacts.find(loader.resolve(uri))).warmups
    except LoadError as error:  # no replica starts from it
        _LOG.warning("no request that is stored with the model is asked: %s", error)
        return ()


def _prepare(
    plain: Path, stored: Sequence[Warmup], key: str, cache_dir: Path, bytes_max: int
) -> int:
    store = PreparedStore(cache_dir)
    held = store.lock_all()
    store.clean(limit_bytes=bytes_max)
    workspace = store.workspace()
    try:
        rehearsal = Rehearsal()
        rehearsal.in_zygote()
        try:
            entry, folder = prepare(plain, workspace, stored)
        except (ApartError, NotNowError) as error:
            reason = f"it could not be prepared: {error}"
            entry, folder = _nothing(reason, workspace, is_final=False)
        rehearsal.close()
        store.place(folder, key, entry)
        gone = store.clean(limit_bytes=bytes_max, sparing=key)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)
        os.close(held)
    how = "will be mapped from the cache" if entry.files else "stays as it is"
    _LOG.info("%s %s: %s", plain, how, entry.reason)
    if gone:
        _LOG.info("%d prepared models went to make room", len(gone))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
