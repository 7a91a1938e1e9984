from typing import Any

import pytest

from api.kinds import Resource
from cluster.errors import BadRequestError
from embedded.definitions import ScalePaths
from embedded.scale import applied_by, scale_of, version_of, with_scale
from tests.cluster.serving import deployment


def test_a_scale_shows_how_many_and_which() -> None:
    raw = deployment(replicas=3) | {"status": {"replicas": 2}}
    raw["metadata"] |= {"uid": "u", "resourceVersion": "7", "labels": {"x": "y"}}
    raw["spec"]["selector"]["matchLabels"] = {"b": "2", "a": "1"}
    assert scale_of(raw) == {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {"name": "d", "namespace": "default", "uid": "u", "resourceVersion": "7"},
        "spec": {"replicas": 3},
        "status": {"replicas": 2, "selector": "a=1,b=2"},
    }


def test_a_new_deployment_has_none_yet() -> None:
    raw = deployment()
    del raw["spec"]["replicas"]
    assert scale_of(raw)["spec"] == {"replicas": 1}
    assert scale_of(raw)["status"]["replicas"] == 0


def test_only_replicas_change() -> None:
    raw = deployment()
    after = with_scale(raw, {"spec": {"replicas": 0}})
    assert after["spec"] == {**raw["spec"], "replicas": 0}
    assert after["spec"]["template"] is raw["spec"]["template"]
    assert raw["spec"]["replicas"] == 1
    assert with_scale(raw, {"spec": {}})["spec"]["replicas"] == 0  # as in Kubernetes


@pytest.mark.parametrize(
    "scale",
    [
        None,
        [],
        {},
        {"spec": None},
        {"spec": 1},
        *({"spec": {"replicas": x}} for x in (-1, "1", True, 1.0)),
    ],
)
def test_what_is_no_scale_is_refused(scale: Any) -> None:
    with pytest.raises(BadRequestError, match=r"spec\.replicas"):
        with_scale(deployment(), scale)


def test_a_scale_says_what_it_was_read_from() -> None:
    read = {"metadata": {"uid": "u", "resourceVersion": "7", "name": "d"}}
    assert version_of(read) == {"uid": "u", "resourceVersion": "7"}
    assert version_of({}) == version_of([]) == {}
    with pytest.raises(BadRequestError, match="metadata: must be an object"):
        version_of({"metadata": True})


def test_what_applies_a_scale_applies_where_the_definition_says() -> None:
    resource = Resource("example.com", "v1", "widgets", "Widget", "widget")
    paths = ScalePaths(replicas=".spec.counts.wanted", status_replicas=".status.ready")
    made = applied_by(resource, {"name": "w"}, {"spec": {"replicas": 5}}, paths)
    assert made["spec"] == {"counts": {"wanted": 5}}
    assert made["metadata"] == {"name": "w"}
