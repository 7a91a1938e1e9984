"""What an earlier autoscaler knew, and which Revisions changed since they were last kept.

For: handing each pilot what was kept of it, once; giving out what is to be kept next.
Must not know: who keeps the bytes or when, how a pilot decides.
"""

import logging
from collections.abc import Mapping

from autoscaler import dumping
from autoscaler.dumping import DumpError, Kept
from autoscaler.pilot import Pilot, Scale
from autoscaler.scaler import Key

_LOG = logging.getLogger(__name__)
# A wall clock that was set back by more has made the age of what was kept a guess.
_FUTURE_MAX_S = 5.0


class Memory:
    """One for all Revisions. Nothing here waits.

    `epoch_s` is now in epoch seconds, where `now_s` is the clock that decisions use.
    """

    __slots__ = ("_changed", "_kept", "_stored", "restored", "unreadable")

    def __init__(self) -> None:
        self._changed: set[Key] = set()  # since they were last given out
        self._kept: dict[Key, bytes] = {}  # by an earlier autoscaler, and nobody asked yet
        self._stored: set[Key] = set()  # whoever keeps the bytes has some of these
        self.restored = 0  # Revisions that went on from what was kept
        self.unreadable = 0  # blobs that said nothing

    def touch(self, key: Key) -> None:
        """A Revision is to be kept again, or it is gone and its blob may go too."""
        self._changed.add(key)

    def learn(self, blobs: Mapping[Key, bytes]) -> None:
        """Take what an earlier autoscaler kept; each is handed out by `recall`."""
        self._kept = dict(blobs)
        self._stored.update(blobs)

    def settle(self) -> None:
        """Every Revision there is was seen: what nobody recalled is of one that is gone."""
        self._changed.update(self._kept)
        self._kept = {}

    def recall(
        self, key: Key, uid: str, pilot: Pilot, scale: Scale, *, now_s: float, epoch_s: float
    ) -> None:
        """Give a pilot what was kept of its Revision; an unreadable blob is as good as none."""
        blob = self._kept.pop(key, None)
        if blob is None:
            return
        try:
            kept = dumping.unpack(blob)
            if kept.uid != uid or kept.at_s > epoch_s + _FUTURE_MAX_S:
                return  # of another that had the name, or of another time
            shift_s = epoch_s - now_s
            if pilot.restore(
                kept.sections,
                scale,
                saved_s=kept.at_s - shift_s,
                shift_s=shift_s,
                now_s=now_s,
            ):
                self.restored += 1
        except (DumpError, *dumping.FAULTS) as error:
            self.unreadable += 1
            _LOG.warning("what was kept of %s/%s is unreadable, and is not used: %s", *key, error)

    def take(self) -> list[Key]:
        """All that changed; `touch` gives back what could not be kept."""
        taken = list(self._changed)
        self._changed.clear()
        return taken

    def dump(
        self, key: Key, uid: str, pilot: Pilot, *, now_s: float, epoch_s: float
    ) -> bytes | None:
        """The bytes to keep of a Revision; None when it has nothing worth it."""
        sections = pilot.dump(shift_s=epoch_s - now_s, now_s=now_s)
        if not sections:
            return None
        try:
            return dumping.pack(Kept(uid=uid, at_s=epoch_s, sections=sections))
        except DumpError as error:
            _LOG.warning("%s/%s is not kept: %s", *key, error)
            return None

    def is_stored(self, key: Key) -> bool:
        """Say whether bytes of this one are kept somewhere."""
        return key in self._stored

    def stored(self, changed: Mapping[Key, bytes], gone: list[Key]) -> None:
        """Note what was kept, and what no longer is."""
        self._stored.update(changed)
        self._stored.difference_update(gone)
