"""What a replica says of its own load, as a header of its answers (ORCA).

For: `endpoint-load-metrics` in its two readable forms, written and read:
     TEXT named_metrics.tokens_in_flight=123, named_metrics.queue_delay_ms=4.5
     JSON {"named_metrics": {"tokens_in_flight": 123, "queue_delay_ms": 4.5}}
Must not know: who reports, who asks, what is decided from it.

The third form of ORCA, BIN (a protobuf), is not read. Names that nobody here knows are read and
left alone: they are for others.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Form = Literal["TEXT", "JSON"]

TOKENS: Final = "tokens_in_flight"
DELAY_MS: Final = "queue_delay_ms"
BYTES_MAX: Final = 4096
# Triton's TensorRT-LLM backend says what share of how many tokens its cache holds.
_SHARE, _CAPACITY = "kv_cache_utilization", "max_token_capacity"
_NAMED = "named_metrics"
_NAMES = (_NAMED, "namedMetrics")  # protobuf's JSON has the second, everybody writes the first
_NAME = re.compile(r"[A-Za-z0-9_.\-]+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """One replica's load. None: it does not say."""

    tokens_in_flight: float | None = None
    queue_delay_s: float | None = None


def form_of(asked: bytes) -> Form | None:
    """The form that `endpoint-load-metrics-format` asks for; None: not one that is written."""
    forms: dict[bytes, Form] = {b"text": "TEXT", b"json": "JSON"}
    return forms.get(asked.strip().lower())


def write(form: Form, metrics: Mapping[Any, Any]) -> str:
    """The header's value; ValueError says what of a model's own words can not be written."""
    for name, value in metrics.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name: letters, digits and _ . - only")
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or value < 0:
            raise ValueError(f"{name} is {value!r}, not a number of 0 or more")
    if form == "JSON":
        return "JSON " + json.dumps({_NAMED: dict(metrics)})
    return "TEXT " + ", ".join(f"{_NAMED}.{name}={value!r}" for name, value in metrics.items())


def read(value: bytes) -> LoadReport:
    """What such a header says; ValueError says why it can not be read."""
    if len(value) > BYTES_MAX:
        raise ValueError(f"longer than {BYTES_MAX} bytes")
    form, _, rest = value.decode("latin-1").strip().partition(" ")
    if form.upper() == "TEXT":
        return _interpreted(_read_text(rest))
    if form.upper() == "JSON":
        return _interpreted(_read_json(rest))
    raise ValueError("it begins with neither TEXT nor JSON")


def _read_text(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in text.split(","):
        name, equals, number = (part.strip() for part in pair.partition("="))
        if not equals or not _NUMBER.fullmatch(number):
            raise ValueError(f"{pair.strip()!r} is not name=number")
        if name in found:
            raise ValueError(f"{name} stands twice")
        found[name] = float(number)
    start = f"{_NAMED}."
    return {
        name.removeprefix(start): value for name, value in found.items() if name.startswith(start)
    }


def _read_json(text: str) -> dict[str, Any]:
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("its JSON can not be parsed") from None
    named: Any = None
    if isinstance(whole, dict):
        named = next((whole[name] for name in _NAMES if name in whole), {})
    if isinstance(named, dict):
        return named
    raise ValueError(f"its JSON is not an object with an object {_NAMED}")


def _interpreted(metrics: Mapping[str, Any]) -> LoadReport:
    tokens = _number(metrics, TOKENS)
    if tokens is None:
        share, capacity = _number(metrics, _SHARE), _number(metrics, _CAPACITY)
        if share is not None and capacity is not None:
            tokens = share * capacity
    delay_ms = _number(metrics, DELAY_MS)
    return LoadReport(
        tokens_in_flight=tokens, queue_delay_s=None if delay_ms is None else delay_ms / 1000
    )


def _number(metrics: Mapping[str, Any], name: str) -> float | None:
    value = metrics.get(name)
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # A JSON integer may be too large for a float.
    if not is_number or not 0 <= value < float("inf"):
        raise ValueError(f"{name} is not a number of 0 or more")
    return float(value) if abs(value) < 1e300 else 1e300
