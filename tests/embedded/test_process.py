import asyncio
import os
import secrets
import signal
import socket
from collections import deque
from itertools import count
from pathlib import Path

import orjson
import pytest

from embedded import process
from embedded.process import Ended, News, ReplicaProcess, Said, free_port, listen, until_listening
from embedded.zygote import ExitCallback


class Asked:
    """A zygote that remembers what it was asked, and lets the test speak for the process."""

    def __init__(self) -> None:
        self.signals: list[tuple[str, int]] = []
        self.report_fd = -1
        self.on_exit: ExitCallback | None = None

    def launch(self, name, request, fds, *, on_start, on_exit):  # type: ignore[no-untyped-def] # as Zygote.launch
        self.report_fd = os.dup(fds[-1])
        self.on_exit = on_exit

    def signal(self, name: str, number: int) -> None:
        self.signals.append((name, number))


def launched(kind: str = "exec") -> tuple[Asked, ReplicaProcess, "asyncio.Queue[News]"]:
    zygote, news = Asked(), asyncio.Queue[News]()
    process = ReplicaProcess("n", zygote, news)  # type: ignore[arg-type] # stands in for a Zygote
    process.launch({"kind": kind}, ())
    return zygote, process, news


async def test_what_it_says_last_comes_before_its_end() -> None:
    zygote, process, news = launched()
    os.write(zygote.report_fd, b'{"failed": "no ')
    os.write(zygote.report_fd, b'model"}\n')
    os.close(zygote.report_fd)
    assert zygote.on_exit is not None
    zygote.on_exit(1, None)
    assert news.get_nowait() == Said({"failed": "no model"})
    assert news.get_nowait() == Ended(1, None)
    process.signal(15)
    assert zygote.signals == [("n", 15)]


async def test_news_come_as_they_are_written() -> None:
    zygote, _, news = launched()
    os.write(zygote.report_fd, b'{"ready": true}\n')
    async with asyncio.timeout(10):
        assert await news.get() == Said({"ready": True})
    os.close(zygote.report_fd)
    assert zygote.on_exit is not None
    zygote.on_exit(None, 9)
    async with asyncio.timeout(10):
        assert await news.get() == Ended(None, 9)


async def test_a_bound_socket_queues_before_anyone_accepts() -> None:
    path = Path(f"/tmp/rl-{os.getpid()}.sock")
    path.write_text("stale")
    with listen(path):
        _, writer = await asyncio.open_unix_connection(str(path))
        writer.close()
        await writer.wait_closed()
    path.unlink()


@pytest.mark.parametrize(
    ("told", "first", "second"),
    [
        ("32768\t60999", 61004, 61006),  # 61004 is drawn twice
        ("32768\t65000", 40000, 40001),  # too few are left: the kernel is asked
        ("unknown", 40000, 40001),
    ],
)
def test_a_port_is_not_one_that_others_are_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, told: str, first: int, second: int
) -> None:
    (tmp_path / "range").write_text(told)
    drawn, asked = iter([61004, 61004, 61006]), count(40000)
    monkeypatch.setattr(process, "_KERNEL_PORTS", tmp_path / "range")
    monkeypatch.setattr(process, "_handed_out", deque())
    monkeypatch.setattr(process, "_bound", lambda port: port or next(asked))
    monkeypatch.setattr(secrets, "choice", lambda ports: ports[ports.index(next(drawn))])
    assert [free_port(), free_port()] == [first, second]


def test_a_port_that_is_bound_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        taken = one.getsockname()[1]
        drawn = iter([taken, 0])  # 0: any that is free
        monkeypatch.setattr(process, "_quiet_ports", lambda: range(1))
        monkeypatch.setattr(secrets, "choice", lambda _: next(drawn))
        assert free_port() != taken
    assert not list(drawn)


async def test_a_command_is_ready_once_its_port_accepts() -> None:
    port, news = free_port(), asyncio.Queue[News]()
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        tasks.create_task(until_listening(port, news))
        await asyncio.sleep(0)
        assert news.empty()
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
        async with server:
            assert await news.get() == Said({"ready": True})


async def test_a_predictor_is_told_over_the_channel_on_which_it_reports(tmp_path: Path) -> None:
    zygote, process, news = launched("predictor")
    with socket.socket(fileno=zygote.report_fd) as theirs, (tmp_path / "log").open("wb") as log:
        process.settle()
        assert orjson.loads(theirs.recv(4096)) == {"op": "settle"}
        theirs.send(b'{"settled": true}\n')
        async with asyncio.timeout(10):
            assert await news.get() == Said({"settled": True})
        process.freeze()
        process.resume(log.fileno())
        data, fds, _, _ = socket.recv_fds(theirs, 4096, 2)
        assert orjson.loads(data)["op"] == "resume"
        assert Path(f"/proc/self/fd/{fds[0]}").readlink() == tmp_path / "log"
        os.close(fds[0])
        assert zygote.signals == [("n", signal.SIGSTOP), ("n", signal.SIGCONT)]
        others: asyncio.Queue[News] = asyncio.Queue()
        process.hear(others)
        theirs.send(b'{"ready": true}\n')
        async with asyncio.timeout(10):
            assert await others.get() == Said({"ready": True})
        assert zygote.on_exit is not None
        assert not process.is_over
        zygote.on_exit(0, None)
        assert process.is_over
        assert others.get_nowait() == Ended(0, None)
        assert news.empty()
        process.settle()  # nobody is there any more


async def test_one_that_ends_with_an_order_unread_has_ended() -> None:
    zygote, process, news = launched("predictor")
    process.settle()
    os.close(zygote.report_fd)
    await asyncio.sleep(0)
    assert zygote.on_exit is not None
    zygote.on_exit(None, 9)
    assert await news.get() == Ended(None, 9)
