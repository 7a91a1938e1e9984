"""Which column of a file says what.

For: recognising the names under which people publish traces.
Must not know: rows, what a stamp looks like.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rehearsal.stamps import UNITS, unit_of

# Patterns of tidied names, the surest first. `end` stamps count only with a duration.
_UNIT = "(_(s|secs?|seconds|ms|msec|millis|milliseconds|us|usec|micros|microseconds|ns|nanos"
_UNIT += "|nanoseconds))?"
_TIME = (
    "timestamp|arrival_?timestamp|start_?timestamp",
    "arrival(_?time)?|arrived(_at)?|arrivals?",
    "start(_?time)?|started(_at)?|start_.*|time|ts|datetime|date_?time",
    "invocation_?time(stamp)?|request_?time(stamp)?|invoked_at|created(_at)?|date|t|.*_timestamp",
)
_END = ("end_?timestamp|end_?time|ended(_at)?|end|finished(_at)?",)
_DURATION = (
    "duration|.*_duration",
    "service_?time|execution_?(time)?|executing|exec_?time|processing_?time|run_?time",
    "response_?time|elapsed(_?time)?|latency|.*_latency",
)
_MODEL = (
    "model|model_?name|model_?id",
    "revision|inference_?service|isvc",
    "func|function|function_?(name|id)|hash_?function",
    "service|service_?name|endpoint",
    "app|application|app_?(name|id)|hash_?app",
)
DELIMITERS = (",", "\t", ";", "|")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What the caller knows better; None: find out.

    Columns by their names in the file, or by numbers from 1 on where it has no names.
    """

    time: str | None = None
    duration: str | None = None
    model: str | None = None
    unit: str | None = None  # of the times: s, ms, us or ns
    duration_unit: str | None = None

    def __post_init__(self) -> None:
        for unit in (self.unit, self.duration_unit):
            if unit is not None and unit not in UNITS:
                raise ValueError(f"unit {unit!r}: must be one of {', '.join(UNITS)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where to find what: places in `names`."""

    names: tuple[str, ...]
    time: int
    is_end: bool = False  # the time is that of the answer: less the duration it is the arrival's
    duration: int | None = None
    models: tuple[int, ...] = ()  # together they name the model
    time_unit: str | None = None  # None: by magnitude
    duration_per_s: float = 1.0


def delimiter_of(head: str) -> str:
    """What separates the columns of a file that begins with that line."""
    return max(DELIMITERS, key=lambda each: (head.count(each), -DELIMITERS.index(each)))


def recognise(names: Sequence[str], hints: Hints) -> Columns:
    """Find the columns by name; ValueError says which were there if none is a time."""
    tidied = [_tidied(name) for name in names]
    duration = _hinted(names, hints.duration, _find(tidied, _DURATION))
    model = _hinted(names, hints.model, _find(tidied, _MODEL))
    time = _hinted(names, hints.time, _find(tidied, _TIME, besides=duration))
    is_end = False
    if duration is not None and (time is None or _is_end(tidied[time])):
        time = _find(tidied, _END) if time is None else time
        is_end = time is not None
    if time is None:
        raise ValueError(
            f"no column of {', '.join(map(repr, names))} is known for a time: say which is"
        )
    unit = hints.unit or unit_of(tidied[time])
    if unit is None and {"timestamp", "hash_ids"} <= set(tidied):
        unit = "ms"  # Mooncake's, which do not say so
    duration_unit = hints.duration_unit
    if duration_unit is None and duration is not None:
        duration_unit = unit_of(tidied[duration])
    return Columns(
        names=tuple(names),
        time=time,
        is_end=is_end,
        duration=duration,
        models=() if model is None else _models(tidied, model, is_hinted=hints.model is not None),
        time_unit=unit,
        duration_per_s=UNITS[duration_unit or "s"],
    )


def _tidied(name: str) -> str:
    """`ContextTokens`, `context tokens` and `context-tokens` are `context_tokens`."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip().lstrip("#\ufeff"))
    return re.sub(r"[^a-z0-9]+", "_", split.lower()).strip("_")


def _find(names: list[str], patterns: tuple[str, ...], besides: int | None = None) -> int | None:
    for pattern in patterns:
        for place, name in enumerate(names):
            if place != besides and re.fullmatch(f"({pattern}){_UNIT}", name):
                return place
    return None


def _is_end(name: str) -> bool:
    return any(re.fullmatch(f"({pattern}){_UNIT}", name) for pattern in _END)


def _hinted(names: Sequence[str], hint: str | None, found: int | None) -> int | None:
    if hint is None:
        return found
    if hint not in names:
        raise ValueError(f"there is no column {hint!r}, but {', '.join(map(repr, names))}")
    return list(names).index(hint)


def _models(names: list[str], model: int, *, is_hinted: bool) -> tuple[int, ...]:
    """A function's name is its own only within its application."""
    app = _find(names, _MODEL[-1:])
    is_function = bool(re.fullmatch(_MODEL[2], names[model]))
    if is_function and app is not None and not is_hinted:
        return app, model
    return (model,)
