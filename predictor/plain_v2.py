"""The V2 tensors that most clients send: numbers in one flat list of JSON, as the model has them.

For: reading those in the fewest steps.
Must not know: what is wrong with any other; None leaves that, and all else, to `protocol_v2`.
"""

from typing import Any, NamedTuple

from predictor import datatypes
from predictor.datatypes import DATATYPES, Datatype
from predictor.model import Signature, Tensor

_FIELDS = 4  # name, datatype, shape, data


class _Known(NamedTuple):
    datatype: Datatype
    shape: tuple[int, ...]  # -1 for any size


class PlainInputs:
    """The inputs of one model."""

    def __init__(self, signature: Signature) -> None:
        self._known = {
            spec.name: _Known(DATATYPES[spec.datatype], spec.shape) for spec in signature.inputs
        }

    def read(self, raw: Any) -> dict[str, Tensor] | None:
        """A request's `inputs` as arrays; None where one of them is to be looked at with care.

        RequestError, in the words of `datatypes`, for values that do not fit their datatype.
        """
        if type(raw) is not list or len(raw) != len(self._known):
            return None
        feeds: dict[str, Tensor] = {}
        for one in raw:
            if type(one) is not dict or len(one) != _FIELDS:
                return None
            name, data, shape = one.get("name"), one.get("data"), one.get("shape")
            if type(name) is not str or type(data) is not list or type(shape) is not list:
                return None
            known = self._known.get(name)
            if known is None or one.get("datatype") != known.datatype.name or name in feeds:
                return None
            if not data or type(data[0]) is list or len(shape) != len(known.shape):
                return None
            count = 1
            for size, wanted in zip(shape, known.shape, strict=True):
                if type(size) is not int or (size != wanted and wanted != -1) or size < 1:
                    return None
                count *= size
            if len(data) != count:
                return None
            array = datatypes.of_flat(name, data, known.datatype)
            feeds[name] = array.reshape(shape) if len(shape) != 1 else array
        return feeds
