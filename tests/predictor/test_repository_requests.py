from typing import Any

import pytest

from predictor.errors import RequestError
from predictor.repository_requests import Ask, Listed, State, read


class Exchange:
    def __init__(self, method: str, path: str, body: bytes = b"") -> None:
        self.method = method.encode()
        self.path = path.encode()
        self._body = body

    def take(self) -> bytes:
        return self._body


def asked(method: str, path: str, body: bytes = b"") -> Ask:
    exchange: Any = Exchange(method, path, body)
    return read(exchange)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", Ask(what="alive")),
        ("HEAD", "/healthz", Ask(what="server ready")),
        ("GET", "/v2/", Ask(what="server")),
        ("GET", "/openapi.json", Ask(what="openapi")),
        ("GET", "/v2/models", Ask(what="models")),
        ("GET", "/v1/models/a", Ask(what="ready", name="a")),
        ("POST", "/v1/models/a:predict", Ask(what="model", name="a")),
        ("GET", "/v2/models/a%2Db", Ask(what="model", name="a-b")),
        ("GET", "/v2/models/a/ready", Ask(what="ready", name="a")),
        ("POST", "/v2/models/a/versions/1/infer", Ask(what="model", name="a")),
        ("POST", "/v2/repository/index", Ask(what="index")),
        ("POST", "/v2/repository/models/a/load", Ask(what="load", name="a")),
        ("POST", "/v2/repository/models/a/unload", Ask(what="unload", name="a")),
    ],
)
def test_what_is_asked(method: str, path: str, expected: Ask) -> None:
    assert asked(method, path) == expected


def test_bodies_of_the_extension() -> None:
    assert asked("POST", "/v2/repository/index", b'{"ready": true}').is_ready_only
    body = b'{"parameters": {"unload_dependents": false}}'
    assert asked("POST", "/v2/repository/models/a/unload", body).what == "unload"


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("GET", "/nowhere", b"", "nothing is served at /nowhere"),
        ("POST", "/v2/repository/models/a/explode", b"", "nothing is served at"),
        ("POST", "/v2/repository/models/a", b"", "nothing is served at"),
        ("POST", "/v2/health/live", b"", "/v2/health/live takes GET, not POST"),
        ("POST", "/v1/models/a", b"", "/v1/models/a takes GET, not POST"),
        ("TRACE", "/v2/models/a/ready", b"", "/v2/models/a/ready takes GET, not TRACE"),
        ("GET", "/v2/repository/index", b"", "/v2/repository/index takes POST, not GET"),
        ("POST", "/v2/repository/index", b"[]", "must be a JSON object"),
        ("POST", "/v2/repository/index", b'{"ready": 1}', "ready: expected true or false"),
        ("POST", "/v2/repository/index", b'{"x": 1}', "unknown field 'x'"),
        ("POST", "/v2/repository/models/a/load", b'{"parameters": 1}', "parameters: expected an"),
        (
            "POST",
            "/v2/repository/models/a/load",
            b'{"parameters": {"config": "{}"}}',
            "parameters.config: this model can not honour it",
        ),
    ],
)
def test_what_is_wrong_is_refused_in_words(method: str, path: str, body: bytes, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        asked(method, path, body)
    assert said in str(caught.value)


def test_a_line_of_the_index() -> None:
    line = Listed(name="a", state=State.READY, reason="")
    assert line.is_ready
    assert line.raw() == {"name": "a", "version": "", "state": "READY", "reason": ""}
    failed = Listed(name="a", state=State.FAILED, reason="damaged")
    assert failed.raw()["state"] == "UNAVAILABLE"
    assert failed.raw()["reason"] == "damaged"
    assert "asked for" in Listed(name="a", state=State.STANDBY, reason="").raw()["reason"]
