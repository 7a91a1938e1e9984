"""A model in ONNX format: its session, its signature, and the shortest way to run it.

For: opening a file with ONNX Runtime, and one sentence for a person when that fails.
Must not know: HTTP, JSON, or where the file came from.
"""

import dataclasses
import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from api.modelfiles import Kind
from predictor import config, onnx_session, onnx_values, preparing
from predictor.config import Settings
from predictor.errors import Fault, LoadError, RequestError
from predictor.loaded import Loaded
from predictor.model import Signature, Tensor, TensorSpec
from predictor.onnx_session import Wish
from predictor.prepared import LOAD_MIN_MS
from predictor.providers import CPU

_LOG = logging.getLogger(__name__)
PLATFORM = "onnx_onnxv1"
ANY = Wish()
DATATYPES = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
    "tensor(bfloat16)": "BF16",
}
# Where in ONNX Runtime's own source it was thrown: file, line and C++ signature.
_SOURCE = re.compile(r"/onnxruntime_src/\S+:\d+ .*?\)(?:::<lambda\(.*?\)>)?(?: const)? ")
_IR_FIELD = 0x08  # how a serialised ModelProto starts: field 1 (ir_version), a varint
_IR_VERSION_MAX = 32
_ORT_GAP = "ONNX Runtime takes only one kind in a call from Python"
_REASON_CHARACTERS_MAX = 300

try:
    import onnxruntime as _installed
except ImportError:
    _installed = None


def runtime() -> ModuleType:
    """ONNX Runtime, or LoadError that says how to install it."""
    if _installed is None:
        raise LoadError(
            "ONNX Runtime is not installed; install one of the two builds: "
            "pip install '.[cpu]' or pip install '.[gpu]'"
        )
    found: ModuleType = _installed
    return found


class OnnxModel:
    """One session, opened as wished."""

    def __init__(
        self, path: Path, wish: Wish = ANY, *, is_bound: bool = True, ort: ModuleType | None = None
    ) -> None:
        """`is_bound`: see `onnx_session.runner`."""
        self.path = path
        self.provider = ""
        self._wish = wish
        self._is_bound = is_bound
        self._ort = ort or runtime()
        self._session: Any = None
        self._run: Callable[..., list[Tensor]] | None = None
        self._options = self._ort.RunOptions()  # else each run makes some of its own
        self._names: tuple[str, ...] = ()
        self._dimensions: dict[str, list[Any]] = {}
        self._texts: tuple[str, ...] = ()  # inputs of text

    def load(self) -> None:
        """Open the session; LoadError names the file."""
        try:
            self._session = onnx_session.open_session(self._ort, self.path, self._wish)
        except LoadError:
            raise
        except Exception as error:  # noqa: BLE001 - ONNX Runtime's have no base but Exception
            raise LoadError(explain(self.path, str(error), self._ort.__version__)) from None
        self.provider = self._session.get_providers()[0]
        self._names = tuple(one.name for one in self._session.get_outputs())
        self._dimensions = {one.name: one.shape for one in self._session.get_inputs()}
        self._run = self._runner(self.signature())

    def signature(self) -> Signature:
        """What the session says of itself; LoadError for a type V2 cannot express."""
        return Signature(
            inputs=[self._spec("input", one) for one in self._session.get_inputs()],
            outputs=[self._spec("output", one) for one in self._session.get_outputs()],
        )

    def run(self, inputs: dict[str, Tensor], wanted: tuple[str, ...] | None) -> dict[str, Tensor]:
        """Only the outputs that are wanted (None: all): nodes nobody needs are skipped."""
        assert self._run is not None, "load comes first"
        if self._texts:
            onnx_values.check_text(inputs, self._texts)
        names = wanted or self._names
        try:
            found = self._run(names, inputs, self._options)
        except Exception as error:  # noqa: BLE001 - as in load; logged, and answered 500
            self._check_dimensions(inputs)
            _LOG.exception("the model failed on inputs %s", _shapes(inputs))
            kind = f"ONNX Runtime {type(error).__name__}"
            raise RequestError(Fault.MODEL_RAISED, kind=kind) from None
        if len(names) == 1:  # as most models have it
            return {names[0]: found[0]}
        return dict(zip(names, found, strict=True))

    def _check_dimensions(self, inputs: dict[str, Tensor]) -> None:
        """Blame the caller where two inputs disagree on a dimension that the model names once.

        Only after a run failed: exporters give unrelated dimensions one name often enough,
        and ONNX Runtime does not mind.
        """
        seen: dict[str, tuple[int, str]] = {}
        for name, shape in self._dimensions.items():
            for axis, dimension in enumerate(shape):
                if not isinstance(dimension, str):
                    continue
                got = inputs[name].shape[axis]
                expected, other = seen.setdefault(dimension, (got, name))
                if got != expected:
                    raise RequestError(
                        Fault.UNEQUAL_SIZES,
                        name=name,
                        axis=axis,
                        got=got,
                        dimension=dimension,
                        expected=expected,
                        other=other,
                    )

    def _runner(self, signature: Signature) -> onnx_values.Run:
        self._texts = tuple(one.name for one in signature.inputs if one.datatype == "BYTES")
        if onnx_values.has_both(signature):
            raise LoadError(f"{self.path}: it has tensors of BF16 and of text, of which {_ORT_GAP}")
        if onnx_values.has_bf16(signature):
            return onnx_values.bf16_run(self._session, self._ort)
        has_text = bool(self._texts) or any(one.datatype == "BYTES" for one in signature.outputs)
        return onnx_session.runner(self._session, has_text=has_text, is_bound=self._is_bound)

    def _spec(self, role: str, argument: Any) -> TensorSpec:
        datatype = DATATYPES.get(argument.type)
        if datatype is None:
            hint = "; convert it with zipmap=False" if "map(" in argument.type else ""
            raise LoadError(
                f"{self.path}: {role} '{argument.name}' is {argument.type}, "
                f"which the V2 protocol cannot express{hint}"
            )
        shape = tuple(size if isinstance(size, int) else -1 for size in argument.shape)
        return TensorSpec(name=argument.name, datatype=datatype, shape=shape)


