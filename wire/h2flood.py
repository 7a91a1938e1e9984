"""An allowance for what costs work and brings none: resets, pings, settings, empty frames.

For: floods of frames that HTTP/2 allows one by one (CVE-2023-44487, CVE-2019-9512 and on).
Must not know: frames, time beyond what it is told has passed.
"""

from wire.h2frames import ENHANCE_YOUR_CALM, ConnectionFaultError

REFILL_S = 10.0  # from nothing to all of it


class Allowance:
    """Spent event by event, refilled with time. Nothing left: the connection ends."""

    __slots__ = ("_left", "_most", "_what")

    def __init__(self, most: int, what: str) -> None:
        self._most = most
        self._left = float(most)
        self._what = what

    def spend(self, amount: float = 1.0) -> None:
        """One more event, or one that costs as much as several."""
        self._left -= amount
        if self._left < 0:
            raise ConnectionFaultError(ENHANCE_YOUR_CALM, f"too many {self._what}")

    def refill(self, passed_s: float) -> None:
        """So much time has passed."""
        self._left = min(float(self._most), self._left + self._most * passed_s / REFILL_S)
