"""The V2 (Open Inference) protocol over REST: requests to arrays, arrays to answers.

For: POST /v2/models/m/infer, in JSON and with binary tensors behind it, and the metadata.
Must not know: sockets, paths, or how a model runs.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from predictor import binary_v2, datatypes, elements, nonfinite, parameters_v2, raw_tensors
from predictor.binary_v2 import LENGTH, Section
from predictor.datatypes import DATATYPES, Datatype, check_wanted
from predictor.errors import Fault, RequestError
from predictor.model import Signature, Tensor, TensorSpec
from predictor.plain_v2 import PlainInputs
from predictor.protocol import JSON, NO_HEADERS, Encoded, InferRequest, PlainCodec, parse_object

_REQUEST_FIELDS = frozenset({"id", "parameters", "inputs", "outputs", "model_name"})
_INPUT_FIELDS = frozenset({"name", "shape", "datatype", "parameters", "data"})
_OUTPUT_FIELDS = frozenset({"name", "parameters"})
_SIZE_MAX = 2**31 - 1
_MISSING = object()


class Reply(NamedTuple):
    """How a request wants its outputs, where not all of them in JSON."""

    is_binary: bool  # those that are not in `binary`
    binary: Mapping[str, bool]
    base64: frozenset[str] = frozenset()


_ALL_BINARY = Reply(True, {})


class CodecV2(PlainCodec):
    """Both directions for one model; holds what every request of that model needs."""

    def __init__(self, signature: Signature | None, *, name: str, version: str) -> None:
        self._inputs = {spec.name: spec for spec in signature.inputs} if signature else None
        self._plain = PlainInputs(signature) if signature else None
        self._outputs = tuple(spec.name for spec in signature.outputs) if signature else None
        self._name = name
        self._head: dict[str, Any] = {"model_name": name}
        if version:
            self._head["model_version"] = version

    def decode(self, body: bytes, index: Mapping[bytes, bytes] = NO_HEADERS) -> InferRequest:
        """Raises RequestError with a 400 that names the field or tensor."""
        section = None
        if LENGTH in index:
            body, section = binary_v2.split(body, index)
            if not body:
                return self._decode_whole(section)
        raw = parse_object(body)
        if len(raw) == 1 and "inputs" in raw:
            return InferRequest(None, self._feeds(raw["inputs"], section, ""), None)
        return self._decode(raw, section)

    def _decode(self, raw: dict[str, Any], section: Section | None) -> InferRequest:
        """A request of more than inputs."""
        if not raw.keys() <= _REQUEST_FIELDS:
            raise RequestError(Fault.UNKNOWN_FIELD, field=min(raw.keys() - _REQUEST_FIELDS))
        if raw.get("model_name", self._name) != self._name:
            raise _bad("model_name", repr(self._name), repr(raw["model_name"]))
        content_type, reply = "", None
        if "parameters" in raw:
            asked = parameters_v2.of_request(raw["parameters"])
            content_type = asked.content_type
            reply = _ALL_BINARY if asked.is_binary else None
        identity = raw.get("id")
        if identity is not None and type(identity) is not str:
            raise _bad("id", "text", datatypes.word(identity))
        feeds = self._feeds(raw.get("inputs"), section, content_type)
        wanted = None
        if "outputs" in raw:
            wanted, reply = self._wanted(raw["outputs"], reply)
        return InferRequest(identity, feeds, wanted, reply)

    def encode(self, request: InferRequest, outputs: Mapping[str, Tensor]) -> Encoded:
        """The answer, with `data` flat in row-major order as KServe writes it."""
        answer = dict(self._head)
        if request.id is not None:
            answer["id"] = request.id
        names = request.outputs or outputs
        if request.outputs and self._outputs is None:
            check_wanted(outputs, request.outputs)
        if request.reply is not None:
            return _mixed(answer, names, outputs, request.reply)
        answer["outputs"] = found = [_output(name, outputs) for name in names]
        body = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
        if b"null" in body:  # orjson's word for NaN and infinity
            for one in found:
                one["data"] = nonfinite.written(one["data"])
            body = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
        return Encoded(JSON, body)

    def _decode_whole(self, section: Section | None) -> InferRequest:
        """A raw request: one tensor, and outputs as raw as it is."""
        assert section is not None
        inputs = None if self._inputs is None else tuple(self._inputs.values())
        name, array = binary_v2.whole_body(inputs, section.rest())
        return InferRequest(None, {name: array}, None, _ALL_BINARY)

    def _feeds(
        self, raw_inputs: Any, section: Section | None, content_type: str
    ) -> dict[str, Tensor]:
        if section is None and not content_type and self._plain is not None:
            plain = self._plain.read(raw_inputs)
            if plain is not None:
                return plain
        if type(raw_inputs) is not list:
            raise _bad("inputs", "a list of tensors", datatypes.word(raw_inputs))
        feeds: dict[str, Tensor] = {}
        for index, raw in enumerate(raw_inputs):
            name, array = self._input(index, raw, section, content_type)
            if name in feeds:
                raise RequestError(Fault.REPEATED_INPUT, name=name)
            feeds[name] = array
        if section is not None:
            section.finish()
        if self._inputs is not None and len(feeds) != len(self._inputs):
            missing = next(name for name in self._inputs if name not in feeds)
            raise RequestError(
                Fault.MISSING_INPUT,
                name=missing,
                expected=", ".join(self._inputs),
                got=", ".join(feeds) or "none",
            )
        return feeds

    def _input(
        self, index: int, raw: Any, section: Section | None, content_type: str
    ) -> tuple[str, Tensor]:
        if type(raw) is not dict:
            raise _bad(f"inputs[{index}]", "a tensor object", datatypes.word(raw))
        if not raw.keys() <= _INPUT_FIELDS:
            field = f"inputs[{index}].{min(raw.keys() - _INPUT_FIELDS)}"
            raise RequestError(Fault.UNKNOWN_FIELD, field=field)
        name = raw.get("name")
        if type(name) is not str:
            raise _bad(f"inputs[{index}].name", "text", datatypes.word(name))
        binary_size = None
        if "parameters" in raw:
            field = f"inputs[{index}].parameters"
            binary_size, own = parameters_v2.of_input(field, raw["parameters"])
            content_type = own or content_type
        datatype, spec = self._datatype(name, raw.get("datatype"))
        shape = _shape(index, raw.get("shape"))
        if spec is not None:
            datatypes.check_shape(spec, shape)
        data = raw.get("data", _MISSING)
        if binary_size is not None:
            raw_data = _behind(index, name, binary_size, section, has_data=data is not _MISSING)
            array = raw_tensors.from_raw(name, raw_data, datatype, shape)
        elif data is _MISSING or (type(data) is not list and shape):
            got = "nothing" if data is _MISSING else datatypes.word(data)
            raise _bad(f"inputs[{index}].data", "a list of values", got)
        else:
            array = _tensor(name, data, datatype, shape)
        if content_type and content_type in elements.TYPES and datatype.kind == "O":
            array = elements.of_content(name, array, content_type)
        return name, array

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

    def _wanted(
        self, raw_outputs: Any, reply: Reply | None
    ) -> tuple[tuple[str, ...] | None, Reply | None]:
        """The outputs that are asked for, and how."""
        if raw_outputs is None:
            return None, reply
        if type(raw_outputs) is not list:
            raise _bad("outputs", "a list of outputs", datatypes.word(raw_outputs))
        names: dict[str, None] = {}
        binary: dict[str, bool] = {}
        base64: set[str] = set()
        for index, raw in enumerate(raw_outputs):
            name = self._wanted_name(index, raw)
            if name in names:
                raise RequestError(Fault.REPEATED_OUTPUT, name=name)
            names[name] = None
            if "parameters" in raw:
                field = f"outputs[{index}].parameters"
                own = parameters_v2.of_output(field, raw["parameters"])
                if own.is_binary is not None:
                    binary[name] = own.is_binary
                if own.content_type == "base64":
                    base64.add(name)
        is_binary = reply is not None
        if base64 or any(flag is not is_binary for flag in binary.values()):
            reply = Reply(is_binary, binary, frozenset(base64))
        return tuple(names) or None, reply

    def _wanted_name(self, index: int, raw: Any) -> str:
        if type(raw) is not dict or type(raw.get("name")) is not str:
            raise _bad(f"outputs[{index}]", "an object with a name", datatypes.word(raw))
        if not raw.keys() <= _OUTPUT_FIELDS:
            field = f"outputs[{index}].{min(raw.keys() - _OUTPUT_FIELDS)}"
            raise RequestError(Fault.UNKNOWN_FIELD, field=field)
        name: str = raw["name"]
        if self._outputs is not None and name not in self._outputs:
            expected = ", ".join(self._outputs)
            raise RequestError(Fault.UNKNOWN_OUTPUT, name=name, expected=expected)
        return name


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
    expected = datatypes.check_count(name, shape)
    if array.size != expected:
        raise RequestError(
            Fault.WRONG_COUNT, name=name, shape=list(shape), expected=expected, got=array.size
        )
    if array.ndim > 1:
        raise RequestError(
            Fault.WRONG_NESTING, name=name, got=list(array.shape), expected=list(shape)
        )
    return array.reshape(shape)


def _shape(index: int, raw: Any) -> tuple[int, ...]:
    if type(raw) is not list:
        raise _bad(f"inputs[{index}].shape", "a list of sizes", datatypes.word(raw))
    if len(raw) > datatypes.RANK_MAX:
        expected = f"at most {datatypes.RANK_MAX} sizes"
        raise _bad(f"inputs[{index}].shape", expected, str(len(raw)))
    sizes = tuple(map(datatypes.whole, raw))
    for size in sizes:
        if type(size) is not int or not 0 <= size <= _SIZE_MAX:
            got = repr(size) if type(size) is int else datatypes.word(size)
            raise _bad(f"inputs[{index}].shape", f"sizes of 0 to {_SIZE_MAX}", got)
    return sizes


def _behind(
    index: int, name: str, size: int, section: Section | None, *, has_data: bool
) -> memoryview:
    """An input's binary data."""
    field = f"inputs[{index}].parameters.binary_data_size"
    if has_data:
        raise _bad(field, "no data in JSON beside it", "both")
    if section is None:
        raise _bad(field, "header Inference-Header-Content-Length beside it", "none")
    return section.take(name, size)


