"""The rules that can have the last word about a number of replicas.

For: naming them once, for decisions, the journal, Events and sentences.
Must not know: how any of them works.
"""

from enum import Enum


class Reason(Enum):
    """The rule that had the last word."""

    NO_DATA = "no-data"  # nothing known: keep what was decided before
    STABLE = "stable"  # the average over the stable window
    PANIC = "panic"  # the average over the panic window
    PANIC_HOLD = "panic-hold"  # no scaling down while in panic
    QUEUE = "queue"  # the length of the queue in a poke
    UP_RATE = "up-rate"
    DOWN_RATE = "down-rate"
    ACTIVATION_SCALE = "activation-scale"
    SCALE_DOWN_DELAY = "scale-down-delay"
    MIN_SCALE = "min-scale"
    INITIAL_SCALE = "initial-scale"
    MAX_SCALE = "max-scale"
    SURGE = "surge"  # the fast average, where it is far more than what is ready
    FULL = "full"  # the fast average, where it fills every slot
    EXPECTED = "expected"  # where a steady rise will be when a replica is ready
    KEEP_ALIVE = "keep-alive"  # not needed now, but worth keeping
    AHEAD = "ahead"  # not needed now, but expected to be
    IDLE = "idle"  # nothing needs a replica, and none is worth keeping
    ACTIVATING = "activating"  # not up yet: not taken down before the deadline
    TIMED_OUT = "timed-out"
    ACTIVE_TOO_SHORT = "active-too-short"
    DEACTIVATING = "deactivating"  # marked inactive, last replica still there
    RETENTION = "retention"
    GRACE = "grace"
    STEPPING_IN = "stepping-in"  # callers may still reach replicas past the activators
    ZERO_OFF = "scale-to-zero-off"
