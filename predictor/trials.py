"""Try the variants of a prepared model, each in a process of its own: write, compare, measure.

For: what a variant answers and what it costs, from real sessions, to inputs that are made up and to
requests that are stored with the model, which stand alone where nothing can be made up.
Must not know: where entries are kept, where requests are, which variant wins, or who waits for it.
"""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from predictor import apart, heap, sampling
from predictor.apart import Answer
from predictor.errors import RequestError
from predictor.model_settings import Warmup
from predictor.onnx_model import OnnxModel, runtime
from predictor.onnx_session import Wish, session_options
from predictor.prepared import GRAPH, OPENING, SOURCE, WRITING, Measure, Variant
from predictor.protocol import InferRequest
from predictor.protocol_v2 import CodecV2
from predictor.providers import CPU
from predictor.sampling import Argument, CannotMakeError

_ROUNDS = 3  # the least of so many is what a variant costs
_RUN_S = 0.3  # how long runs are repeated in a round
_RUNS_MIN, _RUNS_MAX = 3, 200
_STEP_S = 120.0  # a step of a large model takes seconds
_MANY_ROWS = 3
_SEEDS = (1, 2)
_STORED_MAX = 32  # requests of those that are stored
_DIFFERENTLY = "it answers the same inputs differently each time"
_ROLLUP = Path("/proc/self/smaps_rollup")


class UnfitError(Exception):
    """This model is not prepared; the message is a clause that says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What is asked of a model: made up where it leaves sizes open, and stored with it."""

    free: int
    rows: tuple[int, ...]  # each of these is answered; (): nothing can be made up
    stored: tuple[Warmup, ...] = ()  # each of these is answered


def can_measure() -> bool:
    """Whether this system tells what a process takes of its memory."""
    return _ROLLUP.exists()


def sizes(plain: Path, stored: Sequence[Warmup] = ()) -> Sizes:
    """What the plain model answers of this; UnfitError, ApartError."""
    answer: dict[str, Any] = apart.run(functools.partial(_find_sizes, plain), timeout_s=_STEP_S)
    known: tuple[Warmup, ...] = ()
    if stored:
        work = functools.partial(_find_stored, plain, stored[:_STORED_MAX])
        taken: dict[str, Any] = apart.run(work, timeout_s=_STEP_S)
        if "unfit" in taken:
            raise UnfitError(taken["unfit"])
        known = tuple(stored[index] for index in taken["taken"])
    if "unfit" in answer and (not known or answer["unfit"] == _DIFFERENTLY):
        raise UnfitError(answer["unfit"])
    return Sizes(free=answer.get("free", 0), rows=tuple(answer.get("rows", ())), stored=known)


def write(plain: Path, folder: Path, variant: Variant) -> None:
    """Write the graph of a variant into a folder; ApartError."""
    apart.run(functools.partial(_write, plain, folder, variant), timeout_s=_STEP_S)


def compare(plain: Path, graphs: Path, variant: Variant, found: Sizes) -> str:
    """Why a variant is not the same model; "" where it is. ApartError."""
    answer: dict[str, Any] = apart.run(
        functools.partial(_compare, plain, graphs, variant, found), timeout_s=_STEP_S
    )
    return str(answer["fault"])


def measure(
    plain: Path, graphs: Path, variants: Sequence[Variant], found: Sizes
) -> dict[Variant, Measure]:
    """What each costs, in turns, so that they share the machine's moods; ApartError."""
    rounds: dict[Variant, list[dict[str, Any]]] = {variant: [] for variant in variants}
    for _ in range(_ROUNDS):
        for variant, measures in rounds.items():
            work = functools.partial(_measure, plain, graphs, variant, found)
            measures.append(apart.run(work, timeout_s=_STEP_S))
    return {
        variant: Measure(**{name: min(one[name] for one in measures) for name in measures[0]})
        for variant, measures in rounds.items()
    }


# -- in a child ------------------------------------------------------------------------------


def _open(plain: Path, graphs: Path, variant: Variant) -> Any:
    ort = runtime()
    options = session_options(ort, threads=1)
    options.log_severity_level = 4  # what is made up may be wrong: we tell what matters
    path = plain
    if variant is not Variant.PLAIN:
        path = graphs / SOURCE[variant].value / GRAPH
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        for name, value in OPENING[variant].items():
            options.add_session_config_entry(name, value)
    return ort.InferenceSession(str(path), sess_options=options, providers=[CPU])


def _write(plain: Path, folder: Path, variant: Variant) -> Answer:
    ort = runtime()
    options = session_options(ort, threads=1)
    options.log_severity_level = 4  # that the graph is for this machine only is known here
    options.optimized_model_filepath = str(folder / GRAPH)
    for name, value in WRITING[variant].items():
        options.add_session_config_entry(name, value)
    ort.InferenceSession(str(plain), sess_options=options, providers=[CPU])
    return {"written": True}


def _arguments(session: Any) -> list[Argument]:
    return [
        Argument(name=one.name, type=one.type, shape=tuple(one.shape or ()))
        for one in session.get_inputs()
    ]


