"""Tell a warm Pod what to be, over HTTP.

For: one bounded call, and what became of the Pod in words that a claimant understands.
Must not know: which Pod to call, or what follows from the answer.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import orjson

from api import pool
from autoscaler.answers import TooLongError, whole

_CONNECT_S: Final = 1.0  # it was ready a moment ago
_BEYOND_WAIT_S: Final = 2.0
_BYTES_MAX: Final = 64 * 1024


class CallError(Exception):
    """The Pod did not take the claim; str() says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a Pod said of itself."""

    is_serving: bool
    failed: str = ""  # why its replica ended
    fork_ms: float | None = None
    load_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One claim."""

    address: str
    key: str
    id: str
    revision: str
    assignment: pool.Assignment


class Caller:
    """Makes the calls."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def claim(self, call: Call, *, wait_s: float) -> Told:
        """The answer, held back until the replica serves or `wait_s` have passed; CallError."""
        body = {
            "id": call.id,
            "revision": call.revision,
            "args": call.assignment.args,
            "env": call.assignment.env,
            "wait_s": wait_s,
        }
        timeout = aiohttp.ClientTimeout(total=wait_s + _BEYOND_WAIT_S, sock_connect=_CONNECT_S)
        try:
            async with self._session.post(
                f"http://{call.address}{pool.CLAIM_PATH}",
                data=orjson.dumps(body),
                headers={"Authorization": f"Bearer {call.key}"},
                timeout=timeout,
            ) as answer:
                said = await whole(answer, bytes_max=_BYTES_MAX)
        except TimeoutError:
            raise CallError(f"{call.address} did not answer in {timeout.total:g} s") from None
        except (aiohttp.ClientError, OSError, TooLongError) as error:
            raise CallError(f"{call.address}: {error}") from error
        return _read(answer.status, said, call.address)


def _read(status: int, said: bytes, address: str) -> Told:
    try:
        raw: Any = orjson.loads(said)
        if status == 500 and "failed" in raw:  # it was taken, and came to nothing
            return Told(is_serving=False, failed=str(raw["failed"]))
        if status != 200:
            raise CallError(f"{address} answered {status}: {raw.get('error', '')}")
        return Told(
            is_serving=raw["phase"] == "serving",
            fork_ms=_number(raw.get("fork_ms")),
            load_ms=_number(raw.get("load_ms")),
        )
    except (ValueError, KeyError, AttributeError, TypeError):
        raise CallError(f"{address} answered {status} with {said[:80]!r}") from None


def _number(raw: Any) -> float | None:
    return float(raw) if isinstance(raw, int | float) else None


@asynccontextmanager
async def caller() -> AsyncIterator[Caller]:
    """A caller with connections of its own; a Pod is called once, so none is kept."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Caller(session)
