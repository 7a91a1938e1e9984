"""Header compression (RFC 7541): a bounded, remembering decoder, and an encoder without a table.

For: decoding a block that was decoded before with one look-up, and never more than is allowed;
encoding lines as literals, which costs bytes on a local wire and no memory on either side.
Must not know: frames, what a header means.

Huffman codes and the static table are those of the `hpack` package.
"""

from collections import deque
from functools import lru_cache
from typing import Final

from hpack.exceptions import HPACKDecodingError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

Fields = list[tuple[bytes, bytes]]


class Block(Fields):
    """The fields of a decoded block. It is shared by all that begin with the same: do not change.

    `meaning` is for the reader: whatever it derived from these fields, kept with them.
    """

    __slots__ = ("meaning",)

    def __init__(self) -> None:
        super().__init__()
        self.meaning: object = None


TABLE_BYTES: Final = 4096  # of the dynamic table: what a connection begins with
ENTRY_BYTES: Final = 32  # what an entry counts beyond its bytes
_MEMO_MAX = 64  # blocks remembered
_MEMO_BYTES_MAX = 2048  # a longer block is not, nor one that says more than twice as much
_NAMES_MAX = 1024  # names whose first bytes are remembered
_BLOCK_BYTES_MAX = 512  # longer lines are not remembered as a whole
_INTEGER_BYTES_MAX = 4  # after the prefix: 2**28 is more than any length or index here

_STATIC: Final[tuple[tuple[bytes, bytes], ...]] = tuple(HeaderTable.STATIC_TABLE)
_STATIC_COUNT = len(_STATIC)

# Concern one connection only: they do not exist in HTTP/2 (RFC 9113, 8.2.2).
CONNECTION_HEADERS: Final = frozenset(
    {
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-connection",
        b"transfer-encoding",
        b"upgrade",
    }
)
_SECRET = frozenset({b"authorization", b"cookie", b"proxy-authorization", b"set-cookie"})


class CompressionError(Exception):
    """The block can not be decoded; nor can any after it."""


class OversizedError(Exception):
    """The block says more than is allowed by far; what follows it can not be decoded."""


class Decoder:
    """One direction of one connection.

    `bytes_max` and `count_max` bound what a block may say, counted as in RFC 7541 (4.1).
    """

    __slots__ = ("_bytes_max", "_count_max", "_memo", "_room", "_size", "_table")

    def __init__(self, *, bytes_max: int, count_max: int) -> None:
        self._bytes_max = bytes_max
        self._count_max = count_max
        self._table: deque[tuple[bytes, bytes]] = deque()
        self._size = 0
        self._room = TABLE_BYTES
        self._memo: dict[bytes, Block] = {}  # blocks that leave the table as it is

    def decode(self, block: bytes) -> Block:
        """The fields of a block; the same object comes again for the same bytes."""
        fields = self._memo.get(block)
        if fields is not None:
            return fields
        try:
            fields, is_memorable = self._decode(block)
        except (IndexError, HPACKDecodingError) as error:
            raise CompressionError("a header block that can not be decoded") from error
        if is_memorable and len(block) <= _MEMO_BYTES_MAX:
            if len(self._memo) >= _MEMO_MAX:
                self._memo.clear()
            self._memo[block] = fields
        return fields

    def _decode(self, block: bytes) -> tuple[Block, bool]:
        fields = Block()
        is_memorable = True
        budget = self._bytes_max
        at = 0
        end = len(block)
        while at < end:
            first = block[at]
            if first & 0x80:  # a field of a table
                index, at = _integer(block, at, 0x7F)
                field = self._entry(index)
            elif first & 0xE0 == 0x20:  # a new size of the table
                room, at = _integer(block, at, 0x1F)
                if fields or room > TABLE_BYTES:
                    raise CompressionError("a table size out of place or range")
                self._resize(room)
                is_memorable = False
                continue
            else:
                is_added = first & 0x40
                if not first & (0x3F if is_added else 0x0F):
                    name, at = _string(block, at + 1)
                else:
                    index, at = _integer(block, at, 0x3F if is_added else 0x0F)
                    name = self._entry(index)[0]
                value, at = _string(block, at)
                field = (name, value)
                if is_added:
                    self._add(field)
                    is_memorable = False
            budget -= len(field[0]) + len(field[1]) + ENTRY_BYTES
            if budget < 0 or len(fields) >= self._count_max:
                raise OversizedError
            fields.append(field)
        return fields, is_memorable and self._bytes_max - budget <= 2 * _MEMO_BYTES_MAX

    def _entry(self, index: int) -> tuple[bytes, bytes]:
        if index <= _STATIC_COUNT:
            if not index:
                raise CompressionError("a field with index 0")
            return _STATIC[index - 1]
        return self._table[index - _STATIC_COUNT - 1]

    def _add(self, field: tuple[bytes, bytes]) -> None:
        self._memo.clear()
        self._table.appendleft(field)
        self._size += len(field[0]) + len(field[1]) + ENTRY_BYTES
        self._shrink()

    def _resize(self, room: int) -> None:
        self._room = room
        if self._size > room:
            self._memo.clear()
            self._shrink()

    def _shrink(self) -> None:
        while self._size > self._room:
            name, value = self._table.pop()
            self._size -= len(name) + len(value) + ENTRY_BYTES


