from typing import Any

import pytest

from api import keys
from api.admission import admit
from api.autoscaler_config import Defaults, parse
from api.errors import InvalidObjectError
from api.kinds import CONFIGMAPS, INFERENCESERVICES, REVISIONS, ROUTES, SERVICES
from cluster.errors import BadRequestError
from embedded.capabilities import Machine
from embedded.refusing import refusing


def service(**spec: Any) -> dict[str, Any]:
    container = {"image": "relight/predictor", "args": ["--model", "m.onnx"]}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "s", "namespace": "default"},
        "spec": {"template": {"spec": {"containers": [container], **spec}}},
    }


def test_what_one_machine_does_not_serve_is_refused_by_path() -> None:
    check = refusing(admit, Machine)
    with pytest.raises(InvalidObjectError) as refused:
        check(SERVICES, service(runtimeClassName="gvisor"), None, user="u")
    assert str(refused.value) == (
        "must not set the field(s): spec.template.spec.runtimeClassName\n"
        "not served on one machine: there is no container runtime"
    )


def test_what_a_process_can_do_is_admitted_with_its_defaults() -> None:
    check = refusing(admit, Machine)
    made = check(SERVICES, service(), None, user="u")
    assert made == admit(SERVICES, service(), None, user="u")


def test_a_template_that_did_not_change_is_let_be() -> None:
    check = refusing(admit, Machine)
    stored = admit(SERVICES, service(runtimeClassName="gvisor"), None, user="u")
    again = {**stored, "metadata": {**stored["metadata"], "labels": {"a": "b"}}}
    assert check(SERVICES, again, stored, user="u")["metadata"]["labels"] == {"a": "b"}


def a_setting(namespace: str = "knative-serving", **data: str) -> dict[str, Any]:
    metadata = {"name": "config-gc", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def test_a_setting_that_can_not_be_read_is_refused_as_knative_does() -> None:
    check = refusing(admit, Machine, lambda *said: "wrong" if said[2].get("a") == "x" else "")
    with pytest.raises(BadRequestError) as refused:
        check(CONFIGMAPS, a_setting(a="x"), a_setting(), user="u")
    assert str(refused.value) == (
        'admission webhook "config.webhook.serving.knative.dev" denied the request: validation '
        "failed: wrong"
    )
    assert check(CONFIGMAPS, a_setting(a="y"), None, user="u") == a_setting(a="y")
    assert check(CONFIGMAPS, a_setting(a="x"), a_setting(a="x"), user="u") == a_setting(a="x")


def test_other_kinds_are_none_of_its_business() -> None:
    check = refusing(lambda resource, new, old, *, user, defaults: dict(new), Machine)
    assert check(ROUTES, service(runtimeClassName="x"), None, user="u")["kind"] == "Service"


def isvc(predictor: Any, **others: Any) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "s", "namespace": "default"},
        "spec": {"predictor": predictor, **others},
    }


SKLEARN = {"sklearn": {"storageUri": "a"}}
PULLED = {"imagePullPolicy": "Always", "securityContext": {"privileged": True}}


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (isvc({**SKLEARN, "runtimeClassName": "gvisor"}), "spec.predictor.runtimeClassName"),
        (
            isvc({"sklearn": {**SKLEARN["sklearn"], "securityContext": {"privileged": True}}}),
            "spec.predictor.model.securityContext.privileged",
        ),
        (
            isvc(SKLEARN, transformer={"containers": [{"image": "x/y", **PULLED}]}),
            "spec.transformer.containers[0].securityContext.privileged",
        ),
    ],
)
def test_components_of_an_inference_service_are_looked_at(raw: Any, path: str) -> None:
    with pytest.raises(InvalidObjectError) as refused:
        refusing(admit, Machine)(INFERENCESERVICES, raw, None, user="u")
    assert path in [each for error in refused.value.errors for each in error.paths]


