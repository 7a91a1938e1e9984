"""Open an ONNX Runtime session as it was asked for: options, arenas, providers and what they need.

For: everything that differs between the CPU and a card, before the first run and in each.
Must not know: signatures, requests, or what is done with an answer.
"""

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from predictor import provider_options, providers
from predictor.model import Tensor
from predictor.provider_options import Options
from predictor.providers import CPU, CUDA, TENSORRT

_LOG = logging.getLogger(__name__)
_CACHES = (
    ("trt_engine_cache_enable", "trt_engine_cache_path"),
    ("trt_timing_cache_enable", "trt_timing_cache_path"),
)
_STRATEGIES = {"kNextPowerOfTwo": 0, "kSameAsRequested": 1}

Run = Callable[..., list[Tensor]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a session is to be opened.

    `opening`: options where the graph was optimised before it was written; None where it is
    optimised now. `engines`: a folder of this model's own that TensorRT may fill; None for none.
    `visible`: CUDA_VISIBLE_DEVICES.
    """

    providers: Sequence[str] = ()
    options: Options = field(default_factory=lambda: provider_options.NONE)
    threads: int = 1
    opening: Mapping[str, str] | None = None
    engines: Path | None = None
    visible: str = ""


def session_options(ort: ModuleType, *, threads: int) -> Any:
    """What all our sessions have in common."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; warnings about unused initialisers are noise
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def choose(ort: ModuleType, wish: Wish) -> providers.Choice:
    """The providers it is opened with; LoadError for a name that is none."""
    known, available = ort.get_all_providers(), ort.get_available_providers()
    return providers.choose(wish.providers, available=available, known=known, visible=wish.visible)


def open_session(ort: ModuleType, path: Path, wish: Wish) -> Any:
    """A session; whatever ONNX Runtime raises. What was wished and is not had is told aloud."""
    choice = choose(ort, wish)
    unused = [name for name in wish.options if name not in choice.providers]
    told = [f"the options of {name} are not used: it is not a provider here" for name in unused]
    for warning in (*choice.warnings, *told):
        _LOG.warning("WARNING: %s", warning)
    if CUDA in choice.providers and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # finds CUDA and cuDNN where pip put them
    try:
        session = _open(ort, path, wish, choice.providers)
    except Exception as error:
        if choice.providers == (CPU,):
            raise
        # A card that is lost, full or of another kind: a slow answer is better than none.
        first = choice.providers[0]
        reason = " ".join(str(error).split())[:300]
        _LOG.warning("WARNING: %s did not start; running on %s: %s", first, CPU, reason)
        return _open(ort, path, wish, (CPU,))
    if warning := providers.missed(choice.providers, session.get_providers()):
        _LOG.warning("WARNING: %s", warning)
    return session


def _open(ort: ModuleType, path: Path, wish: Wish, chosen: Sequence[str]) -> Any:
    options = session_options(ort, threads=wish.threads)
    if wish.opening is not None:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        for name, value in wish.opening.items():
            options.add_session_config_entry(name, value)
    _set_arena(ort, options, wish.options.get(CPU, {}))
    asked: list[str | tuple[str, dict[str, str]]] = []
    for name in chosen:
        own = dict(wish.options.get(name, {})) if name != CPU else {}
        if name == TENSORRT:
            own = _caching(own, wish.engines)
        asked.append((name, own) if own else name)
    return ort.InferenceSession(str(path), sess_options=options, providers=asked)


def _caching(own: dict[str, str], engines: Path | None) -> dict[str, str]:
    """Keep what TensorRT builds: it takes minutes, and depends on card, version and model."""
    if engines is None:
        return own
    try:
        engines.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        _LOG.warning("WARNING: TensorRT's engines are not kept in %s: %s", engines, error.strerror)
        return own
    for enable, path in _CACHES:
        if not own.keys() & {enable, path}:
            own |= {enable: "1", path: str(engines)}
    return own


def _set_arena(ort: ModuleType, options: Any, own: Mapping[str, str]) -> None:
    """The CPU's memory: none of it kept between runs, or at most so much."""
    if own.get("enable_cpu_mem_arena") == "0":
        options.enable_cpu_mem_arena = False
    if limit := own.get("arena_mem_limit"):
        strategy = _STRATEGIES[own.get("arena_extend_strategy", "kNextPowerOfTwo")]
        _limited(ort, int(limit), strategy)
        options.add_session_config_entry("session.use_env_allocators", "1")


def _limited(ort: ModuleType, limit_bytes: int, strategy: int) -> None:
    """Make an arena that the next session takes; one that is open keeps its own."""
    state = ort.capi._pybind_state  # noqa: SLF001 - where ONNX Runtime's own examples find it
    kind = ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    memory = state.OrtMemoryInfo("Cpu", kind, 0, state.OrtMemType.DEFAULT)
    configuration = ort.OrtArenaCfg({"max_mem": limit_bytes, "arena_extend_strategy": strategy})
    ort.create_and_register_allocator(memory, configuration)


def runner(session: Any, *, has_text: bool, is_bound: bool = True) -> Run:
    """The shortest way to run it: bound to the card's memory, or the C++ session's own.

    `is_bound`: bind where a card is really used; texts can not be bound.
    """
    if is_bound and not has_text and session.get_providers()[0] in providers.BINDING:
        return functools.partial(_bound_run, session)
    return _fast_run(session)


def _bound_run(
    session: Any, names: Sequence[str], feeds: Mapping[str, Tensor], _: object
) -> list[Tensor]:
    """Inputs go to the card once, and only the outputs that are wanted come back."""
    binding = session.io_binding()
    for name, array in feeds.items():
        binding.bind_cpu_input(name, array)
    for name in names:
        binding.bind_output(name, "cpu")
    session.run_with_iobinding(binding)
    found: list[Tensor] = binding.copy_outputs_to_cpu()
    return found


def _fast_run(session: Any) -> Run:
    """The C++ session's own `run`: 6 µs a call where the Python wrapper costs 8.

    The wrapper checks names again and asks for a second provider after a failure; our inputs
    are checked, and CPU fallback is decided at load. Where the private name is gone, the
    public method does the same.
    """
    private = getattr(getattr(session, "_sess", None), "run", None)
    found: Run = private if callable(private) else session.run
    return found
