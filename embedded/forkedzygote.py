"""A zygote that another one forks: started, spoken with, and ended.

For: zygotes in which more is ready than in the one that all share: a model, libraries.
Must not know: Pods, what is ready in it, or when one is wanted.

What was imported in its parent is shared with it, and it ends with its parent. What it forked
ends with it.
"""

import asyncio
import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from typing_extensions import override

from embedded.zygote import Zygote, ZygoteError, control_sockets

_STATUS_BYTES_MAX = 64 * 1024
_STOP_S = 10.0


class ForkedZygote(Zygote):
    """One of them. `asked` is what its parent is told of what it is to be."""

    def __init__(self, name: str, parent: Zygote, asked: Mapping[str, Any], *, spares: int) -> None:
        super().__init__(env={}, spares=spares)
        self.name = name
        self._asked = {**asked, "spares": spares}
        self.is_ready = False
        self._parent = parent
        self._pid = 0
        self._gone = asyncio.Event()
        self._fewer = asyncio.Event()  # one that it forked has ended

    @override
    async def start(self) -> dict[str, Any]:
        """Have it forked; what it said of itself once it is ready. ZygoteError: why it is not."""
        ours, theirs = control_sockets()
        reading, writing = os.pipe()
        try:
            self._parent.launch(
                self.name,
                self._asked,
                (theirs.fileno(), 2, writing),
                on_start=self._born,
                on_exit=self._ended,
            )
        finally:
            theirs.close()
            os.close(writing)
        try:
            said = await self._speak(ours)
        except ZygoteError as error:
            self.close()
            raise ZygoteError(_why(reading) or str(error)) from None
        finally:
            os.close(reading)
        self.inherited_bytes = _beyond_parent(self._pid)
        self.is_ready = True
        return said

    def _born(self, pid: int) -> None:
        self._pid = pid

    def close(self) -> None:
        """Speak with it no more: it ends by itself."""
        self.is_ready = False
        self._close()

    def _ended(self, code: int | None, number: int | None) -> None:
        del code, number  # it is told by those it forked
        self.close()
        self._fail(f"{self.name} ended before it was ready")
        for name in list(self._exits):
            self._exited(name, None, signal.SIGKILL)
        self._gone.set()

    @override
    async def wait(self) -> int:
        """Return once it is gone."""
        await self._gone.wait()
        return 0

    @override
    def _exited(self, name: str, code: int | None, number: int | None) -> None:
        super()._exited(name, code, number)
        self._fewer.set()

    @property
    def is_parent(self) -> bool:
        """Whether something that it forked still runs."""
        return bool(self._exits)

    async def retire(self) -> None:
        """End it once all that it forked have ended: they may be answering."""
        while self._exits:
            self._fewer.clear()
            await self._fewer.wait()
        await self.stop()

    @override
    async def stop(self) -> None:
        """End it and all it started."""
        self._is_stopped = True
        self.is_ready = False
        self._parent.signal(self.name, signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_S):
                await self._gone.wait()
        except TimeoutError:
            self._parent.signal(self.name, signal.SIGKILL)


def _beyond_parent(pid: int) -> int:
    """Bytes of private writable memory, as RLIMIT_DATA counts it, that its parent has not."""
    try:
        own, parent = _status(pid, "VmData"), _status(_status(pid, "PPid"), "VmData")
    except OSError:
        return 0  # nobody tells, or it is gone
    return max(0, own - parent) * 1024


def _status(pid: int, name: str) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{name}:\s+([0-9]+)", text, re.MULTILINE)
    return int(found[1]) if found else 0


def _why(descriptor: int) -> str:
    """What it wrote before it ended."""
    os.set_blocking(descriptor, False)
    try:
        data = os.read(descriptor, _STATUS_BYTES_MAX)
    except BlockingIOError:
        return ""
    for line in data.splitlines():
        return str(orjson.loads(line).get("failed", ""))
    return ""
