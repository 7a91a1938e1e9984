import asyncio
import os
import signal

import pytest

from embedded.config import inherited_environment
from embedded.zygote import Zygote, ZygoteError


@pytest.fixture
async def zygote():  # type: ignore[no-untyped-def] # a fixture
    made = Zygote(env=inherited_environment(), spares=0)
    told = await made.start()
    assert "CPUExecutionProvider" in told["providers"]
    yield made
    await made.stop()


def request(*argv: str) -> dict[str, object]:
    return {"kind": "exec", "argv": argv, "env": inherited_environment(), "cwd": "/"}


async def run(
    zygote: Zygote, name: str, *argv: str
) -> "asyncio.Future[tuple[int | None, int | None]]":
    ended = asyncio.get_running_loop().create_future()
    started: list[int] = []
    read, write = os.pipe()
    with open(os.devnull, "wb") as output:  # noqa: PTH123 - a device
        zygote.launch(
            name,
            request(*argv),
            (output.fileno(), write),
            on_start=started.append,
            on_exit=lambda code, number: ended.set_result((code, number)),
        )
    os.close(read)
    os.close(write)
    return ended


async def test_exits_are_told(zygote: Zygote) -> None:
    async with asyncio.timeout(20):
        assert await (await run(zygote, "a", "python3", "-c", "raise SystemExit(3)")) == (3, None)


async def test_signals_reach_what_was_started(zygote: Zygote) -> None:
    async with asyncio.timeout(20):
        ended = await run(zygote, "a", "sleep", "600")
        zygote.signal("a", signal.SIGKILL)
        assert await ended == (None, signal.SIGKILL)
        zygote.signal("a", signal.SIGTERM)  # it is gone: nothing happens


async def test_a_hundred_starts_at_once_are_all_told(zygote: Zygote) -> None:
    async with asyncio.timeout(60):
        ended = [await run(zygote, str(n), "true") for n in range(100)]
        assert {await each for each in ended} == {(0, None)}


async def test_when_it_dies_everyone_waiting_is_told(zygote: Zygote) -> None:
    async with asyncio.timeout(20):
        ended = await run(zygote, "a", "sleep", "600")
        waiting = asyncio.get_running_loop().create_task(zygote.wait())
        assert zygote._process is not None
        zygote._process.kill()
        await waiting
        assert await ended == (None, signal.SIGKILL)
        late = await run(zygote, "b", "true")
        assert not late.done(), "nobody is there to start it"
        await zygote.start()
        assert await late == (0, None), "the next one does"


async def test_what_comes_after_the_stop_ends_at_once() -> None:
    made = Zygote(env=inherited_environment(), spares=0)
    await made.stop()
    assert await (await run(made, "a", "true")) == (1, None)


async def test_one_that_can_not_start_says_so() -> None:
    made = Zygote(env={"PATH": "", "PYTHONHOME": "/nowhere"}, spares=0)
    with pytest.raises(ZygoteError):
        async with asyncio.timeout(20):
            await made.start()
    await made.stop()
