"""An answer's head that is known, for when it comes again on the same connection.

For: parsing a head once that a replica sends with each of its answers.
Must not know: connections, parsers, who asked.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

from wire import tails

_BYTES_MAX = 4096  # a longer head is not remembered
_TAIL = b"server-timing"


class Again(NamedTuple):
    """What a known head says of an answer that is all there."""

    status: int
    lines: bytes
    content_length: int
    body: bytes


class Known:
    """The last answer that came in one piece.

    Where its head ended in a tail, what is kept are the bytes and the lines before that.
    """

    __slots__ = ("_has_tail", "_length", "_lines", "_size", "_start", "_status")

    def __init__(
        self, status: int, lines: bytes, length: int, *, start: bytes, size: int, has_tail: bool
    ) -> None:
        self._status = status
        self._lines = lines
        self._length = length
        self._start = start
        self._size = size  # of the whole answer
        self._has_tail = has_tail

    @classmethod
    def of(cls, data: bytes, status: int, parts: Sequence[bytes], length: int) -> Self | None:
        """None unless `data` is exactly one answer; `parts`: its lines, four to each."""
        size = len(data) - length
        if not 0 < size <= _BYTES_MAX or data.find(b"\r\n\r\n") != size - 4:
            return None
        start = 0
        if status == 200 and parts and parts[-4] == _TAIL:  # others have no body, or no times
            start = tails.of_answer(data[:size])
        lines = b"".join(parts[:-4] if start else parts)
        before, is_tail = data[: start or size], start > 0
        return cls(status, lines, length, start=before, size=len(data), has_tail=is_tail)

    def again(self, data: bytes) -> Again | None:
        """What `data` is, if it begins with this head and holds a whole answer; else None."""
        if self._has_tail:
            return self._with_tail(data) if data.startswith(self._start) else None
        if len(data) != self._size or not data.startswith(self._start):
            return None
        return Again(self._status, self._lines, self._length, data[len(self._start) :])

    def _with_tail(self, data: bytes) -> Again | None:
        tail = tails.ANSWER.match(data, len(self._start))
        if tail is None:
            return None
        timing, digits = tail.groups()
        length, size = int(digits), tail.end()
        if length != len(data) - size:
            return None
        return Again(self._status, self._lines + timing, length, data[size:])
