"""What a request's head asks for: a plan, or an answer of the activator's own.

For: everything that is decided once for a head, before a Revision's queue comes into it.
Must not know: queues, replicas, bodies.
"""

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import lru_cache, partial
from typing import Generic, TypeVar

import orjson

from activator import errors, pages, refusing
from activator.call_pages import call_page
from activator.config import Settings
from activator.errors import About, Fault
from activator.plans import Plan, client_request_id
from activator.routing import Router
from activator.statistics import Statistics
from activator.targets import RevisionKey, Way
from activator.throttler import Refusal
from api import keys, model_calls
from api.model_calls import MODEL_METHODS, Named
from wire import grpc
from wire.exchange import Exchange
from wire.peeking import Peek

H = TypeVar("H")
_TAG = keys.HEADER_TAG.encode()
_TIMEOUT = keys.HEADER_TIMEOUT.encode()
_PROBE = keys.HEADER_PROBE.encode()
_HASH = keys.HEADER_HASH.encode()
_TO_REVISION = keys.HEADER_TO_REVISION.encode()
_TO_NAMESPACE = keys.HEADER_TO_NAMESPACE.encode()
_CALL_TIMEOUT = b"grpc-timeout"
_DEBUG_PATH = b"/relight/debug"
_PEERS_MAX = 1024


