"""V2 over gRPC: messages to arrays, arrays to messages.

For: ModelInfer and ModelStreamInfer of one model, whatever the tensors travel in.
Must not know: exchanges' order, paths, or how a model runs.

Tensors come raw (`raw_input_contents`, one entry for each input, in their order) or typed
(`contents`). The answer is raw, as Triton's is, unless the request was typed: tritonclient reads
nothing else, and who writes typed contents by hand reads them. FP16 and BF16 have no typed form,
so an answer that holds one is raw whatever the request was.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from predictor import datatypes, elements, raw_tensors
from predictor.datatypes import DATATYPES, Datatype, check_wanted
from predictor.errors import Fault, RequestError
from predictor.grpc_messages import DecodeError, ModelInferRequest, ModelInferResponse
from predictor.model import Signature, Tensor, TensorSpec
from predictor.protocol import NO_HEADERS, Encoded, InferRequest, Outlet
from predictor.raw_tensors import Buffer
from wire import grpc
from wire.grpc import Code, GrpcError

# Where the values of a datatype travel, when typed.
_FIELDS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
# Triton's parameters that would change what the tensors are; all others are hints.
_NOT_SERVED = {
    "shared_memory_region": "shared memory between client and server",
    "classification": "the classification of outputs",
}
_ENCODING = b"grpc-encoding"
_SIZE_MAX = 2**31 - 1
_SMALL_BYTES = 16_384  # up to here a copy of raw tensors is cheaper than a look at each field
# Field numbers.
_RAW_INPUTS, _RAW_OUTPUTS, _INFER_RESPONSE = 7, 6, 2
_HEAD = grpc.CONTENT_TYPE


class GrpcCodec:
    """Both directions for one model."""

    def __init__(
        self, signature: Signature | None, *, name: str, version: str, bytes_max: int
    ) -> None:
        self._inputs = {spec.name: spec for spec in signature.inputs} if signature else None
        self._outputs = tuple(spec.name for spec in signature.outputs) if signature else None
        self._name = name
        self._version = version
        self._bytes_max = bytes_max

    # -- a unary call: see `Codec` ------------------------------------------------------------

    def decode(self, body: bytes, index: Mapping[bytes, bytes] = NO_HEADERS) -> InferRequest:
        """See `Codec`; the body is one framed message."""
        return self.read(unframed(body, index, self._bytes_max))

    def encode(self, request: InferRequest, outputs: Mapping[str, Tensor]) -> Encoded:
        """See `Codec`."""
        pieces = self.write(request, outputs)
        return Encoded(_HEAD, b"".join((grpc.prefix(sum(map(len, pieces))), *pieces)))

    def send(self, exchange: Outlet, status: int, headers: bytes, body: bytes) -> None:
        """See `Codec`: a refusal's status is in its head already."""
        exchange.respond(200, headers, body, trailers=grpc.OK_TRAILERS if status == 200 else b"")

    def refuse(self, error: RequestError) -> Encoded:
        """See `Codec`: an answer of a head only."""
        return refusal(error)

    # -- messages -----------------------------------------------------------------------------

    def read(self, message: Buffer) -> InferRequest:
        """A ModelInferRequest; RequestError names the tensor."""
        raws: Sequence[Buffer]
        rest, raws = (message, ()) if len(message) <= _SMALL_BYTES else parted(message)
        try:
            request = ModelInferRequest.FromString(rest)
        except DecodeError as error:
            detail = str(error).removeprefix("Error parsing message with type ")
            raise RequestError(Fault.NOT_MESSAGE, name="ModelInferRequest", detail=detail) from None
        self._check_model(request.model_name, request.model_version)
        tensors, raws = request.inputs, raws or request.raw_input_contents
        if raws and len(raws) != len(tensors):
            raise RequestError(Fault.RAW_COUNT, got=len(raws), expected=len(tensors))
        feeds: dict[str, Tensor] = {}
        content_type = _content_type(request.parameters)
        for index, tensor in enumerate(tensors):
            name = tensor.name
            if name in feeds:
                raise RequestError(Fault.REPEATED_INPUT, name=name)
            feeds[name] = self._input(tensor, raws[index] if raws else None, content_type)
        if self._inputs is not None and len(feeds) != len(self._inputs):
            missing = next(name for name in self._inputs if name not in feeds)
            expected, got = ", ".join(self._inputs), ", ".join(feeds) or "none"
            raise RequestError(Fault.MISSING_INPUT, name=missing, expected=expected, got=got)
        is_typed = not raws and any(tensor.HasField("contents") for tensor in tensors)
        return InferRequest(request.id or None, feeds, self._wanted(request.outputs), is_typed)

    def write(self, request: InferRequest, outputs: Mapping[str, Tensor]) -> list[Buffer]:
        """A ModelInferResponse, in pieces that are to be joined."""
        response = ModelInferResponse(
            model_name=self._name, model_version=self._version, id=request.id or ""
        )
        if request.outputs and self._outputs is None:
            check_wanted(outputs, request.outputs)
        found: list[tuple[Any, str, Tensor, Datatype]] = []
        for name in request.outputs or outputs:
            array = outputs.get(name)
            if array is None:
                raise RequestError(Fault.BAD_OUTPUT, detail=f"output '{name}' is missing from it")
            datatype = datatypes.describe(name, array)
            said = response.outputs.add(name=name, datatype=datatype.name, shape=array.shape)
            found.append((said, name, array, datatype))
        if request.reply and all(datatype.name in _FIELDS for *_, datatype in found):
            for said, name, array, datatype in found:
                _fill(said.contents, name, array, datatype)
            return [response.SerializeToString()]
        raws = [raw_tensors.to_raw(name, array, datatype) for _, name, array, datatype in found]
        return [response.SerializeToString(), *_fields(_RAW_OUTPUTS, raws)]

    def _check_model(self, name: str, version: str) -> None:
        if name and name != self._name:
            raise RequestError(Fault.NO_MODEL, name=name)
        if version and version != self._version:
            raise RequestError(
                Fault.NO_VERSION, name=self._name, got=version, expected=self._version
            )

    def _input(self, tensor: Any, raw: Buffer | None, content_type: str) -> Tensor:
        name = tensor.name
        _check_parameters(f"input '{name}'", tensor.parameters)
        datatype, spec = self._datatype(name, tensor.datatype)
        shape = _shape(name, tensor.shape)
        if spec is not None:
            datatypes.check_shape(spec, shape)
        given = tensor.contents.ListFields() if tensor.HasField("contents") else ()
        if raw is not None:
            if given:
                raise RequestError(Fault.MIXED, name=name)
            array = raw_tensors.from_raw(name, raw, datatype, shape)
        else:
            array = _typed(name, given, datatype, shape)
        if datatype.kind == "O":
            content_type = _content_type(tensor.parameters) or content_type
            if content_type in elements.TYPES:
                return elements.of_content(name, array, content_type)
        return array

    def _datatype(self, name: str, said: str) -> tuple[Datatype, TensorSpec | None]:
        spec = None
        if self._inputs is not None:
            spec = self._inputs.get(name)
            if spec is None:
                expected = ", ".join(self._inputs)
                raise RequestError(Fault.UNKNOWN_INPUT, name=name, expected=expected)
        datatype = DATATYPES.get(said)
        if datatype is None:
            raise RequestError(
                Fault.UNKNOWN_DATATYPE, name=name, got=said, expected=datatypes.NAMES
            )
        if spec is not None and spec.datatype != said:
            raise RequestError(Fault.WRONG_DATATYPE, name=name, expected=spec.datatype, got=said)
        return datatype, spec

    def _wanted(self, outputs: Iterable[Any]) -> tuple[str, ...] | None:
        names: dict[str, None] = {}
        for output in outputs:
            _check_parameters(f"output '{output.name}'", output.parameters)
            if self._outputs is not None and output.name not in self._outputs:
                expected = ", ".join(self._outputs)
                raise RequestError(Fault.UNKNOWN_OUTPUT, name=output.name, expected=expected)
            if output.name in names:
                raise RequestError(Fault.REPEATED_OUTPUT, name=output.name)
            names[output.name] = None
        return tuple(names) or None


