"""Class hpa against the real API server, which is told of HorizontalPodAutoscalers here."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api import keys
from api.kinds import CONFIGMAPS, DEPLOYMENTS, NAMESPACES, PODAUTOSCALERS, Resource
from autoscaler import hpa
from autoscaler.config import Settings
from autoscaler.server import Autoscaler
from cluster.errors import NotFoundError
from embedded import definitions
from tests.autoscaler.world import EPOCH_S, World

pytestmark = pytest.mark.looptime
KEY = ("default", "r")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    with World.made() as made:
        yield made


async def serve(world: World, resource: Resource) -> None:
    """Have the server keep HorizontalPodAutoscalers, as a cluster does.

    The definition does not pass as a CRD: groups of those have a dot.
    """
    version = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {
            "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        },
    }
    names = {
        "plural": resource.plural,
        "kind": resource.kind,
        "singular": resource.singular,
        "listKind": f"{resource.kind}List",
    }
    crd = {
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced",
            "names": names,
            "versions": [version],
        },
    }
    world.server.registry.define(definitions.read(crd))
    world.server._store.open(resource)


@asynccontextmanager
async def running(world: World) -> AsyncIterator[Autoscaler]:
    autoscaler = Autoscaler(world.client, Settings(), clock=lambda: EPOCH_S)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(autoscaler.run())
        await autoscaler.synced()
        yield autoscaler
        task.cancel()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not is_so():
            await asyncio.sleep(0.01)


def found(world: World, resource: Resource = hpa.V2) -> dict[str, Any] | None:
    try:
        return dict(world.server.get(resource, *KEY))
    except NotFoundError:
        return None


def spec(world: World) -> dict[str, Any]:
    return dict((found(world) or {}).get("spec") or {})


async def annotate(world: World, **words: str | None) -> None:
    named = {
        f"{keys.AUTOSCALING_PREFIX}{name.replace('_', '-')}": text for name, text in words.items()
    }
    patch = {"metadata": {"annotations": named}}
    await world.client.patch(PODAUTOSCALERS, *KEY, patch)


async def said(world: World, **status: Any) -> None:
    patch = {"status": status}
    await world.client.patch(hpa.V2, *KEY, patch, subresource="status")


HPA = {"class": keys.CLASS_HPA}


async def test_it_is_made_followed_and_changed(world: World) -> None:
    await serve(world, hpa.V2)
    await world.revision("r", status={}, replicas=1, metric="cpu", target="70", **HPA)
    async with running(world) as autoscaler:
        await until(lambda: spec(world) != {})
        made = found(world)
        assert made is not None
        assert made["metadata"]["ownerReferences"][0]["kind"] == "PodAutoscaler"
        assert made["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 70
        await until(lambda: world.conditions("r").get("Ready") == ("Unknown", ""))
        assert world.conditions("r")["Active"] == ("True", "")
        await world.ready("r", 1)
        await until(lambda: world.conditions("r")["Ready"] == ("True", ""))
        await said(world, currentReplicas=1, desiredReplicas=4)
        await until(lambda: world.status("r")["desiredScale"] == 4)
        assert world.status("r")["actualScale"] == 1
        await annotate(world, min_scale="2", target="50")
        await until(lambda: spec(world).get("minReplicas") == 2)
        assert spec(world)["metrics"][0]["resource"]["target"]["averageUtilization"] == 50
        await annotate(world, min_scale=None, window="20s")
        await until(lambda: "minReplicas" not in spec(world))
        assert "behavior" in spec(world)
        await annotate(world, window=None)
        await until(lambda: "behavior" not in spec(world))
        assert autoscaler.statistics()[0].revisions == 0  # nobody else decides for it


async def test_what_somebody_changed_is_changed_back(world: World) -> None:
    await serve(world, hpa.V2)
    await world.revision("r", status={}, replicas=1, max_scale="5", **HPA)
    async with running(world):
        await until(lambda: spec(world).get("maxReplicas") == 5)
        patch = {"spec": {"maxReplicas": 50, "minReplicas": 1}}
        await world.client.patch(hpa.V2, *KEY, patch)
        await until(lambda: spec(world).get("maxReplicas") == 5)


async def test_another_class_takes_over_and_back(world: World) -> None:
    await serve(world, hpa.V2)
    await world.revision("r", status={}, replicas=1, **HPA)
    async with running(world) as autoscaler:
        await until(lambda: spec(world) != {})
        await annotate(world, **{"class": keys.CLASS_KPA})
        await until(lambda: found(world) is None)
        assert autoscaler.statistics()[0].revisions == 1
        await world.client.patch(
            DEPLOYMENTS, "default", "r-deployment", {"spec": {"replicas": 0}}, subresource="scale"
        )
        await annotate(world, **HPA)
        await until(lambda: spec(world) != {})
        # Kubernetes leaves a Deployment at zero alone.
        await until(lambda: world.replicas("r") == 1)
        assert autoscaler.statistics()[0].revisions == 0


async def test_the_class_of_the_settings(world: World) -> None:
    await serve(world, hpa.V2)
    await world.revision("r", status={}, replicas=1)
    async with running(world):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "knative-serving"}}
        await world.client.create(NAMESPACES, body)
        settings = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "config-autoscaler", "namespace": "knative-serving"},
            "data": {"pod-autoscaler-class": keys.CLASS_HPA, "max-scale": "7"},
        }
        await world.client.create(CONFIGMAPS, settings)
        await until(lambda: spec(world).get("maxReplicas") == 7)


async def test_one_of_somebody_else_is_left_alone(world: World) -> None:
    await serve(world, hpa.V2)
    other = {
        "apiVersion": hpa.V2.api_version,
        "kind": hpa.V2.kind,
        "metadata": {"name": "r", "namespace": "default"},
        "spec": {"maxReplicas": 1},
    }
    await world.client.create(hpa.V2, other)
    await world.revision("r", status={}, replicas=1, **HPA)
    async with running(world):
        await until(lambda: world.conditions("r").get("Ready") == ("False", "NotOwned"))
        assert spec(world) == {"maxReplicas": 1}
        await world.client.delete(hpa.V2, *KEY)
        await until(lambda: world.conditions("r")["Active"] == ("True", ""))


async def test_an_older_cluster_has_v2beta2(world: World) -> None:
    await serve(world, hpa.V2BETA2)
    await world.revision("r", status={}, replicas=1, **HPA)
    async with running(world):
        await until(lambda: found(world, hpa.V2BETA2) is not None)
        made = found(world, hpa.V2BETA2)
        assert made is not None
        assert made["apiVersion"] == "autoscaling/v2beta2"


async def test_a_cluster_without_any_is_told_of_and_asked_again(world: World) -> None:
    await world.revision("r", status={}, replicas=1, **HPA)
    async with running(world):
        await until(lambda: world.conditions("r").get("Ready") == ("False", "FailedCreate"))
        active = world.status("r")["conditions"][0]
        assert "serves no HorizontalPodAutoscaler (autoscaling/v2 or v2beta2)" in active["message"]
        await serve(world, hpa.V2)
        await until(lambda: world.conditions("r")["Active"] == ("True", ""))
