"""A small HTTP/1.1 client for tests: one connection, answers as they come."""

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: test"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body or method == "POST":
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def infer_body(values: Any, name: str = "x", datatype: str = "FP32") -> bytes:
    tensor = {"name": name, "shape": [len(values), 2], "datatype": datatype, "data": values}
    return orjson.dumps({"inputs": [tensor]})


def parse(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode().split("\r\n")
    pairs = (line.split(": ", 1) for line in lines if line)
    return int(first.split()[1]), {name.lower(): value for name, value in pairs}


async def read_reply(reader: asyncio.StreamReader, *, has_body: bool = True) -> Reply:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
    status, headers = parse(head)
    length = int(headers["content-length"]) if has_body else 0
    body = await asyncio.wait_for(reader.readexactly(length), PATIENCE_S)
    return Reply(status=status, headers=headers, body=body)


class Client:
    """A blocking connection to a Unix socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE_S)
        self._socket.connect(str(path))
        self._file = self._socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self) -> Reply:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self._file.readline()
            assert line, "the connection ended before an answer"
            head += line
        status, headers = parse(head)
        body = self._file.read(int(headers["content-length"]))
        return Reply(status=status, headers=headers, body=body)

    def ask(self, data: bytes) -> Reply:
        self.send(data)
        return self.read()

    def is_ended(self) -> bool:
        """Wait for the end of the connection."""
        return self._file.read(1) == b""

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Poll for something another process does."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, f"gave up waiting until {what}"
        time.sleep(0.005)
