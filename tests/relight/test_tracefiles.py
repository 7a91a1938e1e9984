import gzip
import io
import sys
from pathlib import Path

import pytest

from relight import tracefiles
from relight.errors import UsageError

CSV = b"timestamp,duration\n10.0,0.2\n10.5,0.3\n"


@pytest.mark.parametrize("packed", [CSV, gzip.compress(CSV, mtime=0), b"\xef\xbb\xbf" + CSV])
def test_packed_or_not(tmp_path: Path, packed: bytes) -> None:
    path = tmp_path / "trace"
    path.write_bytes(packed)
    trace = tracefiles.load(str(path))
    assert list(trace.arrivals) == [0.0, 0.5]
    assert trace.durations is not None
    assert list(trace.durations) == [0.2, 0.3]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(CSV, mtime=0))))
    assert len(tracefiles.load("-")) == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (gzip.compress(CSV, mtime=0)[:-9], "no whole gzip file"),
        (b"\x1f\x8bnonsense and more", "no whole gzip file"),
        (b"\x28\xb5\x2f\xfd....", "packed by zstd; unpack it first"),
        (b"PK\x03\x04....", "packed by zip"),
        (b"timestamp\n\xff\xfe\n", "byte 10 is not UTF-8"),
        (b"", "empty"),
        (b"timestamp\n", "empty"),
        (b"timestamp\n1.0\nsoon\n", "soon"),
        (b"cow,horse\n1,2\n", "cow"),
    ],
)
def test_what_is_no_trace_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        tracefiles.load(str(path))
    assert str(path) in str(caught.value)
    assert told in str(caught.value)


def test_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        tracefiles.load(str(tmp_path / "none.csv"))
    with pytest.raises(UsageError, match="Is a directory"):
        tracefiles.load(str(tmp_path))


@pytest.mark.parametrize(
    ("where", "title"),
    [
        ("a/b/azure_code.csv.gz", "azure_code"),
        ("trace", "trace"),
        ("-", "standard input"),
        (".hidden", ".hidden"),
    ],
)
def test_titles_are_short(where: str, title: str) -> None:
    assert tracefiles.title(where) == title
