"""The policies that can be rehearsed, by name: `kpa,window=30s`.

For: one line of text → what decides, with every knob checked as the platform checks it.
Must not know: traces, how a policy does.

    kpa | relight                           a class, with annotations as knobs: `kpa,target=2`
    relight/cheap | /balanced | /fast       class relight, with relight.dev/keep-alive
    keep-alive=600s                         a replica goes when it was not needed for so long;
                                            its knobs are min-scale and max-scale
    always-on                               as many as the peak ever needs, all the time
    oracle                                  the least that never lets a request wait
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from api import keys
from api.autoscaling import parse_scaling
from api.errors import InvalidObjectError
from api.formats import duration_ns

_CLASSES = {"kpa": keys.CLASS_KPA, "relight": keys.CLASS_RELIGHT}
_BOUNDS = (keys.MIN_SCALE, keys.MAX_SCALE)  # the knobs of what is of no class
_METRICS = ("concurrency", "rps")
_KEEP_ALIVES = ("cheap", "balanced", "fast")
KNOWN = "kpa, relight, relight/cheap|balanced|fast, keep-alive=DURATION, always-on, oracle"


class Kind(Enum):
    """What decides."""

    CLASS = "class"  # the production autoscaler
    KEEP_ALIVE = "keep-alive"
    ALWAYS_ON = "always-on"
    ORACLE = "oracle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What decides. `annotations` by full name, the class among them."""

    name: str  # as it was written
    kind: Kind
    annotations: Mapping[str, str] = field(default_factory=dict)
    keep_s: float = 0.0  # of a keep-alive


def parse(text: str) -> Policy:
    """Read a policy; ValueError says in a sentence what is wrong with which part."""
    text = text.strip()
    head, *knobs = [part.strip() for part in text.split(",")]
    if head in ("always-on", "oracle"):
        if knobs:
            raise ValueError(f"policy {text!r}: {head} has no knobs, and {knobs[0]!r} is one")
        return Policy(name=text, kind=Kind(head))
    name, _, keep_alive = head.partition("/")
    annotations = {}
    kind, keep_s = Kind.CLASS, 0.0
    if head.startswith("keep-alive="):
        kind, keep_s = Kind.KEEP_ALIVE, _keep_s(text, head.removeprefix("keep-alive="))
    elif name in _CLASSES and (not keep_alive or name == "relight"):
        annotations[keys.SCALING_CLASS] = _CLASSES[name]
        if "/" in head:
            if keep_alive not in _KEEP_ALIVES:
                raise ValueError(
                    f"policy {text!r}: {keep_alive!r} is none of cheap, balanced, fast"
                )
            annotations[keys.KEEP_ALIVE] = keep_alive
    else:
        raise ValueError(f"policy {text!r}: {head!r} is not known; there are {KNOWN}")
    for knob in knobs:
        _add(text, knob, annotations)
    return Policy(name=text, kind=kind, annotations=annotations, keep_s=keep_s)


def of_class(class_: str, annotations: Mapping[str, str]) -> Policy:
    """The policy of a class, kpa or relight, with annotations by full name."""
    knobs = [f"{_short(key)}={value}" for key, value in annotations.items()]
    return parse(",".join([class_, *knobs]))


def _keep_s(text: str, duration: str) -> float:
    nanoseconds = duration_ns(duration)
    if nanoseconds is None or nanoseconds < 0:
        raise ValueError(f"policy {text!r}: {duration!r} is not a duration such as 90s or 10m")
    return nanoseconds / 1e9


def _add(text: str, knob: str, annotations: dict[str, str]) -> None:
    """Take in one knob, and let the platform's own rules judge it."""
    name, equals, value = knob.partition("=")
    if not equals or not name or not value:
        raise ValueError(f"policy {text!r}: {knob!r} is not KNOB=VALUE")
    key = _full(name)
    fault = _fault(key, name, value, is_class=keys.SCALING_CLASS in annotations)
    if not fault and key in annotations:
        fault = f"{name!r} is given twice"
    if fault:
        raise ValueError(f"policy {text!r}: {fault}")
    annotations[key] = value
    try:
        parse_scaling(annotations, path="")
    except InvalidObjectError as error:
        raise ValueError(f"policy {text!r}: {knob!r}: {told(error)}") from None


def told(error: InvalidObjectError) -> str:
    """What is wrong with annotations, without where in an object they would stand."""
    return "; ".join(
        f"{each.message}: {each.details}" if each.details else each.message for each in error.errors
    )


def _fault(key: str, name: str, value: str, *, is_class: bool) -> str:
    """Why a rehearsal can not honour an annotation; "" if it can."""
    if key == keys.SCALING_CLASS:
        return f"the class is named first, not by {name!r}"
    if not is_class and key not in _BOUNDS:
        return f"a keep-alive has the knobs {' and '.join(map(_short, _BOUNDS))}, not {name!r}"
    if key != keys.KEEP_ALIVE and not key.startswith(keys.AUTOSCALING_PREFIX):
        return f"{name!r} is no annotation that scaling is tuned by"
    if key == keys.INITIAL_SCALE:
        return f"a rehearsal begins long after {name!r} mattered"
    if key == keys.SCALING_METRIC and value not in _METRICS:
        return f"{name!r} is {value!r}: a trace tells of {' and '.join(_METRICS)} only"
    return ""


def _full(name: str) -> str:
    if "/" in name:
        return name
    return keys.KEEP_ALIVE if _short(keys.KEEP_ALIVE) == name else keys.AUTOSCALING_PREFIX + name


def _short(key: str) -> str:
    return key.rpartition("/")[2]
