"""A TensorFlow SavedModel: its folder, the signature that is served, and how it answers.

For: opening what tf.saved_model.save wrote, and one sentence for a person when that fails.
Must not know: HTTP, JSON, or where the folder came from.

A SavedModel is a graph that TensorFlow runs, some of it while it is loaded. Operators that read
or write files by name, or call Python, need consent: they are looked for before it is loaded.
"""

import importlib
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from api.modelfiles import Kind
from predictor import (
    config,
    datatypes,
    devices,
    fitting,
    formats,
    tensorflow_graph,
    tensorflow_warmup,
)
from predictor.config import Settings
from predictor.datatypes import DATATYPES
from predictor.errors import Fault, LoadError, RequestError
from predictor.loaded import Loaded
from predictor.model import Signature, Tensor, TensorSpec

_LOG = logging.getLogger(__name__)
PLATFORM = "tensorflow_savedmodel"  # Triton's word
DEFAULT = "serving_default"
_TAG = "serve"
_UNDECLARED = "instances"  # V1's one input where the model declares none
# Read at import: greetings about oneDNN are not news.
ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "2"}
_DATATYPES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "half": "FP16",
    "float16": "FP16",
    "bfloat16": "BF16",
    "float32": "FP32",
    "float64": "FP64",
    "string": "BYTES",
}
_NODE = re.compile(r"\s*\[\[\{?\{?node .*|\s*\[Op:.*|\s*\[\[.*", re.DOTALL)
_PLACES = ("Detected at node", "<stack traces unavailable>", "  ")  # lines of where it was
_NO_OP = re.compile(r"Op type not registered '(\S+?)'|unregistered op[s]?:? '?\{?'?(\w+)")
_WORDS_MAX = 300
_NAMES_MAX = 10


