"""What a Pod's container wrote: kept, rotated, read back.

For: `kubectl logs` on one machine, within a bound per Pod.
Must not know: Pods, processes, or HTTP.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path
from typing import BinaryIO

BYTES_MAX = 16 << 20  # of the present file and of the one before
_TAIL_BYTES = 2048  # Kubernetes' FallbackToLogsOnError: last 2048 bytes or 80 lines
_TAIL_LINES = 80
_CHUNK_BYTES = 64 * 1024
_FOLLOW_S = 0.1


class PodLog:
    """Two files: the present run's output and the one before."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.path = folder / "current.log"
        self.previous_path = folder / "previous.log"
        self.failure = ""  # what the replica said of its own failure, if it did

    def open(self) -> BinaryIO:
        """The file to append output to."""
        return self.path.open("ab")

    def rotate(self) -> None:
        """The present file becomes the one before."""
        if self.path.exists():
            self.path.replace(self.previous_path)

    def bound(self) -> None:
        """Keep the file within its size; the process appends, so it may go on meanwhile."""
        if self.path.exists() and self.path.stat().st_size > BYTES_MAX:
            shutil.copyfile(self.path, self.previous_path)
            with self.path.open("r+b") as file:
                file.truncate(0)

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
        shutil.rmtree(self._folder, ignore_errors=True)

    @staticmethod
    def sweep(root: Path, kept: Collection[str]) -> None:
        """Remove the logs under `root` whose folder has none of these names."""
        for folder in root.iterdir():
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)


async def read(
    path: Path, *, tail_lines: int | None, is_following: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """The bytes of a log from its last `tail_lines` on; more of them while `is_following`."""
    file = _opened(path)
    if file is None:
        return
    with file:
        _seek_tail(file, tail_lines)
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


def _seek_tail(file: BinaryIO, lines: int | None) -> None:
    """Position at the start of the last lines."""
    if lines is None:
        return
    data = file.read()  # at most BYTES_MAX
    position = len(data)
    for _ in range(lines):
        position = data.rfind(b"\n", 0, max(0, position - 1)) + 1
        if position == 0:
            break
    file.seek(position)
