"""The V2 (Open Inference) protocol in JSON: requests to arrays, arrays to answers.

For: POST /v2/models/m/infer and the model's metadata.
Must not know: sockets, paths, or how a model runs.
"""

from collections.abc import Mapping
from math import prod
from typing import Any

import orjson

from predictor import datatypes
from predictor.datatypes import DATATYPES, Datatype
from predictor.errors import Fault, RequestError
from predictor.model import Signature, Tensor, TensorSpec
from predictor.protocol import JSON, NO_HEADERS, Encoded, InferRequest, PlainCodec, parse_object

_REQUEST_FIELDS = frozenset({"id", "parameters", "inputs", "outputs", "model_name"})
_INPUT_FIELDS = frozenset({"name", "shape", "datatype", "parameters", "data"})
_OUTPUT_FIELDS = frozenset({"name", "parameters"})
_BINARY = ("binary_data_output", "binary_data", "binary_data_size")
_LENGTH = b"inference-header-content-length"
_SIZE_MAX = 2**31 - 1
_MISSING = object()


class CodecV2(PlainCodec):
    """Both directions for one model; holds what every request of that model needs."""

    def __init__(self, signature: Signature | None, *, name: str, version: str) -> None:
        self._inputs = {spec.name: spec for spec in signature.inputs} if signature else None
        self._outputs = tuple(spec.name for spec in signature.outputs) if signature else None
        self._name = name
        self._head: dict[str, Any] = {"model_name": name}
        if version:
            self._head["model_version"] = version

    def decode(self, body: bytes, index: Mapping[bytes, bytes] = NO_HEADERS) -> InferRequest:
        """Raises RequestError with a 400 that names the field or tensor."""
        if _LENGTH in index:
            raise RequestError(Fault.BINARY, field=_LENGTH.decode())
        raw = parse_object(body)
        if not raw.keys() <= _REQUEST_FIELDS:
            raise RequestError(Fault.UNKNOWN_FIELD, field=min(raw.keys() - _REQUEST_FIELDS))
        if raw.get("model_name", self._name) != self._name:
            raise _bad("model_name", repr(self._name), repr(raw["model_name"]))
        if "parameters" in raw:
            _check_parameters("parameters", raw["parameters"])
        identity = raw.get("id")
        if identity is not None and type(identity) is not str:
            raise _bad("id", "text", datatypes.word(identity))
        feeds = self._feeds(raw.get("inputs"))
        wanted = self._wanted(raw["outputs"]) if "outputs" in raw else None
        return InferRequest(identity, feeds, wanted)

    def encode(self, request: InferRequest, outputs: Mapping[str, Tensor]) -> Encoded:
        """The answer, with `data` flat in row-major order as KServe writes it."""
        answer = dict(self._head)
        if request.id is not None:
            answer["id"] = request.id
        names = request.outputs or outputs
        answer["outputs"] = [_output(name, outputs) for name in names]
        return Encoded(JSON, orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY))

    def _feeds(self, raw_inputs: Any) -> dict[str, Tensor]:
        if type(raw_inputs) is not list:
            raise _bad("inputs", "a list of tensors", datatypes.word(raw_inputs))
        feeds: dict[str, Tensor] = {}
        for index, raw in enumerate(raw_inputs):
            name, array = self._input(index, raw)
            if name in feeds:
                raise RequestError(Fault.REPEATED_INPUT, name=name)
            feeds[name] = array
        if self._inputs is not None and len(feeds) != len(self._inputs):
            missing = next(name for name in self._inputs if name not in feeds)
            raise RequestError(
                Fault.MISSING_INPUT,
                name=missing,
                expected=", ".join(self._inputs),
                got=", ".join(feeds) or "none",
            )
        return feeds

    def _input(self, index: int, raw: Any) -> tuple[str, Tensor]:
        if type(raw) is not dict:
            raise _bad(f"inputs[{index}]", "a tensor object", datatypes.word(raw))
        if not raw.keys() <= _INPUT_FIELDS:
            field = f"inputs[{index}].{min(raw.keys() - _INPUT_FIELDS)}"
            raise RequestError(Fault.UNKNOWN_FIELD, field=field)
        name = raw.get("name")
        if type(name) is not str:
            raise _bad(f"inputs[{index}].name", "text", datatypes.word(name))
        if "parameters" in raw:
            _check_parameters(f"inputs[{index}].parameters", raw["parameters"])
        datatype, spec = self._datatype(name, raw.get("datatype"))
        shape = _shape(index, raw.get("shape"))
        if spec is not None:
            datatypes.check_shape(spec, shape)
        data = raw.get("data", _MISSING)
        if data is _MISSING or (type(data) is not list and shape):
            got = "nothing" if data is _MISSING else datatypes.word(data)
            raise _bad(f"inputs[{index}].data", "a list of values", got)
        return name, _tensor(name, data, datatype, shape)

    def _datatype(self, name: str, raw: Any) -> tuple[Datatype, TensorSpec | None]:
        spec = None
        if self._inputs is not None:
            spec = self._inputs.get(name)
            if spec is None:
                expected = ", ".join(self._inputs)
                raise RequestError(Fault.UNKNOWN_INPUT, name=name, expected=expected)
        datatype = DATATYPES.get(raw) if type(raw) is str else None
        if datatype is None:
            got = raw if type(raw) is str else datatypes.word(raw)
            raise RequestError(Fault.UNKNOWN_DATATYPE, name=name, got=got, expected=datatypes.NAMES)
        if spec is not None and spec.datatype != raw:
            raise RequestError(Fault.WRONG_DATATYPE, name=name, expected=spec.datatype, got=raw)
        return datatype, spec

    def _wanted(self, raw_outputs: Any) -> tuple[str, ...] | None:
        if raw_outputs is None:
            return None
        if type(raw_outputs) is not list:
            raise _bad("outputs", "a list of outputs", datatypes.word(raw_outputs))
        names: dict[str, None] = {}
        for index, raw in enumerate(raw_outputs):
            if type(raw) is not dict or type(raw.get("name")) is not str:
                raise _bad(f"outputs[{index}]", "an object with a name", datatypes.word(raw))
            if not raw.keys() <= _OUTPUT_FIELDS:
                field = f"outputs[{index}].{min(raw.keys() - _OUTPUT_FIELDS)}"
                raise RequestError(Fault.UNKNOWN_FIELD, field=field)
            if "parameters" in raw:
                _check_parameters(f"outputs[{index}].parameters", raw["parameters"])
            name = raw["name"]
            if self._outputs is not None and name not in self._outputs:
                expected = ", ".join(self._outputs)
                raise RequestError(Fault.UNKNOWN_OUTPUT, name=name, expected=expected)
            names[name] = None
        return tuple(names) or None


