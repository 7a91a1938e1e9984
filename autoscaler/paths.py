"""The way of callers to a Revision: who makes it follow a mode, and what a status says of it.

For: where nobody but us is: the mode stands in the PodAutoscaler's status, and others act on it.
     Another way is a `Path` of its own (serverless_services.py).
Must not know: how a mode is decided.
"""

from typing import Any, Protocol

from api.conditions import Condition
from autoscaler import status
from autoscaler.bursting import Mode
from autoscaler.exposure import Exposure
from autoscaler.scaler import Key
from autoscaler.spec import Spec


class Path(Protocol):
    """What the loop asks. Nothing here waits."""

    def exposure(self, key: Key, uid: str, *, ready: int, now_s: float) -> Exposure | None:
        """Whether callers may pass the activators, of a Revision first seen; None: as asked for.

        `uid` is that of its PodAutoscaler.
        """
        ...

    def conditions(self, key: Key, told: tuple[Condition, ...]) -> tuple[Condition, ...]:
        """What to say beside what is told of replicas: equal ones are one object."""
        ...

    def spelled(
        self, key: Key, spec: Spec, *, ready: int, mode: Mode, capacity: float
    ) -> dict[str, Any]:
        """Have a mode followed, and say so; `capacity` is that of an activator."""
        ...

    def gone(self, key: Key) -> None:
        """Forget a Revision."""
        ...


class InStatus:
    """The mode is told, and no more."""

    def exposure(self, key: Key, uid: str, *, ready: int, now_s: float) -> None:
        """As the Revision asked for it."""
        del key, uid, ready, now_s

    def conditions(self, key: Key, told: tuple[Condition, ...]) -> tuple[Condition, ...]:
        """Nothing more."""
        del key
        return told

    def spelled(
        self, key: Key, spec: Spec, *, ready: int, mode: Mode, capacity: float
    ) -> dict[str, Any]:
        """How many serve, by which way, and how many activators it takes."""
        del key
        return status.spelled(spec, ready=ready, mode=mode, activator_capacity=capacity)

    def gone(self, key: Key) -> None:
        """Nothing is known of it."""
        del key
