"""Numbers, durations and words written as annotations, read with Knative's complaints.

For: turning the strings of an annotation map into typed values, noting what is wrong.
Must not know: what any annotation means.
"""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from api import fields, formats

INT32_MAX = 2**31 - 1
NS_PER_S = 1_000_000_000
SECOND_PRECISION = "must be specified with at most second precision"

_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DIGITS_MAX = 18  # what fits 64 bits; more is out of any range here


class Found(NamedTuple):
    """An annotation that is set: its text, and the path by which errors name it."""

    text: str
    path: str


class Annotations:
    """One map of annotations; remembers which keys were asked for.

    Every method answers None when the annotation is absent or wrong.
    """

    def __init__(self, raw: Mapping[str, str], path: str, faults: fields.Faults) -> None:
        self.path = path
        self.faults = faults
        self._raw = raw
        self._asked: set[str] = set()

    def at(self, key: str) -> str:
        """The path by which errors name a key."""
        return f"{self.path}.{key}"

    def unread(self, prefix: str) -> list[str]:
        """The keys with this prefix that nobody asked for."""
        return sorted(k for k in self._raw if k.startswith(prefix) and k not in self._asked)

    def find(self, key: str) -> Found | None:
        """The value of a key or of its camelCase spelling; both only if they agree."""
        spellings = (key, camel_case(key))
        self._asked.update(spellings)
        present = [each for each in dict.fromkeys(spellings) if each in self._raw]
        if len({self._raw[each] for each in present}) > 1:
            self.faults.add("expected exactly one, got both", *map(self.at, present))
        return Found(self._raw[present[0]], self.at(present[0])) if present else None

    def word(self, key: str, allowed: Mapping[str, str]) -> str | None:
        """One of the allowed words, as its canonical form."""
        found = self.find(key)
        if found is None:
            return None
        if found.text not in allowed:
            self.faults.invalid(found.text, found.path)
        return allowed.get(found.text)

    def integer(self, key: str) -> int | None:
        """Any integer of 32 bits; what is larger is out of bounds."""
        found = self.find(key)
        if found is None:
            return None
        if _INTEGER.fullmatch(found.text) is None:
            self.faults.invalid(found.text, found.path)
            return None
        number = int(found.text) if len(found.text) <= _DIGITS_MAX else INT32_MAX + 1
        if abs(number) > INT32_MAX:
            self.faults.out_of_bounds(found.text, 0, INT32_MAX, found.path)
            return None
        return number

    def count(self, key: str) -> int | None:
        """A non-negative integer of 32 bits."""
        number = self.integer(key)
        if number is not None and number < 0:
            self.faults.out_of_bounds(number, 0, INT32_MAX, self._path(key))
            return None
        return number

    def number(self, key: str) -> float | None:
        """Any finite number."""
        found = self.find(key)
        if found is None:
            return None
        number = float(found.text) if _FLOAT.fullmatch(found.text) else math.nan
        if not math.isfinite(number):
            self.faults.invalid(found.text, found.path)
            return None
        return number

    def number_within(self, key: str, low: int, high: int) -> float | None:
        """A number between two bounds, both included."""
        number = self.number(key)
        if number is not None and not low <= number <= high:
            self.faults.out_of_bounds(self._text(key), low, high, self._path(key))
            return None
        return number

    def duration_s(self, key: str, low: str, high: str, *, is_whole: bool) -> float | None:
        """A Go duration between two others, in seconds; `is_whole`: no fraction of one."""
        found = self.find(key)
        if found is None:
            return None
        duration = formats.duration_ns(found.text)
        bounds = formats.duration_ns(low), formats.duration_ns(high)
        assert bounds[0] is not None
        assert bounds[1] is not None
        if duration is None:
            self.faults.invalid(found.text, found.path)
        elif not bounds[0] <= duration <= bounds[1]:
            self.faults.out_of_bounds(found.text, low, high, found.path)
        elif is_whole and duration % NS_PER_S:
            self.faults.add(SECOND_PRECISION, found.path)
        else:
            return duration / NS_PER_S
        return None

    def _path(self, key: str) -> str:
        return self.at(key if key in self._raw else camel_case(key))

    def _text(self, key: str) -> str:
        return self._raw.get(key) or self._raw[camel_case(key)]


def read_int32(text: str) -> int | None:
    """An integer of 32 bits; None for anything else."""
    if _INTEGER.fullmatch(text) is None or len(text) > _DIGITS_MAX:
        return None
    return int(text) if -INT32_MAX - 1 <= int(text) <= INT32_MAX else None


@lru_cache(maxsize=256)
def camel_case(key: str) -> str:
    """Knative's older spelling of an annotation: `d/min-scale` → `d/minScale`."""
    domain, slash, name = key.rpartition("/")
    first, *others = name.split("-")
    return domain + slash + first + "".join(each.capitalize() for each in others)
