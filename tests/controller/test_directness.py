from typing import Any

import pytest

from controller.directness import is_direct, obstacle
from tests.controller.objects import a_revision

OURS = {"name": "c", "image": "relight/predictor:1", "args": ["--model", "/m.onnx"]}


def revision(container: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    spec = {"timeoutSeconds": 300, "containers": [OURS | (container or {})]}
    annotations = fields.pop("annotations", {})
    return a_revision(spec=spec | fields, annotations=annotations)


def test_our_predictor_counts_and_limits_for_itself() -> None:
    assert obstacle(revision()) == ""
    assert is_direct(revision(responseStartTimeoutSeconds=300, idleTimeoutSeconds=0))


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (revision({"image": "example.com/serve"}), "its container is not relight/predictor"),
        (revision({"command": ["serve"]}), "its container is not relight/predictor"),
        (revision({"args": ["--repository", "/models"]}), "a repository of models"),
        (revision({"ports": [{"name": "h2c", "containerPort": 8080}]}), "its port is named h2c"),
        (revision(annotations={"relight.dev/logger": "{}"}), "relight.dev/logger"),
        (revision(responseStartTimeoutSeconds=10), "responseStartTimeoutSeconds"),
        (revision(idleTimeoutSeconds=10), "idleTimeoutSeconds"),
    ],
)
def test_what_only_activators_do_keeps_them_in_the_path(made: dict[str, Any], why: str) -> None:
    assert why in obstacle(made)
    assert not is_direct(made)
