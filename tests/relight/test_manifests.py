from copy import deepcopy
from typing import Any

import pytest

from api import serving
from relight import manifests
from relight.containers import Run
from relight.errors import UsageError
from relight.manifests import Wanted

IRIS = Wanted(name="iris", run=Run(model="/a.onnx"), source_digest="sha256:aa")


def stored(wanted: Wanted, **status: Any) -> dict[str, Any]:
    service = manifests.build(wanted, None)
    service["metadata"] |= {"uid": "1", "resourceVersion": "7", "generation": 1}
    service["spec"].setdefault("traffic", [{"latestRevision": True, "percent": 100}])
    return {**service, "status": status}


def test_a_new_service() -> None:
    wanted = Wanted(
        name="iris",
        namespace="lab",
        run=Run(model="/a.onnx"),
        concurrency=4,
        timeout_s=30,
        annotations={"autoscaling.knative.dev/min-scale": "1"},
        source_digest="sha256:aa",
    )
    assert manifests.build(wanted, None) == {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "iris", "namespace": "lab"},
        "spec": {
            "template": {
                "metadata": {
                    "annotations": {
                        "autoscaling.knative.dev/min-scale": "1",
                        "relight.dev/source-digest": "sha256:aa",
                    }
                },
                "spec": {
                    "containerConcurrency": 4,
                    "timeoutSeconds": 30,
                    "containers": [{"image": "relight/predictor", "args": ["--model", "/a.onnx"]}],
                },
            }
        },
    }


def test_what_is_built_is_a_valid_service() -> None:
    service = serving.Service.parse(manifests.build(IRIS, None))
    assert service.template.spec.pod["containers"][0]["args"] == ["--model", "/a.onnx"]


def test_a_new_service_needs_something_to_run() -> None:
    with pytest.raises(UsageError, match="iris does not exist yet: say what to run"):
        manifests.build(Wanted(name="iris", concurrency=1), None)


def test_the_same_again_changes_nothing() -> None:
    old = stored(IRIS)
    assert manifests.build(IRIS, old)["spec"] == old["spec"]


def test_a_file_with_new_content_is_a_change_though_its_path_is_the_same() -> None:
    old = stored(IRIS)
    new = manifests.build(
        Wanted(name="iris", run=Run(model="/a.onnx"), source_digest="sha256:bb"), old
    )
    assert new["spec"] != old["spec"]


def test_the_digest_of_a_former_source_does_not_stay() -> None:
    new = manifests.build(Wanted(name="iris", run=Run(model="s3://b/m.onnx")), stored(IRIS))
    assert "annotations" not in new["spec"]["template"]["metadata"]


def test_a_change_of_scale_keeps_the_model() -> None:
    annotations = {"autoscaling.knative.dev/max-scale": "3"}
    new = manifests.build(Wanted(name="iris", annotations=annotations), stored(IRIS))
    template = new["spec"]["template"]
    assert template["spec"]["containers"][0]["args"] == ["--model", "/a.onnx"]
    assert template["metadata"]["annotations"] == {
        "relight.dev/source-digest": "sha256:aa",
        "autoscaling.knative.dev/max-scale": "3",
    }


def test_the_resource_version_is_kept_and_the_status_is_not_sent() -> None:
    new = manifests.build(IRIS, stored(IRIS, url="http://x"))
    assert new["metadata"]["resourceVersion"] == "7"
    assert "status" not in new


def test_beside_a_sidecar_the_serving_container_is_changed() -> None:
    old = stored(IRIS)
    (main,) = old["spec"]["template"]["spec"]["containers"]
    side = {"name": "side", "image": "side"}
    ported = {**main, "name": "main", "ports": [{"containerPort": 8080}]}
    old["spec"]["template"]["spec"]["containers"] = [side, ported]
    new = manifests.build(Wanted(name="iris", run=Run(model="/b.onnx")), old)
    found = new["spec"]["template"]["spec"]["containers"]
    assert found[0] == side
    assert found[1]["args"][:2] == ["--model", "/b.onnx"]


def test_a_revision_name_gets_the_prefix_once() -> None:
    for given in ("v2", "iris-v2"):
        wanted = Wanted(name="iris", run=Run(model="/a.onnx"), revision_name=given)
        assert manifests.build(wanted, None)["spec"]["template"]["metadata"]["name"] == "iris-v2"


def test_a_chosen_revision_name_is_given_up_when_something_changes() -> None:
    old = stored(Wanted(name="iris", run=Run(model="/a.onnx"), revision_name="v1"))
    same = manifests.build(Wanted(name="iris", run=Run(model="/a.onnx")), old)
    assert same["spec"]["template"]["metadata"] == {"name": "iris-v1"}
    changed = manifests.build(Wanted(name="iris", concurrency=2), old)
    assert "name" not in changed["spec"]["template"]["metadata"]


def test_a_model_name_is_told_to_the_predictor_and_to_the_router() -> None:
    new = manifests.build(Wanted(name="iris", run=Run(model="/a.onnx", model_name="flowers")), None)
    template = new["spec"]["template"]
    assert template["metadata"]["annotations"] == {"relight.dev/model-name": "flowers"}
    assert template["spec"]["containers"][0]["args"][-2:] == ["--model-name", "flowers"]


def test_a_canary_keeps_the_serving_revision_by_name() -> None:
    old = stored(IRIS, traffic=[{"revisionName": "iris-00001", "percent": 100}])
    new = manifests.build(
        Wanted(name="iris", run=Run(model="/b.onnx"), canary_percent=20, tag="new"), old
    )
    assert new["spec"]["traffic"] == [
        {"latestRevision": False, "revisionName": "iris-00001", "percent": 80},
        {"latestRevision": True, "percent": 20, "tag": "new"},
    ]


def test_a_canary_needs_something_to_compare_with() -> None:
    for old in (None, stored(IRIS)):
        with pytest.raises(UsageError, match=r"no ready revision to keep the other 80 % on"):
            manifests.build(Wanted(name="iris", run=Run(model="/a.onnx"), canary_percent=20), old)


def test_the_old_object_is_not_touched() -> None:
    old = stored(IRIS)
    before = deepcopy(old)
    manifests.build(Wanted(name="iris", concurrency=2, tag="x", revision_name="n"), old)
    assert old == before
