"""Whether callers may pass the activators, where those are somebody else's and tell us nothing.

For: Revisions of which only what replicas count is known, whoever leads callers to them.
Must not know: how anything is measured or probed, clocks.
"""

from typing_extensions import override

from autoscaler.bursting import Mode
from autoscaler.exposure import Exposure


class Metered(Exposure):
    """Of one Revision, which always is measured while a replica is ready."""

    __slots__ = ("_ready",)

    def __init__(self, *, ready: int, now_s: float) -> None:
        super().__init__(is_direct=True, ready=ready, now_s=now_s)
        self._ready = ready

    @override
    def follow(self, wish: Mode, *, is_direct: bool, ready: int, now_s: float) -> Mode:
        """The mode to tell; every Revision may be reached directly."""
        self._ready = ready
        return super().follow(wish, is_direct=True, ready=ready, now_s=now_s)

    @property
    @override
    def is_measured(self) -> bool:
        """Say whether only what replicas count is known of the load: while there are any."""
        return self._ready > 0

    @override
    def wants_measure(self, *, now_s: float) -> bool:
        """Say whether replicas are to be asked now."""
        return self._ready > 0
