"""Settings of the autoscaler, parsed once.

For: what holds for every Revision; a Revision's own annotations are in `api/autoscaling.py`.
Must not know: where a setting came from.
"""

from dataclasses import dataclass, field, fields

from api import keys
from api.autoscaler_config import Defaults


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Knative's, by ConfigMap, and our own. Raises ValueError naming what is out of bounds."""

    defaults: Defaults = field(default_factory=Defaults)  # config-autoscaler
    progress_deadline_s: float = 600.0  # config-deployment; activation takes longer: give up
    config_namespace: str = "knative-serving"  # where ConfigMaps of settings are
    tick_s: float = 2.0  # a decision a Revision this often
    journal_length_max: int = 200  # decisions remembered for each Revision
    shelf_length_max: int = 20_000  # and for all that sleep, beside 8 for each
    status_after_s: float = 0.02  # a status is written so much later than its scale
    claims_first_s: float = 1.5  # a scale waits at most so long for claimed Pods that cover it
    write_attempts_max: int = 4  # of one scale; the next tick tries again anyway
    write_back_off_s: float = 0.1  # first wait after a refused write, doubling
    # Somebody lets callers past the activators where a mode says so: replicas are measured then.
    is_mode_followed: bool = False
    classes: tuple[str, ...] = (keys.CLASS_KPA, keys.CLASS_RELIGHT, keys.CLASS_HPA)  # that are ours
    is_class_named: bool = False  # a PodAutoscaler that names no class is not ours
    hears_reports: bool = True  # somebody reads what replicas report of themselves
    can_wake: bool = True  # requests for a Revision at zero are told of; else none goes there

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            is_number = each.type in {"int", "float", int, float}
            if is_number and not 0 < value < float("inf"):
                name = each.name.removesuffix("_s").replace("_", "-")
                raise ValueError(f"{name} = {value}, must be positive and finite")
