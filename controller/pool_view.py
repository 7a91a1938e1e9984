"""Which pools each namespace needs and which warm Pods it has, kept in step with every change.

For: looking at one namespace at the cost of what is in it.
Must not know: clients, how many warm Pods are wanted, or when anything is looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from api import keys, pool
from api.conditions import is_ready
from api.objects import Raw
from controller.children import annotations_of, controller_of, is_going, labels_of
from controller.labeler import ACTIVE
from controller.plan import status_of
from controller.pool_planning import Seen
from controller.view import Key, key_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A Deployment that a warm Pod may stand in for."""

    pool: str
    spec: Raw
    revision: str
    version: object  # of its spec


class PoolView:
    """What there is, by namespace."""

    def __init__(self) -> None:
        self._needs: dict[str, dict[str, Need]] = {}
        self._pods: dict[str, dict[str, Seen]] = {}
        self._sizes: dict[str, str] = {}
        self._refusals: dict[Key, str] = {}  # why a Deployment of a Revision has no pool
        self._inactive: dict[str, set[str]] = {}  # Revisions that no Route points at

    def deployment(self, old: Raw | None, new: Raw | None) -> int:
        """Follow a Deployment; how many more replicas of one that is poolable are wanted now."""
        raw = new or old or {}
        namespace, name = key_of(raw)
        needs = self._needs.setdefault(namespace, {})
        known = needs.pop(name, None)
        self._refusals.pop((namespace, name), None)
        revision = labels_of(raw).get(keys.REVISION, "")
        if new is None or not revision or is_going(new):
            return 0
        version = new["metadata"].get("generation")
        spec = new["spec"]["template"]["spec"]
        if known is None or known.version != version:
            if why := pool.refusal(spec):
                self._refusals[(namespace, name)] = why
                return 0
            known = Need(pool=pool.class_of(spec), spec=spec, revision=revision, version=version)
        needs[name] = known
        if old is None:
            return 0
        return max(0, _replicas(new) - _replicas(old))

    def revision(self, old: Raw | None, new: Raw | None) -> None:
        """Follow a Revision: whether requests may come to it."""
        namespace, name = key_of(new or old or {})
        inactive = self._inactive.setdefault(namespace, set())
        state = labels_of(new).get(keys.ROUTING_STATE, "") if new is not None else ACTIVE
        if state == ACTIVE:
            inactive.discard(name)
        else:
            inactive.add(name)

    def pod(self, old: Raw | None, new: Raw | None) -> bool:
        """Follow a Pod; whether it concerns a pool."""
        namespace, name = key_of(new or old or {})
        pods = self._pods.setdefault(namespace, {})
        before = pods.pop(name, None)
        after = None if new is None or is_going(new) else read_pod(new)
        if after is not None:
            pods[name] = after
        return before is not None or after is not None

    def namespace(self, old: Raw | None, new: Raw | None) -> None:
        """Follow a Namespace: how many it wants; "" leaves that to the default."""
        name = (new or old or {})["metadata"]["name"]
        self._sizes.pop(name, None)
        if new is not None:
            self._sizes[name] = (
                "0" if is_going(new) else annotations_of(new).get(keys.WARM_POOL, "")
            )

    def size(self, namespace: str) -> str:
        """What the Namespace says of sizes."""
        return self._sizes.get(namespace, "")

    def needs(self, namespace: str) -> list[Need]:
        """The poolable Deployments to which requests may come."""
        inactive = self._inactive.get(namespace, set())
        found = self._needs.get(namespace, {}).values()
        return [each for each in found if each.revision not in inactive]

    def need(self, key: Key) -> Need | None:
        """Of one Deployment."""
        return self._needs.get(key[0], {}).get(key[1])

    def refusal(self, key: Key) -> str:
        """Why no warm Pod stands in for a Deployment; "" if one may, or nobody asks."""
        return self._refusals.get(key, "")

    def pods(self, namespace: str) -> Mapping[str, Seen]:
        """The Pods that are warm or were, by name."""
        return self._pods.get(namespace, {})


def read_pod(raw: Raw) -> Seen | None:
    """A Pod as pools see it; None for one that never was in a pool."""
    claimed = annotations_of(raw).get(keys.CLAIMED, "")
    labels = labels_of(raw)
    if not claimed and labels.get(keys.APP) != pool.APP:
        return None
    return Seen(
        name=raw["metadata"]["name"],
        uid=raw["metadata"]["uid"],
        version=str(raw["metadata"].get("resourceVersion", "")),
        pool="" if claimed else labels.get(keys.POOL, ""),
        is_ready=is_ready(raw),
        is_over=status_of(raw).get("phase") in ("Succeeded", "Failed"),
        is_adopted=controller_of(raw) is not None,
        claimed_s=_epoch_s(claimed) if claimed else None,
    )


def _epoch_s(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def _replicas(deployment: Raw) -> int:
    return int(deployment["spec"].get("replicas") or 0)
