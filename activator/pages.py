"""What the activator answers for itself, on the bare host.

For: health checks, and clients that ask the server before they ask a model: V1 and V2.
Must not know: connections, queues, replicas.
"""

from collections.abc import Sequence
from importlib.metadata import version

import orjson

_JSON = b"content-type: application/json\r\n"
_TEXT = b"content-type: text/plain\r\n"
_VERSION = version("relight")
_EXTENSIONS = ("binary_tensor_data",)  # what goes through to our predictors

Page = tuple[bytes, bytes]  # header lines, body


def page(path: bytes, models: Sequence[str]) -> Page | None:
    """The page of a path; None: there is none. `models` are the names that can be asked for.

    The platform is live and ready when it answers at all: a model at zero is woken by its first
    request, so none has to be loaded (kserve.md 1.9 and 1.10 have the shapes).
    """
    match path:
        case b"/relight/healthz":
            return _TEXT, b"ok\n"
        case b"/":
            return _json({"status": "alive"})
        case b"/v2":
            extensions = list(_EXTENSIONS)
            return _json({"name": "relight", "version": _VERSION, "extensions": extensions})
        case b"/v2/health/live":
            return _json({"live": True})
        case b"/v2/health/ready":
            return _json({"ready": True})
        case b"/v1/models" | b"/v2/models":
            return _json({"models": list(models)})
        case _:
            return None


def probe(value: bytes, network_hash: bytes) -> tuple[int, bytes, bytes]:
    """The answer to K-Network-Probe, as Knative's activator gives it (knative.md 2.1 and 2.2)."""
    if value == b"activator":
        return 200, _TEXT, b"activator"
    if value != b"probe":
        return 400, _TEXT, b'unexpected probe header value: "%b"\n' % value
    if not network_hash:
        return 400, _TEXT, b'a probe request must contain a non-empty "K-Network-Hash" header\n'
    return 200, _TEXT + b"k-network-hash: %b\r\n" % network_hash, b""


def _json(content: object) -> Page:
    return _JSON, orjson.dumps(content)
