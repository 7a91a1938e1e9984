"""V1 predictions as CloudEvents, in both forms."""

import base64
import contextlib
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.cloud_events import EventCodec, is_event
from predictor.errors import RequestError
from predictor.model import Signature, TensorSpec
from predictor.protocol_v1 import CodecV1

X = TensorSpec(name="x", datatype="FP32", shape=(-1, 2))
V1 = CodecV1(Signature(inputs=[X], outputs=[]))
DATA = {"instances": [[1.0, 2.0]]}
OUTPUTS = {"y": np.array([7])}
BINARY = {
    b"ce-specversion": b"1.0",
    b"ce-id": b"1",
    b"ce-source": b"/me",
    b"ce-type": b"ask",
    b"content-type": b"application/json",
}
STRUCTURED = {b"content-type": b"application/cloudevents+json; charset=UTF-8"}
EVENT = {"specversion": "1.0", "id": "1", "source": "/me", "type": "ask", "data": DATA}


def codec(headers: dict[bytes, bytes]) -> EventCodec:
    return EventCodec(V1, headers, model_name="m", identity="new")


def test_only_what_says_so_is_an_event() -> None:
    assert is_event(BINARY)
    assert is_event(STRUCTURED)
    assert is_event({b"content-type": b"Application/CloudEvents-batch+json"})
    assert not is_event({})
    assert not is_event({b"content-type": b"application/json"})


def test_a_binary_event_is_answered_in_headers() -> None:
    one = codec(BINARY)
    request = one.decode(orjson.dumps(DATA))
    assert request.feeds["x"].tolist() == [[1.0, 2.0]]
    assert one.encode(request, OUTPUTS).body == b'{"predictions":[7]}'
    assert one.encode(request, OUTPUTS).head.decode().splitlines() == [
        "content-type: application/json",
        "ce-specversion: 1.0",
        "ce-id: new",
        "ce-source: io.kserve.inference.m",
        "ce-type: io.kserve.inference.response",
    ]


@pytest.mark.parametrize(
    "event",
    [
        EVENT,
        {**EVENT, "datacontenttype": "application/json", "time": "now", "extension": 1},
        {
            **{name: value for name, value in EVENT.items() if name != "data"},
            "data_base64": base64.b64encode(orjson.dumps(DATA)).decode(),
        },
    ],
)
def test_a_structured_event_is_answered_in_an_envelope(event: dict[str, Any]) -> None:
    one = codec(STRUCTURED)
    request = one.decode(orjson.dumps(event))
    assert request.feeds["x"].tolist() == [[1.0, 2.0]]
    assert orjson.loads(one.encode(request, OUTPUTS).body) == {
        "specversion": "1.0",
        "id": "new",
        "source": "io.kserve.inference.m",
        "type": "io.kserve.inference.response",
        "datacontenttype": "application/json",
        "data": {"predictions": [7]},
    }
    assert one.encode(request, OUTPUTS).head == b"content-type: application/cloudevents+json\r\n"


@pytest.mark.parametrize(
    ("headers", "body", "words"),
    [
        ({**BINARY, b"ce-specversion": b"0.3"}, DATA, "header ce-specversion: expected 1.0"),
        ({**BINARY, b"ce-id": b""}, DATA, "header ce-id: expected an attribute .* got nothing"),
        ({**BINARY, b"content-type": b"text/plain"}, DATA, "datacontenttype"),
        (BINARY, {"rows": []}, "unknown field 'rows'"),
        (STRUCTURED, [], "must be a JSON object"),
        (STRUCTURED, DATA, "specversion: expected an attribute of CloudEvents, got nothing"),
        (STRUCTURED, {**EVENT, "id": 5}, "id: expected .* got a whole number"),
        (STRUCTURED, {**EVENT, "data": 5}, "must be a JSON object, not a whole number"),
        (STRUCTURED, {**EVENT, "data_base64": "?"}, "data_base64: expected base64"),
        (STRUCTURED, {**EVENT, "data_base64": 5}, "data_base64: expected base64"),
        (STRUCTURED, {**EVENT, "datacontenttype": 5}, "datacontenttype: expected"),
        (STRUCTURED, {n: v for n, v in EVENT.items() if n != "data"}, "data: expected the body"),
        (
            {b"content-type": b"application/cloudevents-batch+json"},
            [EVENT],
            "content-type: expected application/cloudevents.json, got",
        ),
    ],
)
def test_what_is_wrong_is_named(headers: dict[bytes, bytes], body: Any, words: str) -> None:
    with pytest.raises(RequestError, match=words) as caught:
        codec(headers).decode(orjson.dumps(body))
    assert caught.value.status == 400


@given(st.binary(max_size=60), st.sampled_from([BINARY, STRUCTURED]))
def test_any_body_is_read_or_refused(body: bytes, headers: dict[bytes, bytes]) -> None:
    with contextlib.suppress(RequestError):
        assert codec(headers).decode(body).feeds["x"].shape[1] == 2
