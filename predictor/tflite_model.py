"""A TensorFlow Lite model: its signature, its quantised tensors, and one interpreter to run it.

For: opening a .tflite file with LiteRT, and one sentence for a person when that fails.
Must not know: HTTP, JSON, or where the file came from.
"""

import importlib
import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from api.modelfiles import Kind
from predictor import formats, library_threads
from predictor.config import Settings
from predictor.datatypes import check_wanted
from predictor.errors import Fault, LoadError, RequestError
from predictor.loaded import Loaded
from predictor.model import Signature, Tensor, TensorSpec
from predictor.refusals import first_line, rejected

_LOG = logging.getLogger(__name__)
PLATFORM = "tensorflow_lite"
_PREFERRED = "serving_default"
_MAGIC, _MAGIC_AT = b"TFL3", 4
_TEXT = (np.bytes_, np.object_, np.str_)
_DATATYPES: dict[type, str] = {
    np.bool_: "BOOL",
    np.uint8: "UINT8",
    np.uint16: "UINT16",
    np.uint32: "UINT32",
    np.uint64: "UINT64",
    np.int8: "INT8",
    np.int16: "INT16",
    np.int32: "INT32",
    np.int64: "INT64",
    np.float16: "FP16",
    np.float32: "FP32",
    np.float64: "FP64",
    **dict.fromkeys(_TEXT, "BYTES"),
}
_OPERATION = re.compile(r"unresolved custom op: (\S+?)\.(?:\s|$)|(Select TensorFlow op\(s\))")

Details = Mapping[str, Mapping[str, Any]]  # of tensors, by the names that clients use


class TfliteModel:
    """One interpreter, and the one of its signatures that is served."""

    def __init__(self, path: Path, *, threads: int, signature_name: str = "") -> None:
        """`signature_name`: the one to serve; "" for `serving_default`, or the only one."""
        self.path = path
        self.signature_name = signature_name
        self.others: tuple[str, ...] = ()
        self._threads = threads
        self._inputs: Details = {}
        self._outputs: Details = {}
        self._call: Callable[..., Mapping[str, Tensor]]

    def load(self) -> None:
        """Open the file; LoadError names it."""
        library_threads.before_import(self._threads)
        formats.imported(["ai_edge_litert.interpreter"], extra="tflite")
        litert: Any = importlib.import_module("ai_edge_litert.interpreter")
        self._check_start()
        try:
            interpreter = litert.Interpreter(str(self.path), num_threads=self._threads)
            interpreter.allocate_tensors()
            self._choose(interpreter)
        except LoadError:
            raise
        except MemoryError:
            raise LoadError(f"{self.path} needs more memory than there is") from None
        except Exception as error:  # noqa: BLE001 - whatever a file makes it raise
            _LOG.debug("loading %s failed", self.path, exc_info=True)
            raise LoadError(_explain(self.path, error)) from None

    def signature(self) -> Signature:
        """The tensors of the signature; LoadError for a type V2 cannot express."""
        return Signature(
            inputs=[self._spec(name, one) for name, one in self._inputs.items()],
            outputs=[self._spec(name, one) for name, one in self._outputs.items()],
        )

    def facts(self) -> dict[str, Any]:
        """What else the metadata tells: how quantised tensors stand for real numbers."""
        found: dict[str, Any] = {}
        if self.signature_name:
            found["signature_name"] = self.signature_name
        if self.others:
            found["signature_names"] = sorted((self.signature_name, *self.others))
        quantised = {
            name: {"scale": scale, "zero_point": zero_point}
            for name, one in (*self._inputs.items(), *self._outputs.items())
            for scale, zero_point in [one["quantization"]]
            if scale
        }
        return found | ({"quantization": quantised} if quantised else {})

    def run(self, inputs: dict[str, Tensor], wanted: tuple[str, ...] | None) -> dict[str, Tensor]:
        """All its outputs; the batch and every other free dimension are as the request's."""
        for name, array in inputs.items():
            if not array.size:
                raise rejected(f"input '{name}': TensorFlow Lite takes no empty tensors")
        try:
            answer = self._call(**{name: _given(array) for name, array in inputs.items()})
        except Exception as error:  # noqa: BLE001 - it has no base but RuntimeError
            self._blame(inputs)
            _LOG.exception("the model failed on a request")
            kind = f"TensorFlow Lite: {first_line(error)}"
            raise RequestError(Fault.MODEL_RAISED, kind=kind) from None
        outputs = {name: answer[name] for name in self._outputs}
        check_wanted(outputs, wanted)
        return outputs

    def _blame(self, inputs: Mapping[str, Tensor]) -> None:
        """After a failure: the caller, where two inputs bring different numbers of rows."""
        rows = {
            name: inputs[name].shape[0]
            for name, one in self._inputs.items()
            if len(one["shape_signature"]) and one["shape_signature"][0] == -1
        }
        for name, got in rows.items():
            first, expected = next(iter(rows.items()))
            if got != expected:
                blanks: dict[str, Any] = {"axis": 0, "got": got, "expected": expected}
                raise RequestError(
                    Fault.UNEQUAL_SIZES, name=name, dimension="rows", other=first, **blanks
                )

    def _check_start(self) -> None:
        try:
            with self.path.open("rb") as file:
                start = file.read(8)
        except OSError as error:
            raise LoadError(f"cannot read {self.path}: {error.strerror}") from None
        if start[_MAGIC_AT:] != _MAGIC:
            raise LoadError(f"{self.path} is no TensorFlow Lite model: it has no {_MAGIC.decode()}")

    def _choose(self, interpreter: Any) -> None:
        known = tuple(interpreter.get_signature_list())
        if self.signature_name and self.signature_name not in known:
            listed = ", ".join(known) or "no signature"
            raise LoadError(f"{self.path} has {listed}, and no {self.signature_name} to serve")
        if not known:
            self._inputs = _by_name(interpreter.get_input_details())
            self._outputs = _by_name(interpreter.get_output_details())
            self._call = _Plain(interpreter, self._inputs, self._outputs)
            return
        wanted = self.signature_name or _PREFERRED
        if wanted not in known and len(known) > 1:
            listed = ", ".join(known)
            raise LoadError(
                f"{self.path} has the signatures {listed} and none named {_PREFERRED}: "
                "name the one to serve with --signature-name"
            )
        self.signature_name = wanted if wanted in known else known[0]
        self.others = tuple(name for name in known if name != self.signature_name)
        runner = interpreter.get_signature_runner(self.signature_name)
        self._inputs, self._outputs = runner.get_input_details(), runner.get_output_details()
        self._call = runner

    def _spec(self, name: str, details: Mapping[str, Any]) -> TensorSpec:
        datatype = _DATATYPES.get(details["dtype"])
        if datatype is None:
            got = getattr(details["dtype"], "__name__", details["dtype"])
            raise LoadError(f"{self.path}: '{name}' is {got}, which V2 cannot express")
        shape = tuple(int(size) for size in details["shape_signature"])
        return TensorSpec(name=name, datatype=datatype, shape=shape)


