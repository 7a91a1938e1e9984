"""People: they deploy, change, split, tag, roll back and delete, at any moment.

For: writing Services as the command line and kubectl do.
Must not know: what becomes of them.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any

from api import keys
from api.conditions import is_ready
from api.kinds import CONFIGMAPS, DOMAINMAPPINGS, NAMESPACES, REVISIONS, SERVICES
from cluster.direct import DirectClient
from cluster.errors import AlreadyExistsError, InvalidError, NotFoundError, UnavailableError
from tests.simulation.replicas import Model

NAMESPACE = "default"
_FATES = ("good",) * 16 + ("bad", "bad", "missing", "never")


class Users:
    """A few Services and whoever changes them."""

    def __init__(
        self,
        client: DirectClient,
        models: dict[str, Model],
        rng: random.Random,
        *,
        note: Callable[[str], None],
        names: tuple[str, ...],
    ) -> None:
        self._client = client
        self._models = models
        self._rng = rng
        self._note = note
        self.names = names
        self._made = 0

    async def run(self, mean_gap_s: float) -> None:
        """Act until cancelled."""
        acts = (
            (self._deploy, 5),
            (self._split, 4),
            (self._tag, 3),
            (self._pin, 2),
            (self._follow_latest, 3),
            (self._delete, 1),
            (self._delete_revision, 1),
            (self._pace, 1),
            (self._hide_or_show, 1),
            (self._map, 1),
            (self._configure, 1),
        )
        weighted = [act for act, weight in acts for _ in range(weight)]
        for name in self.names:
            await self._try(self._deploy, name)
        while True:
            await asyncio.sleep(self._rng.expovariate(1 / mean_gap_s))
            await self._try(self._rng.choice(weighted), self._rng.choice(self.names))

    async def _try(self, act: Any, name: str) -> None:
        try:
            await act(name)
        except (NotFoundError, UnavailableError) as error:
            self._note(f"user: {act.__name__} {name}: {error}")

    async def services(self) -> dict[str, Any]:
        found = await self._client.list(SERVICES, NAMESPACE)
        return {each["metadata"]["name"]: each for each in found.items}

    def tags(self, raw: Any) -> list[str]:
        return sorted({each["tag"] for each in raw["spec"]["traffic"] if each.get("tag")})

    async def _deploy(self, name: str) -> None:
        """A new template, or a new Service."""
        template = self._template(name)
        try:
            raw = await self._client.get(SERVICES, NAMESPACE, name)
        except NotFoundError:
            raw = {
                "apiVersion": SERVICES.api_version,
                "kind": SERVICES.kind,
                "metadata": {"name": name, "namespace": NAMESPACE, "annotations": self._paced()},
                "spec": {"template": template},
            }
            self._note(f"user: create {name}: {_spell(template)}")
            await self._client.create(SERVICES, raw)
            return
        self._note(f"user: change {name}: {_spell(template)}")
        await self._client.replace(SERVICES, {**raw, "spec": {**raw["spec"], "template": template}})

    def _template(self, name: str) -> dict[str, Any]:
        rng = self._rng
        self._made += 1
        model = self._model()
        annotations = {
            keys.STABLE_WINDOW: rng.choice(("6s", "10s", "20s", "60s")),
            keys.PROGRESS_DEADLINE: rng.choice(("20s", "40s")),
        }
        if rng.random() < 0.3:
            annotations[keys.SCALING_CLASS] = keys.CLASS_KPA
        least, most = rng.choice(((0, 0), (0, 0), (0, 1), (0, 3), (1, 0), (1, 2), (2, 4)))
        if least:
            annotations[keys.MIN_SCALE] = str(least)
        if most:
            annotations[keys.MAX_SCALE] = str(most)
        for chance, key, texts in (
            (0.1, keys.INITIAL_SCALE, ("1",) if most == 1 else ("1", "2")),
            (0.1, keys.SCALE_DOWN_DELAY, ("4s", "15s")),
            (0.1, keys.POD_RETENTION, ("5s", "20s")),
            (0.1, keys.METRIC_AGGREGATION, ("weighted-exponential",)),
        ):
            if rng.random() < chance:
                annotations[key] = rng.choice(texts)
        container = {"args": ["--model", model]}
        if rng.random() < 0.2:
            container |= {"image": "example.com/server", "command": ["/bin/serve"]}
        else:
            container |= {"image": keys.PREDICTOR_IMAGE}
        metadata: dict[str, Any] = {"annotations": annotations}
        if rng.random() < 0.15:
            metadata["name"] = f"{name}-v{self._made}"
        spec = {
            "containers": [container],
            "containerConcurrency": rng.choice((0, 1, 1, 2, 5)),
            "timeoutSeconds": rng.choice((5, 15, 30)),
        }
        return {"metadata": metadata, "spec": spec}

    def _model(self) -> str:
        rng = self._rng
        fate = rng.choice(_FATES)
        is_slow = rng.random() < 0.2
        is_heavy = rng.random() < 0.2
        flaw = rng.random()
        name = f"models/{fate}-{self._made}.onnx"
        self._models[name] = Model(
            fate=fate,
            start_s=(0.5, 2.5) if is_slow else (0.005, 0.5),
            service_s=(0.3, 2.0) if is_heavy else (0.005, 0.3),
            crash=0.05 if flaw < 0.15 else 0.0,
            hang=0.03 if flaw > 0.9 else 0.0,
        )
        return name

    async def _revisions(self, name: str) -> list[str]:
        """Those of a Service; most that people choose work, some do not."""
        found = await self._client.list(
            REVISIONS, NAMESPACE, label_selector=f"{keys.SERVICE}={name}"
        )
        ready = [each["metadata"]["name"] for each in found.items if is_ready(each)]
        every = [each["metadata"]["name"] for each in found.items]
        return every if not ready or self._rng.random() < 0.1 else ready

    async def _route(self, name: str, traffic: list[dict[str, Any]]) -> None:
        raw = await self._client.get(SERVICES, NAMESPACE, name)
        self._note(f"user: traffic of {name}: {traffic}")
        try:
            await self._client.replace(
                SERVICES, {**raw, "spec": {**raw["spec"], "traffic": traffic}}
            )
        except InvalidError as error:
            self._note(f"user: refused: {error}")

    async def _split(self, name: str) -> None:
        revisions = await self._revisions(name)
        if not revisions:
            return
        percent = self._rng.choice((1, 10, 50, 90))
        older = {"revisionName": self._rng.choice(revisions), "percent": 100 - percent}
        await self._route(name, [older, {"latestRevision": True, "percent": percent}])

    async def _tag(self, name: str) -> None:
        revisions = await self._revisions(name)
        if not revisions:
            return
        raw = await self._client.get(SERVICES, NAMESPACE, name)
        kept = [each for each in raw["spec"]["traffic"] if not each.get("tag")]
        tagged = {"revisionName": self._rng.choice(revisions), "tag": self._rng.choice("xy")}
        if self._rng.random() < 0.3:
            tagged = {"latestRevision": True, "tag": "latest"}
        await self._route(name, [*kept, {**tagged, "percent": 0}])

    async def _pin(self, name: str) -> None:
        """Roll back, or forward, to one Revision."""
        revisions = await self._revisions(name)
        if revisions:
            chosen = self._rng.choice(revisions)
            await self._route(name, [{"revisionName": chosen, "percent": 100}])

    async def _follow_latest(self, name: str) -> None:
        await self._route(name, [{"latestRevision": True, "percent": 100}])

    def _paced(self) -> dict[str, str]:
        """Some roll out slowly: then a change may come in the middle of the one before."""
        duration = self._rng.choice(("", "", "3s", "20s", "1m"))
        return {keys.ROLLOUT_DURATION: duration} if duration else {}

    async def _pace(self, name: str) -> None:
        raw = await self._client.get(SERVICES, NAMESPACE, name)
        metadata = raw["metadata"]
        found = dict(metadata.get("annotations") or {})
        found.pop(keys.ROLLOUT_DURATION, None)
        found |= self._paced()
        self._note(f"user: {name} rolls out in {found.get(keys.ROLLOUT_DURATION, '0')}")
        await self._client.replace(
            SERVICES, {**raw, "metadata": {**metadata, "annotations": found}}
        )

    async def _hide_or_show(self, name: str) -> None:
        """Only for callers inside the cluster, or for everybody again."""
        raw = await self._client.get(SERVICES, NAMESPACE, name)
        metadata = raw["metadata"]
        labels = dict(metadata.get("labels") or {})
        if labels.pop(keys.VISIBILITY, None) is None:
            labels[keys.VISIBILITY] = "cluster-local"
        self._note(f"user: {name} is {labels.get(keys.VISIBILITY, 'public')}")
        await self._client.replace(SERVICES, {**raw, "metadata": {**metadata, "labels": labels}})

    async def _map(self, name: str) -> None:
        """A host of its own for a Service, whether that is there or not; or none any more."""
        host = f"www.{name}.example"
        try:
            await self._client.delete(DOMAINMAPPINGS, NAMESPACE, host)
            self._note(f"user: unmap {host}")
        except NotFoundError:
            ref = {"apiVersion": SERVICES.api_version, "kind": SERVICES.kind, "name": name}
            raw = {
                "apiVersion": DOMAINMAPPINGS.api_version,
                "kind": DOMAINMAPPINGS.kind,
                "metadata": {"name": host, "namespace": NAMESPACE},
                "spec": {"ref": ref},
            }
            self._note(f"user: map {host}")
            await self._client.create(DOMAINMAPPINGS, raw)

    async def _configure(self, _name: str) -> None:
        """How long Revisions are kept; or nonsense, which changes nothing."""
        rules: dict[str, str] = self._rng.choice(
            (
                {"min-non-active-revisions": "0", "max-non-active-revisions": "2"},
                {"min-non-active-revisions": "1", "max-non-active-revisions": "1"},
                {
                    "min-non-active-revisions": "0",
                    "retain-since-create-time": "20s",
                    "retain-since-last-active-time": "10s",
                },
                {"min-non-active-revisions": "many"},
                {},
            )
        )
        self._note(f"user: collect {rules}")
        raw = {
            "apiVersion": CONFIGMAPS.api_version,
            "kind": CONFIGMAPS.kind,
            "metadata": {"name": "config-gc", "namespace": "knative-serving"},
            "data": rules,
        }
        namespace = {
            "apiVersion": NAMESPACES.api_version,
            "kind": NAMESPACES.kind,
            "metadata": {"name": "knative-serving"},
        }
        try:
            await self._client.create(NAMESPACES, namespace)
        except AlreadyExistsError:
            self._note("user: the namespace is there")
        try:
            await self._client.create(CONFIGMAPS, raw)
        except AlreadyExistsError:
            await self._client.replace(CONFIGMAPS, raw)

    async def _delete(self, name: str) -> None:
        self._note(f"user: delete {name}")
        propagation = self._rng.choice(("Background", "Foreground"))
        await self._client.delete(SERVICES, NAMESPACE, name, propagation=propagation)

    async def _delete_revision(self, name: str) -> None:
        """One that nothing points at."""
        raw = await self._client.get(SERVICES, NAMESPACE, name)
        status = raw.get("status") or {}
        lines = [*raw["spec"]["traffic"], *(status.get("traffic") or ())]
        used = {each.get("revisionName") for each in lines}
        used |= {status.get("latestCreatedRevisionName"), status.get("latestReadyRevisionName")}
        free = [each for each in await self._revisions(name) if each not in used]
        if free:
            chosen = self._rng.choice(free)
            self._note(f"user: delete revision {chosen}")
            await self._client.delete(REVISIONS, NAMESPACE, chosen)


def _spell(template: Any) -> str:
    annotations = {
        key.rpartition("/")[2]: text for key, text in template["metadata"]["annotations"].items()
    }
    spec = template["spec"]
    return (
        f"{spec['containers'][0]['args'][1]} concurrency {spec['containerConcurrency']}"
        f" timeout {spec['timeoutSeconds']} {annotations}"
    )
