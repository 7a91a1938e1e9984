"""What a request for an explanation asks for beside its rows: its parameters, checked.

For: a refusal by name for what is unknown, too large, or of the wrong kind.
Must not know: models, tensors, HTTP.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from predictor import datatypes
from predictor.errors import Fault, RequestError

SAMPLES_DEFAULT = 2048
SAMPLES_MAX = 1_000_000  # of one row and of all rows of a request
SEED_MAX = 2**63 - 1
METHODS = ("auto", "tree_shap", "permutation")
UNITS = ("auto", "word", "column")
FEATURES_MAX = 4096  # that are told apart
BASELINE_ROWS_MAX = 100
_NAMES = (
    *("samples", "seed", "output", "method", "baseline"),
    *("features", "grid", "unit", "keep"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How rows are to be explained."""

    samples: int | None = None  # None: the default, or more where the features need it
    seed: int = 0
    output: str = ""  # "" chooses
    method: str = "auto"
    baseline: Any = None  # as it stands in JSON
    features: int | None = None  # the most of an input; None: the default of what it is
    grid: Mapping[str, tuple[int, ...]] | None = None  # blocks along each axis, "" the one input's
    unit: str = "auto"  # of text: its words, or the whole of it as one column's value
    keep: tuple[str, ...] | None = None  # inputs that are no features; None: a transformer's masks


def parse(raw: Any, *, passed_over: tuple[str, ...] = ()) -> Asked:
    """RequestError with a 400 that names the parameter; `passed_over` are another's to read."""
    if raw is None:
        return Asked()
    if type(raw) is not dict:
        raise bad("parameters", "an object", datatypes.word(raw))
    for name in raw:
        if name not in _NAMES and name not in passed_over:
            raise bad(f"parameters.{name}", f"one of {', '.join(_NAMES)}", "another name")
    return Asked(
        samples=_optional("samples", raw.get("samples"), 1, SAMPLES_MAX),
        seed=_whole("seed", raw.get("seed", 0), 0, SEED_MAX),
        output=_text("output", raw.get("output", "")),
        method=_one_of("method", raw.get("method", "auto"), METHODS),
        baseline=raw.get("baseline"),
        features=_optional("features", raw.get("features"), 1, FEATURES_MAX),
        grid=None if raw.get("grid") is None else _grids(raw["grid"]),
        unit=_one_of("unit", raw.get("unit", "auto"), UNITS),
        keep=None if raw.get("keep") is None else _inputs(raw["keep"]),
    )


def _optional(name: str, value: Any, low: int, high: int) -> int | None:
    return None if value is None else _whole(name, value, low, high)


def _whole(name: str, value: Any, low: int, high: int) -> int:
    value = datatypes.whole(value)
    if type(value) is not int or not low <= value <= high:
        got = repr(value) if type(value) in (int, float) else datatypes.word(value)
        raise bad(f"parameters.{name}", f"a whole number from {low} to {high}", got)
    return value


def _text(name: str, value: Any) -> str:
    if type(value) is not str:
        raise bad(f"parameters.{name}", "text", datatypes.word(value))
    return value


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> str:
    if value not in known or type(value) is not str:
        got = repr(value)[:100] if type(value) is str else datatypes.word(value)
        raise bad(f"parameters.{name}", f"one of {', '.join(known)}", got)
    return value


def _grids(value: Any) -> Mapping[str, tuple[int, ...]]:
    """A list for the one input, or lists by the inputs' names."""
    if type(value) is not dict:
        return {"": _grid("parameters.grid", value)}
    if not value:
        raise bad("parameters.grid", "lists by the names of inputs", "an empty object")
    return {name: _grid(f"parameters.grid.{name}", each) for name, each in value.items()}


def _grid(field: str, value: Any) -> tuple[int, ...]:
    expected = "a list of whole numbers: how many blocks on each axis of an item"
    if type(value) is not list or not value:
        raise bad(field, expected, "an empty list" if value == [] else datatypes.word(value))
    if len(value) > datatypes.RANK_MAX:
        raise bad(field, f"at most {datatypes.RANK_MAX} axes", str(len(value)))
    grid = tuple(map(datatypes.whole, value))
    for index, each in enumerate(grid):
        if type(each) is not int or not 1 <= each <= FEATURES_MAX:
            got = repr(each) if type(each) in (int, float) else datatypes.word(each)
            raise bad(f"{field}[{index}]", f"a whole number from 1 to {FEATURES_MAX}", got)
    if prod(grid) > FEATURES_MAX:
        raise bad(field, f"at most {FEATURES_MAX} blocks together", str(prod(grid)))
    return grid


def _inputs(value: Any) -> tuple[str, ...]:
    if type(value) is not list or not all(type(each) is str for each in value):
        got = "a list of others" if type(value) is list else datatypes.word(value)
        raise bad("parameters.keep", "a list of names of inputs", got)
    return tuple(value)


def bad(field: str, expected: str, got: str) -> RequestError:
    """A fault of a parameter's, by its name."""
    return RequestError(Fault.BAD_FIELD, field=field, expected=expected, got=got)
