"""The Secret of the certificates on an API server: made once, followed, renewed, shared."""

import asyncio
import base64
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from api.kinds import NAMESPACES, SECRETS
from cluster.client import Client
from cluster.errors import ForbiddenError
from controller.certificates import AUTHORITIES, SERVER
from controller.certificates_keeping import SECRET, CertificateKeeper
from tests.cluster.serving import Clock, Served, http_client, namespace

DEADLINE_S = 10.0
SYSTEM = "relight-system"
NAMES = ("webhook.relight-system.svc",)
DAY_S = 86_400.0


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    served = Served()
    # A certificate that ssl takes for valid holds now, by the machine's clock.
    served.clock.now_s = time.time()
    await served.direct.create(NAMESPACES, namespace(SYSTEM))
    yield served
    served.close()


def keeper(client: Client, clock: Clock, *, look_s: float = 600.0) -> CertificateKeeper:
    return CertificateKeeper(client, namespace=SYSTEM, names=NAMES, clock=clock, look_s=look_s)


@asynccontextmanager
async def running(*keepers: CertificateKeeper) -> AsyncIterator[None]:
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        tasks = [group.create_task(each.run()) for each in keepers]
        for each in keepers:
            await each.loaded()
        yield
        for task in tasks:
            task.cancel()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.001)


async def data(served: Served) -> dict[str, bytes]:
    found = await served.direct.get(SECRETS, SYSTEM, SECRET)
    return {name: base64.b64decode(text) for name, text in found["data"].items()}


def shaken(context: ssl.SSLContext, bundle: bytes) -> bytes:
    """The certificate that a client of this bundle meets, or ssl.SSLError."""
    trusting = ssl.create_default_context(cadata=bundle.decode())
    reading, writing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(reading, writing, server_hostname=NAMES[0])
    back, forth = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(forth, back, server_side=True)
    for _ in range(4):
        for side in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
            forth.write(writing.read())
            reading.write(back.read())
    found = client.getpeercert(binary_form=True)
    assert found is not None
    return ssl.DER_cert_to_PEM_cert(found).encode()


async def test_it_is_made_where_there_is_none_and_served(served: Served) -> None:
    kept = keeper(served.direct, served.clock)
    assert not kept.is_loaded
    async with running(kept):
        stored = await data(served)
        assert kept.is_loaded
        assert kept.bundle == stored[AUTHORITIES]
        assert shaken(kept.context, kept.bundle) == stored[SERVER]


async def test_replicas_that_start_together_serve_one_certificate(served: Served) -> None:
    async with http_client(served) as client:
        kept = [keeper(client, served.clock) for _ in range(3)]
        async with running(*kept):
            stored = await data(served)
            await until(lambda: {each.bundle for each in kept} == {stored[AUTHORITIES]})
            assert {shaken(each.context, each.bundle) for each in kept} == {stored[SERVER]}


async def test_what_is_due_is_renewed_and_every_replica_serves_it_without_a_restart(
    served: Served,
) -> None:
    served.clock.now_s -= 61 * DAY_S
    kept = [keeper(served.direct, served.clock, look_s=0.01) for _ in range(2)]
    async with running(*kept):
        before = await data(served)
        await until(lambda: {each.bundle for each in kept} == {before[AUTHORITIES]})
        served.clock.now_s += 61 * DAY_S
        bundle = before[AUTHORITIES]
        await until(lambda: all(shaken(each.context, bundle) != before[SERVER] for each in kept))
        after = await data(served)
        assert after[AUTHORITIES] == bundle
        assert {shaken(each.context, bundle) for each in kept} == {after[SERVER]}


async def test_a_secret_that_was_taken_away_is_made_again_and_told_of(served: Served) -> None:
    kept = keeper(served.direct, served.clock)
    told: list[bytes] = []
    kept.on_change(lambda: told.append(kept.bundle))
    async with running(kept):
        before = await data(served)
        await served.direct.delete(SECRETS, SYSTEM, SECRET)
        await until(lambda: len(told) == 2)
        after = await data(served)
        assert told == [before[AUTHORITIES], after[AUTHORITIES]]
        assert shaken(kept.context, after[AUTHORITIES]) == after[SERVER]


async def test_a_broken_secret_is_mended_and_other_keys_of_it_stay(served: Served) -> None:
    metadata = {"name": SECRET, "namespace": SYSTEM}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    broken = {"note": "bWluZQ==", AUTHORITIES: "anVuaw==", SERVER: ""}
    await served.direct.create(SECRETS, {**secret, "data": broken})
    kept = keeper(served.direct, served.clock)
    async with running(kept):
        stored = await data(served)
        assert stored["note"] == b"mine"
        assert shaken(kept.context, kept.bundle) == stored[SERVER]


async def test_a_server_that_refuses_is_asked_again(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, refusals = served.direct.create, iter([ForbiddenError("not yet")])

    async def refusing(*args: object) -> object:
        for error in refusals:
            raise error
        return await create(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(served.direct, "create", refusing)
    kept = keeper(served.direct, served.clock)
    async with running(kept):
        assert kept.bundle == (await data(served))[AUTHORITIES]
