"""A trace from a file, packed or not, or from standard input.

For: bytes on a disk → the Trace that is rehearsed.
Must not know: what columns mean (rehearsal.traces), or what is done with a trace.
"""

import gzip
import io
import sys
import zlib
from pathlib import Path

from rehearsal import traces
from rehearsal.columns import Hints
from rehearsal.traces import Trace
from relight.errors import UsageError

_NO_HINTS = Hints()
_GZIP = b"\x1f\x8b"
_OTHERS = {b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip"}


def load(where: str, hints: Hints = _NO_HINTS) -> Trace:
    """Read a trace, `-` for standard input; UsageError where there is none to read."""
    name = "standard input" if where == "-" else where
    text = _text(name, _bytes(where))
    try:
        return traces.parse(io.StringIO(text, newline=""), name=name, hints=hints)
    except ValueError as error:
        raise UsageError(str(error)) from error


def title(where: str) -> str:
    """A short name for a chart: azure_llm_2023_code of azure_llm_2023_code.csv.gz."""
    return "standard input" if where == "-" else Path(where).name.partition(".")[0] or where


def _bytes(where: str) -> bytes:
    if where == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(where).read_bytes()
    except OSError as error:
        raise UsageError(f"{where}: {error.strerror}") from error


def _text(name: str, packed: bytes) -> str:
    for start, kind in _OTHERS.items():
        if packed.startswith(start):
            raise UsageError(f"{name}: it is packed by {kind}; unpack it first, or use gzip")
    try:
        whole = gzip.decompress(packed) if packed.startswith(_GZIP) else packed
        return whole.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{name}: it is no whole gzip file: {error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: it is no text: byte {error.start} is not UTF-8") from error
