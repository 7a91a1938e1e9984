from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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
