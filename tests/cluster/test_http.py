import asyncio
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from aiohttp import web

from api.kinds import PODS
from cluster.client import Client, Page
from cluster.errors import ApiError, BadRequestError, GoneError, UnauthorizedError, UnavailableError
from cluster.http import HttpClient
from embedded.http import make_app
from tests.cluster.serving import Served, http_client, over_http, pod
from tests.cluster.suite import ClientSuite, take


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


class TestHttpClient(ClientSuite):
    @pytest.fixture
    async def client(self, served: Served) -> AsyncIterator[Client]:
        async with http_client(served) as client:
            yield client


def answering(
    *, status: int = 200, body: str = "", chunks: tuple[bytes, ...] = ()
) -> web.Application:
    async def answer(request: web.Request) -> web.StreamResponse:
        if not chunks:
            return web.Response(status=status, text=body)
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


async def test_an_object_larger_than_a_read_is_one_event(served: Served) -> None:
    async with http_client(served) as client:
        await client.create(PODS, pod("p", annotations={"large": "x" * 200_000}))
        (event,) = await take(client.watch(PODS, resource_version="0"), 1)
        assert len(event.object["metadata"]["annotations"]["large"]) == 200_000


async def test_a_token_opens_the_door_and_nothing_else_does(served: Served) -> None:
    async with over_http(make_app(served.server, token="open sesame")) as client:
        with pytest.raises(UnauthorizedError):
            await client.list(PODS)
        known = HttpClient(client._base_url, client._session, "open sesame")
        assert (await known.list(PODS)).items == []


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with aiohttp.ClientSession() as session:
        client = HttpClient("http://127.0.0.1:1", session)
        with pytest.raises(
            UnavailableError, match=r"GET http://127\.0\.0\.1:1/api/v1/pods: Connection refused"
        ):
            await client.list(PODS)
        with pytest.raises(UnavailableError):
            await take(client.watch(PODS, resource_version="0"), 1)


async def test_a_server_that_does_not_answer_is_unavailable() -> None:
    release = asyncio.Event()

    async def hang(_request: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    app = web.Application()
    app.router.add_get("/{path:.*}", hang)
    async with over_http(app) as client:
        impatient = HttpClient(client._base_url, client._session, request_timeout_s=0.05)
        with pytest.raises(UnavailableError, match="no answer in time"):
            await impatient.list(PODS)
        release.set()


@pytest.mark.parametrize("body", ["not json", "[]", '"text"'])
async def test_answers_that_are_no_objects_are_told(body: str) -> None:
    async with over_http(answering(body=body)) as client:
        with pytest.raises(UnavailableError, match=r"not (a )?JSON"):
            await client.get(PODS, "default", "p")


async def test_errors_that_are_no_status_keep_their_text() -> None:
    async with over_http(answering(status=502, body="<html>bad gateway")) as client:
        with pytest.raises(ApiError, match="bad gateway") as refused:
            await client.get(PODS, "default", "p")
        assert refused.value.status == 502


async def test_an_error_in_a_watch_is_raised() -> None:
    gone = b'{"type":"ERROR","object":{"kind":"Status","code":410,"message":"old"}}\n'
    async with over_http(answering(chunks=(gone[:20], gone[20:]))) as client:
        with pytest.raises(GoneError, match="old"):
            await take(client.watch(PODS, resource_version="1"), 1)


async def test_a_watch_that_ends_mid_line_keeps_what_was_whole() -> None:
    whole = b'{"type":"ADDED","object":{"metadata":{"name":"p"}}}\n'
    async with over_http(answering(chunks=(whole + b'{"type":"ADD',))) as client:
        found = [event async for event in client.watch(PODS, resource_version="1")]
    assert [event.object["metadata"]["name"] for event in found] == ["p"]


async def test_replace_without_a_name_is_refused_before_it_is_sent() -> None:
    async with aiohttp.ClientSession() as session:
        client = HttpClient("http://127.0.0.1:1", session)
        with pytest.raises(BadRequestError, match="name is required"):
            await client.replace(PODS, {"metadata": {}})


async def test_an_unnamed_kind_of_item_gets_the_kind_of_the_list() -> None:
    body = (
        '{"kind":"PodList","metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"p"}}]}'
    )
    async with over_http(answering(body=body)) as client:
        found = await client.list(PODS)
    assert found.resource_version == "7"
    assert found.items == [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}]


async def test_a_list_comes_in_pages_if_asked(served: Served) -> None:
    async with http_client(served) as client:
        for name in ("a", "b", "c"):
            await client.create(PODS, pod(name))
        first = await client.list(PODS, page=Page(limit=2))
        assert (len(first.items), first.remaining) == (2, 1)
        rest = await client.list(PODS, page=Page(limit=2, continue_token=first.continue_token))
        names = [each["metadata"]["name"] for each in (*first.items, *rest.items)]
        assert (names, rest.continue_token) == (["a", "b", "c"], "")
        assert rest.resource_version == first.resource_version
        with pytest.raises(BadRequestError):
            await client.list(PODS, page=Page(limit=2, continue_token="x"))
