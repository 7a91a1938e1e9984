"""A model opened before the fork, for replicas that share its weights and skip its load.

For: a zygote of one Revision: what may be opened in it, and finding it again in its children.
Must not know: control messages, sockets, why a Revision wants one.

A fork copies one thread. A session of one thread runs in the child as in the parent, and a child
may open sessions of its own (tried for ONNX Runtime 1.32: tests/predictor/test_templates.py). One
of more threads would wait for threads that are not there, and a CUDA context is lost.
"""

import contextlib
import dataclasses
import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from predictor import config, forking, heap, loader, onnx_session, sampling, warmups
from predictor.config import Settings
from predictor.errors import LoadError, RequestError
from predictor.loaded import Loaded
from predictor.onnx_model import DATATYPES, PLATFORM, runtime
from predictor.onnx_session import Wish
from predictor.providers import CPU
from predictor.sampling import Argument, CannotMakeError


@dataclass(slots=True)
class _Inherited:
    """What a process has of its parent."""

    settings: Settings | None = None
    loaded: Loaded | None = None


_INHERITED = _Inherited()


def open_model(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Open what every child of this process will find; LoadError, SettingsError."""
    settings = config.parse(arguments, environment)
    if why := refusal(settings):
        raise LoadError(f"no template can be kept open: {why}")
    loaded = loader.load(settings)
    if loaded.provider not in ("", CPU):
        raise LoadError(f"no template can be kept open: it runs on {loaded.provider}")
    warmups.answer(loaded, model_name=settings.model_name)
    if not loaded.warmups:
        _run_once(loaded)
    gc.collect()
    heap.give_back()
    try:
        forking.check_safe()
    except forking.UnsafeForkError:
        raise LoadError(
            "no template can be kept open: the model's library leaves threads running, "
            "which a fork does not copy"
        ) from None
    facts = {**loaded.facts, "template": True}
    _INHERITED.settings = settings
    _INHERITED.loaded = dataclasses.replace(loaded, facts=facts)


def _run_once(loaded: Loaded) -> None:
    """Have memory that a run takes taken before the fork, where inputs can be made up surely."""
    signature = loaded.signature
    if loaded.platform != PLATFORM or signature is None:
        return
    types = {datatype: type_ for type_, datatype in DATATYPES.items()}
    arguments = [
        Argument(name=one.name, type=types[one.datatype], shape=tuple(map(abs, one.shape)))
        for one in signature.inputs  # one row where their number is open
    ]
    if any(size < 0 for one in signature.inputs for size in one.shape[1:]):
        return
    with contextlib.suppress(CannotMakeError, RequestError):
        list(sampling.attempts(arguments))  # says whether values can be made up
        loaded.run(sampling.make(arguments, rows=1, free=1, seed=1), None)


def refusal(settings: Settings) -> str:
    """Why these settings can not be a template's; "" where they can."""
    if settings.python_file:
        return "a model in Python may hold what a fork breaks (--python)"
    if settings.transformer_file:
        return "a transformer in Python may hold what a fork breaks (--transformer)"
    if settings.threads > 1:
        return f"its session would have {settings.threads} threads (--threads)"
    chosen = onnx_session.choose(runtime(), Wish(providers=settings.providers)).providers
    if chosen != (CPU,):
        return f"{chosen[0]} does not survive a fork; ask for --providers {CPU}"
    return ""


def inherited(settings: Settings) -> Loaded | None:
    """The model that was opened with the very same settings before the fork, if any was."""
    return _INHERITED.loaded if settings == _INHERITED.settings else None
