"""A model written in Python: its class in a file, as a model like any other.

For: turning FILE.py:CLASS into a Model, and one sentence for a person when that fails.
Must not know: how such code is found and guarded, HTTP, JSON, ONNX Runtime.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from predictor.errors import Fault, RequestError
from predictor.loaded import Loaded
from predictor.model import Model, Signature, Tensor
from predictor.user_code import UserCode, bad_output

PLATFORM = "python"
_MODULE = "relight_user_model"


class PythonModel:
    """A user's Model behind checks."""

    def __init__(self, path: Path, class_name: str) -> None:
        self.path = path
        self._code = UserCode(path, class_name, base=Model, module=_MODULE)

    def load(self) -> None:
        """Import, make and load it; LoadError names the file, the log has the traceback."""
        self._code.load()

    def signature(self) -> Signature | None:
        """What the model declares, checked."""
        return self._code.signature()

    def defined(self, method: str) -> Any:
        """A method that only some models define; None where this one does not."""
        return self._code.defined(method)

    def run(
        self, inputs: dict[str, Tensor], wanted: tuple[str, ...] | None
    ) -> Mapping[str, Tensor]:
        """Its outputs as arrays; `wanted` is the answer's business, not the user's."""
        del wanted
        return self._code.tensors("predict", inputs)

    def explain(self, inputs: dict[str, Tensor]) -> Mapping[str, Any]:
        """What the model says of its answers."""
        found = self._code.call("explain", inputs)
        if not isinstance(found, Mapping):
            got = type(found).__name__
            raise bad_output(f"{self._code.name}.explain gave {got}, not a dict")
        return found


def _no_predict(inputs: dict[str, Tensor], wanted: tuple[str, ...] | None) -> Mapping[str, Tensor]:
    """The run of a model that only writes, embeds or explains."""
    del inputs, wanted
    raise RequestError(Fault.UNSERVED, what="inference", why="this model defines no predict")


def open_model(path: Path, class_name: str) -> Loaded:
    """Open a user's Model; LoadError names its file."""
    model = PythonModel(path, class_name)
    model.load()
    signature = model.signature()
    predicts = model.defined("predict") is not None
    return Loaded(
        run=model.run if predicts else _no_predict,
        predicts=predicts,
        signature=signature,
        platform=PLATFORM,
        described=signature,
        metrics=model.defined("load_metrics"),
        generate=model.defined("generate"),
        chat_prompt=model.defined("chat_prompt"),
        embed=model.defined("embed"),
        count_tokens=model.defined("count_tokens"),
        explain=model.explain if model.defined("explain") else None,
    )
