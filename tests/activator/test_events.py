"""Payload events: who wants them, and what they say."""

import json
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from activator.events import (
    Answered,
    Capture,
    Identity,
    request_event,
    response_event,
)
from api.payload_logs import Logging

IDENTITY = Identity(
    namespace="default",
    revision="iris-predictor-00001",
    inference_service="iris",
    component="predictor",
)
LOGGING = Logging(
    url="http://sink:1/in",
    has_requests=True,
    has_responses=True,
    metadata_headers=("X-User", "X-None"),
)


def capture(*pieces: bytes, limit: int = 100) -> Capture:
    made = Capture(limit)
    for piece in pieces:
        made.add(piece)
    return made


def test_a_request_event() -> None:
    event = request_event(
        LOGGING,
        IDENTITY,
        event_id=b"id-1",
        time_s=1_700_000_000.25,
        headers={b"content-type": b"application/json", b"x-user": b"Ann"},
        body=capture(b'{"a":', b"1}"),
    )
    assert (event.url, event.body) == ("http://sink:1/in", b'{"a":1}')
    assert event.headers == {
        "ce-specversion": "1.0",
        "ce-type": "org.kubeflow.serving.inference.request",
        "ce-id": "id-1",
        "ce-source": "/namespaces/default/revisions/iris-predictor-00001",
        "ce-time": "2023-11-14T22:13:20.250Z",
        "ce-inferenceservicename": "iris",
        "ce-namespace": "default",
        "ce-component": "predictor",
        "ce-endpoint": "default",
        "ce-revisionname": "iris-predictor-00001",
        "ce-metadata": "{%22X-User%22:[%22Ann%22]}",
        "content-type": "application/json",
    }


def test_a_response_event_has_its_own_type_status_and_digest() -> None:
    event = response_event(
        LOGGING,
        IDENTITY,
        event_id=b"id-1",
        headers={b"content-type": b"application/json"},
        answered=Answered(
            time_s=0.0,
            status=500,
            latency_s=0.0123,
            headers={b"content-type": b"text/plain", b"relight-model-digest": b"sha256:ab"},
            is_whole=False,
        ),
        body=capture(b"oops"),
    )
    said = event.headers
    assert said["ce-type"] == "org.kubeflow.serving.inference.response"
    assert (said["ce-id"], said["ce-statuscode"], said["ce-latencyms"]) == ("id-1", "500", "12.3")
    assert (said["ce-modeldigest"], said["ce-incomplete"]) == ("sha256:ab", "true")
    assert said["content-type"] == "text/plain"


def test_a_body_that_is_too_large_is_cut_and_said_to_be() -> None:
    event = request_event(
        LOGGING,
        IDENTITY,
        event_id=b"i",
        time_s=0.0,
        headers={},
        body=capture(b"abc", b"defg", b"hi", limit=5),
    )
    assert event.body == b"abcde"
    assert (event.headers["ce-truncated"], event.headers["ce-bodybytes"]) == ("true", "9")
    assert event.headers["content-type"] == "application/octet-stream"


@given(st.binary(max_size=30))
def test_any_id_travels_as_one_header_line(event_id: bytes) -> None:
    event = request_event(
        LOGGING, IDENTITY, event_id=event_id, time_s=0.0, headers={}, body=capture()
    )
    said = event.headers["ce-id"]
    assert all(0x21 <= ord(each) <= 0x7E for each in said)
    assert '"' not in said


@given(st.lists(st.binary(max_size=10)), st.integers(1, 30))
def test_a_capture_is_the_beginning_of_what_passed(pieces: list[bytes], limit: int) -> None:
    made, whole = capture(*pieces, limit=limit), b"".join(pieces)
    assert made.body() == whole[:limit]
    assert made.size == len(whole)
    assert made.is_truncated == (len(whole) > limit)


def test_metadata_is_json() -> None:
    headers = {b"x-user": 'é"%'.encode()}
    event = request_event(
        LOGGING, IDENTITY, event_id=b"i", time_s=0.0, headers=headers, body=capture()
    )
    said = json.loads(unquote(event.headers["ce-metadata"]))
    assert said == {"X-User": ['é"%'.encode().decode("latin-1")]}
