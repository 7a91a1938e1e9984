"""Load, listen, serve, drain, leave: one predictor on the test's own loop, told by signals."""

import asyncio
import contextlib
import dataclasses
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from predictor import config, forking, serving
from predictor.loaded import Loaded
from predictor.orders import Orders
from predictor.worker import Worker
from tests.predictor.talking import infer_body, read_reply, request

BODY = infer_body([[1.0, 2.0]])
INFER = request("POST", "/v2/models/m/infer", BODY)
READY = request("GET", "/v2/health/ready")

# A model that waits for a file beside it, in load or in predict, so that a test can hold it.
HELD = """
import pathlib, time
HERE = pathlib.Path(__file__).parent
def wait(name):
    (HERE / (name + "-began")).touch()
    while not (HERE / name).exists():
        time.sleep(0.002)
class Held(Model):
    def load(self):
        wait("load")
    def predict(self, inputs):
        wait("predict")
        return {"y": inputs["x"]}
"""


class Served:
    """A predictor that runs beside the test, and what it reported."""

    def __init__(
        self,
        path: Path,
        facts: list[dict[str, Any]],
        done: asyncio.Task[int],
        channel: socket.socket,
    ) -> None:
        self.path = path
        self.facts = facts
        self.done = done
        self.channel = channel

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.002)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(str(self.path))

    async def code(self) -> int:
        async with asyncio.timeout(20):
            return await self.done


Serve = Callable[..., contextlib.AbstractAsyncContextManager[Served]]


@pytest.fixture
def serve(short_path: Path) -> Serve:
    @contextlib.asynccontextmanager
    async def run(*arguments: str, **environment: str) -> AsyncIterator[Served]:
        settings = config.parse([*arguments, "--model-name", "m"], environment)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(short_path / "s"))
        listener.listen()
        listener.setblocking(False)
        facts: list[dict[str, Any]] = []
        worker = Worker(asyncio.get_running_loop())
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        told = Orders(theirs.fileno())
        theirs.close()
        with listener, ours:
            async with asyncio.TaskGroup() as group:
                done = group.create_task(
                    serving.serve(settings, listener, worker, facts.append, fork_ms=1.5, told=told)
                )
                yield Served(short_path / "s", facts, done, ours)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(number)

    return run


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


async def test_ready_is_reported_with_what_is_served(
    serve: Serve, identity_model: Callable[..., Path]
) -> None:
    async with serve("--model", str(identity_model())) as served:
        reader, writer = await served.connect()
        writer.write(INFER)
        reply = await read_reply(reader)
        assert reply.status == 200
        assert reply.headers["server-timing"].startswith("fork;dur=1.50, load;dur=")
        (fact,) = served.facts
        assert (fact["ready"], fact["fork_ms"]) == (True, 1.5)
        assert fact["digest"] == reply.headers["relight-model-digest"]
        assert fact["provider"] == "CPUExecutionProvider"
        assert fact["load_ms"] > 0
        writer.close()
        stop()
        assert await served.code() == 0