class SavedModel:
    """One signature of one SavedModel, in a session of its own."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path = path
        self.device = "cpu"
        self._settings = settings
        self._tf: Any = None
        self._session: Any = None  # kept: its variables live as long as it does
        self._call: Callable[..., list[Any]] | None = None
        self.name = DEFAULT
        self.names: tuple[str, ...] = ()
        self.signature = Signature(inputs=(), outputs=())
        self.unranked: tuple[str, ...] = ()
        self._tensors: tuple[dict[str, str], dict[str, str]] = ({}, {})  # of inputs, of outputs

    def load(self) -> None:
        """Read the folder and run its warm-up requests; LoadError names it."""
        self._check_files()
        config.adopt(ENVIRONMENT)
        formats.imported(("tensorflow",), extra="tensorflow")
        self._tf = tf = importlib.import_module("tensorflow")
        tf.get_logger().setLevel("ERROR")  # what it calls deprecated is what TF Serving does
        graph = self._graph()
        self._describe(graph)
        if not self._settings.trust_pickle:
            self._check_consent(graph)
        try:
            self._open(tf.compat.v1, list(graph.meta_info_def.tags))
        except BaseException as error:  # noqa: BLE001 - whatever a file makes it raise
            _LOG.debug("loading %s failed", self.path, exc_info=True)
            raise LoadError(self._explain(error)) from None
        self._warm()

    def run(self, inputs: dict[str, Tensor], wanted: tuple[str, ...] | None) -> dict[str, Tensor]:
        """The outputs by the names the signature gives them; text as bytes."""
        assert self._call is not None, "load comes first"
        tf = self._tf
        checked = self._checked(inputs)
        try:
            found = self._call(*(checked[name] for name in self._tensors[0]))
            outputs = dict(zip(self._tensors[1], map(_array, found), strict=True))
        except (tf.errors.InvalidArgumentError, tf.errors.OutOfRangeError) as error:
            _LOG.info("the model refused an input", exc_info=True)
            raise RequestError(Fault.REJECTED, detail=f"the model: {words(error)}") from None
        except Exception as error:  # noqa: BLE001 - anybody's graph; logged, and answered 500
            _LOG.exception("the model failed")
            raise RequestError(Fault.MODEL_RAISED, kind=type(error).__name__) from None
        for name in wanted or ():
            if name not in outputs:
                raise RequestError(Fault.UNKNOWN_OUTPUT, name=name, expected=", ".join(outputs))
        return outputs

    def facts(self) -> dict[str, Any]:
        """What else the metadata tells."""
        found: dict[str, Any] = {
            "signature_name": self.name,
            "signature_names": list(self.names),
            "device": self.device,
        }
        if self.unranked:
            found["of_any_rank"] = list(self.unranked)
        return found

    def _check_files(self) -> None:
        if not (self.path / "saved_model.pb").is_file():
            if (self.path / "saved_model.pbtxt").is_file():
                raise LoadError(f"{self.path} is a SavedModel in text; save it as saved_model.pb")
            if (self.path / "keras_metadata.pb").is_file():
                raise LoadError(f"{self.path} has lost its saved_model.pb")
            raise LoadError(f"{self.path} is no SavedModel: there is no saved_model.pb in it")

    def _open(self, v1: Any, tags: list[str]) -> None:
        """A session over the graph, as TensorFlow Serving has it.

        tf.saved_model.load would build the author's Python objects again, which fails where
        Keras has changed since: optimizers of 2022 have no `add_slot` today.
        """
        tf = self._tf
        gpus = tf.config.list_physical_devices("GPU")
        device = devices.choose(
            self._settings.providers,
            has_gpu=bool(gpus),
            visible=config.inherited().get("CUDA_VISIBLE_DEVICES", ""),
            library="TensorFlow",
        )
        for warning in device.warnings:
            _LOG.warning("WARNING: %s", warning)
        self.device = "cuda" if device.is_gpu else "cpu"
        limits = v1.ConfigProto(
            intra_op_parallelism_threads=self._settings.threads,
            inter_op_parallelism_threads=1,
            use_per_session_threads=True,
            device_count=None if device.is_gpu else {"GPU": 0},
            gpu_options=v1.GPUOptions(allow_growth=True),
        )
        self._session = v1.Session(graph=tf.Graph(), config=limits)
        with self._session.graph.as_default():
            v1.saved_model.loader.load(self._session, tags, str(self.path))
            inputs, outputs = (list(names.values()) for names in self._tensors)
            self._call = self._session.make_callable(outputs, feed_list=inputs)

    def _graph(self) -> Any:
        """The one of its graphs that is for serving."""
        proto = importlib.import_module("tensorflow.core.protobuf.saved_model_pb2").SavedModel()
        data = (self.path / "saved_model.pb").read_bytes()
        try:
            proto.ParseFromString(data)
        except Exception:  # noqa: BLE001 - protobuf's own kind has moved between its versions
            proto.Clear()
        if not proto.meta_graphs:
            raise LoadError(
                f"{self.path / 'saved_model.pb'} is cut short or damaged: its {len(data)} bytes "
                "are no SavedModel"
            )
        tagged = [one for one in proto.meta_graphs if list(one.meta_info_def.tags) == [_TAG]]
        if tagged or len(proto.meta_graphs) == 1:
            return (tagged or proto.meta_graphs)[0]
        found = "; ".join(", ".join(one.meta_info_def.tags) for one in proto.meta_graphs)
        raise LoadError(f"{self.path} has no graph with the one tag '{_TAG}', but {found}")

    def _describe(self, graph: Any) -> None:
        self.names = tuple(sorted(key for key in graph.signature_def if not key.startswith("__")))
        if not self.names:
            raise LoadError(
                f"{self.path} has no signature to serve; save it with "
                "tf.saved_model.save(..., signatures=...), or a Keras model with model.export"
            )
        self.name = self._settings.signature_name or DEFAULT
        if self.name not in self.names:
            if self._settings.signature_name or len(self.names) > 1:
                listed = ", ".join(self.names[:_NAMES_MAX])
                wish = "" if self._settings.signature_name else ": name one with --signature-name"
                raise LoadError(
                    f"{self.path} has signatures {listed}, and no {self.name} to serve{wish}"
                )
            self.name = self.names[0]
        found = graph.signature_def[self.name]
        inputs = {name: self._spec("input", name, one) for name, one in found.inputs.items()}
        outputs = {name: self._spec("output", name, one) for name, one in found.outputs.items()}
        self.signature = Signature(
            inputs=[inputs[name] for name in sorted(inputs)],
            outputs=[outputs[name] for name in sorted(outputs)],
        )
        self.unranked = tuple(
            name for name in sorted(inputs) if found.inputs[name].tensor_shape.unknown_rank
        )
        self._tensors = (
            {spec.name: found.inputs[spec.name].name for spec in self.signature.inputs},
            {spec.name: found.outputs[spec.name].name for spec in self.signature.outputs},
        )

    def _spec(self, role: str, name: str, info: Any) -> TensorSpec:
        encoding = info.WhichOneof("encoding")
        if encoding != "name":
            what = "sparse" if encoding == "coo_sparse" else "ragged, sparse or composite"
            raise LoadError(
                f"{self.path}: {role} '{name}' of {self.name} is {what}, which the V2 protocol "
                "cannot express; give the signature dense tensors"
            )
        dtype = self._tf.dtypes.as_dtype(info.dtype).name
        datatype = _DATATYPES.get(dtype, "")
        if datatype not in DATATYPES:
            raise LoadError(
                f"{self.path}: {role} '{name}' of {self.name} is {dtype}, "
                "which the V2 protocol cannot express"
            )
        shape = tuple(dim.size for dim in info.tensor_shape.dim)
        if info.tensor_shape.unknown_rank:
            shape = (-1,)
        return TensorSpec(name=name, datatype=datatype, shape=shape)

    def _check_consent(self, graph: Any) -> None:
        found = tensorflow_graph.touching(graph, graph.signature_def[self.name])
        if found:
            raise LoadError(
                f"{self.path} uses {', '.join(found)}, which can read or write any file or run "
                "code: if you trust whoever wrote it, say so with --trust-pickle (of an "
                'InferenceService: the annotation relight.dev/trust-pickle: "true")'
            )

    def _checked(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Inputs as TensorFlow takes them; names and kinds too where a rank is unknown."""
        if not self.unranked:
            return inputs
        specs = {spec.name: spec for spec in self.signature.inputs}
        expected = ", ".join(specs)
        if list(inputs) == [_UNDECLARED] and len(specs) == 1:
            inputs = {next(iter(specs)): inputs[_UNDECLARED]}
        for name in specs:
            if name not in inputs:
                got = ", ".join(inputs) or "none"
                raise RequestError(Fault.MISSING_INPUT, name=name, expected=expected, got=got)
        for name, array in inputs.items():
            if name not in specs:
                raise RequestError(Fault.UNKNOWN_INPUT, name=name, expected=expected)
            if name not in self.unranked:
                datatypes.check_shape(specs[name], array.shape)
        return {name: fitting.fit(specs[name], array) for name, array in inputs.items()}

    def _warm(self) -> None:
        """Run the requests that were saved to warm it; readiness means that they answered."""
        file = self.path / tensorflow_warmup.FILE
        if not file.is_file():
            return
        count = 0
        try:
            for asked in tensorflow_warmup.requests(file):
                if asked.signature_name in ("", self.name):
                    make = self._tf.make_ndarray
                    proto = importlib.import_module("tensorflow.core.framework.tensor_pb2")
                    feeds = {
                        name: make(proto.TensorProto.FromString(data))
                        for name, data in asked.inputs.items()
                    }
                    self.run(feeds, None)
                    count += 1
        except tensorflow_warmup.DamagedError as error:
            raise LoadError(f"{file} {error}") from None
        except Exception as error:  # noqa: BLE001 - a bad request saved with the model
            raise LoadError(f"{file}: warm-up request {count + 1} failed: {words(error)}") from None
        _LOG.info("warmed by %d requests of %s", count, file)

    def _explain(self, error: BaseException) -> str:
        said = words(error)
        if isinstance(error, MemoryError | self._tf.errors.ResourceExhaustedError):
            return f"{self.path} needs more memory than there is"
        if found := _NO_OP.search(str(error)):
            name = found[1] or found[2]
            return f"{self.path} uses the operator {name}, which this TensorFlow does not have"
        if isinstance(error, self._tf.errors.NotFoundError) or "variables" in said:
            return f"{self.path} has lost a part of its variables: {said}"
        return f"{self.path} cannot be loaded with TensorFlow {self._tf.__version__}: {said}"


def open_model(path: Path, kind: Kind, settings: Settings) -> Loaded:
    """Open a SavedModel as the settings ask; LoadError names its folder."""
    del kind  # there is one
    model = SavedModel(path, settings)
    model.load()
    return Loaded(
        run=model.run,
        signature=None if model.unranked else model.signature,
        platform=PLATFORM,
        described=model.signature,
        facts=model.facts(),
    )


def words(error: object) -> str:
    """TensorFlow's reason, without where in the graph it was."""
    text = str(getattr(error, "message", "") or error)
    lines = text.removeprefix("Graph execution error:").strip().splitlines()
    where = [at for at, line in enumerate(lines) if line.startswith(_PLACES)]
    rest = [line for line in lines[where[-1] + 1 if where else 0 :] if line.strip()]
    said = " ".join(rest or lines)
    return " ".join(_NODE.sub("", said).split())[:_WORDS_MAX] or type(error).__name__


def _array(value: Any) -> Tensor:
    """TensorFlow gives a scalar of text as bytes."""
    return (
        value
        if isinstance(value, np.ndarray)
        else np.array(value, object if isinstance(value, bytes) else None)
    )
