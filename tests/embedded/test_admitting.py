from typing import Any

import pytest

from api.errors import FieldError, InvalidObjectError
from api.kinds import (
    CLUSTERSERVINGRUNTIMES,
    INFERENCESERVICES,
    PODS,
    SERVICES,
    SERVINGRUNTIMES,
    Resource,
)
from api.objects import Raw
from cluster.errors import BadRequestError, ForbiddenError, InvalidError
from cluster.options import WriteOptions
from embedded.admitting import Admission

WRITE = WriteOptions(user="ann")
OBJECT = {"metadata": {"name": "x"}}


def refusing(resource: Resource, new: Raw, old: Raw | None, *, user: str) -> dict[str, Any]:
    raise InvalidObjectError(
        [
            FieldError(message="missing field(s)", paths=("spec.a", "spec.b")),
            FieldError(message="too odd", paths=("spec.c",), details="see there"),
        ]
    )


def test_it_asks_with_everything_and_stores_the_answer() -> None:
    asked: list[Any] = []

    def admit(resource: Resource, new: Raw, old: Raw | None, *, user: str) -> dict[str, Any]:
        asked.append((resource, new, old, user))
        return {**new, "spec": "defaulted"}

    old = {"metadata": {"name": "x"}, "spec": "old"}
    admitted = Admission(admit)(SERVICES, OBJECT, old, WRITE)
    assert asked == [(SERVICES, OBJECT, old, "ann")]
    assert admitted == {**OBJECT, "spec": "defaulted"}
    assert admitted["metadata"] is not OBJECT["metadata"]  # the server will write into it


def test_refusals_are_those_of_knatives_webhook() -> None:
    with pytest.raises(BadRequestError) as refused:
        Admission(refusing)(SERVICES, OBJECT, None, WRITE)
    assert refused.value.message == (
        'admission webhook "validation.webhook.serving.knative.dev" denied the request: '
        "validation failed: missing field(s): spec.a, spec.b\ntoo odd: spec.c\nsee there"
    )


@pytest.mark.parametrize(
    ("resource", "webhook"),
    [
        (INFERENCESERVICES, "inferenceservice"),
        (SERVINGRUNTIMES, "servingruntime"),
        (CLUSTERSERVINGRUNTIMES, "clusterservingruntime"),
    ],
)
def test_refusals_are_those_of_kserves_webhooks(resource: Resource, webhook: str) -> None:
    with pytest.raises(ForbiddenError) as refused:
        Admission(refusing)(resource, OBJECT, None, WRITE)
    assert refused.value.message == (
        f'admission webhook "{webhook}.kserve-webhook-server.validator" denied the request: '
        "missing field(s): spec.a, spec.b\ntoo odd: spec.c\nsee there"
    )


def test_kubernetes_own_kinds_are_invalid_by_field() -> None:
    with pytest.raises(InvalidError) as refused:
        Admission(refusing)(PODS, OBJECT, None, WRITE)
    causes = refused.value.details["causes"]
    assert [cause["field"] for cause in causes] == ["spec.a, spec.b", "spec.c"]
