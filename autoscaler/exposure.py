"""Whether callers may reach a Revision's replicas past the activators.

For: the mode that its PodAutoscaler tells; whether its replicas have to be measured and its
     Service to be probed; and whether its last replica would be missed by somebody.
Must not know: how a mode is put into effect, how anything is measured or probed, clocks.

A mode is a wish. Somebody else makes Services follow it, and every node its own way; so from the
first `Serve` on a Revision counts as exposed until a probe of its Service was answered by an
activator, and nodes had time to follow. Who can not be measured is not exposed for long: then
activators go back into the path, and measure.
"""

from typing import Final

from autoscaler.bursting import PROXY, SERVE, Mode

NODES_S: Final = 3.0  # in which every node does what one was seen to do
BLIND_S: Final = 10.0  # exposed and not measured: the activators' turn
_LULL_S: Final = 15.0  # connections of before may go on; without load for so long they do not


class Exposure:
    """Of one Revision. `now_s` never falls."""

    __slots__ = (
        "_busy_s",
        "_closed_s",
        "_is_blind",
        "_is_direct",
        "_measured_s",
        "_mode",
        "is_open",
    )

    def __init__(self, *, is_direct: bool, ready: int, now_s: float) -> None:
        """What was told before a restart is not known: replicas that run count as exposed."""
        self._is_direct = is_direct
        self._mode: Mode = PROXY
        self._closed_s: float | None = None  # since when activators answer for it
        self._measured_s = now_s
        self._busy_s = now_s
        self._is_blind = False  # until it is measured again
        self.is_open = is_direct and ready > 0

    def follow(self, wish: Mode, *, is_direct: bool, ready: int, now_s: float) -> Mode:
        """The mode to tell, where the room for a burst would have `wish`."""
        self._is_direct = is_direct
        if not is_direct or not ready:
            self.is_open = False
            self._mode = PROXY
            return wish  # what is told then, nobody acts on
        if self._mode == SERVE and now_s - self._measured_s > BLIND_S:
            self._is_blind = True
        if wish == SERVE and not self._is_blind:
            if self._mode == PROXY:
                self._measured_s = now_s  # from now on it has to be
            self.is_open, self._closed_s = True, None
            self._mode = SERVE
        else:
            self._mode = PROXY
            if self._closed_s is not None and now_s - self._closed_s >= NODES_S:
                self.is_open = False
        return self._mode

    def measured(self, load: float, *, now_s: float) -> None:
        """Replicas told how much passed the activators by."""
        self._measured_s = now_s
        self._is_blind = False
        if load > 0:
            self._busy_s = now_s

    def proven(self, *, is_closed: bool, now_s: float) -> None:
        """Its Service was probed: an activator answered, or somebody else, or nobody."""
        if self._mode == SERVE or not is_closed:
            self._closed_s = None
        elif self._closed_s is None:
            self._closed_s = now_s

    def wants_measure(self, *, now_s: float) -> bool:
        """Say whether replicas are to be asked now."""
        is_due = self.is_open or self._is_blind or now_s - self._busy_s < _LULL_S
        return self._is_direct and is_due

    def wants_look(self, *, now_s: float) -> bool:
        """Say whether either is."""
        return self.wants_proof or self.wants_measure(now_s=now_s)

    @property
    def is_measured(self) -> bool:
        """Say whether only what replicas count is known of the load."""
        return self.is_open

    @property
    def wants_proof(self) -> bool:
        """Say whether its Service is to be probed now."""
        return self.is_open and self._mode == PROXY
