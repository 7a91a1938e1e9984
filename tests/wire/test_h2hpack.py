"""Header compression, beside the `hpack` package."""

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.h2hpack import (
    NO_TABLE,
    CompressionError,
    Decoder,
    OversizedError,
    encode_length,
    encode_lines,
    encode_request,
    encode_status,
    number,
)

NAMES = st.sampled_from([b"accept", b"cookie", b"x-a", b"x-b", b":path", b"content-type", b"te"])
FIELDS = st.lists(st.tuples(NAMES, st.binary(max_size=200) | st.sampled_from([b"a", b"b"])))


def decoder(bytes_max: int = 65_536, count_max: int = 1000) -> Decoder:
    return Decoder(bytes_max=bytes_max, count_max=count_max)


@given(st.lists(st.tuples(FIELDS, st.booleans(), st.none() | st.integers(0, 4096))))
def test_it_reads_what_another_encoder_writes(
    blocks: list[tuple[list[tuple[bytes, bytes]], bool, int | None]],
) -> None:
    encoder = hpack.Encoder()
    ours = decoder()
    for fields, is_coded, size in blocks:
        if size is not None:
            encoder.header_table_size = size
        block = encoder.encode(fields, huffman=is_coded)
        assert ours.decode(block) == fields


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_garbage_is_read_as_another_decoder_reads_it(blocks: list[bytes]) -> None:
    ours, theirs = decoder(), hpack.Decoder()
    for block in blocks:
        try:
            expected = [tuple(field) for field in theirs.decode(block, raw=True)]
        except hpack.HPACKError:
            with pytest.raises((CompressionError, OversizedError)):
                ours.decode(block)
            return
        assert ours.decode(block) == expected


def test_a_block_that_came_before_is_not_decoded_again_unless_the_table_changed() -> None:
    encoder = hpack.Encoder()
    ours = decoder()
    first = encoder.encode([(b"x-a", b"1")])
    again = encoder.encode([(b"x-a", b"1")])
    ours.decode(first)
    fields = ours.decode(again)
    assert ours.decode(again) is fields
    ours.decode(encoder.encode([(b"x-b", b"2")]))  # now the index of x-a is another one
    assert ours.decode(again) == [(b"x-b", b"2")]
    assert ours.decode(encoder.encode([(b"x-a", b"1")])) == [(b"x-a", b"1")]


def test_a_smaller_table_forgets_what_was_remembered() -> None:
    encoder = hpack.Encoder()
    ours = decoder()
    ours.decode(encoder.encode([(b"x-a", b"1")]))
    again = encoder.encode([(b"x-a", b"1")])
    assert ours.decode(again) == [(b"x-a", b"1")]
    ours.decode(b"\x20")
    with pytest.raises(CompressionError):
        ours.decode(again)


BAD = {
    "index 0": b"\x80",
    "an index beyond the tables": b"\xff\x00",
    "a name beyond the tables": b"\x7f\x01\x01a",
    "a table larger than allowed": b"\x3f\xe2\x1f",
    "a table size behind a field": b"\x82\x20",
    "a number without end": b"\xff\xff\xff\xff\xff\xff\xff\x01",
    "a number cut": b"\xff\x80",
    "a text cut": b"\x00\x03ab",
    "a value that is missing": b"\x00\x01a",
    "Huffman with EOS in it": b"\x00\x01a\x84\xff\xff\xff\xff",
    "Huffman padded by zeros": b"\x00\x01a\x81\x18",
    "Huffman padded by more than a byte": b"\x00\x01a\x82\x1f\xff",
}


@pytest.mark.parametrize("name", BAD)
def test_what_can_not_be_decoded(name: str) -> None:
    with pytest.raises(CompressionError):
        decoder().decode(BAD[name])


def test_a_bomb_goes_off_early() -> None:
    ours = decoder(bytes_max=10_000)
    ours.decode(b"\x40\x01a\x7f\x80\x1e" + b"x" * (127 + 30 * 128))
    with pytest.raises(OversizedError):
        ours.decode(b"\xbe" * 100_000)
    with pytest.raises(OversizedError):
        decoder(count_max=10).decode(b"\x82" * 11)
    assert len(decoder(count_max=10).decode(b"\x82" * 10)) == 10


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["X-a", "Content-Type", "authorization"]),
            st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=300),
        )
    )
)
def test_others_read_what_lines_become(pairs: list[tuple[str, str]]) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in pairs).encode()
    decoded = hpack.Decoder().decode(NO_TABLE + encode_lines(lines), raw=True)
    assert [tuple(field) for field in decoded] == [
        (name.lower().encode(), value.encode()) for name, value in pairs
    ]


def test_what_concerns_a_connection_is_left_out() -> None:
    lines = b"Connection: close\r\nkeep-alive: 5\r\na: b\r\nTransfer-Encoding: chunked\r\n"
    assert encode_lines(lines) == b"\x00\x01a\x01b"
    assert encode_lines(b"") == b""


def test_secrets_are_kept_from_tables() -> None:
    (field,) = hpack.Decoder().decode(encode_lines(b"authorization: secret\r\n"), raw=True)
    assert isinstance(field, hpack.NeverIndexedHeaderTuple)


def test_the_first_fields_of_messages() -> None:
    block = encode_status(200) + encode_status(503) + encode_length(12_345)
    assert hpack.Decoder().decode(block) == [
        (":status", "200"),
        (":status", "503"),
        ("content-length", "12345"),
    ]
    block = encode_request(b"PUT", b"h:1", b"/" + b"a" * 200) + encode_request(b"GET", b"", b"/")
    assert hpack.Decoder().decode(block) == [
        (":method", "PUT"),
        (":scheme", "http"),
        (":authority", "h:1"),
        (":path", "/" + "a" * 200),
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", ""),
        (":path", "/"),
    ]


def test_names_beyond_those_remembered_are_encoded_too() -> None:
    for each in range(1100):
        line = b"x-%d: 1\r\n" % each
        assert hpack.Decoder().decode(encode_lines(line)) == [(f"x-{each}", "1")]


@given(st.integers(0, 2**28), st.sampled_from([0x0F, 0x1F, 0x3F, 0x7F]))
def test_numbers(value: int, mask: int) -> None:
    bits = {0x0F: 4, 0x1F: 5, 0x3F: 6, 0x7F: 7}[mask]
    assert hpack.hpack.decode_integer(number(value, mask), bits)[0] == value
