"""Every field that is refused by name is so where it stands, and for the reason given."""

from typing import Any

import pytest

from api import kinds
from api.inference import InferenceService
from api.inference_refusals import BY_PATH, RUNTIME, Refused
from api.runtimes import Runtime
from tests.api.inferences import complaints, container, isvc, predictor

EVERY = [
    (path, name, refused) for path, table in BY_PATH.items() for name, refused in table.items()
]


def with_field(path: str, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"predictor": predictor()}
    for kind in ("transformer", "explainer"):
        if path.startswith(f"spec.{kind}"):
            spec[kind] = {"containers": [container()]}
    at: Any = {"spec": spec}
    for step in path.split("."):
        at = at.setdefault(step, {})
    if path.endswith("logger"):
        at["url"] = "http://sink"
    at[name] = {"x": "y"}
    return isvc(spec)


@pytest.mark.parametrize(("path", "name", "refused"), EVERY, ids=[f"{p}.{n}" for p, n, _ in EVERY])
def test_a_field_is_refused_by_name(path: str, name: str, refused: Refused) -> None:
    words = refused.message or "must not set the field(s)"
    said = complaints(InferenceService.parse, with_field(path, name))
    assert f"{words}: {path}.{name}" in said
    assert refused.message or refused.why in said


@pytest.mark.parametrize("name", RUNTIME)
def test_a_field_of_runtimes_is_refused_by_name(name: str) -> None:
    raw = {
        "apiVersion": kinds.SERVINGRUNTIMES.api_version,
        "kind": "ServingRuntime",
        "metadata": {"name": "mine"},
        "spec": {"containers": [container()], name: {"x": "y"}},
    }
    said = complaints(Runtime.parse, raw)
    assert said == f"must not set the field(s): spec.{name}\n{RUNTIME[name].why}"
    assert (
        complaints(Runtime.parse, {**raw, "spec": {"containers": [container()], name: False}}) == ""
    )


def test_every_reason_is_a_reason() -> None:
    assert all(len(refused.why) > 10 for _, _, refused in EVERY)
