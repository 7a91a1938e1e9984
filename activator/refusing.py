"""Send a refusal in the protocol of its caller: JSON, or the status of a gRPC call.

For: one place that knows which of the two a request is answered in.
Must not know: why a request is refused, what is in the table.
"""

from activator import errors
from activator.errors import About, Fault
from activator.throttler import Refusal
from wire import grpc
from wire.exchange import Exchange


def is_call(exchange: Exchange) -> bool:
    """Whether a request is a gRPC call. Trailers end it, which HTTP/1.1's clients do not read."""
    return grpc.is_grpc(exchange.index.get(b"content-type")) and exchange.is_http2


def refuse(exchange: Exchange, why: Refusal | Fault, about: About) -> None:
    """Answer with a refusal from the table."""
    if is_call(exchange):
        exchange.respond(200, errors.call_head(why, about), b"")
    else:
        answer = errors.answer(why, about)
        exchange.respond(answer.status, answer.headers, answer.body)


def cut(exchange: Exchange, why: Refusal | Fault, about: About) -> None:
    """End an answer that began and can not be finished, so that it shows."""
    if is_call(exchange):
        exchange.end(errors.call_trailers(why, about))
    else:
        exchange.abort()
