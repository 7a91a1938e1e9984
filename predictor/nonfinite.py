"""NaN and the infinities in JSON, which has no numbers for them.

For: writing and reading "NaN", "Infinity" and "-Infinity" as protobuf's JSON mapping does.
Must not know: tensors' names, which protocol speaks, models.

Python writes the bare words, which strict parsers refuse whole; orjson writes null, from which
nobody can tell a missing value. Text that numpy reads back goes through every parser.
"""

import math
import re
from typing import Any

import numpy as np
import orjson

WORDS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}

# Text is skipped whole, so that words in it stay; one that is cut off is skipped to its end, for
# looking for it again from each of its quotes would cost the square of its length.
_TOKENS = re.compile(rb'("(?:[^"\\]++|\\.)*+"?)|(-?Infinity|NaN)', re.DOTALL)
_NULL = re.compile(rb"null")


def quoted(body: bytes) -> bytes:
    """A body with the bare words made text; the same one where it has none."""
    if b"NaN" not in body and b"Infinity" not in body:
        return body
    return _TOKENS.sub(_quote, body)


def _quote(found: re.Match[bytes]) -> bytes:
    text, word = found.groups()
    return text if word is None else b'"%b"' % word


def written(value: Any) -> Any:
    """What to give orjson for an array (or a scalar of numpy) that may hold such values."""
    if not isinstance(value, (np.ndarray, np.generic)) or value.dtype.kind != "f":
        return value
    is_finite = np.isfinite(value)
    if is_finite.all():
        return value
    # orjson has the shortest text of every float; its nulls are the others, in their order.
    text = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    words = iter([_word(one) for one in np.atleast_1d(value)[~np.atleast_1d(is_finite)].tolist()])
    return orjson.Fragment(_NULL.sub(lambda _: next(words), text))


def _word(value: float) -> bytes:
    if math.isnan(value):
        return b'"NaN"'
    return b'"Infinity"' if value > 0 else b'"-Infinity"'
