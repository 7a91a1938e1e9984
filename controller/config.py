"""Settings of the controller, parsed once.

For: bounds and defaults of what whoever starts the controller may choose.
Must not know: what any of the settings switches.
"""

from dataclasses import dataclass, field
from pathlib import Path

from controller.gateway import Gateway
from controller.predictor_pods import PredictorPods
from controller.publishing import Publishing


class SettingsError(ValueError):
    """A setting is out of bounds; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the controller is told about its surroundings."""

    domain: str = "localhost"  # public hosts are <route>.<namespace>.<domain>
    config_namespace: str = "knative-serving"  # where ConfigMaps of settings are
    external_port: int | None = None  # of the activator, from outside; None or 80: not shown
    # Where relative model paths start; None: nowhere, as on the nodes of a cluster.
    model_root: Path | None = field(default_factory=Path)
    # Objects worked on at once. Where the API server is in this process, work does not wait:
    # this many are done in one turn of the event loop, and requests wait for that.
    workers_max: int = 4
    beside_s: float = 0.02  # what replicas do is looked at so much later: see server.py
    digest_grace_s: float = 0.05  # a digest that takes longer is waited for in the background
    publishing: Publishing | None = None  # on a cluster that has core Services
    gateway: Gateway | None = None  # the cluster's own, that HTTPRoutes are written for
    predictor: PredictorPods | None = None  # what our predictor's Pods get of a cluster

    def __post_init__(self) -> None:
        """Refuse what can not work, naming the setting."""
        if not self.domain or self.domain.startswith(".") or self.domain.endswith("."):
            raise SettingsError(f'domain: "{self.domain}" is not a domain name')
        if self.external_port is not None and not 1 <= self.external_port <= 65535:
            raise SettingsError(f"external_port: expected 1 <= {self.external_port} <= 65535")
        if not 1 <= self.workers_max <= 1000:
            raise SettingsError(f"workers_max: expected 1 <= {self.workers_max} <= 1000")
        if not 0 <= self.beside_s <= 10:
            raise SettingsError(f"beside_s: expected 0 <= {self.beside_s} <= 10")
        if not 0 <= self.digest_grace_s <= 10:
            raise SettingsError(f"digest_grace_s: expected 0 <= {self.digest_grace_s} <= 10")
