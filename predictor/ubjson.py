"""UBJSON as XGBoost writes it, read strictly: nothing beyond the end, nothing nested without end.

For: knowing that a file is whole before a library that trusts it reads past its end.
Must not know: XGBoost, models, files.
"""

from typing import Any

import numpy as np

DEPTH_MAX = 64
_INTEGERS = {b"i": ">i1", b"U": ">u1", b"I": ">i2", b"l": ">i4", b"L": ">i8"}
_DTYPES = _INTEGERS | {b"d": ">f4", b"D": ">f8"}
_WORDS = {b"Z": None, b"T": True, b"F": False}


class UbjsonError(ValueError):
    """The bytes are not UBJSON; the message is a clause that follows the file's name."""


def parse(data: bytes) -> Any:
    """The value in `data`; arrays of one number type as numpy arrays that share its memory."""
    reader = _Reader(data)
    value = reader.value(reader.take(1), 0)
    if reader.at != len(data):
        raise UbjsonError(f"goes on for {len(data) - reader.at} bytes after its end")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.at = 0
        self._data = data

    def take(self, count: int) -> bytes:
        end = self.at + count
        if count < 0 or end > len(self._data):
            raise UbjsonError(f"is cut short or damaged: byte {self.at} asks for {count} more")
        found = self._data[self.at : end]
        self.at = end
        return found

    def value(self, marker: bytes, depth: int) -> Any:
        if depth > DEPTH_MAX:
            raise UbjsonError(f"is nested deeper than {DEPTH_MAX}")
        if marker in _DTYPES:
            dtype = np.dtype(_DTYPES[marker])
            return np.frombuffer(self.take(dtype.itemsize), dtype)[0].item()
        if marker in _WORDS:
            return _WORDS[marker]
        if marker == b"S":
            return self._text()
        if marker == b"C":
            return self.take(1).decode("latin-1")
        if marker == b"[":
            return self._array(depth)
        if marker == b"{":
            return self._object(depth)
        raise UbjsonError(f"is damaged: byte {self.at - 1} is no type of UBJSON")

    def _length(self, marker: bytes) -> int:
        if marker not in _INTEGERS:
            raise UbjsonError(f"is damaged: no length at byte {self.at - 1}")
        dtype = np.dtype(_INTEGERS[marker])
        return int(np.frombuffer(self.take(dtype.itemsize), dtype)[0])

    def _text(self) -> str:
        try:
            return self.take(self._length(self.take(1))).decode()
        except UnicodeDecodeError:
            raise UbjsonError(f"is damaged: text before byte {self.at} is not UTF-8") from None

    def _array(self, depth: int) -> Any:
        marker = self.take(1)
        if marker == b"$":
            kind = self.take(1)
            if kind not in _DTYPES or self.take(1) != b"#":
                raise UbjsonError(f"is damaged: no array at byte {self.at}")
            dtype = np.dtype(_DTYPES[kind])
            return np.frombuffer(self.take(self._length(self.take(1)) * dtype.itemsize), dtype)
        found: list[Any] = []
        if marker == b"#":
            count = self._length(self.take(1))
            while len(found) < count:
                found.append(self.value(self.take(1), depth + 1))
            return found
        while marker != b"]":
            found.append(self.value(marker, depth + 1))
            marker = self.take(1)
        return found

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while (marker := self.take(1)) != b"}":
            name = self.take(self._length(marker))
            found[name.decode(errors="replace")] = self.value(self.take(1), depth + 1)
        return found