def test_a_component_that_did_not_change_is_let_be() -> None:
    check = refusing(admit, Machine)
    raw = isvc({**SKLEARN, "runtimeClassName": "gvisor"})
    stored = admit(INFERENCESERVICES, raw, None, user="u")
    labelled = {**raw, "metadata": {**raw["metadata"], "labels": {"a": "b"}}}
    assert check(INFERENCESERVICES, labelled, stored, user="u")["metadata"]["labels"] == {"a": "b"}
    plain = isvc({**SKLEARN, "minReplicas": 0, "timeout": 3, "labels": {"a": "b"}})
    assert check(INFERENCESERVICES, plain, None, user="u")["spec"]["predictor"]["minReplicas"] == 0


HPA = {keys.SCALING_CLASS: keys.CLASS_HPA}


def scaled(annotations: dict[str, str]) -> dict[str, Any]:
    made = service()
    made["spec"]["template"]["metadata"] = {"annotations": annotations}
    return made


@pytest.mark.parametrize(
    ("resource", "raw", "path"),
    [
        (SERVICES, scaled(HPA), "spec.template.metadata.annotations"),
        (
            INFERENCESERVICES,
            {**isvc(SKLEARN), "metadata": {"name": "s", "namespace": "n", "annotations": HPA}},
            "metadata.annotations",
        ),
        (
            INFERENCESERVICES,
            isvc({**SKLEARN, "annotations": HPA}),
            "spec.predictor.annotations",
        ),
    ],
)
def test_class_hpa_is_for_clusters(resource: Any, raw: Any, path: str) -> None:
    with pytest.raises(InvalidObjectError) as refused:
        refusing(admit, Machine)(resource, raw, None, user="u")
    assert str(refused.value) == (
        f"invalid value: {keys.CLASS_HPA}: {path}.{keys.SCALING_CLASS}\n"
        "not served on one machine: nothing measures the cpu and memory of Pods here; "
        "relight and kpa are"
    )
    stored = admit(resource, raw, None, user="u")
    assert refusing(admit, Machine)(resource, stored, stored, user="u") == stored


def test_the_default_class_is_none_that_is_for_clusters() -> None:
    raw = a_setting(**{"pod-autoscaler-class": keys.CLASS_HPA})
    raw["metadata"]["name"] = "config-autoscaler"
    with pytest.raises(BadRequestError, match="nothing measures the cpu"):
        refusing(admit, Machine)(CONFIGMAPS, raw, None, user="u")
    elsewhere = {**raw, "metadata": {"name": "config-autoscaler", "namespace": "team"}}
    assert refusing(admit, Machine)(CONFIGMAPS, elsewhere, None, user="u") == elsewhere


def test_objects_are_admitted_by_the_settings_of_now() -> None:
    now = Defaults()
    check = refusing(admit, Machine, defaults=lambda: now)
    zero = scaled({keys.INITIAL_SCALE: "0"})
    with pytest.raises(InvalidObjectError, match="=0 not allowed by cluster"):
        check(SERVICES, zero, None, user="u")
    now = parse({"allow-zero-initial-scale": "true"})
    stored = check(SERVICES, zero, None, user="u")
    now = parse({"max-scale": "3", "max-scale-limit": "3"})
    # What was admitted is let be, so that its labels, say, can still be written.
    assert check(SERVICES, stored, stored, user="u") == stored
    renewed = scaled({keys.INITIAL_SCALE: "0", "a.b/c": "d"})
    with pytest.raises(InvalidObjectError, match="=0 not allowed by cluster"):
        check(SERVICES, renewed, stored, user="u")  # it would make another Revision
    with pytest.raises(InvalidObjectError, match="must be less than 3"):
        check(SERVICES, scaled({keys.MAX_SCALE: "0"}), stored, user="u")
    revision = {
        "metadata": {"name": "r", "namespace": "n", "annotations": {keys.MAX_SCALE: "4"}},
        "spec": {"containers": [{"image": "a/b"}]},
    }
    with pytest.raises(InvalidObjectError, match="expected 1 <= 4 <= 3"):
        check(REVISIONS, revision, None, user="u")
