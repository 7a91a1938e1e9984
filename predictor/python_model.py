"""A model written in Python: find the class in its file, make it, check what it says.

For: turning FILE.py:CLASS into a Model, and one sentence for a person when that fails.
Must not know: HTTP, JSON, ONNX Runtime.
"""

import importlib.util
import inspect
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from predictor import datatypes
from predictor.datatypes import DATATYPES
from predictor.errors import Fault, LoadError, RequestError
from predictor.loaded import Loaded
from predictor.model import InvalidInputError, Model, Signature, Tensor, TensorSpec

_LOG = logging.getLogger(__name__)
PLATFORM = "python"
_MODULE = "relight_user_model"
_MESSAGE_CHARACTERS_MAX = 300


class PythonModel:
    """A user's Model behind checks: what it raises and returns is not ours."""

    def __init__(self, path: Path, class_name: str) -> None:
        self.path = path
        self._class_name = class_name
        self._model: Model = Model()

    def load(self) -> None:
        """Import, make and load it; LoadError names the file, the log has the traceback."""
        module = self._import()
        found = getattr(module, self._class_name, None)
        if found is None:
            models = [name for name, one in vars(module).items() if _is_model(one)]
            have = f"; it has {', '.join(models)}" if models else "; it has no Model at all"
            raise LoadError(f"{self.path} has no class {self._class_name}{have}")
        if not _is_model(found):
            raise LoadError(f"{self._class_name} in {self.path} is not a predictor.model.Model")
        try:
            self._model = found()
            self._model.load()
        except BaseException as error:  # noqa: BLE001 - a user's code; logged
            _LOG.exception("%s failed to load", self._class_name)
            raise LoadError(
                f"loading {self._class_name} from {self.path} raised {_name(error)}"
            ) from None

    def signature(self) -> Signature | None:
        """What the model declares, checked."""
        try:
            declared = self._model.signature()
        except BaseException as error:  # noqa: BLE001 - a user's code; logged
            _LOG.exception("%s.signature failed", self._class_name)
            raise LoadError(
                f"{self._class_name}.signature in {self.path} raised {_name(error)}"
            ) from None
        if declared is not None:
            self._check_signature(declared)
        return declared

    def defined(self, method: str) -> Any:
        """A method that only some models define; None where this one does not."""
        is_ours = getattr(type(self._model), method) is getattr(Model, method)
        return None if is_ours else getattr(self._model, method)

    def run(
        self, inputs: dict[str, Tensor], wanted: tuple[str, ...] | None
    ) -> Mapping[str, Tensor]:
        """Its outputs as arrays; `wanted` is the answer's business, not the user's."""
        del wanted
        own = {name: _writable(array) for name, array in inputs.items()}
        try:
            outputs: Any = self._model.predict(own)
        except InvalidInputError as error:
            raise RequestError(Fault.REJECTED, detail=str(error)) from None
        except BaseException as error:  # noqa: BLE001 - a user's code; logged
            _LOG.exception("%s.predict failed", self._class_name)
            raise RequestError(Fault.MODEL_RAISED, kind=type(error).__name__) from None
        if not isinstance(outputs, Mapping) or not outputs:
            empty = "an empty " if isinstance(outputs, Mapping) else ""
            got = f"{empty}{type(outputs).__name__}"
            raise _bad_output(f"{self._class_name}.predict gave {got}, not a dict of arrays")
        return {name: _array(name, value) for name, value in outputs.items()}

    def explain(self, inputs: dict[str, Tensor]) -> Mapping[str, Any]:
        """What the model says of its answers."""
        own = {name: _writable(array) for name, array in inputs.items()}
        try:
            found: Any = self._model.explain(own)
        except InvalidInputError as error:
            raise RequestError(Fault.REJECTED, detail=str(error)) from None
        except BaseException as error:  # noqa: BLE001 - a user's code; logged
            _LOG.exception("%s.explain failed", self._class_name)
            raise RequestError(Fault.MODEL_RAISED, kind=type(error).__name__) from None
        if not isinstance(found, Mapping):
            got = type(found).__name__
            raise _bad_output(f"{self._class_name}.explain gave {got}, not a dict")
        return found

    def _import(self) -> ModuleType:
        if not self.path.is_file():
            problem = "is a directory" if self.path.is_dir() else "does not exist"
            raise LoadError(f"the model file {self.path} {problem}")
        spec = importlib.util.spec_from_file_location(_MODULE, self.path)
        if spec is None or spec.loader is None:
            raise LoadError(f"{self.path} is not a Python file; its name must end in .py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[_MODULE] = module  # pickle and dataclasses look a class's module up here
        sys.path.insert(0, str(self.path.resolve().parent))  # so that its neighbours import
        try:
            spec.loader.exec_module(module)
        except SyntaxError as error:
            where = f"line {error.lineno} of {error.filename}"
            raise LoadError(f"{self.path} cannot be imported: {where}: {error.msg}") from None
        except BaseException as error:  # noqa: BLE001 - a user's code; logged
            _LOG.exception("importing %s failed", self.path)
            raise LoadError(f"importing {self.path} raised {_name(error)}") from None
        return module

    def _check_signature(self, declared: Any) -> None:
        problem = ""
        if not isinstance(declared, Signature):
            problem = f"is {type(declared).__name__}, not Signature"
        else:
            specs: list[Any] = [*declared.inputs, *declared.outputs]
            for spec in specs:
                if not isinstance(spec, TensorSpec):
                    problem = f"holds {type(spec).__name__}, not TensorSpec"
                elif spec.datatype not in DATATYPES:
                    known = datatypes.NAMES
                    problem = f"gives '{spec.name}' datatype {spec.datatype!r}; known: {known}"
        if problem:
            raise LoadError(f"the signature of {self._class_name} in {self.path} {problem}")


def open_model(path: Path, class_name: str) -> Loaded:
    """Open a user's Model; LoadError names its file."""
    model = PythonModel(path, class_name)
    model.load()
    signature = model.signature()
    return Loaded(
        run=model.run,
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


def _is_model(found: object) -> bool:
    return inspect.isclass(found) and issubclass(found, Model) and found is not Model


def _name(error: BaseException) -> str:
    try:
        said = " ".join(str(error).split())[:_MESSAGE_CHARACTERS_MAX]
    except Exception:  # noqa: BLE001 - a user's code
        said = ""
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _writable(array: Tensor) -> Tensor:
    """Binary tensors lie in the body they came in; code that writes into its inputs may do so."""
    return array if array.flags.writeable else array.copy()


def _array(name: object, value: object) -> Tensor:
    if not isinstance(name, str):
        raise _bad_output(f"an output's name is {type(name).__name__}, not text")
    if isinstance(value, np.ndarray):
        return value
    try:
        return np.asarray(value)
    except ValueError:
        raise _bad_output(f"output '{name}' is ragged; expected an array") from None


def _bad_output(detail: str) -> RequestError:
    return RequestError(Fault.BAD_OUTPUT, detail=detail)
