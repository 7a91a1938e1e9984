"""A real API server in memory, with the objects a controller would have made."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from api.conditions import merge
from api.kinds import DEPLOYMENTS, PODAUTOSCALERS
from api.objects import rfc3339
from autoscaler.idling import Life, Phase
from autoscaler.status import conditions
from cluster.direct import DirectClient
from embedded.apiserver import ApiServer
from embedded.store import IN_MEMORY, Store

EPOCH_S = 1_800_000_000.0


def deployment(name: str, replicas: int = 0) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{name}-deployment", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "user-container", "image": "relight/predictor"}]},
            },
        },
    }


def podautoscaler(
    name: str, concurrency: int = 1, reachability: str = "Reachable", **annotations: str
) -> dict[str, Any]:
    named = {
        f"autoscaling.knative.dev/{key.replace('_', '-')}": text
        for key, text in annotations.items()
    }
    return {
        "apiVersion": PODAUTOSCALERS.api_version,
        "kind": "PodAutoscaler",
        "metadata": {"name": name, "namespace": "default", "annotations": named},
        "spec": {
            "containerConcurrency": concurrency,
            "protocolType": "http1",
            "reachability": reachability,
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": f"{name}-deployment",
            },
        },
    }


class World:
    def __init__(self, store: Store) -> None:
        self.server = ApiServer(store, clock=lambda: EPOCH_S, rng=random.Random(1))
        self.client = DirectClient(self.server, user="test")

    @classmethod
    @contextmanager
    def made(cls) -> Iterator[Self]:
        store = Store(IN_MEMORY)
        try:
            yield cls(store)
        finally:
            store.close()

    async def revision(
        self, name: str, *, replicas: int = 0, status: dict[str, Any] | None = None, **words: Any
    ) -> None:
        """A Deployment and its PodAutoscaler; inactive at zero unless `status` says otherwise."""
        await self.client.create(DEPLOYMENTS, deployment(name, replicas))
        await self.client.create(PODAUTOSCALERS, podautoscaler(name, **words))
        if status is None:
            life = Life(phase=Phase.INACTIVE, since_s=0, is_initialized=True, proxy_since_s=0)
            status = {
                "observedGeneration": 1,
                "desiredScale": 0,
                "actualScale": 0,
                "mode": "Proxy",
                "activators": 3,  # for a burst of 211
                "conditions": merge((), conditions(life, "NoTraffic"), now=rfc3339(EPOCH_S)),
            }
        if status:
            await self.client.patch(
                PODAUTOSCALERS, "default", name, {"status": status}, subresource="status"
            )

    async def ready(self, name: str, count: int) -> None:
        """Say that so many replicas are ready."""
        await self.client.patch(
            DEPLOYMENTS,
            "default",
            f"{name}-deployment",
            {"status": {"readyReplicas": count}},
            subresource="status",
        )

    def replicas(self, name: str) -> int:
        raw = self.server.get(DEPLOYMENTS, "default", f"{name}-deployment")
        return int(raw["spec"]["replicas"])

    def status(self, name: str) -> dict[str, Any]:
        return dict(self.server.get(PODAUTOSCALERS, "default", name).get("status") or {})

    def conditions(self, name: str) -> dict[str, tuple[str, str]]:
        return {
            each["type"]: (each["status"], each.get("reason", ""))
            for each in self.status(name).get("conditions", ())
        }
