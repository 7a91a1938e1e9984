"""A real API server with the subset of the Gateway API that is written, and a real controller."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from api.kinds import CUSTOMRESOURCEDEFINITIONS, HTTPROUTES, ROUTES, SERVICES, Resource
from cluster.errors import InvalidError
from controller.gateway import Gateway
from tests.controller.world import FaultyClient, World, a_world, ksvc

TEXT = {"type": "string"}


def record(required: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(required)}


def listed(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


def definition() -> dict[str, Any]:
    """HTTPRoute as gateway-api v1 has it, as far as it is used, with the defaults it fills in."""
    pair = record(("name", "value"), name=TEXT, value=TEXT)
    modifier = record(set=listed(pair), add=listed(pair), remove=listed(TEXT))
    filters = listed(record(("type",), type=TEXT, requestHeaderModifier=modifier))
    backend = record(
        ("name",),
        group={"type": "string", "default": ""},
        kind={"type": "string", "default": "Service"},
        name=TEXT,
        namespace=TEXT,
        port={"type": "integer"},
        weight={"type": "integer", "default": 1, "minimum": 0, "maximum": 1000000},
        filters=filters,
    )
    path = record(type={"type": "string", "default": "PathPrefix"}, value=TEXT)
    header = record(("name", "value"), type={"type": "string", "default": "Exact"}) | {}
    header["properties"] |= {"name": TEXT, "value": TEXT}
    match = record(path=path, headers=listed(header), method=TEXT)
    rule = record(matches=listed(match), filters=filters, backendRefs=listed(backend))
    parent = record(
        ("name",),
        group={"type": "string", "default": "gateway.networking.k8s.io"},
        kind={"type": "string", "default": "Gateway"},
        namespace=TEXT,
        name=TEXT,
        sectionName=TEXT,
    )
    spec = record(parentRefs=listed(parent), hostnames=listed(TEXT), rules=listed(rule))
    status = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": record(spec=spec, status=status)},
        "subresources": {"status": {}},
    }
    names = {"plural": "httproutes", "singular": "httproute", "kind": "HTTPRoute"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "httproutes.gateway.networking.k8s.io"},
        "spec": {
            "group": "gateway.networking.k8s.io",
            "scope": "Namespaced",
            "names": names,
            "versions": [version],
        },
    }


def ingress(world: World) -> dict[str, Any]:
    conditions = world.get(ROUTES, "mnist").get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == "IngressReady"), {})


GATEWAY = {"gateway": Gateway(namespace="infra", name="front")}


async def test_a_route_is_ready_when_the_gateway_accepts_it(tmp_path: Path) -> None:
    async with a_world(tmp_path / "store.db") as world:
        await world.client.create(CUSTOMRESOURCEDEFINITIONS, definition())
        async with world.controller(**GATEWAY):
            await world.apply(ksvc("mnist"))
            await world.until(lambda: ingress(world).get("reason") == "IngressNotConfigured")
            await world.until(lambda: world.get(ROUTES, "mnist")["status"].get("traffic"))
            found: dict[str, Any] = {}

            async def accepted() -> dict[str, Any]:
                listed = await world.client.list(HTTPROUTES, "default")
                return listed.items[0] if listed.items else {}

            async with asyncio.timeout(10):
                while not found:
                    await asyncio.sleep(0.01)  # the controller works on this loop
                    found = await accepted()
            assert found["spec"]["hostnames"] == ["mnist.default.localhost"]
            version = found["metadata"]["resourceVersion"]
            status = {
                "parents": [
                    {
                        "parentRef": {"name": "front"},
                        "controllerName": "example.com/gateway",
                        "conditions": [
                            {"type": "Accepted", "status": "True", "reason": "Accepted"}
                        ],
                    }
                ]
            }
            await world.client.patch(
                HTTPROUTES, "default", "mnist", {"status": status}, subresource="status"
            )
            await world.until(lambda: world.says(SERVICES, "mnist", "True"))
            again = await accepted()
            assert again["spec"] == found["spec"]
            assert int(again["metadata"]["resourceVersion"]) > int(version), "its status alone"
            assert again["metadata"]["generation"] == found["metadata"]["generation"]


async def test_without_the_gateway_api_the_route_says_so(tmp_path: Path, caplog: Any) -> None:
    async with a_world(tmp_path / "store.db") as world, world.controller(**GATEWAY):
        await world.apply(ksvc("mnist"))
        await world.until(lambda: ingress(world).get("reason") == "GatewayApiMissing")
        assert ingress(world)["status"] == "False"
        assert "install the Gateway API" in ingress(world)["message"]
    assert caplog.text.count("install the Gateway API") == 1


async def test_a_gateway_api_that_comes_later_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.gateway_routes._AGAIN_S", 0.01)
    async with a_world(tmp_path / "store.db") as world, world.controller(**GATEWAY):
        await world.apply(ksvc("mnist"))
        await world.until(lambda: ingress(world).get("reason") == "GatewayApiMissing")
        await world.client.create(CUSTOMRESOURCEDEFINITIONS, definition())
        await world.until(lambda: ingress(world).get("reason") == "IngressNotConfigured")
        async with asyncio.timeout(10):
            while not (await world.client.list(HTTPROUTES, "default")).items:
                await asyncio.sleep(0.01)  # the controller works on this loop


async def test_one_that_is_refused_keeps_no_other_from_being_written(tmp_path: Path) -> None:
    def refuse(_number: int, _verb: str, resource: Resource, obj: Any) -> None:
        if resource == HTTPROUTES and obj["metadata"]["name"] == "blue-mnist":
            raise InvalidError("spec.hostnames[0]: must be a DNS name")

    async def rules(world: World) -> dict[str, int]:
        listed = await world.client.list(HTTPROUTES, "default")
        return {each["metadata"]["name"]: len(each["spec"]["rules"]) for each in listed.items}

    async with a_world(tmp_path / "store.db") as world:
        await world.client.create(CUSTOMRESOURCEDEFINITIONS, definition())
        client = FaultyClient(world.server)
        client.before = refuse
        async with world.controller(client, **GATEWAY), asyncio.timeout(10):
            line = {"latestRevision": True, "percent": 100}
            await world.apply(ksvc("mnist", traffic=[{**line, "tag": "blue"}]))
            while await rules(world) != {"mnist": 2}:
                await asyncio.sleep(0.01)
            green = {"latestRevision": True, "tag": "green"}
            await world.apply(ksvc("mnist", traffic=[{**line, "tag": "blue"}, green]))
            while await rules(world) != {"mnist": 3, "green-mnist": 1}:
                await asyncio.sleep(0.01)
