"""Carry out probes: one attempt, one answer, in Kubernetes' words.

For: httpGet, tcpSocket, exec and grpc against a process of this machine.
Must not know: thresholds, periods, or what is done about an answer.
"""

import asyncio
import re
import signal
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from api.objects import Raw
from embedded import grpchealth
from embedded.probing import Probe
from embedded.process import Ended, News, ReplicaProcess, Said

_ANSWER_BYTES_MAX = 10 * 1024  # of a body, as Kubernetes reads
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})\b")
_OWN_NAMES = ("http1", "h2c", "user-port")
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Execute = Callable[[tuple[str, ...], Path], Awaitable[tuple[ReplicaProcess, "asyncio.Queue[News]"]]]


class Prober:
    """Probes one run of one container."""

    def __init__(self, container: Raw, address: str, *, execute: Execute, output: Path) -> None:
        """`address` stands for the port that it serves on; `output` is where exec writes."""
        self._container = container
        self._address = address
        self._execute = execute
        self._output = output

    async def attempt(self, probe: Probe) -> str:
        """Why it failed; "" if it succeeded."""
        try:
            async with asyncio.timeout(probe.timeout_s):
                return await self._attempt(probe)
        except TimeoutError:
            return f"{_words(probe)}: timed out after {probe.timeout_s:g}s"
        except (OSError, ssl.SSLError) as error:
            return f"{_words(probe)}: {error.strerror or error}".rstrip()

    async def _attempt(self, probe: Probe) -> str:
        settings = probe.settings
        match probe.action:
            case "exec":
                return await self._run(tuple(map(str, settings.get("command") or ())))
            case "httpGet":
                return await self._get(settings)
            case "grpc":
                return await self._check(settings)
            case "tcpSocket":
                _, writer = await self._connect(settings.get("port"))
                writer.close()
                return ""

    async def _connect(self, port: Any, context: ssl.SSLContext | None = None) -> Streams:
        scheme, _, where = target(self._container, port, self._address).partition(":")
        if scheme == "unix":
            return await asyncio.open_unix_connection(where)
        host, _, number = where.rpartition(":")
        return await asyncio.open_connection(host, int(number), ssl=context)

    async def _get(self, settings: Mapping[str, Any]) -> str:
        context = None
        if settings.get("scheme") == "HTTPS":
            context = ssl.create_default_context()
            context.check_hostname = False  # Kubernetes does not verify either
            context.verify_mode = ssl.CERT_NONE
        reader, writer = await self._connect(settings.get("port"), context)
        try:
            writer.write(_request(settings))
            head = await reader.readline()
            found = _STATUS_LINE.match(head)
            if found is None:
                return "HTTP probe failed: the answer is no HTTP"
            code = int(found[1])
            return "" if 200 <= code < 400 else f"HTTP probe failed with statuscode: {code}"
        finally:
            writer.close()

    async def _check(self, settings: Mapping[str, Any]) -> str:
        reader, writer = await self._connect(settings.get("port"))
        answer = grpchealth.Answer()
        try:
            writer.write(grpchealth.request(str(settings.get("service") or ""), "localhost"))
            while answer.failure is None:
                answer.receive(await reader.read(_ANSWER_BYTES_MAX))
                if answer.to_send:
                    writer.write(answer.to_send)
                    answer.to_send = b""
            return answer.failure
        finally:
            writer.close()

    async def _run(self, command: tuple[str, ...]) -> str:
        process, news = await self._execute(command, self._output)
        said = ""
        try:
            while True:
                match await news.get():
                    case Ended(code, _) if code == 0:
                        return ""
                    case Ended(code, number):
                        ended = f"exit code {code}" if code is not None else f"signal {number}"
                        return said or self._printed() or f"the command ended with {ended}"
                    case Said(facts):
                        said = str(facts.get("failed", ""))
                    case _:
                        continue
        except asyncio.CancelledError:
            process.signal(signal.SIGKILL)
            raise

    def _printed(self) -> str:
        if not self._output.exists():
            return ""
        return self._output.read_bytes()[:_ANSWER_BYTES_MAX].decode(errors="replace").strip()


def target(container: Raw, port: Any, address: str) -> str:
    """Where a probe's port is: "unix:/path" or "tcp:host:port".

    The port that a container declares stands for the one it was given; another is what it says.
    """
    ports = container.get("ports") or ()
    own = {ports[0].get("name"), ports[0]["containerPort"]} if ports else set()
    if port in (None, 0, "", *_OWN_NAMES) or port in own:
        return address
    for each in ports:
        if each.get("name") == port:
            port = each["containerPort"]
    if not str(port).isdigit():
        raise OSError(f"couldn't find port: {port!r}")
    return f"tcp:127.0.0.1:{port}"


def _request(settings: Mapping[str, Any]) -> bytes:
    path = str(settings.get("path") or "/")
    headers = {"Host": "localhost", "User-Agent": "kube-probe/relight", "Accept": "*/*"}
    for each in settings.get("httpHeaders") or ():
        name = next((known for known in headers if known.lower() == each["name"].lower()), None)
        headers[name or str(each["name"])] = str(each.get("value", ""))
    lines = [f"GET {path if path.startswith('/') else '/' + path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    # A line break in a name or value would be another header.
    clean = [line.replace("\r", " ").replace("\n", " ") for line in lines]
    return ("\r\n".join([*clean, "Connection: close"]) + "\r\n\r\n").encode()


def _words(probe: Probe) -> str:
    match probe.action:
        case "httpGet":
            return f'Get "{probe.settings.get("path") or "/"}"'
        case "exec":
            return f"command {list(probe.settings.get('command') or ())}"
        case other:
            return other
