"""What a rehearsal assumes of the model and of the platform under it.

For: one value for everything that a trace does not say; draws that are the same for all policies.
Must not know: traces' formats, policies, how any of it was measured.
"""

from dataclasses import dataclass, field

from autoscaler.config import Settings

_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The assumptions. Raises ValueError naming the one that makes no sense.

    A tuple of one value is a constant. Of several, one is drawn for each request or start, by
    its number and `seed`: so two policies are dealt the same requests and the same starts.
    """

    service_s: tuple[float, ...] = (0.2,)  # a request takes so long at a replica
    uses_durations: bool = False  # the trace's durations count instead, where it has them
    cold_starts_s: tuple[float, ...] = (0.5,)  # from the start of a replica until it is ready
    overhead_s: float = 0.0  # from a decision until what it ordered begins to start
    concurrency: int = 1  # requests that a replica takes at once; 0: no limit
    frozen_max: int = 0  # replicas kept frozen instead of ended
    resume_s: float = 0.001  # from frozen until ready
    tail_s: float = 120.0  # replicas are counted so long after the last arrival, for everyone
    phase_s: float = 0.0  # the first request comes so long after a tick; results hang on it a bit
    seed: int = 0
    settings: Settings = field(default_factory=Settings)  # of the autoscaler

    def __post_init__(self) -> None:
        for name, values in (("service_s", self.service_s), ("cold_starts_s", self.cold_starts_s)):
            if not values or not all(0 <= value < float("inf") for value in values):
                raise ValueError(f"{name}: one or more times, each 0 s or more")
        for name in ("overhead_s", "resume_s", "tail_s", "phase_s"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name}: must be 0 s or more")
        for name in ("concurrency", "frozen_max"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: must be 0 or more")

    def cold_start_s(self, number: int) -> float:
        """How long the start of that number takes, from 0 on."""
        return drawn(self.cold_starts_s, self.seed, number)

    @property
    def cold_start_mean_s(self) -> float:
        """What a start takes on average, with the overhead: what the oracle reckons with."""
        return self.overhead_s + sum(self.cold_starts_s) / len(self.cold_starts_s)


def drawn(values: tuple[float, ...], seed: int, number: int) -> float:
    """Return one of `values`, each as likely, always the same for one seed and number."""
    if len(values) == 1:
        return values[0]
    return values[_mixed((seed << 32) ^ number) % len(values)]


def fraction(seed: int, number: int) -> float:
    """Return a number in [0, 1), always the same for one seed and number."""
    return _mixed((seed << 32) ^ number) / (1 << 64)


def _mixed(number: int) -> int:
    """Steele, Lea and Flood's SplitMix64: a counter in, even bits out."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)
