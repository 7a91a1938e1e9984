"""The V1 protocol: instances to arrays, arrays to predictions.

For: POST /v1/models/m:predict, row by row as TensorFlow Serving and KServe speak it, and in columns
(an object under `inputs`) as the former does; bytes as that writes them: {"b64": "..."}.
Must not know: sockets, paths, or how a model runs.
"""

from collections.abc import Collection, Mapping
from typing import Any

import orjson

from predictor import datatypes, elements, nonfinite
from predictor.datatypes import DATATYPES
from predictor.errors import Fault, RequestError
from predictor.model import Signature, Tensor, TensorSpec
from predictor.protocol import JSON, NO_HEADERS, Encoded, InferRequest, PlainCodec, parse_object

_UNDECLARED = "instances"  # the one input of a model that declares none
_DEFAULT = "serving_default"
_COLUMNS = "columns"  # the reply to a request in columns


class CodecV1(PlainCodec):
    """Both directions for one model; holds what every request of that model needs."""

    def __init__(
        self,
        signature: Signature | None,
        *,
        signature_name: str = _DEFAULT,
        signature_names: Collection[str] = (),
    ) -> None:
        """`signature_name`: what clients of TensorFlow Serving may call the model's signature.

        `signature_names`: all that the model has; the default is any model's that has no such one.
        """
        is_another = signature_name != _DEFAULT and _DEFAULT in signature_names
        self._signature_names = (signature_name,) if is_another else (_DEFAULT, signature_name)
        self._inputs = {spec.name: spec for spec in signature.inputs} if signature else None

    def decode(self, body: bytes, index: Mapping[bytes, bytes] = NO_HEADERS) -> InferRequest:
        """Raises RequestError with a 400 that names the field or tensor.

        Rows are in `instances`, or as a list in `inputs`, which KServe takes too; what else is in
        `inputs` are columns.
        """
        del index
        return self.read(parse_object(body))

    def read(self, raw: Mapping[str, Any]) -> InferRequest:
        """The request in an object, see `decode`."""
        rows = "inputs" if "inputs" in raw and "instances" not in raw else "instances"
        for field in raw:
            if field == "signature_name":
                self._check_signature_name(raw[field])
            elif field != rows:
                raise RequestError(Fault.UNKNOWN_FIELD, field=field)
        instances = raw.get(rows)
        if rows == "inputs" and type(instances) is not list and instances is not None:
            return InferRequest(None, self._columns_in(instances), None, reply=_COLUMNS)
        if type(instances) is not list or not instances:
            got = "an empty list" if instances == [] else datatypes.word(instances)
            raise RequestError(Fault.BAD_FIELD, field=rows, expected="a list of rows", got=got)
        return InferRequest(None, self._feeds(instances), None)

    def encode(self, request: InferRequest, outputs: Mapping[str, Tensor]) -> Encoded:
        """One output gives its rows; several give an object a row, keyed by output name.

        To a request in columns they give an object of whole outputs.
        """
        if request.reply == _COLUMNS:
            field, value = "outputs", _columns_out(outputs)
        else:
            field, value = "predictions", _rows(outputs)
        body = orjson.dumps({field: value}, option=orjson.OPT_SERIALIZE_NUMPY)
        if b"null" in body:  # orjson's word for NaN and infinity
            body = orjson.dumps({field: _written(value)}, option=orjson.OPT_SERIALIZE_NUMPY)
        return Encoded(JSON, body)

    def _check_signature_name(self, raw: Any) -> None:
        known = self._signature_names
        if raw is not None and raw not in known:
            got = repr(raw) if type(raw) is str else datatypes.word(raw)
            expected = " or ".join(map(repr, dict.fromkeys(known)))
            raise RequestError(
                Fault.BAD_FIELD, field="signature_name", expected=expected, got=got[:100]
            )

    def _feeds(self, instances: list[Any]) -> dict[str, Tensor]:
        columns = self._columns(instances)
        if self._inputs is None:
            return {
                name: datatypes.to_array(name, values, datatypes.guess(name, values))
                for name, values in columns.items()
            }
        feeds = {}
        for name, spec in self._inputs.items():
            if not spec.shape:
                raise RequestError(Fault.NO_INPUT_ROWS, name=name)
            feeds[name] = _array(spec, columns[name])
        return feeds

    def _columns_in(self, given: Any) -> dict[str, Tensor]:
        """Whole tensors by name, each of a shape of its own; of the only one also its value."""
        known = self._inputs
        is_bytes = elements.is_b64(given) and not (known and "b64" in known)
        if is_bytes or type(given) is not dict:
            given = {self._only_input([given], "inputs"): given}
        if not given:
            expected = f"an object with {', '.join(known)}" if known else "an object of tensors"
            raise RequestError(
                Fault.BAD_FIELD, field="inputs", expected=expected, got="an empty object"
            )
        if known is None:
            return {
                name: datatypes.to_array(name, values, datatypes.guess(name, values))
                for name, values in given.items()
            }
        expected, got = ", ".join(known), ", ".join(given)
        for name in given:
            if name not in known:
                raise RequestError(Fault.UNKNOWN_INPUT, name=name, expected=expected)
        for name in known:
            if name not in given:
                raise RequestError(Fault.MISSING_INPUT, name=name, expected=expected, got=got)
        return {name: _array(spec, given[name]) for name, spec in known.items()}

    def _columns(self, instances: list[Any]) -> dict[str, list[Any]]:
        if type(instances[0]) is not dict or elements.is_b64(instances[0]):
            return {self._only_input(instances): instances}
        names = tuple(self._inputs) if self._inputs is not None else tuple(instances[0])
        expected = ", ".join(names)
        for index, row in enumerate(instances):
            if type(row) is not dict:
                raise RequestError(
                    Fault.BAD_FIELD,
                    field=f"instances[{index}]",
                    expected="an object, as the row before it",
                    got=datatypes.word(row),
                )
            for name in row:
                if name not in names:
                    raise RequestError(Fault.UNKNOWN_INPUT, name=name, expected=expected)
            for name in names:
                if name not in row:
                    got = f"row {index} without it"
                    raise RequestError(Fault.MISSING_INPUT, name=name, expected=expected, got=got)
        return {name: [row[name] for row in instances] for name in names}

    def _only_input(self, instances: list[Any], field: str = "instances[0]") -> str:
        if self._inputs is None:
            return _UNDECLARED
        if len(self._inputs) == 1:
            return next(iter(self._inputs))
        raise RequestError(
            Fault.BAD_FIELD,
            field=field,
            expected=f"an object with {', '.join(self._inputs)}",
            got=datatypes.word(instances[0]),
        )


def _array(spec: TensorSpec, values: Any) -> Tensor:
    array = datatypes.to_array(spec.name, values, DATATYPES[spec.datatype])
    datatypes.check_shape(spec, array.shape)
    return array


def _written(value: Any) -> Any:
    """What is answered, with the values that JSON has no numbers for."""
    if type(value) is list:
        return [_written(row) if type(row) is dict else row for row in value]
    if type(value) is dict:
        return {name: nonfinite.written(each) for name, each in value.items()}
    return nonfinite.written(value)


def _columns_out(outputs: Mapping[str, Tensor]) -> Any:
    columns = {
        name: datatypes.to_json(name, array, datatypes.describe(name, array))
        for name, array in outputs.items()
    }
    return columns if len(columns) != 1 else next(iter(columns.values()))


def _rows(outputs: Mapping[str, Tensor]) -> Any:
    if len(outputs) == 1:
        return _columns_out(outputs)
    if len({array.shape[:1] for array in outputs.values()}) != 1 or any(
        array.ndim == 0 for array in outputs.values()
    ):
        raise RequestError(Fault.NO_ROWS, names=", ".join(outputs))
    columns = _columns_out(outputs)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
