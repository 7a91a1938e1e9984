"""The activator as its clients see it."""

import asyncio
import json

import pytest

from api import kinds
from tests.activator.world import eventually, serving, world


async def test_a_request_reaches_the_replica_and_the_answer_comes_back() -> None:
    async with serving() as (_, replica, client):
        answer = await client.call("/v2/models/app/infer?x=1", body=b"abc")
        assert (answer.status, answer.body) == (200, b"/v2/models/app/infer?x=1 abc")
        call = replica.calls[0]
        assert call.header("host") == "app.default.localhost"
        assert call.header("k-proxy-request") == "activator"
        assert call.header("x-forwarded-for") == "127.0.0.1"
        assert call.header("x-forwarded-proto") == "http"
        assert call.header("x-request-id") == answer.headers["x-request-id"]
        assert "server-timing" not in answer.headers


async def test_equal_requests_on_one_connection_are_told_apart() -> None:
    async with serving() as (_, replica, client):
        ids = {(await client.call(body=b"%d" % n)).headers["x-request-id"] for n in range(9)}
        assert len(ids) == 9
        assert [call.body for call in replica.calls] == [b"%d" % n for n in range(9)]
        assert len(replica.connections) == 1


async def test_the_callers_request_id_is_kept() -> None:
    async with serving() as (_, replica, client):
        answer = await client.call(headers="X-Request-Id: mine\r\n")
        assert answer.headers["x-request-id"] == "mine"
        assert replica.calls[0].header("x-request-id") == "mine"


@pytest.mark.parametrize("host", ["nobody.default.localhost", "app.other.localhost"])
async def test_an_unknown_host_is_404_and_local_callers_are_told_the_known_ones(host: str) -> None:
    async with serving() as (_, _, client):
        answer = await client.call(host=host)
        assert (answer.status, answer.reason) == (404, "UnknownHost")
        assert json.loads(answer.body)["hosts"] == ["app.default.localhost"]
        assert (await client.call()).status == 200


async def test_the_bare_host_finds_models_by_path_and_has_pages_of_its_own() -> None:
    async with serving() as (_, _, client):
        assert (await client.call("/v2/models/app/infer", host="localhost")).status == 200
        assert (await client.call("/v1/models/app:predict", host="127.0.0.1:1")).status == 200
        answer = await client.call("/v2/models/none/infer", host="localhost")
        assert (answer.status, answer.reason) == (404, "UnknownModel")
        assert (await client.call("/relight/healthz", host="localhost")).body == b"ok\n"
        debug = json.loads((await client.call("/relight/debug", host="localhost")).body)
        assert debug["revisions"]["default/app-1"]["ready_replicas"] == 1
        assert (await client.call("/relight/healthz")).body == b"/relight/healthz "


async def test_a_split_and_its_tags() -> None:
    async with serving() as (it, old, client):
        it.revision("app-2")
        new = await it.replica("p2", "app-2")
        await eventually(lambda: "default/app-2" in it.activator.statistics().revisions)
        await it.ready(1, "default/app-2")
        it.route(("app-1", 80), ("app-2", 20), tag="any")
        await eventually(lambda: len(it.activator._router.hosts()) == 2)
        for _ in range(200):
            assert (await client.call()).status == 200
        assert abs(len(new.calls) - 40) <= 2
        assert len(new.calls) + len(old.calls) == 200


async def test_a_change_of_the_route_reaches_requests_with_a_known_head() -> None:
    async with serving() as (it, old, client):
        for _ in range(3):
            await client.call()
        it.revision("app-2")
        new = await it.replica("p2", "app-2")
        await eventually(lambda: "default/app-2" in it.activator.statistics().revisions)
        await it.ready(1, "default/app-2")
        it.route(("app-2", 100))
        async with asyncio.timeout(5):
            while not new.calls:
                await client.call()
        seen = len(old.calls)
        await client.call()
        assert len(old.calls) == seen


async def test_a_route_without_traffic_is_503() -> None:
    async with world() as it:
        it.route()
        await eventually(lambda: bool(it.activator._router.hosts()))
        client = await it.connect()
        answer = await client.call()
        assert (answer.status, answer.reason) == (503, "RouteNotReady")
        assert answer.headers["retry-after"] == "1"
        client.leave()


async def test_a_route_to_a_missing_revision_is_503_after_a_while() -> None:
    async with world(expect_s=0.01) as it:
        it.route(("gone", 100))
        await eventually(lambda: bool(it.activator._router.hosts()))
        client = await it.connect()
        answer = await client.call()
        assert (answer.status, answer.reason) == (503, "RevisionGone")
        client.leave()


async def test_a_deleted_revision_refuses_what_it_holds() -> None:
    async with world() as it:
        it.revision()
        it.route(("app-1", 100))
        await eventually(lambda: bool(it.activator._router.hosts()))
        client = await it.connect()
        client.send()
        await eventually(lambda: it.now().queued == 1)
        it.cluster.remove(kinds.REVISIONS, "app-1")
        answer = await client.answer()
        assert (answer.status, answer.reason) == (503, "RevisionGone")
        client.leave()


async def test_another_revision_of_the_same_name_has_a_limit_of_its_own() -> None:
    async with serving() as (it, replica, client):
        replica.auto = False
        it.cluster.put(
            kinds.REVISIONS,
            "app-1",
            metadata={"uid": "another", "labels": {"serving.knative.dev/service": "app"}},
            spec={"timeoutSeconds": 10, "containerConcurrency": 1},
        )
        other = await it.connect()
        await eventually(lambda: it.now().ready_replicas == 1)
        await eventually(
            lambda: it.activator._holders["default", "app-1"].terms.container_concurrency == 1
        )
        client.send()
        await eventually(lambda: len(replica.calls) == 1)
        other.send()
        await eventually(lambda: it.now().queued == 1)
        assert len(replica.calls) == 1
        replica.calls[0].answer(b"first")
        assert (await client.answer()).body == b"first"
        other.leave()


async def test_bad_requests_and_limits() -> None:
    async with serving(body_bytes_max=1000) as (it, replica, client):
        answer = await client.call(body=b"a" * 1001)
        assert (answer.status, answer.reason) == (413, "BodyTooLarge")
        client = await it.connect()
        client.send(headers="Host: b\r\n")
        assert (await client.answer()).status == 400
        assert not replica.calls
        client.leave()


@pytest.mark.parametrize("value", ["0", "-1", "soon", "nan", "inf", "3601"])
async def test_a_bad_timeout_is_400(value: str) -> None:
    async with serving() as (_, _, client):
        answer = await client.call(headers=f"Relight-Timeout: {value}\r\n")
        assert (answer.status, answer.reason) == (400, "BadTimeout")


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with serving() as (_, _, client):
        for number in range(20):
            client.send(f"/{number}")
        for number in range(20):
            assert (await client.answer()).body == b"/%d " % number


async def test_nothing_is_reported_or_timed_without_requests() -> None:
    async with serving(report_period_s=0.01) as (it, _, client):
        await client.call()
        await eventually(lambda: not it.activator._reporter._active)
        assert it.activator._reporter._timer is None
        assert it.stats[-1].average_concurrency == 0
        count = len(it.stats)
        await client.call()
        await eventually(lambda: len(it.stats) > count)
