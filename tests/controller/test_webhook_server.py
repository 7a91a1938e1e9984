"""The webhook's port: TLS, what it answers, and what it bounds."""

import asyncio
import ssl
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
import pytest

from api import kinds
from cluster import issuing
from controller import webhook_server
from controller.certificates_keeping import load
from controller.webhook import Webhook
from controller.webhook_reviews import Review, Verdict
from controller.webhook_server import WebhookServer
from tests.controller.reviews import review

DEADLINE_S = 10.0
NAME = "localhost"
GOOD = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "Service",
    "metadata": {"name": "iris", "namespace": "default"},
    "spec": {"template": {"spec": {"containers": [{"image": "a/b"}]}}},
}
BAD = {**GOOD, "metadata": {"name": "Iris", "namespace": "default"}}


class Fixed:
    """A server that listens, and a client that trusts it."""

    def __init__(self, server: WebhookServer, session: aiohttp.ClientSession) -> None:
        self.server, self.session = server, session

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        url = f"https://{NAME}:{self.server.port}{path}"
        async with self.session.post(url, data=data) as answer:
            text = await answer.read()
            assert b"Traceback" not in text
            is_json = answer.content_type == "application/json"
            return answer.status, orjson.loads(text) if is_json else text


@asynccontextmanager
async def listening(linger_s: float = 0.0) -> AsyncIterator[Fixed]:
    now = datetime.fromtimestamp(time.time(), UTC)
    authority = issuing.make_authority("a", now=now, days=9)
    pair = issuing.make_server(authority, "s", names=[NAME, "127.0.0.1"], now=now, days=9)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load(context, pair.certificate_pem + pair.key_pem)
    trusting = ssl.create_default_context(cadata=authority.certificate_pem.decode())
    server = WebhookServer(Webhook(config_namespace="relight-system"))
    async with (
        asyncio.timeout(DEADLINE_S),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as session,
        server.listening("127.0.0.1", 0, context, linger_s=linger_s),
    ):
        yield Fixed(server, session)


async def test_it_answers_over_tls_and_counts() -> None:
    async with listening() as fixed:
        status, raw = await fixed.post("/default", review(kinds.SERVICES, GOOD))
        assert (status, raw["response"]["allowed"]) == (200, True)
        assert raw["response"]["patchType"] == "JSONPatch"
        status, raw = await fixed.post("/validate", review(kinds.SERVICES, BAD))
        assert (status, raw["response"]["allowed"]) == (200, False)
        assert raw["response"]["status"]["message"].endswith("metadata.name")
        found = fixed.server.statistics()
        assert (found.allowed, found.refused, found.malformed) == (1, 1, 0)
        assert fixed.server.is_serving


async def test_what_is_no_review_is_400_and_names_the_field() -> None:
    async with listening() as fixed:
        question = review(kinds.SERVICES, GOOD)
        del question["request"]["uid"]
        expected = {"error": "request.uid: must be a text, not null"}
        assert await fixed.post("/default", question) == (400, expected)
        status, raw = await fixed.post("/validate", b"\x00")
        assert status == 400
        assert raw["error"].startswith("the body is no JSON")
        assert fixed.server.statistics().malformed == 2


async def test_a_body_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_server, "BODY_BYTES_MAX", 2000)
    async with listening() as fixed:
        status, raw = await fixed.post("/default", b"x" * 2001)
        assert (status, raw) == (413, {"error": "a review has at most 2000 bytes"})


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_server, "READ_S", 0.05)

    async def slowly() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with listening() as fixed:
        url = f"https://{NAME}:{fixed.server.port}/default"
        async with fixed.session.post(url, data=slowly()) as answer:
            assert answer.status == 408


async def test_there_is_nothing_else() -> None:
    async with listening() as fixed:
        assert (await fixed.post("/", {}))[0] == 404
        url = f"https://{NAME}:{fixed.server.port}/default"
        async with fixed.session.get(url) as answer:
            assert answer.status == 405


async def test_it_serves_a_while_after_it_was_told_to_leave_and_closes_connections() -> None:
    entered, left = asyncio.Event(), asyncio.Event()
    found: list[Fixed] = []

    async def serve() -> None:
        async with listening(linger_s=1.5) as fixed:
            found.append(fixed)
            entered.set()
            await left.wait()

    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        group.create_task(serve())
        await entered.wait()
        [fixed] = found
        left.set()
        while fixed.server.is_serving:
            await asyncio.sleep(0)
        url = f"https://{NAME}:{fixed.server.port}/default"
        async with fixed.session.post(url, json=review(kinds.SERVICES, GOOD)) as answer:
            assert answer.status == 200
            assert answer.headers["Connection"] == "close"


async def test_after_a_failure_it_does_not_linger() -> None:
    with pytest.raises(ValueError, match="lost"):
        async with listening(linger_s=3600):
            raise ValueError("lost")


async def test_a_large_review_does_not_stop_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set[int]()

    class Noting(Webhook):
        def default(self, review: Review) -> Verdict:
            threads.add(threading.get_ident())
            return super().default(review)

    monkeypatch.setitem(globals(), "Webhook", Noting)
    spec = {"containers": [{"image": "a/b", "env": [{"name": f"A{n}"} for n in range(9000)]}]}
    large = {**GOOD, "spec": {"template": {"spec": spec}}}
    async with listening() as fixed:
        for obj, is_here in ((GOOD, True), (large, False)):
            threads.clear()
            status, raw = await fixed.post("/default", review(kinds.SERVICES, obj))
            assert (status, raw["response"]["allowed"]) == (200, True)
            assert (threads == {threading.get_ident()}) == is_here
