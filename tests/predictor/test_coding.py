"""Compressed bodies: read within the limit, written for who asks and where it is worth it."""

import contextlib
import gzip
import os
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from predictor import coding
from predictor.errors import RequestError

Deflate = Callable[[bytes], bytes]


def bare(body: bytes) -> bytes:
    """Deflate without zlib's envelope."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(body) + deflater.flush()


DEFLATES: dict[str, Deflate] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
}
INFLATES: dict[str, Deflate] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "zstd": zstandard.decompress,
}
TEXT = b"0.125," * 50_000  # several pieces


@pytest.mark.parametrize("name", DEFLATES)
@pytest.mark.parametrize("body", [b"", b"a", TEXT, os.urandom(200_000)], ids=len)
def test_what_was_compressed_is_inflated(name: str, body: bytes) -> None:
    sent = DEFLATES[name](body)
    assert coding.inflated(sent, name.upper().encode(), bytes_max=len(body)) == body


def test_a_missing_envelope_and_several_members() -> None:
    assert coding.inflated(bare(TEXT), b"deflate", bytes_max=len(TEXT)) == TEXT
    twice = gzip.compress(TEXT) + gzip.compress(b"a")
    assert coding.inflated(twice, b"gzip", bytes_max=10**6) == TEXT + b"a"


@pytest.mark.parametrize("name", DEFLATES)
def test_a_bomb_is_given_up_before_it_is_large(name: str) -> None:
    bomb = DEFLATES[name](b"\0" * 50_000_000)
    coding.inflated(DEFLATES[name](b"a"), name.encode(), bytes_max=1)  # imports
    tracemalloc.start()
    with pytest.raises(RequestError, match="larger than 100000 bytes") as caught:
        coding.inflated(bomb, name.encode(), bytes_max=100_000)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
    assert caught.value.status == 413


@pytest.mark.parametrize("name", DEFLATES)
def test_one_byte_more_than_the_limit_is_too_large(name: str) -> None:
    with pytest.raises(RequestError, match="larger than 999 bytes"):
        coding.inflated(DEFLATES[name](b"a" * 1000), name.encode(), bytes_max=999)


def test_a_window_of_any_size_is_not_made() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=27)
    deflater = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    sent = deflater.compress(b"a" * 1000) + deflater.flush()
    with pytest.raises(RequestError, match=r"the body is not zstd: .*memory"):
        coding.inflated(sent, b"zstd", bytes_max=10**6)


@pytest.mark.parametrize("name", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("damage", ["cut", "more", "junk", "empty"])
def test_a_damaged_body_is_refused(name: str, damage: str) -> None:
    whole = DEFLATES[name](TEXT)
    sent = {"cut": whole[:-1], "more": whole + b"\0x", "junk": b"junk" * 9, "empty": b""}[damage]
    with pytest.raises(RequestError, match=f"the body is not {name}: ") as caught:
        coding.inflated(sent, name.encode(), bytes_max=10**6)
    assert caught.value.status == 400


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate", "zstd"]))
def test_any_body_is_inflated_or_refused(body: bytes, name: str) -> None:
    with contextlib.suppress(RequestError):
        assert len(coding.inflated(body, name.encode(), bytes_max=500)) <= 500


@pytest.mark.parametrize("name", [b"br", b"gzip, gzip", b"\xff", b"x" * 200])
def test_an_unknown_coding_is_refused(name: bytes) -> None:
    with pytest.raises(RequestError, match="expected one of zstd, gzip, deflate") as caught:
        coding.inflated(b"", name, bytes_max=1)
    assert caught.value.status == 415
    assert len(str(caught.value)) < 200


def test_identity_is_no_coding() -> None:
    assert coding.inflated(b"x", b" Identity", bytes_max=1) == b"x"


def test_without_the_package_zstd_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coding, "_has_zstd", lambda: False)
    assert coding.served() == "gzip, deflate"
    with pytest.raises(RequestError, match="'zstd' is not served: expected one of gzip, deflate"):
        coding.check(b"zstd")
    assert coding.deflated(TEXT, b"zstd")[1] == TEXT


@pytest.mark.parametrize(
    ("accepted", "name"),
    [
        (b"gzip", "gzip"),
        (b"deflate", "deflate"),
        (b"zstd", "zstd"),
        (b"GZIP;Q=0.5", "gzip"),
        (b"x-gzip", "gzip"),
        (b"gzip, deflate, br, zstd", "zstd"),
        (b"gzip;q=0.9, deflate;q=1.0", "deflate"),
        (b"*", "zstd"),
        (b"*;q=0.1, zstd;q=0", "gzip"),
        (b"gzip; q=0.5, identity;q=0.5", "gzip"),
        (b"gzip;q=0.5, identity", ""),
        (b"gzip;q=0", ""),
        (b"gzip;q=nonsense", ""),
        (b"gzip;q=nan", ""),
        (b"br", ""),
        (b"", ""),
        (b"identity", ""),
        (b";;,=,\xff", ""),
    ],
)
def test_the_coding_a_client_likes_best(accepted: bytes, name: str) -> None:
    lines, body = coding.deflated(TEXT, accepted)
    assert b"vary: accept-encoding\r\n" in lines
    if name:
        assert b"content-encoding: %b\r\n" % name.encode() in lines
        assert INFLATES[name](body) == TEXT
    else:
        assert body is TEXT


@pytest.mark.parametrize("body", [b"a" * (coding.WORTH_BYTES_MIN - 1), b""])
def test_a_small_answer_is_not_worth_it(body: bytes) -> None:
    assert coding.deflated(body, b"gzip") == (b"", body)


@pytest.mark.parametrize("size", [2000, 300_000])
def test_an_answer_that_does_not_shrink_goes_as_it_is(size: int) -> None:
    body = os.urandom(size)
    assert coding.deflated(body, b"gzip") == (b"vary: accept-encoding\r\n", body)


def test_a_very_large_answer_goes_as_it_is() -> None:
    body = bytes(coding.WORTH_BYTES_MAX + 1)
    assert coding.deflated(body, b"gzip")[1] is body


def test_zstandard_is_not_imported_before_somebody_sends_it() -> None:
    code = "import sys, predictor.coding as c; c.served(); assert 'zstandard' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
