"""The knobs that a search turns, each with the values it tries.

For: annotations from places on ladders, and the places beside them.
Must not know: traces, scores, which value is better.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from api import keys
from rehearsal.policies import Policy, of_class

Places = tuple[int, ...]  # one on each ladder


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One annotation and its values in order; `default` is the place of what holds without it."""

    key: str
    values: tuple[str, ...]
    default: int
    coarse: tuple[int, ...]  # places that are tried first


def knobs_of(class_: str, concurrency: int) -> tuple[Knob, ...]:
    """The knobs of a class, kpa or relight, for a Revision with that container concurrency."""
    knobs = [
        _target() if concurrency == 0 else _knob(keys.TARGET_UTILIZATION, _UTILIZATIONS, "70"),
        _knob(keys.STABLE_WINDOW, _WINDOWS, "60s"),
        _knob(keys.PANIC_WINDOW, ("2", "5", "10", "20", "35", "50"), "10"),
        _knob(keys.SCALE_DOWN_DELAY, _SPANS, "0s"),
        _knob(keys.POD_RETENTION, _SPANS, "0s"),
        _knob(keys.MIN_SCALE, ("0", "1", "2", "3", "4", "6", "8"), "0"),
    ]
    if class_ == "relight":
        knobs.append(_knob(keys.KEEP_ALIVE, ("cheap", "balanced", "fast"), "balanced"))
    return tuple(knobs)


def defaults(knobs: tuple[Knob, ...]) -> Places:
    """Where every knob stands without an annotation."""
    return tuple(knob.default for knob in knobs)


def coarse(knobs: tuple[Knob, ...]) -> Iterator[Places]:
    """From the defaults, each knob turned alone."""
    start = defaults(knobs)
    for index, knob in enumerate(knobs):
        for place in knob.coarse:
            yield (*start[:index], place, *start[index + 1 :])


def beside(knobs: tuple[Knob, ...], places: Places) -> Iterator[Places]:
    """From some places, each knob turned alone by one step, either way."""
    for index, knob in enumerate(knobs):
        for place in (places[index] - 1, places[index] + 1):
            if 0 <= place < len(knob.values):
                yield (*places[:index], place, *places[index + 1 :])


def policy_at(class_: str, knobs: tuple[Knob, ...], places: Places) -> Policy:
    """The policy of a class with its knobs there; what stands at its default is left out."""
    annotations: Mapping[str, str] = {
        knob.key: knob.values[place]
        for knob, place in zip(knobs, places, strict=True)
        if place != knob.default
    }
    return of_class(class_, annotations)


_UTILIZATIONS = ("20", "30", "40", "50", "60", "70", "80", "90", "100")
_WINDOWS = ("6s", "8s", "10s", "15s", "20s", "30s", "45s", "60s", "90s", "120s", "300s", "600s")
_SPANS = ("0s", "6s", "15s", "30s", "60s", "120s", "300s", "600s", "1800s")


def _knob(key: str, values: tuple[str, ...], default: str) -> Knob:
    place = values.index(default)
    places = range(place % 2, len(values), 2) if len(values) > 3 else range(len(values))
    return Knob(
        key=key,
        values=values,
        default=place,
        coarse=tuple(each for each in places if each != place),
    )


def _target() -> Knob:
    """Without a limit a replica is meant for so many, 70 % of which are aimed at."""
    values = ("1", "2", "3", "5", "7", "10", "15", "20", "30", "50", "70", "100", "150", "200")
    return _knob(keys.SCALING_TARGET, values, "100")
