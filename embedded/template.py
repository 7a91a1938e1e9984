"""The zygote of one Revision, which has its model open: started, spoken with, and ended.

For: replicas that share the weights of a model copy-on-write and skip its load.
Must not know: Pods, which Revision it is for, or when one is wanted.

It is a fork of the zygote that all share, so that what was imported there is shared too, and ends
with it. What it forked ends with it.
"""

import asyncio
import os
import signal
from collections.abc import Mapping
from typing import Any

import orjson
from typing_extensions import override

from embedded.zygote import Zygote, ZygoteError, control_sockets

_SPARES = 1  # a fork that skips the load costs milliseconds as it is
_STATUS_BYTES_MAX = 64 * 1024
_STOP_S = 10.0


class TemplateZygote(Zygote):
    """A zygote that another one forks. `request` is what a replica's start is asked with."""

    def __init__(self, name: str, parent: Zygote, request: Mapping[str, Any]) -> None:
        super().__init__(env={}, spares=_SPARES)
        self.name = name
        self.request = request
        self.is_ready = False
        self._parent = parent
        self._gone = asyncio.Event()
        self._fewer = asyncio.Event()  # one that it forked has ended

    @override
    async def start(self) -> dict[str, Any]:
        """Have it forked; what it said of itself once its model is open. ZygoteError: why not."""
        ours, theirs = control_sockets()
        reading, writing = os.pipe()
        asked = {"kind": "template", "spares": self._spares}
        words = {name: self.request[name] for name in ("args", "env", "cwd")}
        try:
            self._parent.launch(
                self.name,
                {**words, **asked},
                (theirs.fileno(), 2, writing),
                on_start=lambda _: None,
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
        self.is_ready = True
        return said

    def close(self) -> None:
        """Speak with it no more: it ends by itself."""
        self.is_ready = False
        self._close()

    def _ended(self, code: int | None, number: int | None) -> None:
        del code, number  # it is told by those it forked
        self.close()
        self._fail("the template ended before its model was open")
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