class Planner(Generic[H]):
    """Reads heads. A request without a plan has been answered."""

    def __init__(
        self,
        settings: Settings,
        router: Router,
        *,
        holder_of: Callable[[RevisionKey], H | None],
        statistics: Callable[[], Statistics],
        fresh_id: Callable[[], bytes],
        told: Callable[[bytes, str, int], None],
    ) -> None:
        """`told` learns of each refusal: the request's id, the reason and the status."""
        self._settings = settings
        self._router = router
        self._holder_of = holder_of
        self._statistics = statistics
        self._fresh_id = fresh_id
        self._told = told
        self._is_inside = _membership(settings.inside_networks)
        self._found: dict[Exchange, Way] = {}  # of calls that are asked again, in this moment

    def plan(self, exchange: Exchange, version: int) -> Plan[H] | None:
        """Work out what follows from a head; None: the request has been answered."""
        index = exchange.index
        if _PROBE in index:
            exchange.respond(*pages.probe(index[_PROBE], index.get(_HASH, b"")))
            return None
        way = self._router.find(index.get(b"host", b""), exchange.target, index.get(_TAG))
        if _TO_REVISION in index and _TO_NAMESPACE in index and self._is_inside(exchange.peer):
            # An entry before us has chosen. From outside it would be a way around what is private.
            way = self._router.addressed(index[_TO_NAMESPACE], index[_TO_REVISION])
        is_named = way is None  # by its body, if at all
        if way is None:
            way = self._found.pop(exchange, None)
        if way is None or (way.is_inside_only and not self._is_inside(exchange.peer)):
            self._answer_self(exchange)
            return None
        is_call = refusing.is_call(exchange)
        asked_s = self._asked_s(exchange, is_call=is_call)
        if isinstance(asked_s, Fault):
            detail = f"a number of seconds over 0, at most {self._settings.timeout_s_max:g}"
            about = About(request_id=self.request_id(exchange), detail=detail)
            self.refuse(exchange, asked_s, about)
            return None
        only = way.target.only
        plan = Plan(
            exchange,
            version=version,
            way=way,
            holder=self._holder_of(only) if only is not None else None,
            asked_s=asked_s,
            is_call=is_call,
        )
        if not is_named:
            exchange.head.memo = plan
        return plan

    def _asked_s(self, exchange: Exchange, *, is_call: bool) -> float | Fault | None:
        """How long the caller waits, if it says; what it says may be at fault."""
        index, most_s = exchange.index, self._settings.timeout_s_max
        asked_s = None
        if _TIMEOUT in index:
            asked_s = timeout_s(index[_TIMEOUT], most_s)
            if asked_s is None:
                return Fault.BAD_TIMEOUT
        if is_call and _CALL_TIMEOUT in index:
            call_s = grpc.timeout_s(index[_CALL_TIMEOUT])
            if call_s is None:
                return Fault.BAD_CALL_TIMEOUT
            asked_s = min(call_s, most_s if asked_s is None else asked_s)
        return asked_s

    def request_id(self, exchange: Exchange) -> bytes:
        """The id of a request that has no plan."""
        return client_request_id(exchange) or self._fresh_id()

    def _answer_self(self, exchange: Exchange) -> None:
        """Requests that no Route serves: our own paths on the bare host, else 404."""
        is_bare = self._router.is_bare(exchange.index.get(b"host", b""))
        if is_bare and refusing.is_call(exchange):
            self._answer_call(exchange)
            return
        local = is_local(exchange.peer)
        own = pages.page(exchange.path, self._router.models()) if is_bare else None
        if own is not None:
            exchange.respond(200, *own)
        elif is_bare and exchange.path == _DEBUG_PATH and local:
            body = orjson.dumps(asdict(self._statistics()))
            exchange.respond(200, b"content-type: application/json\r\n", body)
        elif is_bare and exchange.path == _DEBUG_PATH:
            self.refuse(exchange, Fault.LOCAL_ONLY, About(request_id=self.request_id(exchange)))
        else:
            fault = Fault.UNKNOWN_MODEL if is_bare else Fault.UNKNOWN_HOST
            hosts = self._router.hosts() if local else ()
            self.refuse(exchange, fault, About(request_id=self.request_id(exchange), hosts=hosts))

    def _answer_call(self, exchange: Exchange) -> None:
        """gRPC on the bare host: what we answer ourselves, and models named in a first message."""
        path = exchange.path
        message = call_page(path, self._router.models())
        if message is not None:
            exchange.respond(
                200, grpc.CONTENT_TYPE, grpc.framed(message), trailers=grpc.OK_TRAILERS
            )
        elif path in MODEL_METHODS:
            look = partial(model_calls.named, path, exchange.index.get(b"grpc-encoding", b""))
            Peek(
                exchange,
                look,
                self._named,
                self._unnamed,
                bytes_max=model_calls.BODY_BYTES_MAX,
                wait_s=self._settings.client.body_s,
            ).begin()
        else:
            self.refuse(exchange, Fault.UNKNOWN_METHOD, About(request_id=self.request_id(exchange)))

    def _named(self, exchange: Exchange, named: Named, body: bytes) -> None:
        index = exchange.index
        way = self._router.find(index.get(b"host", b""), named.path, index.get(_TAG))
        if way is None or (way.is_inside_only and not self._is_inside(exchange.peer)):
            about = About(request_id=self.request_id(exchange))
            self.refuse(exchange, Fault.UNKNOWN_MODEL, about)
            return
        self._found[exchange] = way
        exchange.again(body)

    def _unnamed(self, exchange: Exchange, why: str) -> None:
        about = About(request_id=self.request_id(exchange), detail=why)
        self.refuse(exchange, Fault.BAD_CALL, about)

    def refuse(self, exchange: Exchange, why: Fault | Refusal, about: About) -> None:
        """Answer with a refusal from the table."""
        self._told(about.request_id, why.value, errors.status_of(why))
        refusing.refuse(exchange, why, about)


def timeout_s(value: bytes, most_s: float) -> float | None:
    """How long a caller says it waits; None for what is no such number."""
    try:
        asked_s = float(value)
    except ValueError:
        return None
    return asked_s if 0 < asked_s <= most_s else None  # not NaN either


def is_local(peer: str) -> bool:
    """Whether a client is on this machine."""
    address = _address(peer)
    return not peer or (address is not None and address.is_loopback)


def _membership(networks: Iterable[str]) -> Callable[[str], bool]:
    """Whether a client is in one of these networks. A Unix socket is in all of them."""
    parsed = [ipaddress.ip_network(network) for network in networks]

    @lru_cache(maxsize=_PEERS_MAX)
    def is_inside(peer: str) -> bool:
        address = _address(peer)
        return not peer or (address is not None and any(address in each for each in parsed))

    return is_inside


def _address(peer: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
