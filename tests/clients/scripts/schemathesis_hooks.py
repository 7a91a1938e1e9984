"""What schemathesis has to know beyond a document, for a body that fits it to be one that is right.

JSON Schema cannot tie a tensor's data to its shape, and calls 1.0 an integer. RELIGHT_NO_NULLS
drops bodies with null in them: where a document knows none, our server still takes it for what
is left out, as clients made with pydantic write it.
"""

import math
import os
from typing import Any

import schemathesis

_VALUES_MAX = 4096


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Tensors whose sizes and values agree, wherever both are what a document calls right."""
    del context
    body = _whole(body)
    if isinstance(body, dict) and isinstance(body.get("inputs"), list):
        for tensor in body["inputs"]:
            if isinstance(tensor, dict):
                _fit(tensor)
    return body


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Whether to send it."""
    del context
    return "RELIGHT_NO_NULLS" not in os.environ or not _has_null(case.body)


def _fit(tensor: Any) -> None:
    shape, data = tensor.get("shape"), tensor.get("data")
    if not isinstance(shape, list) or not isinstance(data, list) or not shape:
        return
    if any(type(size) is not int or size < 0 for size in shape):
        return
    per_row = math.prod(shape[1:])
    if any(isinstance(each, list) for each in data):
        shape[0] = len(data)
    elif data and 0 < per_row <= _VALUES_MAX:
        shape[0] = -(-len(data) // per_row)
        data += data[:1] * (shape[0] * per_row - len(data))
    elif not data:
        shape[0] = 0


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _has_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_null, value.values()))
    if isinstance(value, list):
        return any(map(_has_null, value))
    return value is None
