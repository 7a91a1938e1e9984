"""What the activator answers to gRPC itself."""

import pytest

from activator.call_pages import call_page
from embedded.protobuf import fields

SERVICE = b"/inference.GRPCInferenceService/"


@pytest.mark.parametrize(
    "path", [SERVICE + b"ServerLive", SERVICE + b"ServerReady", b"/grpc.health.v1.Health/Check"]
)
def test_it_is_there(path: bytes) -> None:
    assert call_page(path, []) == b"\x08\x01"


def test_who_it_is() -> None:
    message = call_page(SERVICE + b"ServerMetadata", [])
    assert message is not None
    assert dict(fields(message))[1] == b"relight"


def test_the_index_names_the_models() -> None:
    long = "m" * 200
    message = call_page(SERVICE + b"RepositoryIndex", ["a", long])
    assert message is not None
    models = [dict(fields(each)) for _, each in fields(message)]
    assert models == [{1: b"a", 3: b"READY"}, {1: long.encode(), 3: b"READY"}]


@pytest.mark.parametrize("path", [SERVICE + b"ModelInfer", b"/x.Y/Z", b"/"])
def test_all_else_is_not_ours(path: bytes) -> None:
    assert call_page(path, ["a"]) is None
