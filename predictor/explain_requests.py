"""What a request for an explanation asks for beside its rows: its parameters, checked.

For: a refusal by name for what is unknown, too large, or of the wrong kind.
Must not know: models, tensors, HTTP.
"""

from dataclasses import dataclass
from typing import Any

from predictor import datatypes
from predictor.errors import Fault, RequestError

SAMPLES_DEFAULT = 2048
SAMPLES_MAX = 1_000_000  # of one row and of all rows of a request
_SEED_MAX = 2**63 - 1
METHODS = ("auto", "tree_shap", "permutation")
_NAMES = ("samples", "seed", "output", "method", "baseline")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How rows are to be explained."""

    samples: int | None = None  # None: the default, or more where the features need it
    seed: int = 0
    output: str = ""  # "" chooses
    method: str = "auto"
    baseline: Any = None  # as it stands in JSON


def parse(raw: Any, *, passed_over: tuple[str, ...] = ()) -> Asked:
    """RequestError with a 400 that names the parameter; `passed_over` are another's to read."""
    if raw is None:
        return Asked()
    if type(raw) is not dict:
        raise _bad("parameters", "an object", datatypes.word(raw))
    for name in raw:
        if name not in _NAMES and name not in passed_over:
            raise _bad(f"parameters.{name}", f"one of {', '.join(_NAMES)}", "another name")
    samples = raw.get("samples")
    return Asked(
        samples=None if samples is None else _whole("samples", samples, 1, SAMPLES_MAX),
        seed=_whole("seed", raw.get("seed", 0), 0, _SEED_MAX),
        output=_text("output", raw.get("output", "")),
        method=_method(raw.get("method", "auto")),
        baseline=raw.get("baseline"),
    )


def _whole(name: str, value: Any, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        got = repr(value) if type(value) in (int, float) else datatypes.word(value)
        raise _bad(f"parameters.{name}", f"a whole number from {low} to {high}", got)
    return value


def _text(name: str, value: Any) -> str:
    if type(value) is not str:
        raise _bad(f"parameters.{name}", "text", datatypes.word(value))
    return value


def _method(value: Any) -> str:
    if value not in METHODS or type(value) is not str:
        got = repr(value)[:100] if type(value) is str else datatypes.word(value)
        raise _bad("parameters.method", f"one of {', '.join(METHODS)}", got)
    return value


def _bad(field: str, expected: str, got: str) -> RequestError:
    return RequestError(Fault.BAD_FIELD, field=field, expected=expected, got=got)
