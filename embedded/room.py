"""What this machine has room for, and who uses it: pure.

For: admitting Pods as Kubernetes' scheduler does on a cluster of one node: by number and by the
sum of their requests; and for telling each which GPUs are its own.
Must not know: where the machine's capacity was read, or what a Pod runs.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from api import quantities
from api.objects import Raw
from embedded.launching import sidecar_ports

GPU = "nvidia.com/gpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one replica; None is no bound."""

    memory_bytes: int | None = None
    cores: int | None = None


def limits_of(container: Raw) -> Limits:
    """The bounds of a container; a part of a core counts as a whole one."""
    found = _amounts_of(container, "limits")
    memory, cpu = found.get("memory"), found.get("cpu")
    return Limits(
        memory_bytes=None if memory is None else int(memory),
        cores=None if cpu is None else max(1, math.ceil(cpu)),
    )


def requested_bytes(container: Raw) -> int:
    """The memory a container asks for."""
    return int(_amounts_of(container, "requests").get("memory", 0))


def _amounts(pod: Raw, part: str) -> dict[str, Decimal]:
    """What a Pod's containers ask for together, or the greediest of those that run before them."""
    total: dict[str, Decimal] = {}
    for container in pod["spec"].get("containers") or ():
        for name, amount in _amounts_of(container, part).items():
            total[name] = total.get(name, Decimal(0)) + amount
    for container in pod["spec"].get("initContainers") or ():
        for name, amount in _amounts_of(container, part).items():
            total[name] = max(total.get(name, Decimal(0)), amount)
    return total


def _amounts_of(container: Raw, part: str) -> dict[str, Decimal]:
    resources: Mapping[str, Any] = container.get("resources") or {}
    amounts = dict(resources.get(part) or {})
    if part == "requests":  # Kubernetes: what is only limited is requested as much
        amounts = {**(resources.get("limits") or {}), **amounts}
    return {name: quantities.parse(str(text)) or Decimal(0) for name, text in amounts.items()}


class Room:
    """Counts Pods and what they request against what there is."""

    def __init__(self, *, pods_max: int, capacity: Mapping[str, Decimal]) -> None:
        """`capacity` by resource name: cores, bytes, devices."""
        self._pods_max = pods_max
        self._capacity = capacity
        self._used: dict[str, dict[str, Decimal]] = {}  # by the Pod's uid
        self._devices: dict[str, tuple[int, ...]] = {}
        self._ports: dict[str, set[int]] = {}

    def enter(self, uid: str, pod: Raw) -> str:
        """Take room for a Pod; else the scheduler's sentence that says what is lacking."""
        wanted = _amounts(pod, "requests")
        lacking = [name for name, amount in wanted.items() if amount > self._free(name)]
        if len(self._used) >= self._pods_max:
            return f"0/1 nodes are available: 1 Too many pods (at most {self._pods_max})."
        ports = set(sidecar_ports(pod["spec"]).values())
        if any(ports & taken for taken in self._ports.values()):
            return (
                "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod "
                f"ports (PORT of a container beside the serving one: {sorted(ports)})."
            )
        if lacking:
            reasons = ", ".join(f"1 Insufficient {name}" for name in sorted(lacking))
            return f"0/1 nodes are available: {reasons}."
        self._used[uid] = wanted
        self._ports[uid] = ports
        self._devices[uid] = self._free_devices()[: int(wanted.get(GPU, 0))]
        return ""

    def leave(self, uid: str) -> None:
        """Give a Pod's room back; nothing happens if it had none."""
        self._used.pop(uid, None)
        self._ports.pop(uid, None)
        self._devices.pop(uid, None)

    def devices(self, uid: str) -> tuple[int, ...]:
        """The GPUs that are a Pod's own, by index."""
        return self._devices.get(uid, ())

    def _free(self, name: str) -> Decimal:
        used = sum((each.get(name, Decimal(0)) for each in self._used.values()), Decimal(0))
        return self._capacity.get(name, Decimal(0)) - used

    def _free_devices(self) -> tuple[int, ...]:
        taken = {index for devices in self._devices.values() for index in devices}
        count = int(self._capacity.get(GPU, 0))
        return tuple(index for index in range(count) if index not in taken)
