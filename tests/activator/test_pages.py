import orjson
import pytest

from activator.pages import page, probe


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (b"/", {"status": "alive"}),
        (b"/v2/health/live", {"live": True}),
        (b"/v2/health/ready", {"ready": True}),
        (b"/v1/models", {"models": ["a", "b"]}),
        (b"/v2/models", {"models": ["a", "b"]}),
    ],
)
def test_clients_may_ask_the_server_before_a_model(path: bytes, content: object) -> None:
    found = page(path, ["a", "b"])
    assert found is not None
    assert orjson.loads(found[1]) == content
    assert b"application/json" in found[0]


def test_the_server_describes_itself() -> None:
    found = page(b"/v2", [])
    assert found is not None
    told = orjson.loads(found[1])
    assert (told["name"], told["extensions"]) == ("relight", ["binary_tensor_data"])


def test_health_and_what_is_not_there() -> None:
    assert page(b"/relight/healthz", []) == (b"content-type: text/plain\r\n", b"ok\n")
    assert page(b"/v2/", []) is None
    assert page(b"/metrics", []) is None


@pytest.mark.parametrize(
    ("value", "digest", "status", "body"),
    [
        (b"probe", b"abc", 200, b""),
        (b"probe", b"", 400, b'a probe request must contain a non-empty "K-Network-Hash" header\n'),
        (b"activator", b"", 200, b"activator"),
        (b"queue", b"abc", 400, b'unexpected probe header value: "queue"\n'),
    ],
)
def test_network_probes(value: bytes, digest: bytes, status: int, body: bytes) -> None:
    found = probe(value, digest)
    assert (found[0], found[2]) == (status, body)
    assert (b"k-network-hash: abc\r\n" in found[1]) == (status == 200 and bool(digest))