def wrapped(pieces: list[Buffer]) -> list[Buffer]:
    """A ModelInferResponse as the infer_response of a ModelStreamInferResponse."""
    return [_field_head(_INFER_RESPONSE, sum(map(len, pieces))), *pieces]


def refusal(error: RequestError) -> Encoded:
    """An answer of a head only: how the call ended, and why."""
    return Encoded(_HEAD + grpc.status_lines(grpc.code_of(error.status), str(error)), b"")


def unframed(body: bytes, index: Mapping[bytes, bytes], bytes_max: int) -> Buffer:
    """The one message of a unary call."""
    try:
        return grpc.unframed(body, index.get(_ENCODING, b""), bytes_max)
    except GrpcError as error:
        raise as_request_error(error, bytes_max) from None


def as_request_error(error: GrpcError, bytes_max: int) -> RequestError:
    """A fault of framing among ours."""
    if error.code is Code.RESOURCE_EXHAUSTED:
        return RequestError(Fault.TOO_LARGE, limit_bytes=bytes_max)
    if error.code is Code.UNIMPLEMENTED:
        return RequestError(Fault.UNSERVED, what="this body", why=str(error))
    return RequestError(Fault.BAD_FRAME, detail=str(error))


def parted(message: Buffer) -> tuple[bytes, list[memoryview]]:
    """A ModelInferRequest without its raw contents, and these: they are not copied.

    Only the outermost fields are looked at; what is not well formed is left for the parser.
    """
    view = memoryview(message)
    kept: list[memoryview] = []
    raws: list[memoryview] = []
    at = kept_from = 0
    end = len(view)
    while at < end:
        start = at
        tag, at = _varint(view, at)
        kind = tag & 7
        if kind == 2:
            size, at = _varint(view, at)
            begin, at = at, at + size
            if tag >> 3 == _RAW_INPUTS and at <= end:
                kept.append(view[kept_from:start])
                raws.append(view[begin:at])
                kept_from = at
        elif kind == 0:
            _, at = _varint(view, at)
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:  # a group, or nothing at all: the parser says so
            break
    if not raws:
        return bytes(view), raws
    return b"".join((*kept, view[kept_from:])), raws


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    """A number and where it ends; cut or too long, it ends beyond all bytes."""
    value = shift = 0
    end = len(view)
    while at < end and shift < 70:
        byte = view[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    return 0, end + 1


def _fields(number: int, values: Sequence[Buffer]) -> Iterable[Buffer]:
    """Length-delimited fields, with the values as they are."""
    for value in values:
        yield _field_head(number, len(value))
        yield value


def _field_head(number: int, size: int) -> bytes:
    head = bytearray((number << 3 | 2,))
    while size > 127:
        head.append(size & 127 | 128)
        size >>= 7
    head.append(size)
    return bytes(head)


def _shape(name: str, sizes: Sequence[int]) -> tuple[int, ...]:
    field = f"input '{name}': shape"
    if len(sizes) > datatypes.RANK_MAX:
        expected = f"at most {datatypes.RANK_MAX} sizes"
        raise RequestError(Fault.BAD_FIELD, field=field, expected=expected, got=len(sizes))
    for size in sizes:
        if not 0 <= size <= _SIZE_MAX:
            expected = f"sizes of 0 to {_SIZE_MAX}"
            raise RequestError(Fault.BAD_FIELD, field=field, expected=expected, got=size)
    return tuple(sizes)


def _typed(name: str, given: Sequence[Any], datatype: Datatype, shape: tuple[int, ...]) -> Tensor:
    """An input from its typed contents: `given` are the fields that have values."""
    wanted = _FIELDS.get(datatype.name)
    if wanted is None:
        raise RequestError(Fault.RAW_ONLY, name=name, datatype=datatype.name)
    values: Sequence[Any] = ()
    for field, found in given:
        if field.name != wanted:
            raise RequestError(
                Fault.WRONG_CONTENTS,
                name=name,
                datatype=datatype.name,
                expected=wanted,
                got=field.name,
            )
        values = found
    count = datatypes.check_count(name, shape)
    if len(values) != count:
        raise RequestError(
            Fault.WRONG_COUNT, name=name, shape=list(shape), expected=count, got=len(values)
        )
    if datatype.kind == "O":
        return raw_tensors.shaped(name, elements.of_bytes(values), shape)
    array = np.array(values)
    low, high = datatype.low, datatype.high
    if datatype.kind in "iu" and count and not low <= array.min() <= array.max() <= high:
        raise RequestError(
            Fault.OUT_OF_RANGE, name=name, datatype=datatype.name, low=low, high=high
        )
    array = array.astype(datatype.dtype, copy=False)
    return raw_tensors.shaped(name, array, shape)


def _fill(contents: Any, name: str, array: Tensor, datatype: Datatype) -> None:
    values: Sequence[Any]
    if datatype.kind == "O":
        values = raw_tensors.elements_of(name, array)
    else:
        values = array.ravel().tolist()
    getattr(contents, _FIELDS[datatype.name]).extend(values)


def _content_type(parameters: Mapping[str, Any]) -> str:
    """As in parameters_v2.py: how the elements of BYTES are to be read."""
    said: str = parameters["content_type"].string_param if "content_type" in parameters else ""
    return said


def _check_parameters(where: str, parameters: Mapping[str, Any]) -> None:
    for name, what in _NOT_SERVED.items():
        if name in parameters:
            raise RequestError(Fault.NOT_SERVED, field=f"{where}: parameter '{name}'", what=what)
