"""Questions that make no sense are told by the field; answers have the form asked for."""

import base64
import copy
from typing import Any

import orjson
import pytest

from api import kinds
from controller import webhook_reviews
from controller.webhook_reviews import ALLOWED, ReviewError, Verdict
from tests.controller.reviews import read, review

Raw = dict[str, Any]
SERVICE = {"metadata": {"name": "iris", "namespace": "shop"}, "spec": {}}


def without(raw: Raw, path: str) -> Raw:
    raw = copy.deepcopy(raw)
    *steps, last = path.split(".")
    inner = raw
    for step in steps:
        inner = inner[step]
    del inner[last]
    return raw


def having(raw: Raw, path: str, value: Any) -> Raw:
    raw = copy.deepcopy(raw)
    *steps, last = path.split(".")
    inner = raw
    for step in steps:
        inner = inner[step]
    inner[last] = value
    return raw


CREATE = review(kinds.SERVICES, SERVICE, user="ann")
UPDATE = review(kinds.SERVICES, SERVICE, copy.deepcopy(SERVICE))
METADATA = "request.object.metadata"


def test_a_question_is_read() -> None:
    found = read(CREATE)
    assert (found.group, found.version, found.plural) == ("serving.knative.dev", "v1", "services")
    assert (found.operation, found.namespace, found.user) == ("CREATE", "shop", "ann")
    assert (found.new, found.old, found.subresource) == (SERVICE, None, "")
    assert read(UPDATE).old == SERVICE
    assert read(review(kinds.SERVICES, None, SERVICE)).operation == "DELETE"


@pytest.mark.parametrize("path", ["request.namespace", "request.userInfo", "request.oldObject"])
def test_what_may_be_left_out(path: str) -> None:
    assert read(without(CREATE, path)).new == SERVICE


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ([], "the body: must be an object, not a list"),
        ({}, "apiVersion: must be admission.k8s.io/v1, not null"),
        (
            having(CREATE, "apiVersion", "admission.k8s.io/v1beta1"),
            "apiVersion: must be admission.k8s.io/v1, not 'admission.k8s.io/v1beta1'",
        ),
        (having(CREATE, "kind", "Pod"), "kind: must be AdmissionReview, not 'Pod'"),
        (without(CREATE, "request"), "request: must be an object, not null"),
        (having(CREATE, "request", 1), "request: must be an object, not 1"),
        (without(CREATE, "request.uid"), "request.uid: must be a text, not null"),
        (having(CREATE, "request.uid", ""), "request.uid: must be a text, not ''"),
        (without(CREATE, "request.resource"), "request.resource: must be an object, not null"),
        (
            having(CREATE, "request.resource.resource", {}),
            "request.resource.resource: must be a text, not an object",
        ),
        (
            having(CREATE, "request.operation", "PEEK"),
            "request.operation: 'PEEK': want one of CREATE, UPDATE, DELETE, CONNECT",
        ),
        (
            having(CREATE, "request.userInfo", "ann"),
            "request.userInfo: must be an object, not 'ann'",
        ),
        (
            having(CREATE, "request.userInfo.username", 7),
            "request.userInfo.username: must be a text, not 7",
        ),
        (having(CREATE, "request.object", None), "request.object: must be an object on CREATE"),
        (
            having(UPDATE, "request.oldObject", None),
            "request.oldObject: must be an object on UPDATE",
        ),
        (having(CREATE, "request.object", "x"), "request.object: must be an object, not 'x'"),
        (having(CREATE, METADATA, None), f"{METADATA}: must be an object, not null"),
        (
            having(CREATE, f"{METADATA}.annotations", [1]),
            f"{METADATA}.annotations: must be an object, not a list",
        ),
        (
            having(UPDATE, "request.oldObject.metadata", True),
            "request.oldObject.metadata: must be an object, not True",
        ),
    ],
)
def test_what_makes_no_sense_is_told_by_the_field(raw: Any, expected: str) -> None:
    with pytest.raises(ReviewError) as caught:
        read(raw)
    assert str(caught.value) == expected


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_no_review(body: bytes) -> None:
    with pytest.raises(ReviewError, match="the body is no JSON"):
        webhook_reviews.read(body)


def answered(verdict: Verdict) -> Raw:
    raw = orjson.loads(webhook_reviews.answer(read(CREATE), verdict))
    assert (raw["apiVersion"], raw["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    assert raw["response"].pop("uid") == CREATE["request"]["uid"]
    return dict(raw["response"])


def test_answers_have_the_form_that_is_asked_for() -> None:
    assert answered(ALLOWED) == {"allowed": True}
    assert answered(Verdict(warnings=("careful",))) == {"allowed": True, "warnings": ["careful"]}
    assert answered(Verdict(message="no", code=403, reason="Forbidden")) == {
        "allowed": False,
        "status": {"status": "Failure", "message": "no", "code": 403, "reason": "Forbidden"},
    }
    found = answered(Verdict(patch=[{"op": "remove", "path": "/a"}]))
    assert found.pop("patchType") == "JSONPatch"
    assert orjson.loads(base64.b64decode(found.pop("patch"))) == [{"op": "remove", "path": "/a"}]
    assert found == {"allowed": True}
