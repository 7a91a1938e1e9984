"""Whether an ONNX file keeps weights in files beside it, from its bytes alone.

For: asking before a library reads the file; the onnx package is not needed to serve.
Must not know: ONNX Runtime, sessions, or where the bytes come from.

A walk over protobuf's wire format that looks into graphs, nodes and attributes and skips all else.
"""

from collections.abc import Iterator

Buffer = bytes | memoryview

# Field numbers of onnx.proto3.
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_NODE_ATTRIBUTE = 5
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_SPARSE_VALUES, _SPARSE_INDICES = 1, 2
_TENSOR_LOCATION = 14
_EXTERNAL = 1

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DEPTH_MAX = 32  # of graphs in graphs


class DamagedBytesError(ValueError):
    """The bytes are no protobuf message, or end early."""


def has_external_data(model: Buffer) -> bool:
    """Whether any tensor of the model says that its values are elsewhere."""
    return any(
        _graph(body, 0) for number, body in _messages(memoryview(model)) if number == _MODEL_GRAPH
    )


def _graph(graph: memoryview, depth: int) -> bool:
    if depth > _DEPTH_MAX:
        raise DamagedBytesError("graphs are nested too deep")
    for number, body in _messages(graph):
        if number == _GRAPH_INITIALIZER and _is_external(body):
            return True
        if number == _GRAPH_SPARSE and any(
            _is_external(part)
            for inner, part in _messages(body)
            if inner in (_SPARSE_VALUES, _SPARSE_INDICES)
        ):
            return True
        if number == _GRAPH_NODE and _node(body, depth):
            return True
    return False


def _node(node: memoryview, depth: int) -> bool:
    for number, attribute in _messages(node):
        if number != _NODE_ATTRIBUTE:
            continue
        for inner, body in _messages(attribute):
            if inner in (_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS) and _is_external(body):
                return True
            if inner in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS) and _graph(body, depth + 1):
                return True
    return False


def _is_external(tensor: memoryview) -> bool:
    return any(
        number == _TENSOR_LOCATION and value == _EXTERNAL for number, value in _fields(tensor)
    )


def _messages(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    for number, value in _fields(data):
        if isinstance(value, memoryview):
            yield number, value


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview | None]]:
    """Number and value of each field: a varint, the bytes of what has a length, else None."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
        elif kind == _BYTES:
            size, at = _varint(data, at)
            if at + size > end:
                raise DamagedBytesError("a field ends after the message")
            yield number, data[at : at + size]
            at += size
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
            yield number, None
        else:
            raise DamagedBytesError(f"a field is of wire type {kind}")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise DamagedBytesError("a number ends early")