def _find_sizes(plain: Path) -> Answer:
    session = _open(plain, plain, Variant.PLAIN)
    arguments = _arguments(session)
    try:
        tried = list(sampling.attempts(arguments))
        said: Exception | None = None
        for free in tried:
            try:
                first = _run(session, arguments, rows=1, free=free, seed=_SEEDS[0])
            except CannotMakeError:
                raise
            except Exception as error:  # noqa: BLE001 - ONNX Runtime's have no base but Exception
                said = said or error
                continue
            again = _run(session, arguments, rows=1, free=free, seed=_SEEDS[0])
            if sampling.difference(first, again):
                return {"unfit": _DIFFERENTLY}
            rows = [1, _MANY_ROWS] if _takes_rows(session, arguments, free) else [1]
            return {"free": free, "rows": rows}
    except CannotMakeError as error:
        return {"unfit": str(error)}
    return {"unfit": f"it takes none of the inputs that were made up ({_one_line(said)})"}


def _find_stored(plain: Path, stored: Sequence[Warmup]) -> Answer:
    """Those that the plain model answers; the others are for a transformer, or stop a replica."""
    model = _loaded(plain, plain, Variant.PLAIN)
    taken = []
    for index, each in enumerate(stored):
        try:
            request = _request(model, each)
            first, again = (model.run(request.feeds, request.outputs) for _ in range(2))
        except RequestError:
            continue
        if sampling.difference(first, again):
            return {"unfit": _DIFFERENTLY}
        taken.append(index)
    return {"taken": taken}


def _loaded(plain: Path, graphs: Path, variant: Variant) -> OnnxModel:
    """A variant as a replica opens it."""
    if variant is Variant.PLAIN:
        model = OnnxModel(plain, Wish(providers=(CPU,)))
    else:
        wish = Wish(providers=(CPU,), opening=OPENING[variant])
        model = OnnxModel(graphs / SOURCE[variant].value / GRAPH, wish)
    model.load()
    return model


def _request(model: OnnxModel, stored: Warmup) -> InferRequest:
    return CodecV2(model.signature(), name="stored", version="").decode(stored.body)


def _takes_rows(session: Any, arguments: Sequence[Argument], free: int) -> bool:
    try:
        _run(session, arguments, rows=_MANY_ROWS, free=free, seed=_SEEDS[0])
    except Exception:  # noqa: BLE001 - as above
        return False
    return True


def _run(
    session: Any, arguments: Sequence[Argument], *, rows: int, free: int, seed: int
) -> dict[str, Any]:
    feeds = sampling.make(arguments, rows=rows, free=free, seed=seed)
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds), strict=True))


def _compare(plain: Path, graphs: Path, variant: Variant, found: Sizes) -> Answer:
    ours = _open(plain, graphs, Variant.PLAIN)
    theirs = _open(plain, graphs, variant)
    if _described(ours) != _described(theirs):
        return {"fault": "describes itself otherwise"}
    arguments = _arguments(ours)
    for rows in found.rows:
        for seed in _SEEDS:
            answers = (
                _run(session, arguments, rows=rows, free=found.free, seed=seed)
                for session in (ours, theirs)
            )
            if fault := sampling.difference(*answers):
                return {"fault": fault}
    return {"fault": _compare_stored(plain, graphs, variant, found.stored)}


def _compare_stored(plain: Path, graphs: Path, variant: Variant, stored: Sequence[Warmup]) -> str:
    if not stored:
        return ""
    ours, theirs = (_loaded(plain, graphs, each) for each in (Variant.PLAIN, variant))
    for each in stored:
        request = _request(ours, each)
        wanted = ours.run(request.feeds, request.outputs)
        try:
            fault = sampling.difference(wanted, theirs.run(request.feeds, request.outputs))
        except RequestError as error:
            fault = f"is refused: {error}"
        if fault:
            return f"{each.name}: {fault}"
    return ""


def _described(session: Any) -> Any:
    tensors = [
        (one.name, one.type, list(one.shape or ()))
        for one in (*session.get_inputs(), *session.get_outputs())
    ]
    return tensors, dict(session.get_modelmeta().custom_metadata_map)


def _measure(plain: Path, graphs: Path, variant: Variant, found: Sizes) -> Answer:
    private, resident = _memory_mib()
    started_s = time.perf_counter()
    run: Callable[[], object]
    if found.rows:
        session = _open(plain, graphs, variant)
        load_ms = (time.perf_counter() - started_s) * 1000
        feeds = sampling.make(_arguments(session), rows=1, free=found.free, seed=_SEEDS[0])
        run = functools.partial(session.run, None, feeds)
    else:
        model = _loaded(plain, graphs, variant)
        load_ms = (time.perf_counter() - started_s) * 1000
        request = _request(model, found.stored[0])
        run = functools.partial(model.run, request.feeds, request.outputs)
    run()
    heap.give_back()  # as a replica does
    private_after, resident_after = _memory_mib()
    return {
        "load_ms": load_ms,
        "run_ms": _least_ms(run),
        "private_mib": max(0.0, private_after - private),
        "resident_mib": max(0.0, resident_after - resident),
    }


def _least_ms(run: Callable[[], object]) -> float:
    least = float("inf")
    end_s = time.perf_counter() + _RUN_S
    for done in range(_RUNS_MAX):
        before_s = time.perf_counter()
        if done >= _RUNS_MIN and before_s > end_s:
            break
        run()
        least = min(least, time.perf_counter() - before_s)
    return least * 1000


def _memory_mib() -> tuple[float, float]:
    """This process's own pages, and all that it has in memory."""
    lines = (line.split() for line in _ROLLUP.read_text().splitlines()[1:])
    found = {words[0]: int(words[1]) / 1024 for words in lines}
    return found["Anonymous:"], found["Rss:"]


def _one_line(error: Exception | None) -> str:
    return " ".join(str(error).split())[:200]
