import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from cluster.errors import ApiError, UnauthorizedError
from embedded.answering import answer, refused


def asking(path: str = "/", **headers: str) -> web.Request:
    return make_mocked_request("GET", path, {k.replace("_", "-"): v for k, v in headers.items()})


def body_of(response: web.Response) -> bytes:
    assert isinstance(response.body, bytes)
    return response.body


def test_pretty_is_for_people() -> None:
    assert body_of(answer(asking(), {"a": 1})) == b'{"a":1}'
    assert body_of(answer(asking("/?pretty=true"), {"a": 1})) == b'{\n  "a": 1\n}\n'
    assert body_of(answer(asking("/?pretty=false"), {"a": 1})) == b'{"a":1}'


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("application/yaml", "application/yaml"),
        ("application/yaml,application/json", "application/json"),
        ("*/*", "application/json"),
        ("application/vnd.kubernetes.protobuf", "application/json"),
    ],
)
def test_yaml_is_for_who_reads_nothing_else(accept: str, content_type: str) -> None:
    response = answer(asking(Accept=accept), {"a": [1]})
    assert response.content_type == content_type
    assert yaml.safe_load(body_of(response)) == {"a": [1]}


def test_long_answers_are_compressed_for_who_asks() -> None:
    long = {"a": "x" * 200_000}
    assert answer(asking(Accept_Encoding="gzip"), long).compression
    assert not answer(asking(), long).compression
    assert not answer(asking(Accept_Encoding="gzip"), {"a": 1}).compression


def test_warnings_are_quoted_and_told_once() -> None:
    response = answer(asking(), {}, warnings=['say "a"', 'say "a"', "b\nc"])
    assert response.headers.getall("Warning") == ['299 - "say \\"a\\""', '299 - "b c"']


def test_refusals_say_when_to_come_back_and_what_is_missing() -> None:
    busy = refused(asking(), ApiError(429, "TooManyRequests", "later", {"retryAfterSeconds": 3}))
    assert busy.headers["Retry-After"] == "3"
    assert busy.status == 429
    assert refused(asking(), UnauthorizedError("no")).headers["WWW-Authenticate"] == "Bearer"
