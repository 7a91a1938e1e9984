from typing import Any

import pytest

from api.kinds import DEPLOYMENTS, INFERENCESERVICES, PODS, SERVICES
from cluster.errors import BadRequestError
from embedded.fieldcheck import check, unknown_fields
from tests.cluster.serving import deployment, pod, service


def slipped() -> dict[str, Any]:
    raw = pod(lables={})
    raw["spec"]["containers"][0] |= {"imagee": "x", "env": [{"name": "A", "valeu": "1"}]}
    return raw | {"speck": {}}


SENTENCES = [
    'unknown field "metadata.lables"',
    'unknown field "spec.containers[0].imagee"',
    'unknown field "spec.containers[0].env[0].valeu"',
    'unknown field "speck"',
]


def test_every_slip_is_named_by_its_path() -> None:
    assert unknown_fields(PODS, slipped()) == SENTENCES


def test_strict_refuses_warn_tells_ignore_is_silent() -> None:
    with pytest.raises(BadRequestError) as refused:
        check(PODS, slipped(), "Strict")
    assert refused.value.message == "strict decoding error: " + ", ".join(SENTENCES)
    assert check(PODS, slipped(), "Warn") == SENTENCES
    assert check(PODS, slipped(), "Ignore") == []
    with pytest.raises(BadRequestError, match="want one of Ignore, Warn, Strict"):
        check(PODS, pod(), "Lax")


def test_maps_take_any_key() -> None:
    raw = pod(labels={"anything": "x"})
    raw["spec"]["containers"][0]["resources"] = {"limits": {"example.com/gpu": 1}}
    assert unknown_fields(PODS, raw) == []


def test_directives_of_a_patch_are_no_fields() -> None:
    patch = {"spec": {"template": {"spec": {"$setElementOrder/containers": [], "$patch": "merge"}}}}
    assert unknown_fields(DEPLOYMENTS, patch) == []
    assert unknown_fields(DEPLOYMENTS, deployment()) == []


def test_our_own_kinds_are_checked_too() -> None:
    assert unknown_fields(SERVICES, service()) == []
    slip = service(timeoutSecs=3)
    assert unknown_fields(SERVICES, slip) == ['unknown field "spec.template.spec.timeoutSecs"']


def test_what_is_given_twice_is_told_with_the_rest() -> None:
    twice = ['duplicate field "spec"']
    assert check(SERVICES, service(), "Warn", twice=twice) == twice
    with pytest.raises(BadRequestError, match='strict decoding error: duplicate field "spec"'):
        check(SERVICES, service(), "Strict", twice=twice)


@pytest.mark.parametrize(
    "value", [None, 1, "x", [], [[]], {"spec": 7}, {"spec": {"containers": {}}}]
)
def test_any_json_can_be_checked(value: Any) -> None:
    assert unknown_fields(PODS, value) == []


def test_what_is_refused_by_name_is_no_slip_of_the_pen() -> None:
    container = {"image": "a", "lifecycle": {"preStop": {}}, "lifecycles": {}}
    service = {"spec": {"template": {"spec": {"containers": [container], "restartPolicy": "x"}}}}
    assert unknown_fields(SERVICES, service) == [
        'unknown field "spec.template.spec.containers[0].lifecycles"'
    ]
    component = {"workerSpec": {}, "workerSpecs": {}}
    found = unknown_fields(INFERENCESERVICES, {"spec": {"predictor": component}})
    assert found == ['unknown field "spec.predictor.workerSpecs"']
