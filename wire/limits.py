"""The bounds one HTTP server puts on its clients.

For: naming every limit once, with its unit, for servers built on `wire`.
Must not know: which server it limits, models or routes.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a client may send and how long it may take. Beyond a limit it is refused or closed.

    `header_bytes_max` is kept to the grain of one read slice (4 KiB).
    """

    header_bytes_max: int = 65_536  # request line and headers → 431
    header_count_max: int = 100  # → 431
    target_bytes_max: int = 8_192  # → 414
    body_bytes_max: int = 64 * 1024 * 1024  # → 413
    idle_s: float = 75.0  # a kept-alive connection without a request is closed
    head_s: float = 10.0  # from the first byte of a head to its last → 408
    body_s: float = 60.0  # no byte of an announced body for so long → 408
    linger_s: float = 2.0  # after a refusal, unread input is discarded for so long
    # HTTP/2 only. The last two are refilled in ten seconds; beyond them the connection ends.
    streams_max: int = 256  # that run on one connection → REFUSED_STREAM
    resets_max: int = 1000  # streams broken off, or refused, by whichever side
    nuisances_max: int = 5000  # frames that cost work and bring nothing

    def __post_init__(self) -> None:
        for name in (
            *("header_bytes_max", "header_count_max", "target_bytes_max", "body_bytes_max"),
            *("streams_max", "resets_max", "nuisances_max"),
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: must be at least 1")
        for name in ("idle_s", "head_s", "body_s", "linger_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: must be over 0 seconds")