def _bad(field: str, expected: str, got: str) -> RequestError:
    return RequestError(Fault.BAD_FIELD, field=field, expected=expected, got=got)


def _output(name: str, outputs: Mapping[str, Tensor]) -> dict[str, Any]:
    array = outputs.get(name)
    if array is None:
        raise _missing(name)
    datatype = datatypes.NUMBERS.get(array.dtype)
    data = array.ravel()
    if datatype is None or datatype.dtype is not array.dtype:
        datatype = datatypes.describe(name, array)
        data = datatypes.to_json(name, data, datatype)
    return {"name": name, "shape": array.shape, "datatype": datatype.name, "data": data}


def _missing(name: str) -> RequestError:
    return RequestError(Fault.BAD_OUTPUT, detail=f"output '{name}' is missing from it")


def _mixed(
    answer: dict[str, Any], names: Iterable[str], outputs: Mapping[str, Tensor], reply: Reply
) -> Encoded:
    """An answer that is not all plain JSON."""
    tensors: list[raw_tensors.Buffer] = []
    described: list[dict[str, Any]] = []
    answer["outputs"] = described
    for name in names:
        array = outputs.get(name)
        if array is None:
            raise _missing(name)
        datatype = datatypes.describe(name, array)
        one: dict[str, Any] = {"name": name, "shape": array.shape, "datatype": datatype.name}
        if reply.binary.get(name, reply.is_binary):
            tensors.append(raw_tensors.to_raw(name, array, datatype))
            one["parameters"] = {"binary_data_size": len(tensors[-1])}
        else:
            flat = array.ravel()
            if name in reply.base64 and datatype.kind == "O":
                flat = elements.to_base64(array)
                one["parameters"] = {"content_type": "base64"}
            one["data"] = nonfinite.written(datatypes.to_json(name, flat, datatype))
        described.append(one)
    if not tensors:
        return Encoded(JSON, orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY))
    return binary_v2.joined(answer, tensors)
