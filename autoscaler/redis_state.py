"""The state of the autoscaler in Redis, or Valkey, where several machines reach it.

For: clusters, where whoever takes over runs somewhere else. Needs the extra `redis`.
Must not know: what is in a blob, when it is read or written.

One hash, a field for each Revision: `namespace/name`. The newest writer wins, so only whoever
leads may write. A lost connection is made again by the next call.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from redis.exceptions import RedisClusterException, RedisError

from autoscaler.keeping import StoreError
from autoscaler.redis_urls import AnyRedis, close_redis, open_redis
from autoscaler.scaler import Key

HASH: Final = "relight:autoscaler:windows"
_TIMEOUT_S: Final = 2.0  # to connect, and of every answer
_SCAN: Final = 1000  # fields in one answer: others' commands have a go in between


class RedisWindows:
    """A `WindowStore`. Nothing is connected before the first call."""

    def __init__(self, url: str, *, name: str = HASH, timeout_s: float = _TIMEOUT_S) -> None:
        """ValueError names what is wrong with the URL."""
        self._name = name
        try:
            self._redis: AnyRedis = open_redis(url, timeout_s=timeout_s)
        except (ValueError, TypeError) as error:
            raise ValueError(f"not the URL of a Redis: {error}") from error

    async def load(self) -> Mapping[Key, bytes]:
        """Everything that is kept."""
        found: dict[Key, bytes] = {}
        with _told():
            async for field, blob in self._redis.hscan_iter(self._name, count=_SCAN):
                namespace, slash, name = field.decode(errors="replace").partition("/")
                if slash:
                    found[namespace, name] = blob
        return found

    async def save(self, changed: Mapping[Key, bytes], gone: Collection[Key]) -> None:
        """Keep these, and those no longer, in one transaction."""
        if not changed and not gone:
            return
        with _told():
            async with self._redis.pipeline(transaction=True) as pipeline:
                if changed:
                    fields: dict[Any, Any] = {_field(key): blob for key, blob in changed.items()}
                    pipeline.hset(self._name, mapping=fields)
                if gone:
                    pipeline.hdel(self._name, *map(_field, gone))
                await pipeline.execute()

    async def close(self) -> None:
        """Let go of the connections."""
        with _told():
            await close_redis(self._redis)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (RedisError, RedisClusterException, OSError) as error:
        raise StoreError(f"Redis: {error}") from error


def _field(key: Key) -> str:
    return f"{key[0]}/{key[1]}"