class _Plain:
    """A model without signatures, called like one: by the names of its tensors."""

    def __init__(self, interpreter: Any, inputs: Details, outputs: Details) -> None:
        self._interpreter = interpreter
        self._inputs = {name: one["index"] for name, one in inputs.items()}
        self._outputs = {name: one["index"] for name, one in outputs.items()}
        self._shapes = {name: tuple(one["shape"]) for name, one in inputs.items()}

    def __call__(self, **inputs: Tensor) -> dict[str, Tensor]:
        shapes = {name: array.shape for name, array in inputs.items()}
        if shapes != self._shapes:
            self._shapes = {}  # until it is known that it worked
            for name, shape in shapes.items():
                self._interpreter.resize_tensor_input(self._inputs[name], shape, strict=True)
            self._interpreter.allocate_tensors()
            self._shapes = shapes
        for name, array in inputs.items():
            self._interpreter.set_tensor(self._inputs[name], array)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}


def open_model(path: Path, kind: Kind, settings: Settings) -> Loaded:
    """Open a .tflite file as the settings ask; LoadError names it."""
    del kind  # there is one
    name = settings.signature_name
    model = TfliteModel(path, threads=settings.threads, signature_name=name)
    model.load()
    signature = model.signature()
    return Loaded(
        run=model.run,
        signature=signature,
        platform=PLATFORM,
        described=signature,
        facts=model.facts(),
    )


def _by_name(details: Any) -> dict[str, Mapping[str, Any]]:
    return {str(one["name"]): one for one in details}


def _given(array: Tensor) -> Tensor:
    if array.dtype.kind != "O":
        return array
    texts = [one.encode() if isinstance(one, str) else bytes(one) for one in array.ravel()]
    return np.array(texts, object).reshape(array.shape)


def _explain(path: Path, error: Exception) -> str:
    said = first_line(error)
    if found := _OPERATION.search(str(error)):
        what = found[1] or "operations of full TensorFlow"
        return f"{path} needs {what}, which LiteRT does not have: convert it without"
    if "Flatbuffer" in said:
        return f"{path} is cut short or damaged: it is no valid flatbuffer"
    return f"{path} cannot be loaded with LiteRT: {said}"
