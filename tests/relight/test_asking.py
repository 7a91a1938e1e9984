from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest
from aiohttp import web

from relight import asking, config
from relight.connection import Connection, connect
from relight.errors import FailedError, UnreachableError
from tests.relight.conftest import Platform, kubeconfig, serve

PATH = "/api/v1/namespaces/relight-system/services/activator:admin/proxy/requests"


@asynccontextmanager
async def connected(platform: Platform, handler: object) -> AsyncIterator[Connection]:
    """A connection to a platform whose API server has only the activator's endpoint."""
    app = web.Application()
    app.router.add_get(PATH, handler)  # type: ignore[arg-type] # whatever the test gives
    address = await serve(app, platform.runners)
    (platform.folder / "kubeconfig").write_text(kubeconfig(address))
    location = config._from_data_dir(platform.folder)
    async with connect(location) as connection:
        yield connection


async def test_rows_are_lines_and_empty_ones_only_keep_the_connection(platform: Platform) -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.query == {"follow": "true"}
        return web.Response(body=b'{"serial": 1}\n\n{"serial": 2}\n')

    async with (
        connected(platform, handler) as connection,
        asking.rows(connection, "activator", "requests", {"follow": "true"}) as rows,
    ):
        assert [row async for row in rows] == [{"serial": 1}, {"serial": 2}]


async def test_an_answer_is_json(platform: Platform) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"requests": []})

    async with connected(platform, handler) as connection:
        assert await asking.answer(connection, "activator", "requests", {}) == {"requests": []}


async def test_what_is_no_json_is_told(platform: Platform) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=b"<html>")

    async with connected(platform, handler) as connection:
        with pytest.raises(FailedError, match="the activator answered what is no JSON"):
            await asking.answer(connection, "activator", "requests", {})


async def test_a_platform_without_the_endpoint_is_told(platform: Platform) -> None:
    async def handler(request: web.Request) -> web.Response:
        raw = {"kind": "Status", "code": 404, "reason": "NotFound", "message": "no such service"}
        return web.json_response(raw, status=404)

    async with connected(platform, handler) as connection:
        with pytest.raises(FailedError, match="the activator does not tell: no such service"):
            await asking.answer(connection, "activator", "requests", {})


async def test_a_refusal_without_words_has_its_number(platform: Platform) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=502)

    with pytest.raises(FailedError, match="502"):
        async with connected(platform, handler) as connection:
            await asking.answer(connection, "activator", "requests", {})


async def test_an_answer_that_breaks_off_is_told(platform: Platform) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b'{"serial": 1}\n')
        assert request.transport is not None
        request.transport.abort()
        return response

    async def read() -> None:
        async with (
            connected(platform, handler) as connection,
            asking.rows(connection, "activator", "requests", {}) as rows,
        ):
            async for _ in rows:
                pass

    with pytest.raises(UnreachableError):
        await read()


def pod(name: str, **status: str) -> dict[str, object]:
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"ports": [{"name": "admin", "containerPort": 8081}]}]},
        "status": {"phase": "Running", **status},
    }


@asynccontextmanager
async def on_a_cluster(platform: Platform, **said: object) -> AsyncIterator[Connection]:
    """A connection to an API server with some Pods, each of which says one thing."""

    async def pods(request: web.Request) -> web.Response:
        assert request.query["labelSelector"] == "app.kubernetes.io/name=activator"
        items = [pod(name) for name in said] + [pod("ended", phase="Failed")]
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "items": items})

    async def proxied(request: web.Request) -> web.Response:
        what = said[request.match_info["pod"]]
        if isinstance(what, int):
            reason = {404: "NotFound", 503: "AskTheLeader"}[what]
            raw = {"kind": "Status", "code": what, "reason": reason, "message": "no"}
            return web.json_response(raw, status=what)
        return web.Response(body=orjson.dumps(what) + b"\n")

    app = web.Application()
    app.router.add_get("/api/v1/namespaces/relight-system/pods", pods)
    app.router.add_get("/api/v1/namespaces/relight-system/pods/{pod}:8081/proxy/requests", proxied)
    address = await serve(app, platform.runners)
    (platform.folder / "kubeconfig").write_text(kubeconfig(address))
    async with connect(config._from_data_dir(platform.folder)) as connection:
        yield connection


async def test_of_several_the_one_that_knows_answers(platform: Platform) -> None:
    async with on_a_cluster(platform, one=404, two=503, three={"mine": 1}) as connection:
        assert await asking.answer(connection, "activator", "requests", {}) == {"mine": 1}


async def test_what_none_of_several_knows_is_told(platform: Platform) -> None:
    async with on_a_cluster(platform, one=404, two=503) as connection:
        with pytest.raises(FailedError, match="the activator does not tell: no"):
            await asking.answer(connection, "activator", "requests", {})


async def test_the_rows_of_several_are_joined(platform: Platform) -> None:
    async with (
        on_a_cluster(platform, one={"a": 1}, two={"b": 2}) as connection,
        asking.rows(connection, "activator", "requests", {}) as rows,
    ):
        assert sorted([next(iter(row)) async for row in rows]) == ["a", "b"]
