"""The activator's settings, with their defaults and bounds.

For: naming every limit and period of the request path once.
Must not know: where the values come from.
"""

import ipaddress
from dataclasses import dataclass, field

from wire.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Bounds are checked when it is made; a ValueError names the setting."""

    host: str = "127.0.0.1"
    port: int = 8080  # 0: any free one
    domain: str = "localhost"  # <route>.<namespace>.<domain>
    # Who may call what is cluster-local: on one machine, the machine itself.
    inside_networks: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    reporter: str = "activator"  # who sends the stats
    queue_depth_max: int = 10_000  # requests held per revision → 429
    queue_bytes_max: int = 256 * 1024 * 1024  # bytes of bodies held per revision → 429
    body_bytes_max: int = 64 * 1024 * 1024  # of one request → 413
    timeout_s_max: float = 3600.0  # the longest wait a caller may ask for
    report_period_s: float = 1.0
    gather_s: float = 0.002  # a poke waits until no request came for so long; a burst's, twice
    gather_max_s: float = 0.01  # but no longer than this
    crowd: int = 8  # times what executes: so many held in vain are a crowd, which is told at once
    expect_depth_max: int = 1_000  # requests that wait for a Revision not known yet → 503
    expect_s: float = 5.0  # for a Revision of which only a Route has told so far → 503
    connect_s: float = 1.0  # to open a connection to a replica
    probe_s: float = 60.0  # an unanswered probe is sent again
    probe_back_off_s: float = 0.01  # after the first failed probe; doubles
    probe_back_off_max_s: float = 1.0
    upstream_idle_s: float = 4.0  # an unused connection to a replica is closed
    deadline_grain_s: float = 0.05  # how late an execution deadline may be noticed
    ledger_length_max: int = 8_192  # requests whose timeline is remembered, of every sort
    ledger_notable_max: int = 1_024  # of the slow or held, and as many of the failed, beside these
    ledger_bytes_max: int = 8 * 1024 * 1024  # of all that is remembered; else fewer are
    ledger_slow_s: float = 1.0  # a request that takes longer is a slow one
    event_depth_max: int = 1_000  # payload events that wait for their sink; more are dropped
    event_queue_bytes_max: int = 64 * 1024 * 1024  # of their bodies
    event_body_bytes_max: int = 1024 * 1024  # of one body; the rest is left out, and it is said
    event_senders: int = 4  # how many are on their way at once
    event_send_s: float = 5.0  # a sink that takes longer has failed
    event_flush_s: float = 2.0  # at the end, for what waits
    client: Limits = field(default_factory=Limits)  # what clients may send; body as above

    def __post_init__(self) -> None:
        for name in (
            "queue_depth_max",
            "queue_bytes_max",
            "body_bytes_max",
            "expect_depth_max",
            "ledger_length_max",
            "ledger_notable_max",
            "ledger_bytes_max",
            "event_depth_max",
            "event_queue_bytes_max",
            "event_body_bytes_max",
            "event_senders",
            "crowd",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: must be at least 1")
        if not 0 <= self.port < 65_536:
            raise ValueError("port: must be 0 to 65535")
        for name in (
            "timeout_s_max",
            "report_period_s",
            "gather_s",
            "gather_max_s",
            "event_send_s",
            "event_flush_s",
            "expect_s",
            "ledger_slow_s",
            "connect_s",
            "probe_s",
            "probe_back_off_s",
            "probe_back_off_max_s",
            "upstream_idle_s",
            "deadline_grain_s",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: must be over 0 seconds")
        for network in self.inside_networks:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise ValueError(f"inside_networks: {error}") from None
        if self.gather_max_s < self.gather_s:
            raise ValueError("gather_max_s: must not be under gather_s")
