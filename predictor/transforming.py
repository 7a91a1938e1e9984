"""A transformer in the model's own process: code before and after every run.

For: one model out of two, whatever format the second has; refusals where they do not fit.
Must not know: how such code is found and guarded, HTTP, settings.

What clients send and get is the transformer's: the tensors it declares, else those of a request.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from predictor import batches, datatypes
from predictor.datatypes import DATATYPES, check_wanted
from predictor.errors import LoadError, RequestError
from predictor.loaded import Loaded, Run
from predictor.model import Signature, Tensor, TensorSpec, Transformer
from predictor.user_code import UserCode, bad_output

_MODULE = "relight_user_transformer"
_OF_TENSORS = ("feature_names", "classes", "labels", "forward_arguments")  # of the model's own


def around(loaded: Loaded, path: Path, class_name: str) -> Loaded:
    """The model with a user's Transformer around it; LoadError names the file."""
    if loaded.generate is not None or loaded.embed is not None:
        raise LoadError(f"{path}: a transformer is not asked for text, which this model writes")
    code = UserCode(path, class_name, base=Transformer, module=_MODULE)
    code.load()
    signature = code.signature()
    pair = _Pair(loaded, code)
    why = batches.refusal(loaded) if code.made.is_rowwise else _not_rowwise(code)
    return dataclasses.replace(
        loaded,
        run=pair.run,
        signature=signature,
        described=signature,
        facts={name: one for name, one in loaded.facts.items() if name not in _OF_TENSORS},
        is_rowwise=not why,
        unbatchable=why,
        trees=None,
        scores=pair.before(loaded.scores) if loaded.scores else None,
        explain=pair.explain if loaded.explain else None,
    )


def _not_rowwise(code: UserCode) -> str:
    return f"{code.name} in {code.path} does not say that it is row-wise (is_rowwise = True)"


class _Pair:
    """Both as one; runs on the model's thread like any run."""

    def __init__(self, loaded: Loaded, code: UserCode) -> None:
        self._loaded = loaded
        self._code = code

    def run(self, feeds: dict[str, Tensor], wanted: tuple[str, ...] | None) -> Mapping[str, Tensor]:
        """All outputs of the model are made: the transformer may need them."""
        outputs = self._loaded.run(self._before(feeds), None)
        found = self._code.tensors("postprocess", outputs)
        check_wanted(found, wanted)
        return found

    def before(self, run: Run) -> Run:
        """A run of the model's whose outputs are not transformed."""

        def transformed(
            feeds: dict[str, Tensor], wanted: tuple[str, ...] | None
        ) -> Mapping[str, Tensor]:
            return run(self._before(feeds), wanted)

        return transformed

    def explain(self, feeds: dict[str, Tensor]) -> Mapping[str, Any]:
        """The model's own explanation, of what it gets."""
        own = self._loaded.explain
        assert own is not None
        return own(self._before(feeds))

    def _before(self, feeds: dict[str, Tensor]) -> dict[str, Tensor]:
        found = self._code.tensors("preprocess", feeds)
        signature = self._loaded.signature
        return _fitted(found, signature, self._bad) if signature else found

    def _bad(self, detail: str) -> RequestError:
        return bad_output(f"{self._code.name}.preprocess gave {detail}")


def _fitted(
    given: Mapping[str, Tensor], signature: Signature, bad: Callable[[str], RequestError]
) -> dict[str, Tensor]:
    """What the model takes, checked as a client's tensors are; wider numbers are narrowed."""
    specs = {spec.name: spec for spec in signature.inputs}
    if given.keys() != specs.keys():
        got, expected = ", ".join(given), ", ".join(specs)
        raise bad(f"inputs {got}, while the model takes {expected}")
    return {name: _cast(given[name], spec, bad) for name, spec in specs.items()}


def _cast(array: Tensor, spec: TensorSpec, bad: Callable[[str], RequestError]) -> Tensor:
    expected = DATATYPES[spec.datatype]
    found = datatypes.of_array(array)
    if found is None or found.name != spec.datatype:
        if found is None or not np.can_cast(array.dtype, expected.dtype, "same_kind"):
            got = found.name if found else str(array.dtype)
            raise bad(f"'{spec.name}' as {got}, while the model takes {spec.datatype}")
        array = array.astype(expected.dtype)
    try:
        datatypes.check_shape(spec, array.shape)
    except RequestError as error:
        raise bad(f"what the model does not take: {error}") from None
    return array
