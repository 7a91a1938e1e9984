"""The Node: this machine, as Kubernetes would describe it.

For: `kubectl get nodes` and `describe node`, and Pods that say where they run.
Must not know: how Pods run, or who writes the object.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

VERSION: Final = "v1.36.0+relight"
_CONDITIONS: Final = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "memory is not watched here"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "disks are not watched here"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "processes are not watched here"),
    ("Ready", "True", "KubeletReady", "the platform runs on this machine"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is so of a machine."""

    name: str
    labels: Mapping[str, str]
    address: str
    capacity: Mapping[str, Decimal]
    pods_max: int
    kernel: str
    system: str
    architecture: str
    machine_id: str
    boot_id: str


def node(facts: Facts, *, now: str) -> dict[str, Any]:
    """The whole object."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": facts.name, "labels": dict(facts.labels)},
        "spec": {},
        "status": status(facts, now=now),
    }


def status(facts: Facts, *, now: str) -> dict[str, Any]:
    """How the machine is."""
    amounts = {key: _shown(key, value) for key, value in facts.capacity.items() if value}
    amounts["pods"] = str(facts.pods_max)
    return {
        "capacity": amounts,
        "allocatable": dict(amounts),
        "conditions": [
            {
                "type": type_,
                "status": is_true,
                "lastHeartbeatTime": now,
                "lastTransitionTime": now,
                "reason": reason,
                "message": message,
            }
            for type_, is_true, reason, message in _CONDITIONS
        ],
        "addresses": [
            {"type": "InternalIP", "address": facts.address},
            {"type": "Hostname", "address": facts.name},
        ],
        "nodeInfo": {
            "machineID": facts.machine_id,
            "systemUUID": facts.machine_id,
            "bootID": facts.boot_id,
            "kernelVersion": facts.kernel,
            "osImage": facts.system,
            "containerRuntimeVersion": "relight://1",
            "kubeletVersion": VERSION,
            "kubeProxyVersion": "",
            "operatingSystem": "linux",
            "architecture": facts.architecture,
        },
    }


def _shown(key: str, value: Decimal) -> str:
    if key in ("memory", "ephemeral-storage"):
        return f"{int(value) // 1024}Ki"
    return str(int(value)) if value == int(value) else str(value)
