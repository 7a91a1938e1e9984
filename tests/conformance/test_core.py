"""Kubernetes' own kinds, as far as tools around serving lean on them."""

import asyncio
import base64
from typing import Any

import pytest

from api.kinds import (
    CONFIGMAPS,
    LEASES,
    NAMESPACES,
    SECRETS,
    SERVICEACCOUNTS,
    SERVICES,
)
from cluster.errors import NotFoundError
from tests.conformance.servers import DEADLINE_S, Api
from tests.conformance.test_objects import refused, service

pytestmark = pytest.mark.needs("core")


def config(name: str = "c", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **fields}


def secret(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, **fields}


async def gone(api: Api, *object_: Any) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                await api.do("get", *object_)
            except NotFoundError:
                return
            await asyncio.sleep(0.05)


async def test_a_config_map_keeps_text_and_bytes(api: Api) -> None:
    data = base64.b64encode(b"\0\1").decode()
    await api.do("create", CONFIGMAPS, body=config(data={"a": "1"}, binaryData={"b": data}))
    found = await api.do("get", CONFIGMAPS, "c")
    assert found["data"] == {"a": "1"}
    assert found["binaryData"] == {"b": data}
    assert "generation" not in found["metadata"]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"data": {"a/b": "1"}}, "data[a/b]"),
        ({"data": {"a": "1"}, "binaryData": {"a": "AA=="}}, "data[a]"),
    ],
    ids=["a slash", "twice"],
)
async def test_keys_of_a_config_map_are_checked(
    api: Api, fields: dict[str, Any], path: str
) -> None:
    error = await refused(api.do("create", CONFIGMAPS, body=config(**fields)))
    assert error.status == 422
    assert path in error.message


async def test_values_of_a_config_map_are_text(api: Api) -> None:
    error = await refused(api.do("create", CONFIGMAPS, body=config(data={"a": 1})))
    assert error.status in (400, 422)


async def test_what_is_immutable_stays(api: Api) -> None:
    await api.do("create", CONFIGMAPS, body=config(data={"a": "1"}, immutable=True))
    error = await refused(api.do("patch", CONFIGMAPS, "c", {"data": {"a": "2"}}))
    assert error.status == 422
    assert "field is immutable when `immutable` is set" in error.message


async def test_a_secret_takes_text_and_keeps_base64(api: Api) -> None:
    made = await api.do("create", SECRETS, body=secret(stringData={"password": "hush"}))
    assert made["type"] == "Opaque"
    assert made["data"] == {"password": base64.b64encode(b"hush").decode()}
    assert "stringData" not in made


async def test_a_secret_of_a_type_has_its_keys(api: Api) -> None:
    error = await refused(api.do("create", SECRETS, body=secret(type="kubernetes.io/tls", data={})))
    assert error.status == 422
    assert "data[tls.crt]: Required value" in error.message


async def test_a_secret_is_base64(api: Api) -> None:
    error = await refused(api.do("create", SECRETS, body=secret(data={"a": "not base64!"})))
    assert error.status in (400, 422)


async def test_a_namespace_has_an_account(api: Api) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                found = await api.do("get", SERVICEACCOUNTS, "default")
            except NotFoundError:
                await asyncio.sleep(0.05)
            else:
                break
    assert found["metadata"]["name"] == "default"


async def test_a_lease_is_taken_and_renewed(api: Api) -> None:
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "leader"},
        "spec": {
            "holderIdentity": "a",
            "leaseDurationSeconds": 15,
            "renewTime": "2026-11-23T00:00:00.000000Z",
        },
    }
    made = await api.do("create", LEASES, body=lease)
    stale = {**made, "spec": {**made["spec"], "holderIdentity": "b"}}
    await api.do("patch", LEASES, "leader", {"spec": {"leaseDurationSeconds": 20}})
    assert (await refused(api.do("replace", LEASES, "leader", stale))).reason == "Conflict"


async def test_a_namespace_takes_everything_in_it(api: Api) -> None:
    home = api.namespace
    api.namespace = f"{home}-2"
    await api.do("create", NAMESPACES, body={"metadata": {"name": api.namespace}})
    try:
        await api.do("create", CONFIGMAPS, body=config())
        await api.do("create", SERVICES, body=service())
        await api.do("delete", NAMESPACES, api.namespace)
        await gone(api, CONFIGMAPS, "c")
        await gone(api, SERVICES, "s")
        await gone(api, NAMESPACES, api.namespace)
        error = await refused(api.do("create", CONFIGMAPS, body=config()))
        assert error.status == 404
    finally:
        api.namespace = home


async def test_nothing_is_made_where_there_is_no_namespace(api: Api) -> None:
    home = api.namespace
    api.namespace = "nowhere-at-all"
    try:
        error = await refused(api.do("create", CONFIGMAPS, body=config()))
        assert error.status == 404
        assert error.message == 'namespaces "nowhere-at-all" not found'
    finally:
        api.namespace = home


def child(name: str, owner: dict[str, Any], *, blocks: bool = False) -> dict[str, Any]:
    made = config(name)
    made["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": blocks,
        }
    ]
    return made


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
async def test_owners_take_what_they_own(api: Api, policy: str) -> None:
    owner = await api.do("create", CONFIGMAPS, body=config("owner"))
    await api.do("create", CONFIGMAPS, body=child("child", owner, blocks=True))
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy}
    await api.do("delete", CONFIGMAPS, "owner", options)
    await gone(api, CONFIGMAPS, "child")
    await gone(api, CONFIGMAPS, "owner")


async def test_orphans_stay(api: Api) -> None:
    owner = await api.do("create", CONFIGMAPS, body=config("owner"))
    await api.do("create", CONFIGMAPS, body=child("child", owner))
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Orphan"}
    await api.do("delete", CONFIGMAPS, "owner", options)
    await gone(api, CONFIGMAPS, "owner")
    found = await api.do("get", CONFIGMAPS, "child")
    assert not found["metadata"].get("ownerReferences")