def open_model(path: Path, kind: Kind, settings: Settings) -> Loaded:
    """Open an ONNX file as the settings ask, or what was prepared of it; LoadError names it."""
    del kind  # there is one
    ort, wish = runtime(), _wish(settings)
    cached = None
    if onnx_session.choose(ort, wish).providers == (CPU,):  # a graph is optimised for one provider
        cached = preparing.look(path, settings, runtime=ort.__version__, provider=CPU)
    if cached is not None and cached.path is not None:
        model = OnnxModel(cached.path, dataclasses.replace(wish, opening=cached.opening))
        try:
            model.load()
        except LoadError as error:
            cached = cached.failed(str(error))
        else:
            cached.used()
            return _loaded(model, is_prepared=True)
    plain = OnnxModel(path, wish)
    started_s = time.perf_counter()
    plain.load()
    is_slow = (time.perf_counter() - started_s) * 1000 >= LOAD_MIN_MS
    loaded = _loaded(plain, is_prepared=False)
    if cached is None or not (cached.is_wanted and is_slow):
        return loaded
    return dataclasses.replace(loaded, prepare=cached.prepare)


def _wish(settings: Settings) -> Wish:
    engines = None
    if settings.model_digest:
        # TensorRT names its files by card and version, and by a hash of the graph without weights.
        engines = settings.cache_dir / "tensorrt" / settings.model_digest.replace(":", "-")
    return Wish(
        providers=settings.providers,
        options=settings.provider_options,
        threads=settings.threads,
        engines=engines,
        visible=config.inherited().get("CUDA_VISIBLE_DEVICES", ""),
    )


def _loaded(model: OnnxModel, *, is_prepared: bool) -> Loaded:
    signature = model.signature()
    return Loaded(
        run=model.run,
        signature=signature,
        provider=model.provider,
        platform=PLATFORM,
        described=signature,
        facts={"execution_provider": model.provider, "prepared": is_prepared},
    )


def _shapes(inputs: dict[str, Tensor]) -> str:
    return ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in inputs.items())


def explain(path: Path, message: str, version: str) -> str:
    """One sentence for a person from ONNX Runtime's own words."""
    reason = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", message)
    reason = _SOURCE.sub("", reason)
    reason = re.sub(rf"^Load model (from )?{re.escape(str(path))} failed:\s*", "", reason)
    reason = " ".join(reason.split())[:_REASON_CHARACTERS_MAX].rstrip(".")
    if "Protobuf parsing failed" in reason or "No graph was found" in reason:
        return _explain_bytes(path)
    if "bad_alloc" in message or "Failed to allocate memory" in message:
        return f"{path} needs more memory than there is"
    if opset := re.search(r"Opset (\d+) is under.* domain (\S+) is till opset (\d+)", message):
        got, domain, limit = opset.groups()
        needs = f"opset {got} of {domain}"
        return f"{path} needs {needs}; ONNX Runtime {version} goes up to {limit}"
    if kernel := re.search(r"Could not find an implementation for (\S+)", message):
        return f"{path} needs {kernel[1]}, for which ONNX Runtime {version} has no kernel"
    if operator := re.search(r"(\S+)\(-?\d+\) is not a registered function/op", message):
        return f"{path} needs {operator[1]}, which ONNX Runtime {version} does not know"
    if locale := re.search(r"Failed to construct locale with name:\s*([\w.-]+)", message):
        return f"{path} needs the locale {locale[1]}, which this machine does not have"
    return f"ONNX Runtime {version} cannot load {path}: {reason}"


def _explain_bytes(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(12)
        size_bytes = file.seek(0, 2)
    if len(head) > 1 and head[0] == _IR_FIELD and 0 < head[1] <= _IR_VERSION_MAX:
        return f"{path} is cut short or damaged: its {size_bytes} bytes start as ONNX and end early"
    return f"{path} is not an ONNX file: it starts with {head!r}"
