"""When the bytes of a log were written, to about a second.

For: `kubectl logs --timestamps` and `--since`: a process writes its file itself, so its size is
noted from time to time, and what lies between two notes has the time of the second.
Must not know: files, Pods, or the clock.
"""

from bisect import bisect_right
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Final

_NOTES_MAX: Final = 4096  # then every second one goes: older times become coarser


class LogTimes:
    """Sizes and the times they were seen at."""

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._times_s: list[float] = []

    def note(self, size: int, now_s: float) -> None:
        """The log has this size now."""
        if self._sizes and size <= self._sizes[-1]:
            return
        if len(self._sizes) >= _NOTES_MAX:
            del self._sizes[:-1:2]
            del self._times_s[:-1:2]
        self._sizes.append(size)
        self._times_s.append(now_s)

    def at(self, offset: int, default_s: float) -> float:
        """When the byte at this place was written; `default_s` if that is not known yet."""
        found = bisect_right(self._sizes, offset)
        return self._times_s[found] if found < len(self._sizes) else default_s

    def since(self, start_s: float) -> int:
        """Where what was written from this time on begins."""
        found = bisect_right(self._times_s, start_s)
        return self._sizes[found - 1] if found else 0


async def stamped(
    pieces: AsyncIterator[bytes], start: int, time_at: Callable[[int], float]
) -> AsyncIterator[bytes]:
    """The pieces with a time in front of each line, as Kubernetes writes it."""
    offset, is_new = start, True
    async for piece in pieces:
        lines = piece.split(b"\n")
        out: list[bytes] = []
        for at, line in enumerate(lines):
            is_last = at == len(lines) - 1
            if is_new and (line or not is_last):
                out.append(_stamp(time_at(offset)))
            out.append(line if is_last else line + b"\n")
            is_new = not is_last or (is_new and not line)
            offset += len(line) + (not is_last)
        yield b"".join(out)


def _stamp(time_s: float) -> bytes:
    moment = datetime.fromtimestamp(time_s, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}000Z ".encode()
