"""Read a JSON object field by field, keeping the path of everything that is wrong.

For: turning raw objects into typed ones with *all* their errors, each by its full path.
Must not know: any kind of object.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

from api import errors

NOT_SUPPORTED = "not supported by this version of Relight"
INT64_MAX = 2**63 - 1

# What Go leaves out when it writes. An empty object is none of these: it turns something on.
_EMPTY: tuple[object, ...] = ([], "")
_NONE: Mapping[str, str] = {}


class Faults:
    """The errors found so far in one object, in Knative's wording."""

    def __init__(self) -> None:
        self._found: list[errors.FieldError] = []

    def add(self, message: str, *paths: str, details: str = "") -> None:
        """Note one error."""
        self._found.append(errors.FieldError(message=message, paths=paths, details=details))

    def invalid(self, value: object, path: str, details: str = "") -> None:
        """Note a value that has the right type and is wrong."""
        self.add(f"invalid value: {value}", path, details=details)

    def invalid_key(self, key: str, path: str, details: str = "") -> None:
        """Note a key that may not stand in this map."""
        self.add(f"invalid key name {json.dumps(key, ensure_ascii=False)}", path, details=details)

    def missing(self, *paths: str) -> None:
        """Note fields that must be there."""
        self.add("missing field(s)", *paths)

    def disallowed(self, *paths: str, details: str = "") -> None:
        """Note fields that may not be there."""
        self.add("must not set the field(s)", *paths, details=details)

    def out_of_bounds(self, value: object, low: object, high: object, path: str) -> None:
        """Note a value outside its range."""
        self.add(f"expected {low} <= {value} <= {high}", path)

    def raise_any(self) -> None:
        """Raise InvalidObjectError with everything noted; return if nothing was."""
        if self._found:
            raise errors.InvalidObjectError(self._found)


def shown(value: object) -> str:
    """A JSON value as it stands in an error: containers by their outline only."""
    match value:
        case Mapping():
            return "{...}"
        case list():
            return "[...]"
        case str():
            return value
        case _:
            return json.dumps(value)


class Fields:
    """One JSON object; a field nobody asked for is unknown when `finish` is called.

    A null is an absent field, as in Kubernetes. A field of the wrong type is noted in
    `faults` and then read as absent, so that reading goes on and finds the other errors.
    """

    def __init__(self, raw: object, path: str, faults: Faults) -> None:
        self.path = path
        self.faults = faults
        self._asked: set[str] = set()
        self._raw: Mapping[str, Any] = {}
        if isinstance(raw, Mapping):
            self._raw = raw
        elif raw is not None:
            self._wrong(raw, path, "an object")

    @property
    def whole(self) -> Mapping[str, Any]:
        """The object itself, for readers of another kind."""
        return self._raw

    def at(self, name: str) -> str:
        """The full path of a field of this object."""
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        """Whether the field is there and not null; does not count as asking for it."""
        return self._raw.get(name) is not None

    def skip(self, *names: str) -> None:
        """Accept these fields unread."""
        self._asked.update(names)

    def text(self, name: str) -> str:
        """A string; "" when absent."""
        value = self._get(name)
        if isinstance(value, str):
            return value
        self._wrong(value, self.at(name), "a string")
        return ""

    def integer(self, name: str) -> int | None:
        """An integer of 64 bits."""
        value = self._get(name)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= INT64_MAX:
            return value
        self._wrong(value, self.at(name), "an integer")
        return None

    def boolean(self, name: str) -> bool | None:
        """A boolean."""
        value = self._get(name)
        if isinstance(value, bool):
            return value
        self._wrong(value, self.at(name), "a boolean")
        return None

    def raw(self, name: str) -> Mapping[str, Any]:
        """An object whose fields are not looked at."""
        value = self._get(name)
        if isinstance(value, Mapping):
            return value
        self._wrong(value, self.at(name), "an object")
        return {}

    def child(self, name: str) -> "Fields":
        """An object, to be read in turn; without fields when absent."""
        return Fields(self._get(name), self.at(name), self.faults)

    def children(self, name: str) -> list["Fields"]:
        """A list of objects, each to be read in turn."""
        return [Fields(each, path, self.faults) for each, path in self._items(name, "objects")]

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        found: list[str] = []
        for each, path in self._items(name, "strings"):
            if isinstance(each, str):
                found.append(each)
            else:
                self._wrong(each, path, "a string", is_null_absent=False)
        return tuple(found)

    def string_map(self, name: str) -> dict[str, str]:
        """A map from strings to strings."""
        found: dict[str, str] = {}
        for key, value in self.raw(name).items():
            if isinstance(value, str):
                found[key] = value
            else:
                path = f"{self.at(name)}.{key}"
                self._wrong(value, path, "a string", is_null_absent=False)
        return found

    def finish(
        self, *, refused: Mapping[str, str] = _NONE, disallowed: Collection[str] = ()
    ) -> None:
        """Note every field nobody asked for, by the reason it is refused.

        `refused` gives a reason for each of its fields, `disallowed` are refused without one.
        An empty list, object or string in a field that Kubernetes knows says nothing, as
        in Knative, and is let pass.
        """
        for name, value in self._raw.items():
            if name in self._asked or value is None:
                continue
            if name in refused:
                if value not in _EMPTY:
                    self.faults.disallowed(self.at(name), details=refused[name])
            elif name in disallowed:
                if value not in _EMPTY:
                    self.faults.disallowed(self.at(name))
            else:
                self.faults.add("unknown field", self.at(name))

    def _get(self, name: str) -> object:
        self._asked.add(name)
        return self._raw.get(name)

    def _items(self, name: str, what: str) -> list[tuple[object, str]]:
        value = self._get(name)
        if isinstance(value, list):
            return [(each, f"{self.at(name)}[{index}]") for index, each in enumerate(value)]
        self._wrong(value, self.at(name), f"a list of {what}")
        return []

    def _wrong(self, value: object, path: str, wanted: str, *, is_null_absent: bool = True) -> None:
        if value is not None or not is_null_absent:
            self.faults.invalid(shown(value), path, f"must be {wanted}")
