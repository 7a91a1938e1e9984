"""How a Redis is reached, from one line: alone, a cluster of them, or behind sentinels.

For: every form in which Redis (or Valkey) is run, with TLS and with passwords that rotate.
Must not know: what is kept there.

    redis://[USER[:PASSWORD]@]HOST[:PORT][/DB]    rediss://... with TLS    unix://PATH
    redis+cluster://[...@]HOST[:PORT][,HOST...]   the nodes to ask first; also rediss+cluster
    redis+sentinel://[...@]HOST[:PORT][,HOST...]/NAME[/DB]   the sentinels; also rediss+sentinel

Options follow a `?`: `username`, `password_file`, and of TLS `ssl_ca_certs`, `ssl_certfile`,
`ssl_keyfile`, `ssl_check_hostname`; of sentinels `sentinel_password_file`. `@FILE` in place of a
URL is the file that has it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from typing_extensions import override

ALONE: Final = ("redis", "rediss", "unix")
_CLUSTER: Final = "+cluster"
_SENTINEL: Final = "+sentinel"
_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379
_CONNECTIONS_MAX: Final = 2
_PATHS: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_TRUTHS: Final = {"true": True, "false": False}

AnyRedis = Redis | RedisCluster


@dataclass(frozen=True, slots=True)
class _File(CredentialProvider):
    """A password in a file, read for each connection: whoever rotates it needs no restart."""

    path: Path
    username: str

    @override
    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """What AUTH is told. OSError is a failed connection, tried again like any other."""
        password = self.path.read_text().strip()
        return (self.username, password) if self.username else (password,)


def open_redis(url: str, *, timeout_s: float) -> AnyRedis:
    """A client of it; nothing is connected yet. ValueError says what is wrong with the URL."""
    parts, options = _split(_line(url))
    sentinel_file = options.pop("sentinel_password_file", "")
    if sentinel_file and not parts.scheme.endswith(_SENTINEL):
        raise ValueError(f"sentinel_password_file: not of {parts.scheme}")
    settings = {**_bounds(timeout_s), **_credentials(parts, options), **_tls(parts, options)}
    if options:
        raise ValueError(f"{min(options)}: not an option of a Redis URL")
    if parts.scheme.endswith(_CLUSTER):
        return _cluster(parts, settings)
    if parts.scheme.endswith(_SENTINEL):
        return _behind_sentinels(parts, settings, sentinel_file)
    plain = parts._replace(query="", netloc=parts.netloc.rpartition("@")[2]).geturl()
    if parts.scheme == "unix":
        plain = f"unix://{parts.path}"  # geturl would leave out an empty host
    settings.pop("ssl", None)  # the scheme says it
    return Redis.from_url(plain, max_connections=_CONNECTIONS_MAX, **settings)


async def close_redis(redis: AnyRedis) -> None:
    """Let go of its connections, those to sentinels as well."""
    await redis.aclose()
    pool = getattr(redis, "connection_pool", None)
    for each in getattr(getattr(pool, "sentinel_manager", None), "sentinels", ()):
        await each.aclose()


def _line(url: str) -> str:
    if not url.startswith("@"):
        return url
    try:
        return Path(url[1:]).read_text().strip()
    except OSError as error:
        raise ValueError(f"{url[1:]}: {error.strerror}") from error


def _split(url: str) -> tuple[SplitResult, dict[str, str]]:
    parts = urlsplit(url)
    base, plus, form = parts.scheme.partition("+")
    is_known = base in ALONE and (not plus or (form in ("cluster", "sentinel") and base != "unix"))
    if not is_known:
        raise ValueError(
            f'scheme "{parts.scheme}": expected redis, rediss or unix, or redis+cluster, '
            "redis+sentinel or the same of rediss"
        )
    return parts, dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=False))


def _bounds(timeout_s: float) -> dict[str, Any]:
    return {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0),  # the keeper tries again, and counts
    }


def _credentials(parts: SplitResult, options: dict[str, str]) -> dict[str, Any]:
    who, at, _ = parts.netloc.rpartition("@")
    name, _, password = who.partition(":")
    name, password = unquote(name), unquote(password)
    name = options.pop("username", "") or name
    file = options.pop("password_file", "")
    if file and password:
        raise ValueError("password_file: there is a password in the URL as well")
    if file:
        return {"credential_provider": _File(_existing("password_file", file), name)}
    if (at or name) and not password:
        raise ValueError("a user without a password: say USER:PASSWORD@ or password_file=PATH")
    return {"username": name or None, "password": password} if password else {}


def _tls(parts: SplitResult, options: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for option in _PATHS:
        if option in options:
            found[option] = str(_existing(option, options.pop(option)))
    if "ssl_check_hostname" in options:
        text = options.pop("ssl_check_hostname")
        if text not in _TRUTHS:
            raise ValueError(f'ssl_check_hostname: expected true or false, got "{text}"')
        found["ssl_check_hostname"] = _TRUTHS[text]
    if found and not parts.scheme.startswith("rediss"):
        raise ValueError(f"{min(found)}: only of rediss")
    return {**found, "ssl": True} if parts.scheme.startswith("rediss") else {}


def _existing(option: str, path: str) -> Path:
    if not Path(path).is_file():
        raise ValueError(f"{option}: {path} is not a file")
    return Path(path)


def _hosts(parts: SplitResult, port: int) -> list[tuple[str, int]]:
    hosts = []
    for each in parts.netloc.rpartition("@")[2].split(","):
        try:
            one = urlsplit(f"//{each}")
            if not one.hostname or "@" in each:
                raise ValueError  # noqa: TRY301 - told below, with the rest
            hosts.append((one.hostname, one.port or port))
        except ValueError:
            raise ValueError(f'"{each}" is not HOST or HOST:PORT') from None
    return hosts


def _cluster(parts: SplitResult, settings: Mapping[str, Any]) -> RedisCluster:
    if parts.path.strip("/"):
        raise ValueError(f'"{parts.path}": a cluster has one database, without a number')
    nodes = [ClusterNode(host, port) for host, port in _hosts(parts, _PORT)]
    return RedisCluster(startup_nodes=nodes, **settings)


def _behind_sentinels(parts: SplitResult, settings: Mapping[str, Any], sentinel_file: str) -> Redis:
    name, _, database = parts.path.strip("/").partition("/")
    if not name or not (database or "0").isdigit():
        raise ValueError(f'"{parts.path}": expected /NAME or /NAME/DB after the sentinels')
    own = {each: settings[each] for each in settings if not each.startswith(("user", "pass", "cr"))}
    if sentinel_file:
        path = _existing("sentinel_password_file", sentinel_file)
        own["credential_provider"] = _File(path, "")
    make: Any = Sentinel  # untyped
    sentinel = make(_hosts(parts, _SENTINEL_PORT), sentinel_kwargs=own)
    found: Redis = sentinel.master_for(
        name, db=int(database or 0), max_connections=_CONNECTIONS_MAX, **settings
    )
    return found
