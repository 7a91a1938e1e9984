"""A PyTorch model: a TorchScript, a torch.export program, or with consent a pickled Module.

For: opening what torch wrote, naming its tensors as Triton does, and one sentence on failure.
Must not know: HTTP, JSON, or where the file came from.

What needs consent (--trust-pickle): a pickle always; a .pt2 always, because torch.export.load
falls back to a full unpickling of the sample inputs in it, evaluates its shape expressions with
sympy and calls what its graph names under `torch.`; a TorchScript only if its code can touch
files, see `torch_archive`.
"""

import importlib
import inspect
import logging
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from api.modelfiles import Kind
from predictor import config, devices, formats, torch_archive, torch_tensors
from predictor.config import Settings
from predictor.datatypes import DATATYPES
from predictor.errors import Fault, LoadError, RequestError
from predictor.loaded import Loaded
from predictor.model import Signature, Tensor, TensorSpec
from predictor.torch_archive import Held

_LOG = logging.getLogger(__name__)
PLATFORMS = {
    Held.SCRIPT: "pytorch_torchscript",
    Held.EXPORT: "pytorch_export",
    Held.PICKLE: "pytorch_eager",
}
_CONSENT = (
    "if you trust whoever wrote it, say so with --trust-pickle (of an InferenceService: the "
    'annotation relight.dev/trust-pickle: "true")'
)
_BY_INDEX = re.compile(r".*__(\d{1,3})")  # Triton: INPUT__0
_UNDECLARED = "instances"  # V1's one input where the model declares none
_REFUSED = (RuntimeError, ValueError, TypeError, IndexError, AssertionError, NotImplementedError)
_NO_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory", re.IGNORECASE)
_WORDS_MAX = 300