async def test_after_a_slow_load_memory_is_given_back_and_the_next_one_prepared(
    serve: Serve, identity_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    load = serving.loader.load

    def slow(settings: config.Settings) -> Loaded:
        return dataclasses.replace(load(settings), prepare=lambda: done.append("prepared"))

    monkeypatch.setattr(serving.loader, "load", slow)
    monkeypatch.setattr(serving, "LOAD_MIN_MS", 0.0)
    monkeypatch.setattr(serving, "TIDY_AFTER_S", 0.0)
    monkeypatch.setattr(serving.heap, "give_back", lambda: done.append("tidied"))
    async with serve("--model", str(identity_model())) as served:
        await served.until(lambda: len(done) == 2)
        assert done == ["tidied", "prepared"]
        stop()
        assert await served.code() == 0


async def test_a_model_that_does_not_load_is_reported_and_ends_it(
    serve: Serve, tmp_path: Path
) -> None:
    async with serve("--model", str(tmp_path / "no.onnx")) as served:
        assert await served.code() == 1
        assert served.facts == [{"failed": f"there is no model file at {tmp_path / 'no.onnx'}"}]


async def test_a_stop_while_loading_ends_it_at_once(
    serve: Serve, python_file: Callable[[str], Path]
) -> None:
    path = python_file(HELD)
    async with serve("--python", f"{path}:Held") as served:
        await served.until((path.parent / "load-began").exists)
        stop()
        assert await served.code() == 0
        assert served.facts == []
    (path.parent / "load").touch()


async def test_told_to_leave_it_lingers_unready_and_serves_who_still_comes(
    serve: Serve, identity_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    over = asyncio.Event()

    async def linger(_: object, seconds: float) -> None:
        asked.append(seconds)
        await over.wait()

    monkeypatch.setattr(serving, "_linger", linger)
    async with serve("--model", str(identity_model()), RELIGHT_LINGER_S="7") as served:
        await served.until(lambda: bool(served.facts))
        stop()
        await served.until(lambda: bool(asked))
        assert asked == [7]
        for ask, status in ((READY, 503), (INFER, 200)):
            reader, writer = await served.connect()  # a new connection each
            writer.write(ask)
            reply = await read_reply(reader)
            assert reply.status == status
            assert reply.headers["connection"] == "close"
            writer.close()
        over.set()
        assert await served.code() == 0


@pytest.mark.parametrize(("quiet_s", "linger_s"), [(0.05, "600"), (600.0, "1")])
async def test_it_lingers_until_nobody_comes_and_no_longer_than_it_was_told(
    serve: Serve,
    identity_model: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    quiet_s: float,
    linger_s: str,
) -> None:
    monkeypatch.setattr(serving, "LINGER_QUIET_S", quiet_s)
    async with serve("--model", str(identity_model()), RELIGHT_LINGER_S=linger_s) as served:
        await served.until(lambda: bool(served.facts))
        stop()
        assert await served.code() == 0


async def test_it_does_not_stop_lingering_over_a_request_that_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "LINGER_QUIET_S", 0.0)
    looks = iter([True, True, False])

    class Busy:
        asked_s = 0.0

        @property
        def is_busy(self) -> bool:
            return next(looks)

    await serving._linger(Busy(), 600.0)  # type: ignore[arg-type] # nothing else of it is asked
    assert next(looks, None) is None


async def test_nothing_is_lost_when_it_is_stopped(
    serve: Serve, python_file: Callable[[str], Path]
) -> None:
    """One request runs, one waits, one is half sent, one comes on an idle connection."""
    path = python_file(HELD)
    (path.parent / "load").touch()
    async with serve("--python", f"{path}:Held", RELIGHT_CONTAINER_CONCURRENCY="1") as served:
        await served.until(lambda: bool(served.facts))
        running, waiting, sending, idle, probe = [await served.connect() for _ in range(5)]
        running[1].write(INFER)
        await served.until((path.parent / "predict-began").exists)
        waiting[1].write(INFER)
        sending[1].write(INFER[:-4])
        stop()
        late = await served.connect()  # in the backlog, or accepted: served either way
        probe[1].write(READY)
        while (await read_reply(probe[0])).status == 200:
            probe[1].write(READY)
        probe[1].close()
        for writer in (idle[1], late[1]):
            writer.write(INFER)
        sending[1].write(INFER[-4:])
        (path.parent / "predict").touch()
        for reader, writer in (running, waiting, sending, idle, late):
            reply = await read_reply(reader)
            assert reply.status == 200
            assert reply.headers["connection"] == "close"
            assert await reader.read() == b""
            writer.close()
        assert await served.code() == 0
        with pytest.raises(OSError, match="refused"):
            await served.connect()


async def test_an_idle_connection_is_closed_after_the_quiet_period(
    serve: Serve, identity_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "QUIET_S", 0.05)
    async with serve("--model", str(identity_model())) as served:
        reader, writer = await served.connect()
        writer.write(INFER)
        await read_reply(reader)
        stop()
        assert await served.code() == 0
        assert await reader.read() == b""
        writer.close()


async def test_a_large_answer_is_sent_whole_before_it_leaves(
    serve: Serve, identity_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "QUIET_S", 0.01)
    rows = [[1.5, 2.5]] * 200_000
    async with serve("--model", str(identity_model())) as served:
        reader, writer = await served.connect()
        writer.write(request("POST", "/v2/models/m/infer", infer_body(rows)))
        head = await reader.readuntil(b"\r\n\r\n")
        stop()
        with pytest.raises(TimeoutError):  # it stays while the client takes nothing
            await asyncio.wait_for(asyncio.shield(served.done), 0.1)
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        assert len(await reader.readexactly(length)) == length
        writer.close()
        assert await served.code() == 0


@pytest.fixture
def redirected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where the output of the replica went; that of the test stays where it is."""
    found: list[str] = []

    def note(descriptor: int) -> None:
        found.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        os.close(descriptor)

    monkeypatch.setattr(forking, "redirect", note)
    return found


async def test_it_rests_when_nothing_can_be_lost_and_goes_on_with_another_log(
    serve: Serve, python_file: Callable[[str], Path], tmp_path: Path, redirected: list[str]
) -> None:
    path = python_file(HELD)
    (path.parent / "load").touch()
    async with serve("--python", f"{path}:Held") as served:
        await served.until(lambda: bool(served.facts))
        reader, writer = await served.connect()
        writer.write(INFER)
        await served.until((path.parent / "predict-began").exists)
        served.channel.send(b'{"op": "settle"}')
        probe = await served.connect()
        probe[1].write(READY)
        while (await read_reply(probe[0])).status == 200:
            probe[1].write(READY)
        assert len(served.facts) == 1, "a request runs"
        (path.parent / "predict").touch()
        reply = await read_reply(reader)
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        for end in ((reader, writer), probe):
            assert await end[0].read() == b""
            end[1].close()
        await served.until(lambda: served.facts[1:] == [{"settled": True}])
        assert redirected == [os.devnull]
        with (tmp_path / "log").open("wb") as log:
            message = b'{"op": "resume", "asked_ns": 0}'
            socket.send_fds(served.channel, [message], [log.fileno()])
        await served.until(lambda: len(served.facts) == 3)
        fact = served.facts[2]
        assert fact["ready"]
        assert fact["resumed_ms"] > 0
        assert redirected == [os.devnull, str(tmp_path / "log")]
        reader, writer = await served.connect()
        for has_start in (True, False):
            writer.write(INFER)
            reply = await read_reply(reader)
            assert reply.status == 200
            assert ("resume;dur=" in reply.headers["server-timing"]) == has_start
        writer.close()
        stop()
        assert await served.code() == 0


async def test_who_connects_while_it_rests_is_answered(
    serve: Serve, identity_model: Callable[..., Path], redirected: list[str]
) -> None:
    async with serve("--model", str(identity_model())) as served:
        await served.until(lambda: bool(served.facts))
        served.channel.send(b'{"op": "settle"}')
        await served.until(lambda: len(served.facts) == 2)
        reader, writer = await served.connect()
        writer.write(INFER)
        assert (await read_reply(reader)).status == 200
        writer.close()
        stop()
        assert await served.code() == 0
        assert redirected == [os.devnull]


async def test_a_stop_wins_over_a_rest(
    serve: Serve, python_file: Callable[[str], Path], redirected: list[str]
) -> None:
    path = python_file(HELD)
    (path.parent / "load").touch()
    async with serve("--python", f"{path}:Held") as served:
        await served.until(lambda: bool(served.facts))
        reader, writer = await served.connect()
        writer.write(INFER)
        await served.until((path.parent / "predict-began").exists)
        served.channel.send(b'{"op": "settle"}')
        stop()
        (path.parent / "predict").touch()
        assert (await read_reply(reader)).status == 200
        assert await reader.read() == b""
        writer.close()
        assert await served.code() == 0
        assert len(served.facts) == 1
        assert not redirected