def metadata(
    signature: Signature | None,
    *,
    name: str,
    version: str,
    platform: str,
    facts: Mapping[str, Any],
) -> bytes:
    """The answer of GET /v2/models/m; -1 is a variable dimension."""
    described: dict[str, Any] = {"name": name}
    if version:
        described["versions"] = [version]
    described["platform"] = platform
    described["inputs"] = _describe(signature.inputs if signature else ())
    described["outputs"] = _describe(signature.outputs if signature else ())
    if facts:
        described["parameters"] = facts
    return orjson.dumps(described)


def _describe(specs: Any) -> list[dict[str, Any]]:
    return [
        {"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)} for spec in specs
    ]


def _tensor(name: str, data: Any, datatype: Datatype, shape: tuple[int, ...]) -> Tensor:
    array = datatypes.to_array(name, data, datatype)
    if array.shape == shape:
        return array
    expected = prod(shape)
    if array.size != expected:
        raise RequestError(
            Fault.WRONG_COUNT, name=name, shape=list(shape), expected=expected, got=array.size
        )
    if array.ndim > 1:
        raise RequestError(
            Fault.WRONG_NESTING, name=name, got=list(array.shape), expected=list(shape)
        )
    try:
        return array.reshape(shape)
    except ValueError:  # an empty tensor whose other sizes multiply beyond the address space
        raise _bad(f"input '{name}': shape", "sizes that fit in memory", str(list(shape))) from None


def _shape(index: int, raw: Any) -> tuple[int, ...]:
    if type(raw) is not list:
        raise _bad(f"inputs[{index}].shape", "a list of sizes", datatypes.word(raw))
    if len(raw) > datatypes.RANK_MAX:
        expected = f"at most {datatypes.RANK_MAX} sizes"
        raise _bad(f"inputs[{index}].shape", expected, str(len(raw)))
    for size in raw:
        if type(size) is not int or not 0 <= size <= _SIZE_MAX:
            got = repr(size) if type(size) is int else datatypes.word(size)
            raise _bad(f"inputs[{index}].shape", f"sizes of 0 to {_SIZE_MAX}", got)
    return tuple(raw)


def _check_parameters(field: str, raw: Any) -> None:
    """Parameters are hints of the caller's tools and change nothing, except the binary ones."""
    if raw is None:
        return
    if type(raw) is not dict:
        raise _bad(field, "an object", datatypes.word(raw))
    for name in _BINARY:
        if raw.get(name):
            raise RequestError(Fault.BINARY, field=f"{field}.{name}")


def _bad(field: str, expected: str, got: str) -> RequestError:
    return RequestError(Fault.BAD_FIELD, field=field, expected=expected, got=got)


def _output(name: str, outputs: Mapping[str, Tensor]) -> dict[str, Any]:
    array = outputs.get(name)
    if array is None:
        raise RequestError(Fault.BAD_OUTPUT, detail=f"output '{name}' is missing from it")
    datatype = datatypes.describe(name, array)
    return {
        "name": name,
        "shape": array.shape,
        "datatype": datatype.name,
        "data": datatypes.to_json(name, array.ravel(), datatype),
    }
