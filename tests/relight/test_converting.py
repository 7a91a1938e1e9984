"""What an older server gets, and what it costs."""

import pytest

from relight.converting import converted, unknown_fields, without

BUDGET = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "a"}}
SCALER = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {}}


@pytest.mark.parametrize(
    ("obj", "served", "version"),
    [
        (BUDGET, {"policy/v1", "policy/v1beta1"}, "policy/v1"),
        (BUDGET, {"policy/v1beta1"}, "policy/v1beta1"),
        (BUDGET, set(), "policy/v1"),
        (SCALER, {"autoscaling/v2beta2"}, "autoscaling/v2beta2"),
        ({"apiVersion": "x/v1", "kind": "Y"}, set(), "x/v1"),
    ],
)
def test_versions(obj: dict[str, str], served: set[str], version: str) -> None:
    found, note = converted(obj, lambda version, _: version in served)
    assert found["apiVersion"] == version
    assert bool(note) == (version != obj["apiVersion"])
    assert {**found, "apiVersion": obj["apiVersion"]} == obj


def test_paths_of_a_refusal() -> None:
    one = "failed to create typed patch object: .spec.a[0].b-c: field not declared in schema"
    two = "errors:\n  .spec.x: field not declared in schema\n  .y: field not declared in schema"
    assert unknown_fields(one) == [".spec.a[0].b-c"]
    assert unknown_fields(two) == [".spec.x", ".y"]
    assert unknown_fields("admission webhook denied the request: spec.x: no") == []


def test_fields_are_left_out_and_named() -> None:
    obj = {"kind": "K", "spec": {"a": [{"b-c": 1, "d": 2}], "appProtocol": "h2c"}, "x": 1}
    paths = [".spec.a[0].b-c", ".spec.appProtocol", ".spec.none.x", ".spec.a[7].y"]
    made, notes = without(obj, paths)
    assert made == {"kind": "K", "spec": {"a": [{"d": 2}]}, "x": 1}
    assert notes[0] == "K: b-c is unknown here and left out"
    assert notes[1].endswith("(a hint for meshes and ingresses)")
    assert obj["x"] == 1
