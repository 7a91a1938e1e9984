"""Events go by themselves: after an hour, or when there are too many.

For: bounding what is told about objects, as Kubernetes does.
Must not know: what any event says.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from api.kinds import EVENTS
from embedded.history import Change
from embedded.store import Store

EVENTS_MAX: Final = 1000
EVENT_TTL_S: Final = 3600.0


class Expiry:
    """Knows when each event was last written; `expire` removes what is due."""

    def __init__(self, store: Store, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._written: OrderedDict[tuple[str, str], float] = OrderedDict()
        # After a restart an event lives for one more hour at most: nothing says when it was
        # last written, and an hour too many costs nothing.
        now_s = clock()
        found = sorted(
            store.select(EVENTS), key=lambda obj: int(obj["metadata"]["resourceVersion"])
        )
        for obj in found:
            self._written[obj["metadata"]["namespace"], obj["metadata"]["name"]] = now_s
        store.subscribe(self._observe)

    def _observe(self, change: Change) -> None:
        if change.resource != EVENTS:
            return
        names = (change.object["metadata"]["namespace"], change.object["metadata"]["name"])
        self._written.pop(names, None)
        if change.type != "DELETED":
            self._written[names] = self._clock()

    def expire(self, *, room: int = 0) -> None:
        """Remove events past their time, and the oldest until `room` more fit."""
        oldest_s = self._clock() - EVENT_TTL_S
        while self._written:
            names, written_s = next(iter(self._written.items()))
            if written_s > oldest_s and len(self._written) + room <= EVENTS_MAX:
                return
            obj = self._store.get(EVENTS, *names)
            assert obj is not None, "an event is indexed as long as it is stored"
            self._store.remove(EVENTS, {**obj, "metadata": dict(obj["metadata"])})
