"""Whether the platform has come to rest where it should, once nothing disturbs it any more.

For: the end of every run: what users wrote is what there is, and what is idle is at zero.
Must not know: what happened before.
"""

from collections.abc import Container, Iterator
from typing import Any

from api import keys
from api.conditions import READY, find, is_ready
from api.kinds import (
    CONFIGMAPS,
    CONFIGURATIONS,
    DEPLOYMENTS,
    DOMAINMAPPINGS,
    PODAUTOSCALERS,
    PODS,
    REVISIONS,
    ROUTES,
    SERVICES,
    Resource,
)
from api.naming import deployment_name
from api.objects import Raw
from embedded.store import Store
from tests.simulation.platform import bounds_of
from tests.simulation.replicas import Machine, Model

_OBSERVED = (
    *(SERVICES, CONFIGURATIONS, ROUTES, REVISIONS),
    *(DEPLOYMENTS, PODAUTOSCALERS, DOMAINMAPPINGS),
)
_OWNED = (CONFIGURATIONS, ROUTES, REVISIONS, DEPLOYMENTS, PODAUTOSCALERS, PODS)


class Rest:
    """One look at everything there is."""

    def __init__(
        self, store: Store, machine: Machine, crowded: Container[str], *, pods_max: int
    ) -> None:
        """`crowded`: Revisions for which there was no room, so that they may have failed."""
        self._machine = machine
        self._crowded = crowded
        self._pods_max = pods_max
        self._objects: dict[Resource, dict[str, Raw]] = {
            resource: {each["metadata"]["name"]: each for each in store.select(resource)}
            for resource in (*_OBSERVED, PODS)
        }
        config = store.get(CONFIGMAPS, "knative-serving", "config-gc") or {}
        most = (config.get("data") or {}).get("max-non-active-revisions")
        self._most = None if most is None else int(most)

    def problems(self) -> Iterator[str]:
        """What is not as it should be."""
        yield from self._generations()
        yield from self._orphans()
        for name, raw in self._objects[SERVICES].items():
            yield from self._service(name, raw)
        for name, raw in self._objects[ROUTES].items():
            yield from self._route(name, raw)
        for name, raw in self._objects[REVISIONS].items():
            yield from self._scale(name, raw)
        for name, raw in self._objects[DOMAINMAPPINGS].items():
            yield from self._mapping(name, raw)
        yield from self._kept()
        yield from self._room()
        yield from self._processes()

    def _generations(self) -> Iterator[str]:
        for resource in _OBSERVED:
            for name, raw in self._objects[resource].items():
                wanted = raw["metadata"].get("generation")
                seen = (raw.get("status") or {}).get("observedGeneration")
                if wanted != seen:
                    yield f"{resource.kind} {name}: observed generation {seen} of {wanted}"

    def _orphans(self) -> Iterator[str]:
        uids = {
            raw["metadata"]["uid"] for every in self._objects.values() for raw in every.values()
        }
        for resource in (SERVICES, *_OWNED):
            for name, raw in self._objects[resource].items():
                if raw["metadata"].get("deletionTimestamp"):
                    yield f"{resource.kind} {name} is still going"
                owners = raw["metadata"].get("ownerReferences") or ()
                if resource in _OWNED and not any(each["uid"] in uids for each in owners):
                    yield f"{resource.kind} {name} is an orphan"

    # -- what users wrote -----------------------------------------------------------------------

    def _model(self, template: Raw) -> Model:
        words = template["spec"]["containers"][0]["args"]
        return self._machine.models[words[words.index("--model") + 1]]

    def works(self, name: str) -> bool:
        """Whether a Revision exists, its model loads, and it had the room to show it."""
        raw = self._objects[REVISIONS].get(name)
        return (
            raw is not None
            and self._model(raw).fate == "good"
            and (name not in self._crowded or is_ready(raw))
        )

    def _service(self, name: str, raw: Raw) -> Iterator[str]:
        model, said = self._model(raw["spec"]["template"]), find(raw, READY)
        status = said.status if said is not None else "nothing"
        named = [each.get("revisionName", "") for each in raw["spec"]["traffic"]]
        are_named_good = all(self.works(each) for each in named if each)
        newest = (raw.get("status") or {}).get("latestCreatedRevisionName", "")
        if newest in self._crowded and status != "True":
            return
        if model.fate == "good" and are_named_good:
            if status != "True":
                yield f"Service {name} is {said}, but its model and its targets are good"
        elif status == "True":
            yield f"Service {name} is ready, though its model is {model.fate}"
        elif model.fate in ("bad", "missing") and are_named_good:
            told = find(raw, "ConfigurationsReady")
            if status != "False" or told is None or model.message not in told.message:
                yield f"Service {name} is {said}, {told}: the reason is that {model.message}"
        elif model.fate == "never" and status != "False":
            yield f"Service {name} is {said}, but its model never comes up"

    def is_ready(self, name: str) -> bool:
        raw = self._objects[SERVICES].get(name)
        return raw is not None and is_ready(raw)

    def is_public(self, name: str) -> bool:
        raw = self._objects[SERVICES].get(name, {})
        return keys.VISIBILITY not in (raw.get("metadata", {}).get("labels") or {})

    def _route(self, name: str, raw: Raw) -> Iterator[str]:
        configuration = self._objects[CONFIGURATIONS].get(name, {})
        latest = (configuration.get("status") or {}).get("latestReadyRevisionName", "")
        wanted = [
            (each.get("revisionName") or latest, each.get("percent") or 0, each.get("tag", ""))
            for each in raw["spec"]["traffic"]
        ]
        assigned = [
            (each["revisionName"], each.get("percent") or 0, each.get("tag", ""))
            for each in (raw.get("status") or {}).get("traffic") or ()
        ]
        if all(self.works(each) for each, _, _ in wanted) and wanted != assigned:
            yield f"Route {name} wants {wanted} and assigns {assigned}"

    def _mapping(self, name: str, raw: Raw) -> Iterator[str]:
        """It is ready when the Service it means gives requests to anybody."""
        target = self._objects[SERVICES].get(raw["spec"]["ref"]["name"], {})
        has_traffic = bool((target.get("status") or {}).get("traffic"))
        if is_ready(raw) != has_traffic:
            yield f"DomainMapping {name} says {find(raw, READY)}, its Service: {has_traffic}"

    def _kept(self) -> Iterator[str]:
        """No more unused Revisions than the cluster's settings allow."""
        if self._most is None:
            return
        idle: dict[str, int] = {}
        routed = self.routed()
        for name, raw in self._objects[REVISIONS].items():
            labels = raw["metadata"]["labels"]
            if labels[keys.ROUTING_STATE] == "reserve" and name not in routed:
                above = labels[keys.CONFIGURATION]
                status = self._objects[CONFIGURATIONS].get(above, {}).get("status") or {}
                if name not in (
                    status.get("latestReadyRevisionName"),
                    status.get("latestCreatedRevisionName"),
                ):
                    idle[above] = idle.get(above, 0) + 1
        for name, count in idle.items():
            if count > self._most:
                yield f"{count} Revisions of {name} are of no use, at most {self._most} are kept"

    # -- what runs ------------------------------------------------------------------------------

    def routed(self) -> dict[str, None]:
        """Revisions that some Route wants or assigns, or that are the newest of one it follows."""
        found: dict[str, None] = {}
        for raw in self._objects[ROUTES].values():
            lines = [*raw["spec"]["traffic"], *((raw.get("status") or {}).get("traffic") or ())]
            for line in lines:
                if line.get("revisionName"):
                    found[line["revisionName"]] = None
                if line.get("configurationName"):
                    configuration = self._objects[CONFIGURATIONS][line["configurationName"]]
                    status = configuration.get("status") or {}
                    for key in ("latestCreatedRevisionName", "latestReadyRevisionName"):
                        found[status.get(key, "")] = None
        return found

    def _scale(self, name: str, raw: Raw) -> Iterator[str]:
        if self._model(raw).fate == "missing":
            return  # nothing is made of it
        deployment = self._objects[DEPLOYMENTS].get(deployment_name(name))
        autoscaler = self._objects[PODAUTOSCALERS].get(name)
        if deployment is None or autoscaler is None:
            yield f"Revision {name} has no Deployment or no PodAutoscaler"
            return
        least = bounds_of(raw)[0]
        if name in self._crowded and not self.works(name):
            return  # it is tried again as long as it fails for want of room
        if name in self._crowded and len(self._objects[PODS]) > self._pods_max:
            return
        # What never came up is given up, whatever its minimum.
        wanted = least if name in self.routed() and self.works(name) else 0
        status: Any = autoscaler.get("status") or {}
        numbers = {
            "replicas": deployment["spec"]["replicas"],
            "ready": (deployment.get("status") or {}).get("readyReplicas", 0),
            "desiredScale": status.get("desiredScale"),
            "actualScale": status.get("actualScale"),
            "Pods": sum(
                each["metadata"]["labels"].get(keys.REVISION) == name
                for each in self._objects[PODS].values()
            ),
        }
        if any(number != wanted for number in numbers.values()):
            yield f"Revision {name} should be at {wanted}: {numbers}"

    def _room(self) -> Iterator[str]:
        """Whoever waits for room waits because there is none."""
        pods = self._objects[PODS]
        for name, raw in pods.items():
            scheduled = find(raw, "PodScheduled")
            if (
                scheduled is not None
                and scheduled.status == "False"
                and (len(pods) <= self._pods_max)
            ):
                yield f"Pod {name} waits for room, and there is some"

    def _processes(self) -> Iterator[str]:
        uids = {raw["metadata"]["uid"] for raw in self._objects[PODS].values()}
        for name, process in self._machine.processes.items():
            if process.pod not in uids and not process.is_frozen:
                yield f"process {name} has no Pod"


def shares_of(store: Store, route: str) -> dict[str, int]:
    """Percent by Revision, as the Route assigns them now."""
    raw = store.get(ROUTES, "default", route) or {}
    shares: dict[str, int] = {}
    for line in (raw.get("status") or {}).get("traffic") or ():
        if line.get("percent"):
            shares[line["revisionName"]] = shares.get(line["revisionName"], 0) + line["percent"]
    return shares