class TorchModel:
    """One module in evaluation mode. `threads` is torch's intra-op count."""

    def __init__(
        self,
        path: Path,
        *,
        trust_pickle: bool,
        threads: int,
        asked_providers: Sequence[str] = (),
    ) -> None:
        self.path = path
        self.device = "cpu"
        self.held = torch_archive.look(path)
        self._trust_pickle = trust_pickle
        self._threads = threads
        self._asked = asked_providers
        self._torch: Any = None
        self._module: Any = None
        self._float: Any = None  # what its weights are, where they are of one floating kind
        self.names: tuple[str, ...] = ()  # of forward's arguments
        self.required = 0
        self.signature: Signature | None = None

    def load(self) -> None:
        """Read the file; LoadError names it. What needs consent is not opened without."""
        if not self._trust_pickle:
            self._check_consent()
        formats.imported(("torch",), extra="torch")
        self._torch = torch = importlib.import_module("torch")
        limit_threads(torch, self._threads)
        self.device = choose_device(torch, self._asked)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that TorchScript is no longer the newest way
                self._open()
        except (LoadError, RequestError):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a file makes it raise
            _LOG.debug("loading %s failed", self.path, exc_info=True)
            raise LoadError(self._explain(error)) from None

    def run(self, inputs: dict[str, Tensor], wanted: tuple[str, ...] | None) -> dict[str, Tensor]:
        """The outputs by name: the module's keys, or OUTPUT__0 and so on."""
        arguments = self._arguments(inputs)
        try:
            with self._torch.inference_mode():
                answer = self._module(*arguments)
        except _REFUSED as error:  # torch's words for input it can not use
            if _NO_MEMORY.search(str(error)):
                _LOG.exception("no memory for a request")
                raise RequestError(Fault.MODEL_RAISED, kind="out of memory") from None
            _LOG.info("the model refused an input", exc_info=True)
            raise RequestError(Fault.REJECTED, detail=f"the model: {words(error)}") from None
        except Exception as error:  # noqa: BLE001 - anybody's code; logged, and answered 500
            _LOG.exception("the model failed")
            raise RequestError(Fault.MODEL_RAISED, kind=type(error).__name__) from None
        names = tuple(one.name for one in self.signature.outputs) if self.signature else ()
        outputs = {
            name: self._array(name, value)
            for name, value in torch_tensors.named(answer, names).items()
        }
        if not outputs:
            raise RequestError(Fault.BAD_OUTPUT, detail="it returned no tensor")
        for name in wanted or ():
            if name not in outputs:
                raise RequestError(Fault.UNKNOWN_OUTPUT, name=name, expected=", ".join(outputs))
        return outputs

    def facts(self) -> dict[str, Any]:
        """What else the metadata tells: where it runs and what forward takes."""
        return {"device": self.device, "forward_arguments": list(self.names)}

    def _check_consent(self) -> None:
        if self.held is Held.EXPORT:
            raise LoadError(
                f"{self.path} is a torch.export program, which can run any code while it is "
                f"loaded, as torch's own documentation says: {_CONSENT}; "
                "a TorchScript or ONNX file of the model needs no such trust"
            )
        if self.held is Held.SCRIPT and (why := torch_archive.unsafe(self.path)):
            raise LoadError(f"{self.path} {why}: {_CONSENT}")
        if self.held is Held.PICKLE:
            formats.imported(("torch",), extra="torch")
            self._look_into_pickle(importlib.import_module("torch"))

    def _look_into_pickle(self, torch: ModuleType) -> None:
        """Weights alone are told apart, with the unpickler that runs nothing."""
        try:
            found = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception:  # noqa: BLE001 - it holds more than weights, or is damaged
            raise LoadError(
                f"{self.path} is a pickle, which can run any code while it is loaded: "
                f"{_CONSENT}; otherwise have the model saved with torch.jit.save"
            ) from None
        raise LoadError(self._no_module(found))

    def _no_module(self, found: Any) -> str:
        count = len(found) if isinstance(found, Mapping) else 0
        what = f"weights alone (a state_dict of {count} tensors)" if count else "no module"
        return (
            f"{self.path} holds {what}, without the code that uses them: "
            "have the whole model saved with torch.jit.save or torch.export.save"
        )

    def _open(self) -> None:
        torch = self._torch
        if self.held is Held.SCRIPT:
            module = torch.jit.load(str(self.path), map_location=self.device).eval()
            arguments = module.forward.schema.arguments[1:]
            self.names = tuple(one.name for one in arguments)
            self.required = sum(not one.has_default_value() for one in arguments)
        elif self.held is Held.EXPORT:
            module = self._open_export()
        else:
            module = torch.load(self.path, map_location=self.device, weights_only=False)
            if not isinstance(module, torch.nn.Module):
                raise LoadError(self._no_module(module))
            module = module.eval()
            self.names, self.required = _parameters(module)
        self._module = module
        kinds = {one.dtype for one in module.parameters() if one.is_floating_point()}
        self._float = kinds.pop() if len(kinds) == 1 else None

    def _open_export(self) -> Any:
        torch = self._torch
        program = torch.export.load(str(self.path))
        self.signature = self._signature(program)
        self.names = tuple(one.name for one in self.signature.inputs)
        self.required = len(self.names)
        if self.device != "cpu":
            passes = importlib.import_module("torch.export.passes")
            program = passes.move_to_device_pass(program, self.device)
        return program.module()

    def _signature(self, program: Any) -> Signature:
        """The tensors of an exported graph: every shape and kind is in it."""
        specs = program.graph_signature.input_specs
        nodes = [node for node in program.graph.nodes if node.op == "placeholder"]
        pairs = zip(specs, nodes, strict=True)
        given = [node.meta.get("val") for spec, node in pairs if spec.kind.name == "USER_INPUT"]
        called = program.module_call_graph[0].signature
        pytree = importlib.import_module("torch.utils._pytree")
        positional, keywords = pytree.tree_unflatten(given, called.in_spec)
        names = called.forward_arg_names or ()
        if keywords or not len(names) == len(positional) == len(given):
            raise LoadError(
                f"{self.path} takes nested or keyword arguments, which have no names in V2; "
                "export a module whose forward takes tensors one by one"
            )
        named = dict(zip(names, positional, strict=True))
        last = next(node for node in program.graph.nodes if node.op == "output")
        every = zip(program.graph_signature.output_specs, last.args[0], strict=True)
        taken = [node.meta["val"] for spec, node in every if spec.kind.name == "USER_OUTPUT"]
        answer = torch_tensors.named(pytree.tree_unflatten(taken, called.out_spec))
        return Signature(
            inputs=[self._spec("input", name, value) for name, value in named.items()],
            outputs=[self._spec("output", name, value) for name, value in answer.items()],
        )

    def _spec(self, role: str, name: str, value: Any) -> TensorSpec:
        dtype = getattr(value, "dtype", None)
        datatype = torch_tensors.datatype(dtype)
        if datatype not in DATATYPES:
            got = str(dtype) if dtype is not None else type(value).__name__
            raise LoadError(
                f"{self.path}: {role} '{name}' is {got}, which the V2 protocol cannot express"
            )
        shape = tuple(size if type(size) is int else -1 for size in value.shape)
        return TensorSpec(name=name, datatype=datatype, shape=shape)

    def _arguments(self, inputs: dict[str, Tensor]) -> list[Any]:
        tensors = {name: self._tensor(name, array) for name, array in inputs.items()}
        names = self.names
        if not names or all(name in names for name in tensors):  # its own names
            slots = {name: index for index, name in enumerate(names or tensors)}
        elif len(tensors) == 1:  # any name will do, as for KServe
            slots = dict.fromkeys(tensors, 0)
        else:
            slots = self._by_index(tensors)
        ordered = [None] * (max(slots[name] for name in tensors) + 1 if tensors else 0)
        for name, tensor in tensors.items():
            ordered[slots[name]] = tensor
        missing = [
            name
            for index, name in enumerate(names[: self.required])
            if index >= len(ordered) or ordered[index] is None
        ]
        if missing:
            expected, got = ", ".join(names), ", ".join(inputs) or "none"
            raise RequestError(Fault.MISSING_INPUT, name=missing[0], expected=expected, got=got)
        return ordered

    def _by_index(self, tensors: Mapping[str, Any]) -> dict[str, int]:
        """Triton's names for arguments: INPUT__0, INPUT__1."""
        slots: dict[str, int] = {}
        for name in tensors:
            found = _BY_INDEX.fullmatch(name)
            if found is None or int(found[1]) >= len(self.names):
                expected = f"{', '.join(self.names)} (or INPUT__0 and so on)"
                raise RequestError(Fault.UNKNOWN_INPUT, name=name, expected=expected)
            slots[name] = int(found[1])
        return slots

    def _tensor(self, name: str, array: Tensor) -> Any:
        tensor = torch_tensors.to_torch(self._torch, name, array)
        # JSON's numbers are FP64; weights of FP32 have no use for more.
        is_wide = tensor.dtype is self._torch.float64 and self.signature is None
        if self._float and (is_wide or (name == _UNDECLARED and self._only_floats(tensor))):
            tensor = tensor.to(self._float)
        return tensor.to(self.device) if self.device != "cpu" else tensor

    def _only_floats(self, tensor: Any) -> bool:
        """Whether whole numbers that nobody declared are meant as any numbers: 1 for 1.0.

        A module whose first use of its input is to look it up in an embedding wants them whole.
        """
        if tensor.dtype is not self._torch.int64 or self.signature is not None:
            return False
        parts = self._module.modules()
        kinds = [getattr(one, "original_name", type(one).__name__) for one in parts]
        return not any("Embedding" in kind for kind in kinds)

    def _array(self, name: str, value: Any) -> Tensor:
        if isinstance(value, self._torch.Tensor):
            return torch_tensors.to_array(self._torch, value)
        array = np.asarray(value)
        if array.dtype.kind == "U":
            return array.astype(object)
        if array.dtype.kind not in "biuf":
            detail = f"output '{name}' is a {type(value).__name__}, not a tensor"
            raise RequestError(Fault.BAD_OUTPUT, detail=detail)
        return array

    def _explain(self, error: BaseException) -> str:
        if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
            return f"{self.path} needs more memory than there is"
        if isinstance(error, ModuleNotFoundError):
            return f"{self.path} needs the package {error.name}, which is not installed"
        if isinstance(error, AttributeError) and "Can't get attribute" in str(error):
            return (
                f"{self.path} is a pickle that refers to code of its author's, which is not here "
                f"({words(error)}); have the model saved with torch.jit.save"
            )
        version = self._torch.__version__
        said = f"{type(error).__name__}: {words(error)}"
        return f"{self.path} cannot be loaded with torch {version}: {said}"


