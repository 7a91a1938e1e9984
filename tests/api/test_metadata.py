from collections.abc import Callable
from typing import Any

import pytest

from api import keys, kinds, metadata
from api.errors import InvalidObjectError
from api.fields import Faults
from api.objects import ObjectMeta, OwnerReference
from api.serving import Configuration, Revision, Route, Service

DNS_1035 = "a DNS-1035 label must consist of"


def faults_of(check: Callable[..., object], *args: Any, **named: Any) -> str:
    faults = Faults()
    check(*args, faults, **named)
    try:
        faults.raise_any()
    except InvalidObjectError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("meta", "start"),
    [
        (ObjectMeta(name="iris"), ""),
        (ObjectMeta(generate_name="iris-"), ""),
        (ObjectMeta(), "name or generateName is required: metadata.name"),
        (ObjectMeta(name="Iris"), f"not a DNS 1035 label: [{DNS_1035}"),
        (ObjectMeta(name="a" * 64), "not a DNS 1035 label: [must be no more than 63 characters]"),
        (ObjectMeta(generate_name="I-"), f"not a DNS 1035 label prefix: [{DNS_1035}"),
        (ObjectMeta(name="a", labels={"a b": ""}), 'invalid key name "a b": metadata.labels\n'),
        (ObjectMeta(name="a", labels={"k": "a b"}), "invalid value: a b: metadata.labels.k\n"),
        (ObjectMeta(name="a", annotations={"": ""}), 'invalid key name "": metadata.annotations\n'),
        (ObjectMeta(name="a", annotations={"Example.com/K": "any text"}), ""),
        (
            ObjectMeta(name="a", annotations={"k": "v" * metadata.ANNOTATIONS_BYTES_MAX}),
            "must have at most 262144 bytes: metadata.annotations",
        ),
    ],
)
def test_check(meta: ObjectMeta, start: str) -> None:
    found = faults_of(metadata.check, meta)
    assert found.startswith(start)
    assert bool(found) == bool(start)


def test_the_size_of_annotations_is_counted_in_bytes() -> None:
    wide = {"key": "€" * (metadata.ANNOTATIONS_BYTES_MAX // 3)}
    assert faults_of(metadata.check_annotations, wide, "p") == ("must have at most 262144 bytes: p")


@pytest.mark.parametrize("name", ["minScale", "min-scale", "anything"])
def test_autoscaling_annotations_are_sent_to_the_template(
    name: str, service: dict[str, Any], refused: Callable[..., str]
) -> None:
    key = keys.AUTOSCALING_PREFIX + name
    service["metadata"]["annotations"] = {key: "1"}
    assert refused(Service.parse, service) == (
        f'invalid key name "{key}": metadata.annotations\n'
        'autoscaling annotations must be put under "spec.template.metadata.annotations" to work'
    )


def test_our_annotations_too_are_sent_to_the_template(
    service: dict[str, Any], refused: Callable[..., str]
) -> None:
    service["metadata"]["annotations"] = {keys.MODEL_NAME: "m"}
    assert refused(Service.parse, service) == (
        f'invalid key name "{keys.MODEL_NAME}": metadata.annotations\n'
        'this annotation must be put under "spec.template.metadata.annotations" to work'
    )


def test_annotations_of_knatives_own_tools_are_kept(service: dict[str, Any]) -> None:
    service["spec"]["template"]["metadata"]["annotations"] = {"client.knative.dev/user-image": "a"}
    annotations = Service.parse(service).template.annotations
    assert annotations == {"client.knative.dev/user-image": "a"}


def test_serving_labels_are_the_controllers(
    service: dict[str, Any],
    configuration: dict[str, Any],
    route: dict[str, Any],
    revision: dict[str, Any],
    refused: Callable[..., str],
) -> None:
    for parse, raw in (
        (Service.parse, service),
        (Configuration.parse, configuration),
        (Route.parse, route),
        (Revision.parse, revision),
    ):
        raw["metadata"]["labels"] = {"serving.knative.dev/mine": "1", "app": "a"}
        assert refused(parse, raw) == 'invalid key name "serving.knative.dev/mine": metadata.labels'


def test_a_label_that_names_an_owner_must_have_it(
    configuration: dict[str, Any], refused: Callable[..., str]
) -> None:
    configuration["metadata"]["labels"] = {keys.SERVICE: "iris", keys.SERVICE_UID: "u"}
    assert refused(Configuration.parse, configuration) == (
        "missing field(s): metadata.labels.serving.knative.dev/service"
    )
    owner = OwnerReference(
        api_version="serving.knative.dev/v1", kind="Service", name="iris", uid="u"
    )
    configuration["metadata"]["ownerReferences"] = [owner.to_raw()]
    assert Configuration.parse(configuration).metadata.labels[keys.SERVICE] == "iris"


def test_the_only_visibility_that_is_said(
    service: dict[str, Any], refused: Callable[..., str]
) -> None:
    service["metadata"]["labels"] = {keys.VISIBILITY: "cluster-local"}
    assert Service.parse(service).metadata.labels[keys.VISIBILITY] == "cluster-local"
    service["metadata"]["labels"] = {keys.VISIBILITY: "private"}
    assert refused(Service.parse, service) == (
        "invalid value: private: metadata.labels.networking.knative.dev/visibility"
    )


def test_an_object_of_another_kind_is_refused() -> None:
    found = faults_of(
        lambda faults: metadata.open_object(
            {"apiVersion": "v1", "kind": "Service"}, kinds.ROUTES, faults
        )
    )
    assert found.splitlines() == [
        "invalid value: Service: kind",
        "must be Route",
        "invalid value: v1: apiVersion",
        "must be serving.knative.dev/v1",
    ]
