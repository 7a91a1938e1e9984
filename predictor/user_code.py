"""A class in a user's file: found, made, loaded and called behind checks.

For: one sentence for a person where such code fails, and no answer that it could harm.
Must not know: which of its methods are called for what, HTTP, JSON.
"""

import importlib.util
import inspect
import logging
import operator
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from predictor import datatypes
from predictor.datatypes import DATATYPES
from predictor.errors import Fault, LoadError, RequestError
from predictor.model import InvalidInputError, Signature, Tensor, TensorSpec

_LOG = logging.getLogger(__name__)
_MESSAGE_CHARACTERS_MAX = 300


class UserCode:
    """One class of a user's: what it raises and returns is not ours."""

    def __init__(self, path: Path, class_name: str, *, base: type, module: str) -> None:
        """`base`: of ours, which the class has to be of; `module`: what it is imported as."""
        self.path = path
        self.name = class_name
        self.made: Any = base()
        self._base = base
        self._module = module

    def load(self) -> None:
        """Import, make and load it; LoadError names the file, the log has the traceback."""
        module = self._import()
        found = getattr(module, self.name, None)
        kind = self._base.__name__
        if found is None:
            classes = [name for name, one in vars(module).items() if self._is_one(one)]
            have = f"; it has {', '.join(classes)}" if classes else f"; it has no {kind} at all"
            raise LoadError(f"{self.path} has no class {self.name}{have}")
        if not self._is_one(found):
            raise LoadError(f"{self.name} in {self.path} is not a predictor.model.{kind}")
        try:
            self.made = found()
            self.made.load()
        except BaseException as error:  # noqa: BLE001 - a user's code; logged
            _LOG.exception("%s failed to load", self.name)
            raise LoadError(f"loading {self.name} from {self.path} raised {_name(error)}") from None

    def signature(self) -> Signature | None:
        """What it declares, checked."""
        try:
            declared: Any = self.made.signature()
        except BaseException as error:  # noqa: BLE001 - a user's code; logged
            _LOG.exception("%s.signature failed", self.name)
            raise LoadError(f"{self.name}.signature in {self.path} raised {_name(error)}") from None
        if declared is None:
            return None
        if problem := _problem(declared):
            raise LoadError(f"the signature of {self.name} in {self.path} {problem}")
        specs = [tuple(map(_plain, listed)) for listed in (declared.inputs, declared.outputs)]
        return Signature(inputs=specs[0], outputs=specs[1])

    def defined(self, method: str) -> Any:
        """A method that only some classes define; None where this one does not."""
        is_ours = getattr(type(self.made), method) is getattr(self._base, method)
        return None if is_ours else getattr(self.made, method)

    def call(self, method: str, tensors: Mapping[str, Tensor]) -> Any:
        """What a method makes of tensors, which it may write into; RequestError where it raises."""
        own = {name: _writable(array) for name, array in tensors.items()}
        try:
            return getattr(self.made, method)(own)
        except InvalidInputError as error:
            said = str(error) or "the model refuses this input and does not say why"
            raise RequestError(Fault.REJECTED, detail=said) from None
        except BaseException as error:  # noqa: BLE001 - a user's code; logged
            _LOG.exception("%s.%s failed", self.name, method)
            raise RequestError(Fault.MODEL_RAISED, kind=type(error).__name__) from None

    def tensors(self, method: str, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What a method gives that is to give tensors.

        Copies: its calls never overlap, so it may well fill the same array again in the next one,
        which runs on its thread while the loop's still writes this answer.
        """
        found = self.call(method, given)
        if not isinstance(found, Mapping) or not found:
            empty = "an empty " if isinstance(found, Mapping) else ""
            got = f"{empty}{type(found).__name__}"
            raise bad_output(f"{self.name}.{method} gave {got}, not a dict of arrays")
        outputs = {name: _array(name, value) for name, value in found.items()}
        for name, array in outputs.items():
            if array.dtype.kind in "OU" and not _is_unicode(array):
                raise bad_output(f"output '{name}' holds text with half of a surrogate pair")
        return outputs

    def _is_one(self, found: object) -> bool:
        return inspect.isclass(found) and issubclass(found, self._base) and found is not self._base

    def _import(self) -> ModuleType:
        if not self.path.is_file():
            problem = "is a directory" if self.path.is_dir() else "does not exist"
            raise LoadError(f"the {self._base.__name__.lower()} file {self.path} {problem}")
        spec = importlib.util.spec_from_file_location(self._module, self.path)
        if spec is None or spec.loader is None:
            raise LoadError(f"{self.path} is not a Python file; its name must end in .py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[self._module] = module  # pickle and dataclasses look a class's module up here
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


def bad_output(detail: str) -> RequestError:
    """An answer of such code that is none."""
    return RequestError(Fault.BAD_OUTPUT, detail=detail)


def _problem(declared: Any) -> str:
    if not isinstance(declared, Signature):
        return f"is {type(declared).__name__}, not Signature"
    told: dict[str, Any] = {"inputs": declared.inputs, "outputs": declared.outputs}
    for role, specs in told.items():
        if not isinstance(specs, list | tuple):
            return f"gives {role} as {type(specs).__name__}, not as a list of TensorSpec"
        for spec in specs:
            if problem := _spec_problem(spec):
                return problem
        if len({spec.name for spec in specs}) < len(specs):
            return f"gives {role} of which two have the same name"
    return ""


def _spec_problem(spec: Any) -> str:
    if not isinstance(spec, TensorSpec):
        return f"holds {type(spec).__name__}, not TensorSpec"
    name: Any = spec.name
    datatype: Any = spec.datatype
    shape: Any = spec.shape
    if not isinstance(name, str) or not name:
        return f"gives a tensor the name {name!r}; expected text"
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        return f"gives '{name}' datatype {datatype!r}; known: {datatypes.NAMES}"
    try:
        is_shape = isinstance(shape, list | tuple) and all(operator.index(n) >= -1 for n in shape)
    except TypeError:
        is_shape = False
    if not is_shape or len(shape) > datatypes.RANK_MAX:
        return f"gives '{name}' shape {shape!r}; expected whole numbers, -1 for any size"
    return ""


def _plain(spec: TensorSpec) -> TensorSpec:
    """With a shape as others compare it: a user's may be a list, or of numpy's numbers."""
    return replace(spec, shape=tuple(map(operator.index, spec.shape)))


def _is_unicode(array: Tensor) -> bool:
    try:
        "".join(one for one in array.reshape(-1).tolist() if type(one) is str).encode()
    except UnicodeEncodeError:
        return False
    return True


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
    """An array that is nobody else's, and a plain one: not numpy's matrices, say."""
    if not isinstance(name, str):
        raise bad_output(f"an output's name is {type(name).__name__}, not text")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise bad_output(f"output '{name}' is masked in places, which V2 has no word for: fill it")
    try:
        return np.array(value)
    except ValueError as error:
        why = "is ragged; expected an array" if "inhomogeneous" in str(error) else f"({error})"
        raise bad_output(f"output '{name}' {why}") from None
    except Exception as error:  # noqa: BLE001 - anybody's object; logged
        _LOG.exception("output '%s' can not be made an array", name)
        kind = type(value).__name__
        detail = f"output '{name}' holds a {kind} that is no array ({type(error).__name__})"
        raise bad_output(detail) from None
