"""What the activator answers for itself to gRPC calls on the bare host.

For: clients that ask the server before they ask a model: live, ready, metadata, health, index.
Must not know: connections, queues, replicas.

The messages are few and flat, so their bytes are written here: field number and type, length, text.
"""

from collections.abc import Sequence
from importlib.metadata import version

_VERSION = version("relight")
_TRUE_IN_1 = b"\x08\x01"  # live, ready, SERVING
_MODELS = 1  # of RepositoryIndexResponse
_NAME, _STATE = 1, 3  # of its models


def call_page(path: bytes, models: Sequence[str]) -> bytes | None:
    """The message that answers a method; None: it is not one of ours.

    As for REST, the platform is ready when it answers at all.
    """
    match path:
        case b"/inference.GRPCInferenceService/ServerLive":
            return _TRUE_IN_1
        case b"/inference.GRPCInferenceService/ServerReady":
            return _TRUE_IN_1
        case b"/grpc.health.v1.Health/Check":
            return _TRUE_IN_1
        case b"/inference.GRPCInferenceService/ServerMetadata":
            return _field(1, b"relight") + _field(2, _VERSION.encode())
        case b"/inference.GRPCInferenceService/RepositoryIndex":
            return b"".join(
                _field(_MODELS, _field(_NAME, name.encode()) + _field(_STATE, b"READY"))
                for name in models
            )
        case _:
            return None


def _field(number: int, value: bytes) -> bytes:
    head = bytearray((number << 3 | 2,))
    size = len(value)
    while size > 127:
        head.append(size & 127 | 128)
        size >>= 7
    head.append(size)
    return bytes(head) + value
