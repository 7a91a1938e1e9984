"""What `kubectl get` prints of Kubernetes' small kinds.

For: the columns and cells of ConfigMaps, Secrets, ServiceAccounts, Leases, CRDs and the Node.
Must not know: HTTP, or where objects come from.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from api.kinds import (
    CONFIGMAPS,
    CORE_SERVICES,
    CUSTOMRESOURCEDEFINITIONS,
    LEASES,
    NODES,
    SECRETS,
    SERVICEACCOUNTS,
    Resource,
)
from api.objects import Raw
from embedded.printing import age

Cells = Callable[[Raw, float], list[Any]]


def _name(obj: Raw) -> str:
    return str(obj["metadata"]["name"])


def _age(obj: Raw, now_s: float) -> str:
    return age(obj["metadata"].get("creationTimestamp"), now_s)


def _config_map(obj: Raw, now_s: float) -> list[Any]:
    count = len(obj.get("data") or ()) + len(obj.get("binaryData") or ())
    return [_name(obj), count, _age(obj, now_s)]


def _secret(obj: Raw, now_s: float) -> list[Any]:
    return [_name(obj), obj.get("type", ""), len(obj.get("data") or ()), _age(obj, now_s)]


def _account(obj: Raw, now_s: float) -> list[Any]:
    return [_name(obj), len(obj.get("secrets") or ()), _age(obj, now_s)]


def _lease(obj: Raw, now_s: float) -> list[Any]:
    return [_name(obj), (obj.get("spec") or {}).get("holderIdentity", ""), _age(obj, now_s)]


def _crd(obj: Raw, _now_s: float) -> list[Any]:
    return [_name(obj), obj["metadata"].get("creationTimestamp", "")]


def _node(obj: Raw, now_s: float) -> list[Any]:
    status = obj.get("status") or {}
    info = status.get("nodeInfo") or {}
    found = {each.get("type"): each.get("status") for each in status.get("conditions") or ()}
    ready = {"True": "Ready", "False": "NotReady"}.get(found.get("Ready", ""), "Unknown")
    addresses = {each.get("type"): each.get("address") for each in status.get("addresses") or ()}
    return [
        _name(obj),
        ready,
        "<none>",
        _age(obj, now_s),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP", "<none>"),
        "<none>",
        info.get("osImage", ""),
        info.get("kernelVersion", ""),
        info.get("containerRuntimeVersion", ""),
    ]


def _service(obj: Raw, now_s: float) -> list[Any]:
    spec = obj.get("spec") or {}
    ports = [f"{each.get('port')}/{each.get('protocol', 'TCP')}" for each in spec.get("ports", ())]
    return [
        _name(obj),
        spec.get("type", "ClusterIP"),
        spec.get("clusterIP", "<none>"),
        "<none>",
        ",".join(ports),
        _age(obj, now_s),
        "<none>",
    ]


# One that begins with + is printed only with `-o wide`.
COLUMNS: Final[Mapping[Resource, tuple[str, ...]]] = {
    CONFIGMAPS: ("Name", "Data", "Age"),
    SECRETS: ("Name", "Type", "Data", "Age"),
    SERVICEACCOUNTS: ("Name", "Secrets", "Age"),
    LEASES: ("Name", "Holder", "Age"),
    CUSTOMRESOURCEDEFINITIONS: ("Name", "Created At"),
    NODES: (
        *("Name", "Status", "Roles", "Age", "Version", "+Internal-IP", "+External-IP"),
        *("+OS-Image", "+Kernel-Version", "+Container-Runtime"),
    ),
    CORE_SERVICES: (*("Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "+Selector"),),
}
CELLS: Final[Mapping[Resource, Cells]] = {
    CONFIGMAPS: _config_map,
    SECRETS: _secret,
    SERVICEACCOUNTS: _account,
    LEASES: _lease,
    CUSTOMRESOURCEDEFINITIONS: _crd,
    NODES: _node,
    CORE_SERVICES: _service,
}
