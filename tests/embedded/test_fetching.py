import asyncio
import threading
import time
from pathlib import Path

import pytest

from api.storage_uris import FetchFailedError
from embedded.config import inherited_environment
from embedded.fetching import Fetched, Fetcher
from tests.predictor.fetch_servers import File, serving
from tests.predictor.test_fetching import DIGEST, LARGE, MODEL

DEADLINE_S = 30


def fetcher(cache: Path, *held: str) -> Fetcher:
    env = inherited_environment()
    return Fetcher(cache, base_env=env, held=lambda: held, wall_s=time.time)


def nothing(_done: int, _words: str) -> None:
    pass


async def test_a_process_of_its_own_fetches_and_the_cache_answers_from_then_on(
    tmp_path: Path,
) -> None:
    with serving(m__onnx=MODEL) as server:
        found = await fetcher(tmp_path).fetch(f"{server.url}/m.onnx", "", {}, nothing)
    assert found.digest == DIGEST
    assert Path(found.path).read_bytes() == MODEL
    assert fetcher(tmp_path).cached(DIGEST) == found.path
    assert fetcher(tmp_path).cached("") is None
    again = await fetcher(tmp_path).fetch("http://127.0.0.1:1/m.onnx", DIGEST, {}, nothing)
    assert again == Fetched(path=found.path, digest=DIGEST)


async def test_why_it_failed_is_passed_on(tmp_path: Path) -> None:
    with serving(m__onnx=MODEL) as server:
        with pytest.raises(FetchFailedError, match="there is nothing") as caught:
            await fetcher(tmp_path).fetch(f"{server.url}/x.onnx", "", {}, nothing)
        assert not caught.value.is_final
        uri = f"{server.url}/m.onnx#sha256={'0' * 64}"
        with pytest.raises(FetchFailedError, match="got sha256:") as caught:
            await fetcher(tmp_path).fetch(uri, "", {}, nothing)
        assert caught.value.is_final


async def test_a_process_that_dies_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.fetching.sys.executable", "/bin/false")
    with pytest.raises(FetchFailedError, match="the process that fetched it ended") as caught:
        await fetcher(tmp_path).fetch("http://h/m", "", {}, nothing)
    assert not caught.value.is_final


async def test_progress_is_passed_on_and_who_is_cancelled_leaves_nobody(tmp_path: Path) -> None:
    told: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
    held = asyncio.Event()
    loop = asyncio.get_running_loop()

    with serving() as server:
        go_on = threading.Event()

        def hold() -> None:
            if len(server.gets) > 1:
                loop.call_soon_threadsafe(held.set)
                go_on.wait(DEADLINE_S)

        server.files["/m.onnx"] = File(LARGE, before=hold)
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
            fetching = tasks.create_task(
                fetcher(tmp_path).fetch(
                    f"{server.url}/m.onnx", "", {}, lambda *news: told.put_nowait(news)
                )
            )
            await held.wait()
            done, words = await told.get()
            while not done:
                done, words = await told.get()
            fetching.cancel()
        go_on.set()
    assert done == len(LARGE) // 2
    assert words == f"524.4 kB of 1.0 MB (50 %) of {server.url}/m.onnx"
    assert fetching.cancelled()
    assert not list((tmp_path / "models").glob("sha256-*"))