def _integer(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """An integer that begins in the low bits of a byte, and where it ends."""
    number = block[at] & mask
    at += 1
    if number < mask:
        return number, at
    for shift in range(0, 7 * _INTEGER_BYTES_MAX, 7):
        byte = block[at]
        at += 1
        number += (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise CompressionError("a number without end")


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    size = block[at]
    is_coded = size & 0x80
    if size < 0x7F:  # as most are
        at += 1
    else:
        size, at = _integer(block, at, 0x7F)
    end = at + size
    if end > len(block):
        raise CompressionError("a text that ends beyond its block")
    text = block[at:end]
    return (decode_huffman(text) if is_coded else text), end


# -- encoding ------------------------------------------------------------------------------------

# Said once, before the first block: this encoder has no table, whatever the far side allows.
NO_TABLE: Final = b"\x20"

_STATIC_NAMES: dict[bytes, int] = {}
_STATIC_FIELDS: dict[tuple[bytes, bytes], bytes] = {}
for _index, _field in enumerate(_STATIC, 1):
    _STATIC_NAMES.setdefault(_field[0], _index)
    _STATIC_FIELDS.setdefault(_field, bytes((0x80 | _index,)))
_prefixes: dict[bytes, bytes] = {}
_LENGTHS = tuple(bytes((size,)) for size in range(127))
_STATUSES = {
    int(value): code for (name, value), code in _STATIC_FIELDS.items() if name == b":status"
}


def number(value: int, mask: int, bits: int = 0) -> bytes:
    """An integer in the low bits of a byte whose other bits are `bits`, and what follows it."""
    if value < mask:
        return bytes((bits | value,))
    rest = value - mask
    out = bytearray((bits | mask,))
    while rest >= 0x80:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def _prefix(name: bytes) -> bytes:
    """The first bytes of a field with this name; b"" for one that HTTP/2 does not have."""
    lower = name.strip().lower()
    if lower in CONNECTION_HEADERS or not lower:
        prefix = b""
    else:
        bits = 0x10 if lower in _SECRET else 0  # proxies must not put it in a table either
        index = _STATIC_NAMES.get(lower, 0)
        prefix = number(index, 0x0F, bits) if index else bytes((bits,)) + _text(lower)
    if len(_prefixes) >= _NAMES_MAX:
        _prefixes.clear()
    _prefixes[name] = prefix
    return prefix


def _text(value: bytes) -> bytes:
    size = len(value)
    return (_LENGTHS[size] if size < 127 else number(size, 0x7F)) + value


def encode_lines(lines: bytes) -> bytes:
    """Encode "name: value" lines, each with CRLF. What concerns a connection is left out."""
    return _encode_known(lines) if len(lines) <= _BLOCK_BYTES_MAX else _encode(lines)


def _encode(lines: bytes) -> bytes:
    parts: list[bytes] = []
    for line in lines.split(b"\r\n"):
        name, _, value = line.partition(b":")
        prefix = _prefixes.get(name)
        if prefix is None:
            prefix = _prefix(name)
        if prefix:
            value = value.strip(b" \t")
            size = len(value)
            parts += (prefix, _LENGTHS[size] if size < 127 else number(size, 0x7F), value)
    return b"".join(parts)


_encode_known = lru_cache(maxsize=256)(_encode)


def encode_status(status: int) -> bytes:
    """The field that begins an answer."""
    return _STATUSES.get(status) or b"\x08\x03%d" % status


def encode_length(size: int) -> bytes:
    """A content-length field."""
    text = b"%d" % size
    return b"\x0f\x0d%b%b" % (_LENGTHS[len(text)], text)


@lru_cache(maxsize=256)
def encode_request(method: bytes, authority: bytes, path: bytes) -> bytes:
    """The fields that begin a request over cleartext."""
    return b"".join(
        (
            _STATIC_FIELDS.get((b":method", method)) or b"\x02" + _text(method),
            _STATIC_FIELDS[b":scheme", b"http"],
            b"\x01" + _text(authority),
            _STATIC_FIELDS.get((b":path", path)) or b"\x04" + _text(path),
        )
    )
