"""Objects that give hosts, from the watch to the request."""

import asyncio
from typing import Any

import pytest

from api import keys, kinds
from tests.activator.world import World, eventually, serving, world

READY = [{"type": "Ready", "status": "True"}]


def mapping(it: World, host: str = "www.shop.org", *, ready: str = "True", **ref: Any) -> None:
    whole = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "app", **ref}
    status = {"conditions": [{"type": "Ready", "status": ready}]}
    it.cluster.put(kinds.DOMAINMAPPINGS, host, spec={"ref": whole}, status=status)


async def listed(it: World, host: str, *, gone: bool = False) -> None:
    await eventually(lambda: (host in it.activator._router.hosts()) != gone)


async def test_a_ready_domain_mapping_gives_a_host_until_it_goes() -> None:
    async with serving() as (it, replica, client):
        assert (await client.call(host="www.shop.org")).status == 404
        mapping(it)
        await listed(it, "www.shop.org")
        assert (await client.call(host="WWW.Shop.Org.:8080")).status == 200
        assert replica.calls[0].header("host") == "WWW.Shop.Org.:8080"
        mapping(it, ready="False")
        await listed(it, "www.shop.org", gone=True)
        assert (await client.call(host="www.shop.org")).status == 404
        mapping(it, kind="Route")
        await listed(it, "www.shop.org")
        assert (await client.call(host="www.shop.org")).status == 200
        it.cluster.remove(kinds.DOMAINMAPPINGS, "www.shop.org")
        await listed(it, "www.shop.org", gone=True)
        assert (await client.call(host="www.shop.org")).status == 404


@pytest.mark.parametrize(
    "ref",
    [
        {"kind": "Broker"},
        {"apiVersion": "v1"},
        {"namespace": "other"},
        {"name": "nobody"},
    ],
)
async def test_a_domain_mapping_to_what_we_do_not_serve_gives_no_host(ref: dict[str, str]) -> None:
    async with serving() as (it, _, client):
        mapping(it, "b.org", **ref)
        mapping(it, "c.org")
        await listed(it, "c.org")  # it came later
        assert (await client.call(host="b.org")).status == 404


async def test_visibility_changes_under_way() -> None:
    async with serving() as (it, _, client):
        assert (await client.call()).status == 200
        it.route(("app-1", 100), labels={keys.VISIBILITY: "cluster-local"})
        await listed(it, "app.default.svc.cluster.local")
        assert (await client.call()).status == 404
        assert (await client.call(host="app.default.svc.cluster.local")).status == 200
        assert (await client.call("/v2/models/app", host="localhost")).status == 200
        it.route(("app-1", 100))
        await listed(it, "app.default.localhost")
        assert (await client.call()).status == 200


async def test_callers_outside_do_not_see_what_is_cluster_local() -> None:
    async with serving(inside_networks=("10.0.0.0/8",)) as (it, _, client):
        assert (await client.call(host="app.default.svc")).status == 200
        it.route(("app-1", 100), labels={keys.VISIBILITY: "cluster-local"})
        await listed(it, "app.default.svc.cluster.local")
        assert (await client.call(host="app.default.svc")).status == 404
        assert (await client.call("/v2/models/app", host="localhost")).status == 404


async def test_an_inference_service_is_found_by_its_hosts_and_told_to_its_component() -> None:
    async with world() as it:
        it.revision("app-predictor-1", service="app-predictor")
        it.route(("app-predictor-1", 100), name="app-predictor")
        it.cluster.put(kinds.INFERENCESERVICES, "app", spec={"predictor": {"model": {}}})
        replica = await it.replica("p1", "app-predictor-1")
        await listed(it, "app-default.localhost")
        await eventually(lambda: "default/app-predictor-1" in it.activator.statistics().revisions)
        await it.ready(1, "default/app-predictor-1")
        client = await it.connect()
        for host in ("app-default.localhost:80", "app.default.localhost", "app.default.svc"):
            answer = await client.call(
                "/v1/models/app:predict", host=host, headers="KServe-Isvc-Name: forged\r\n"
            )
            assert answer.status == 200
            assert replica.calls[-1].header("kserve-isvc-name") == "app"
            assert replica.calls[-1].header("kserve-isvc-namespace") == "default"
            assert replica.calls[-1].head.lower().count(b"kserve-isvc-name:") == 1
        assert (await client.call("/v1/models/app", host="localhost")).status == 200
        # A transformer that is asked for, and has no Route yet, is waited for by its clients.
        it.cluster.put(kinds.INFERENCESERVICES, "app", spec={"predictor": {}, "transformer": {}})
        async with asyncio.timeout(10):
            while (await client.call(host="app-default.localhost")).status == 200:
                pass
        answer = await client.call(host="app-default.localhost")
        assert (answer.status, answer.reason) == (503, "RouteNotReady")
        it.cluster.remove(kinds.INFERENCESERVICES, "app")
        await listed(it, "app-default.localhost", gone=True)
        assert (await client.call(host="app-default.localhost")).status == 404


async def test_the_activator_runs_where_the_further_kinds_are_not_served(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    async with world(absent={kinds.DOMAINMAPPINGS, kinds.INFERENCESERVICES}) as it:
        it.revision()
        it.route(("app-1", 100))
        await it.replica()
        client = await it.connect()
        await listed(it, "app.default.localhost")
        assert (await client.call()).status == 200
    said = [each.message for each in caplog.records if "not served here" in each.message]
    assert len(said) == 2
