"""Pods of components: Knative's complaints, at the paths at which users wrote them."""

from typing import Any

import pytest

from api.component_pods import check
from api.fields import Faults
from tests.api.inferences import complaints, container


def said(pod: Any, *, model: Any = None, is_whole: bool = True) -> str:
    def read(_: Any) -> None:
        faults = Faults()
        check(pod, "spec.predictor", faults, model=model, is_whole=is_whole)
        faults.raise_any()

    return complaints(read, None)


BAD = {"image": "example.com/x", "workingDirectory": "/"}


def test_a_good_pod_passes() -> None:
    assert said({"containers": [container()], "nodeSelector": {"a": "b"}}) == ""


@pytest.mark.parametrize("is_whole", [True, False])
def test_paths_are_the_users(is_whole: bool) -> None:
    assert said({"containers": [BAD]}, is_whole=is_whole) == (
        "unknown field: spec.predictor.containers[0].workingDirectory"
    )


def test_a_model_comes_first_and_the_others_keep_their_numbers() -> None:
    pod = {"containers": [container(name="ok"), {**BAD, "name": "bad"}]}
    assert said(pod, model={"tty": True}, is_whole=False) == (
        "must not set the field(s): spec.predictor.model.tty\n"
        "unknown field: spec.predictor.containers[1].workingDirectory"
    )


def test_what_a_runtime_may_bring_is_not_missed_in_a_part() -> None:
    pod = {"containers": [container(name="side", volumeMounts=[{"name": "v", "mountPath": "/v"}])]}
    assert said(pod, model={}, is_whole=False) == ""
    assert "volumeMount has no matching volume" in said(pod)
    two = {"containers": [container(), container(name="side")]}
    assert said(two, is_whole=False) == ""
    assert said(two) == "missing field(s): spec.predictor.containers[*].ports"


@pytest.mark.parametrize(
    "name",
    [
        "containerConcurrency",
        "idleTimeoutSeconds",
        "responseStartTimeoutSeconds",
        "timeoutSeconds",
    ],
)
def test_fields_of_revisions_are_unknown_here(name: str) -> None:
    pod = {"containers": [container()], name: 1}
    assert said(pod) == f"unknown field: spec.predictor.{name}"


def test_containers_must_be_a_list() -> None:
    assert "spec.predictor.containers" in said({"containers": {}})
