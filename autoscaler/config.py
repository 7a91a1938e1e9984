"""Settings of the autoscaler, parsed once.

For: what holds for every Revision; a Revision's own annotations are in `api/autoscaling.py`.
Must not know: where a setting came from.
"""

from dataclasses import dataclass, fields

from api import autoscaling as defaults


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Knative's names and defaults (ConfigMaps config-autoscaler and config-deployment).

    Raises ValueError naming the key that is out of bounds.
    """

    max_scale_up_rate: float = (
        defaults.MAX_SCALE_UP_RATE
    )  # replicas may grow by this factor in one decision
    max_scale_down_rate: float = defaults.MAX_SCALE_DOWN_RATE  # and shrink by this one
    enable_scale_to_zero: bool = defaults.ENABLE_SCALE_TO_ZERO
    # Only class kpa waits for it.
    scale_to_zero_grace_period_s: float = defaults.SCALE_TO_ZERO_GRACE_PERIOD_S
    progress_deadline_s: float = 600.0  # activation takes longer: give up
    tick_s: float = 2.0  # a decision a Revision this often
    journal_length_max: int = 200  # decisions remembered for each Revision
    status_after_s: float = 0.02  # a status is written so much later than its scale
    write_attempts_max: int = 4  # of one scale; the next tick tries again anyway
    write_back_off_s: float = 0.1  # first wait after a refused write, doubling

    def __post_init__(self) -> None:
        for name in ("max_scale_up_rate", "max_scale_down_rate"):
            if not getattr(self, name) > 1.0:
                raise ValueError(f"{_key(name)} = {getattr(self, name)}, must be greater than 1.0")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "enable_scale_to_zero":
                continue
            if not 0 < value < float("inf"):
                raise ValueError(f"{_key(field.name)} = {value}, must be positive and finite")


def _key(name: str) -> str:
    return name.removesuffix("_s").replace("_", "-")
