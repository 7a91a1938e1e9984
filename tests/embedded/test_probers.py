import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from embedded.grpchealth import request
from embedded.probers import Prober, target
from embedded.probing import Probe
from embedded.process import Ended, News, Said

OWN = {"name": "c", "ports": [{"containerPort": 8080, "name": "http1"}]}


@asynccontextmanager
async def serving(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that says one thing; its port, and what it was asked."""
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1 << 16))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


def prober(address: str = "tcp:127.0.0.1:1", output: Path = Path("out")) -> Prober:
    async def never(_command: tuple[str, ...], _output: Path) -> Any:
        raise AssertionError

    return Prober(OWN, address, execute=never, output=output)


def probe(action: Any, **settings: Any) -> Probe:
    return Probe(kind="readiness", action=action, settings=settings, timeout_s=5.0)


@pytest.mark.parametrize(
    ("port", "found"),
    [
        (None, "unix:/s"),
        (0, "unix:/s"),
        (8080, "unix:/s"),
        ("http1", "unix:/s"),
        ("user-port", "unix:/s"),
        (9000, "tcp:127.0.0.1:9000"),
        ("9000", "tcp:127.0.0.1:9000"),
    ],
)
def test_a_containers_port_is_the_one_it_was_given(port: Any, found: str) -> None:
    assert target(OWN, port, "unix:/s") == found


async def test_a_port_nobody_named_is_told() -> None:
    assert await prober().attempt(probe("tcpSocket", port="metrics")) == (
        "tcpSocket: couldn't find port: 'metrics'"
    )


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.1 302 Found\r\n\r\n", ""),
        (b"HTTP/1.1 500 No\r\n\r\n", "HTTP probe failed with statuscode: 500"),
        (b"220 ready\r\n", "HTTP probe failed: the answer is no HTTP"),
        (b"", "HTTP probe failed: the answer is no HTTP"),
    ],
)
async def test_http_succeeds_from_200_to_399(answer: bytes, failure: str) -> None:
    headers = [{"name": "x-key", "value": "a\r\nb: c"}, {"name": "host", "value": "h"}]
    async with serving(answer) as (port, asked):
        wanted = probe("httpGet", port=port, path="up", httpHeaders=headers)
        assert await prober().attempt(wanted) == failure
    assert asked[0].startswith(b"GET /up HTTP/1.1\r\nHost: h\r\n")
    assert b"x-key: a  b: c\r\n" in asked[0]


async def test_a_connection_is_enough_for_tcp() -> None:
    async with serving(b"") as (port, _):
        assert await prober(f"tcp:127.0.0.1:{port}").attempt(probe("tcpSocket")) == ""
    assert "tcpSocket: " in await prober().attempt(probe("tcpSocket"))


async def test_a_unix_socket_is_probed_where_a_predictor_listens(tmp_path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        writer.close()
        writer.close()

    async with await asyncio.start_unix_server(talk, tmp_path / "s"):
        found = await prober(f"unix:{tmp_path}/s").attempt(probe("httpGet", port=8080))
    assert found == ""


async def test_a_health_service_is_asked() -> None:
    served = b"\0\0\7\0\0\0\0\0\1" + b"\0\0\0\0\2\x08\1"
    async with serving(served) as (port, asked):
        assert await prober().attempt(probe("grpc", port=port, service="s")) == ""
    assert asked == [request("s", "localhost")]


async def test_what_takes_too_long_failed() -> None:
    is_over = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1 << 16):
            continue
        writer.close()
        is_over.set()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        slow = Probe(kind="liveness", action="httpGet", settings={"port": port}, timeout_s=0.01)
        assert await prober().attempt(slow) == 'Get "/": timed out after 0.01s'
        await is_over.wait()


class Process:
    def __init__(self) -> None:
        self.signals: list[int] = []

    def signal(self, number: int) -> None:
        self.signals.append(number)


@pytest.mark.parametrize(
    ("news", "printed", "failure"),
    [
        ([Ended(0, None)], "", ""),
        ([Ended(1, None)], "not up yet\n", "not up yet"),
        ([Ended(1, None)], "", "the command ended with exit code 1"),
        ([Ended(None, 9)], "", "the command ended with signal 9"),
        ([Said({"failed": "cannot run x"}), Ended(127, None)], "", "cannot run x"),
    ],
)
async def test_a_command_succeeds_with_zero(
    news: list[News], printed: str, failure: str, tmp_path: Path
) -> None:
    async def execute(command: tuple[str, ...], output: Path) -> Any:
        assert command == ("test", "-e", "x")
        output.write_text(printed)
        queue: asyncio.Queue[News] = asyncio.Queue()
        for each in news:
            queue.put_nowait(each)
        return Process(), queue

    made = Prober(OWN, "unix:/s", execute=execute, output=tmp_path / "out")
    assert await made.attempt(probe("exec", command=["test", "-e", "x"])) == failure


async def test_a_command_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    process = Process()

    async def execute(command: tuple[str, ...], output: Path) -> Any:
        return process, asyncio.Queue()

    made = Prober(OWN, "unix:/s", execute=execute, output=tmp_path / "out")
    slow = Probe(kind="liveness", action="exec", settings={"command": ["x"]}, timeout_s=0.01)
    assert await made.attempt(slow) == "command ['x']: timed out after 0.01s"
    assert process.signals == [9]