def open_model(path: Path, kind: Kind, settings: Settings) -> Loaded:
    """Open what torch wrote as the settings ask; LoadError names its file."""
    del kind  # the file says it more surely than its name
    model = TorchModel(
        path,
        trust_pickle=settings.trust_pickle,
        threads=settings.threads,
        asked_providers=settings.providers,
    )
    model.load()
    return Loaded(
        run=model.run,
        signature=model.signature,
        platform=PLATFORMS[model.held],
        described=model.signature,
        facts=model.facts(),
    )


def limit_threads(torch: ModuleType, threads: int) -> None:
    """One run's threads, and one between runs, which torch lets nobody set twice."""
    torch.set_num_threads(threads)
    if torch.get_num_interop_threads() != 1:
        try:
            torch.set_num_interop_threads(1)
        except RuntimeError:  # work has begun: replicas never get here
            _LOG.debug("torch's inter-op threads are set already")


def choose_device(torch: ModuleType, asked: Sequence[str]) -> str:
    """cpu or cuda, as asked for and as there is; a fall-back is told aloud."""
    device = devices.choose(
        asked,
        has_gpu=torch.cuda.is_available(),
        visible=config.inherited().get("CUDA_VISIBLE_DEVICES", ""),
        library="torch",
    )
    for warning in device.warnings:
        _LOG.warning("WARNING: %s", warning)
    return "cuda" if device.is_gpu else "cpu"


def words(error: object) -> str:
    """The reason in what torch says: the end of an interpreter's trace, or the first line."""
    text = str(error).strip()
    if "TorchScript interpreter" in text or "Traceback of TorchScript" in text:
        last = text.splitlines()[-1]
        text = re.sub(r"^[\w.]*(Error|Exception): ", "", last)
    else:
        text = text.split("\nException raised from", 1)[0]
        text = re.split(r"\n\s*\n|\nFile \"|\n  File \"", text, maxsplit=1)[0]
    return " ".join(text.split())[:_WORDS_MAX] or type(error).__name__


def _parameters(module: Any) -> tuple[tuple[str, ...], int]:
    """The names of a Python module's arguments, and how many must be given."""
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = inspect.signature(module.forward).parameters.values()
    arguments = [one for one in found if one.kind in positional]
    required = sum(one.default is inspect.Parameter.empty for one in arguments)
    return tuple(one.name for one in arguments), required
