"""What can be claimed, and for whom: warm Pods, and the ReplicaSets they would become part of.

For: finding the warm Pods that fit a Deployment, and writing the patches that give one away. Pure.
Must not know: clients, connections, clocks, or how many are wanted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from api import keys, pool
from api.conditions import is_ready
from api.objects import Raw
from api.pool import Assignment

Key = tuple[str, str]  # namespace, name
HASH = "pod-template-hash"
_REVISION = "deployment.kubernetes.io/revision"
_AGE_DIGITS_MAX = 19  # its user may write anything there


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmPod:
    """A Pod that nobody has claimed."""

    name: str
    uid: str
    version: str
    address: str  # "IP:PORT" of its claim port
    key: str
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A ReplicaSet whose Pods a warm one can stand in for."""

    uid: str
    pool: str
    replicas: int
    is_observed: bool  # its controller has seen what is wanted of it
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    assignment: Assignment


def trimmed_set(raw: Raw) -> dict[str, Any]:
    """What is kept of a ReplicaSet: of one with another class of Pods next to nothing."""
    metadata, spec = raw["metadata"], raw.get("spec") or {}
    names = ("name", "namespace", "uid", "resourceVersion")
    kept: dict[str, Any] = {
        "metadata": {name: metadata[name] for name in names if name in metadata}
    }
    owners: Sequence[Raw] = metadata.get("ownerReferences") or ()
    owner: Raw = next((each for each in owners if each.get("controller")), {})
    template = spec.get("template") or {}
    pod = template.get("spec") or {}
    if owner.get("kind") != "Deployment" or pool.refusal(pod):
        return kept
    observed = (raw.get("status") or {}).get("observedGeneration", 0)
    kept["deployment"] = owner["name"]
    age = str((metadata.get("annotations") or {}).get(_REVISION))
    kept["age"] = int(age) if age.isdecimal() and len(age) < _AGE_DIGITS_MAX else 0
    told = template.get("metadata") or {}
    kept["target"] = Target(
        uid=str(metadata["uid"]),
        pool=pool.class_of(pod),
        replicas=int(spec.get("replicas") or 0),
        is_observed=observed >= metadata.get("generation", 0),
        labels=dict(told.get("labels") or {}),
        annotations=dict(told.get("annotations") or {}),
        assignment=pool.assignment(pod),
    )
    return kept


def trimmed_pod(raw: Raw) -> dict[str, Any]:
    """What is kept of a Pod of a pool: whether it is warm, and how it is claimed."""
    metadata = raw["metadata"]
    names = ("name", "namespace", "uid", "resourceVersion")
    kept: dict[str, Any] = {
        "metadata": {name: metadata[name] for name in names if name in metadata}
    }
    name = (metadata.get("labels") or {}).get(keys.POOL)
    status = raw.get("status") or {}
    is_warm = is_ready(raw) and status.get("podIP") and not metadata.get("deletionTimestamp")
    if not name or not is_warm or not pool.key_of(raw):
        return kept
    kept["pool"] = name
    kept["warm"] = WarmPod(
        name=str(metadata["name"]),
        uid=str(metadata["uid"]),
        version=str(metadata["resourceVersion"]),
        address=f"{_host(status['podIP'])}:{pool.claim_port(raw['spec']['containers'][0])}",
        key=pool.key_of(raw),
        annotations=dict(metadata.get("annotations") or {}),
    )
    return kept


class Claimables:
    """Warm Pods by their pools, and the newest ReplicaSet of each Deployment."""

    def __init__(self) -> None:
        self._warm: dict[Key, dict[str, WarmPod]] = {}  # by namespace and pool, oldest first
        self._sets: dict[Key, dict[str, tuple[int, Target]]] = {}  # by namespace and Deployment
        self._places: dict[str, str] = {}  # the Deployments of ReplicaSets, by their uid
        self.on_set: Callable[[], None] | None = None  # a ReplicaSet changed

    def pod_changed(self, old: Raw | None, new: Raw | None) -> None:
        """Follow the Pods of pools, as `trimmed_pod` leaves them."""
        for raw, is_there in ((old, False), (new, True)):
            if raw is None or "pool" not in raw:
                continue
            place = (raw["metadata"]["namespace"], raw["pool"])
            found = self._warm.setdefault(place, {})
            if is_there:
                found[raw["metadata"]["name"]] = raw["warm"]
            else:
                found.pop(raw["metadata"]["name"], None)
            if not found:
                del self._warm[place]

    def set_changed(self, old: Raw | None, new: Raw | None) -> None:
        """Follow ReplicaSets, as `trimmed_set` leaves them."""
        for raw, is_there in ((old, False), (new, True)):
            if raw is None or "target" not in raw:
                continue
            place = (raw["metadata"]["namespace"], raw["deployment"])
            found = self._sets.setdefault(place, {})
            if is_there:
                found[raw["metadata"]["name"]] = (raw["age"], raw["target"])
                self._places[raw["target"].uid] = raw["deployment"]
            else:
                self._places.pop(raw["target"].uid, None)
                found.pop(raw["metadata"]["name"], None)
            if not found:
                del self._sets[place]
        if self.on_set is not None:
            self.on_set()

    def target(self, place: Key) -> Target | None:
        """The ReplicaSet of a Deployment as it is now, if warm Pods can stand in for its own."""
        found = self._sets.get(place)
        return max(found.values(), key=lambda each: each[0])[1] if found else None

    def by_uid(self, namespace: str, uid: str) -> Target | None:
        """A ReplicaSet as it is now; None when it is gone."""
        deployment = self._places.get(uid, "")
        found = self._sets.get((namespace, deployment), {})
        return next((each for _, each in found.values() if each.uid == uid), None)

    def take(self, namespace: str, name: str) -> WarmPod | None:
        """A warm Pod of a pool, not to be found again unless it changes."""
        place = (namespace, name)
        found = self._warm.get(place)
        if not found:
            return None
        pod = found.pop(next(iter(found)))
        if not found:
            del self._warm[place]
        return pod

    def give_back(self, namespace: str, name: str, pod: WarmPod) -> None:
        """One that was taken in vain; what was heard of it since counts."""
        self._warm.setdefault((namespace, name), {}).setdefault(pod.name, pod)

    def count(self, namespace: str, name: str) -> int:
        """How many are warm."""
        return len(self._warm.get((namespace, name), ()))


def claiming(pod: WarmPod, target: Target, *, now: str) -> list[dict[str, Any]]:
    """The JSON patch by which one claimant gets a Pod: it gets all labels of its Revision but one.

    That has the ReplicaSet adopt it, which is for later: see `adopting`.
    """
    labels = {name: text for name, text in target.labels.items() if name != HASH}
    kept = {name: text for name, text in pod.annotations.items() if name not in pool.WHILE_WARM}
    annotations = {**kept, **target.annotations, keys.CLAIMED: now}
    return [
        {"op": "test", "path": "/metadata/resourceVersion", "value": pod.version},
        {"op": "replace", "path": "/metadata/labels", "value": labels},
        {"op": "add", "path": "/metadata/annotations", "value": annotations},
    ]


def adopting(target: Target, timing: Mapping[str, float]) -> dict[str, Any]:
    """The merge patch after which a ReplicaSet that wants so many finds the Pod among its own."""
    metadata: dict[str, Any] = {"labels": {HASH: target.labels.get(HASH, "")}}
    if timing:
        metadata["annotations"] = {keys.START_TIMING: orjson.dumps(dict(timing)).decode()}
    return {"metadata": metadata}


def _host(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip
