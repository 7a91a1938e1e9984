"""What a Pod's container wrote: kept, rotated, read back.

For: `kubectl logs` on one machine, within a bound per Pod.
Must not know: Pods, processes, or HTTP.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from embedded.logtimes import LogTimes, stamped

BYTES_MAX = 16 << 20  # of the present file and of the one before
_TAIL_BYTES = 2048  # Kubernetes' FallbackToLogsOnError: last 2048 bytes or 80 lines
_TAIL_LINES = 80
_CHUNK_BYTES = 64 * 1024
_FOLLOW_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What part of a log is wanted, and how."""

    previous: bool = False
    tail_lines: int | None = None
    since_s: float | None = None  # seconds since the epoch
    timestamps: bool = False


class PodLog:
    """Two files: the present run's output and the one before."""

    def __init__(self, folder: Path, pod: str, container: str) -> None:
        """In a folder for all: one more of its own is a third of a millisecond from zero."""
        self.path = folder / f"{pod}.{container}.log"
        self.previous_path = folder / f"{pod}.{container}.previous.log"
        self.times = LogTimes()
        self.previous_times = LogTimes()
        self.failure = ""  # what the replica said of its own failure, if it did

    def open(self) -> BinaryIO:
        """The file to append output to."""
        return self.path.open("ab")

    def rotate(self) -> None:
        """The present file becomes the one before."""
        if self.path.exists():
            self.path.replace(self.previous_path)
            self.previous_times, self.times = self.times, LogTimes()

    def bound(self) -> None:
        """Keep the file within its size; the process appends, so it may go on meanwhile."""
        if self.path.exists() and self.path.stat().st_size > BYTES_MAX:
            shutil.copyfile(self.path, self.previous_path)
            with self.path.open("r+b") as file:
                file.truncate(0)
            self.previous_times, self.times = self.times, LogTimes()

    def note(self, now_s: float) -> None:
        """Remember how much is there by now."""
        if self.path.exists():
            status = self.path.stat()
            self.times.note(status.st_size, min(now_s, status.st_mtime))

    def read(
        self, wanted: Wanted, *, is_following: Callable[[], bool], clock: Callable[[], float]
    ) -> AsyncIterator[bytes]:
        """What is wanted of it, in pieces."""
        path = self.previous_path if wanted.previous else self.path
        times = self.previous_times if wanted.previous else self.times
        if not path.exists():
            return read(path, start=0, is_following=is_following)
        self.note(clock())
        start = start_of(path, wanted.tail_lines)
        if wanted.since_s is not None:
            start = max(start, times.since(wanted.since_s))
        pieces = read(path, start=start, is_following=is_following)
        if not wanted.timestamps:
            return pieces
        return stamped(pieces, start, lambda offset: times.at(offset, clock()))

    def tail(self) -> str:
        """The end of what was written, short enough for a status message."""
        if not self.path.exists():
            return ""
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - _TAIL_BYTES))
            text = file.read(_TAIL_BYTES).decode(errors="replace")
        return "\n".join(text.strip().splitlines()[-_TAIL_LINES:])

    def remove(self) -> None:
        """Forget everything."""
        for path in (self.path, self.previous_path):
            path.unlink(missing_ok=True)

    @staticmethod
    def sweep(folder: Path, kept: Collection[str]) -> None:
        """Remove the logs of every Pod that is not among these."""
        for path in folder.glob("*.log"):
            if path.name.partition(".")[0] not in kept:
                path.unlink(missing_ok=True)


async def read(path: Path, *, start: int, is_following: Callable[[], bool]) -> AsyncIterator[bytes]:
    """The bytes of a log from `start` on; more of them while `is_following`."""
    file = _opened(path)
    if file is None:
        return
    with file:
        file.seek(start)
        while True:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
            if not is_following():
                return
            if _was_cut(path, file.tell()):
                file.seek(0)
            await asyncio.sleep(_FOLLOW_S)


def _opened(path: Path) -> BinaryIO | None:
    return path.open("rb") if path.exists() else None


def _was_cut(path: Path, position: int) -> bool:
    return path.exists() and path.stat().st_size < position


def start_of(path: Path, lines: int | None) -> int:
    """Where the last lines begin; None: all of them."""
    if lines is None or not path.exists():
        return 0
    data = path.read_bytes()  # at most BYTES_MAX
    position = len(data)
    for _ in range(lines):
        position = data.rfind(b"\n", 0, max(0, position - 1)) + 1
        if position == 0:
            break
    return position
