"""What this machine refuses of Pods, found out once for all Pods of one template.

For: starts from zero, which have no time to look at the same spec again.
Must not know: what is refused, or why.
"""

from collections.abc import Callable, Sequence
from typing import Final

import orjson

from api.errors import FieldError
from api.objects import Raw
from embedded.capabilities import Machine, refusals

_KNOWN_MAX: Final = 1024  # specs


class Acceptance:
    """Asks `capabilities`, and remembers what it said of this machine."""

    def __init__(self, machine: Callable[[], Machine]) -> None:
        """`machine` gives another object when what the machine can do has changed."""
        self._machine = machine
        self._asked_of: Machine | None = None
        self._known: dict[bytes, Sequence[FieldError]] = {}

    def refused(self, spec: Raw) -> Sequence[FieldError]:
        """All that is not served of a Pod's spec."""
        machine = self._machine()
        if machine is not self._asked_of or len(self._known) >= _KNOWN_MAX:
            self._known.clear()
            self._asked_of = machine
        key = orjson.dumps(spec)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = refusals(spec, path="spec", machine=machine)
        return found
