"""caBundle of the two configurations, on an API server that has them as any other kind."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.kinds import (
    CUSTOMRESOURCEDEFINITIONS,
    MUTATINGWEBHOOKCONFIGURATIONS,
    NAMESPACES,
    SECRETS,
    VALIDATINGWEBHOOKCONFIGURATIONS,
    Resource,
)
from controller.certificates_keeping import SECRET, CertificateKeeper
from controller.webhook_trust import CONFIGURATIONS, TrustKeeper, operations
from embedded.patch import apply_operations
from tests.cluster.serving import Served, namespace

DEADLINE_S = 10.0
SYSTEM = "relight-system"
MANIFESTS = Path(__file__).parent.parent.parent / "manifests/500-webhooks"
SHIPPED = [
    yaml.safe_load((MANIFESTS / name).read_text())
    for name in ("defaulting.yaml", "validation.yaml")
]


def definition(resource: Resource) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {
            "webhooks": {
                "type": "array",
                "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            }
        },
    }
    version = {"name": "v1", "served": True, "storage": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{resource.plural}.{resource.group}",
            "annotations": {"api-approved.kubernetes.io": "https://example.com"},
        },
        "spec": {
            "group": resource.group,
            "scope": "Cluster",
            "names": {
                "plural": resource.plural,
                "singular": resource.singular,
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
            },
            "versions": [{**version, "schema": {"openAPIV3Schema": schema}}],
        },
    }


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    served = Served()
    served.clock.now_s = time.time()
    await served.direct.create(NAMESPACES, namespace(SYSTEM))
    for resource, _ in CONFIGURATIONS:
        await served.direct.create(CUSTOMRESOURCEDEFINITIONS, definition(resource))
    yield served
    served.close()


@asynccontextmanager
async def leading(served: Served) -> AsyncIterator[CertificateKeeper]:
    client = served.direct
    kept = CertificateKeeper(client, namespace=SYSTEM, names=["webhook"], clock=served.clock)
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        tasks = [group.create_task(kept.run())]
        tasks.append(group.create_task(TrustKeeper(client, kept).run()))
        await kept.loaded()
        yield kept
        for task in tasks:
            task.cancel()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.001)


def bundles(served: Served) -> set[bytes]:
    found = set()
    for resource, name in CONFIGURATIONS:
        for each in served.server.get(resource, None, name)["webhooks"]:
            found.add(base64.b64decode(each["clientConfig"].get("caBundle", "")))
    return found


async def install(served: Served) -> None:
    for resource, name in CONFIGURATIONS:
        [shipped] = [each for each in SHIPPED if each["metadata"]["name"] == name]
        assert shipped["kind"] == resource.kind
        await served.direct.create(resource, shipped)


async def test_every_webhook_of_what_is_installed_trusts_the_bundle(served: Served) -> None:
    await install(served)
    async with leading(served) as kept:
        await until(lambda: bundles(served) == {kept.bundle})


async def test_what_is_installed_later_or_emptied_is_written_too(served: Served) -> None:
    async with leading(served) as kept:
        await install(served)
        await until(lambda: bundles(served) == {kept.bundle})
        for resource, name in CONFIGURATIONS:
            [shipped] = [each for each in SHIPPED if each["metadata"]["name"] == name]
            await served.direct.patch(resource, None, name, {"webhooks": shipped["webhooks"]})
        await until(lambda: bundles(served) == {kept.bundle})


async def test_another_authority_is_shown_at_once(served: Served) -> None:
    await install(served)
    async with leading(served) as kept:
        await until(lambda: bundles(served) == {kept.bundle})
        before = kept.bundle
        await served.direct.delete(SECRETS, SYSTEM, SECRET)
        await until(lambda: kept.bundle != before and bundles(served) == {kept.bundle})


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda each: str(each["kind"]))
def test_a_patch_holds_for_the_version_it_was_made_from(shipped: dict[str, Any]) -> None:
    stored = {**shipped, "metadata": {**shipped["metadata"], "resourceVersion": "7"}}
    patch = operations(stored, b"pem")
    assert patch[0] == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
    done = apply_operations(stored, patch)
    assert {each["clientConfig"]["caBundle"] for each in done["webhooks"]} == {"cGVt"}
    assert operations(done, b"pem") == []


def test_both_configurations_are_shipped_and_named_as_the_code_says() -> None:
    kinds = {each["kind"]: each["metadata"]["name"] for each in SHIPPED}
    assert kinds == {resource.kind: name for resource, name in CONFIGURATIONS}
    assert set(kinds) == {MUTATINGWEBHOOKCONFIGURATIONS.kind, VALIDATINGWEBHOOKCONFIGURATIONS.kind}
