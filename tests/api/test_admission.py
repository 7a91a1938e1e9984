import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import keys, kinds
from api.admission import admit
from api.errors import InvalidObjectError

Raw = dict[str, Any]
ADMITTED = (
    (kinds.SERVICES, "service"),
    (kinds.CONFIGURATIONS, "configuration"),
    (kinds.REVISIONS, "revision"),
    (kinds.ROUTES, "route"),
    (kinds.PODAUTOSCALERS, "podautoscaler"),
)


@pytest.mark.parametrize(("resource", "name"), ADMITTED)
def test_what_was_admitted_is_admitted_again(
    resource: kinds.Resource, name: str, request: pytest.FixtureRequest
) -> None:
    raw = request.getfixturevalue(name)
    before = copy.deepcopy(raw)
    once = admit(resource, raw, None, user="me")
    assert raw == before
    assert admit(resource, once, None, user="me") == once
    assert admit(resource, once, once, user="me") == once
    assert admit(resource, once, once, user="you") == once


def test_what_the_server_and_kubectl_add_is_admitted(service: Raw) -> None:
    stored = admit(kinds.SERVICES, service, None, user="me")
    stored["metadata"] |= {
        "uid": "u",
        "resourceVersion": "5",
        "generation": 1,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
        "selfLink": "",
    }
    stored["metadata"]["annotations"][keys.LAST_APPLIED] = '{"kind":"Service"}\n'
    stored["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
    assert admit(kinds.SERVICES, stored, stored, user="me") == stored


def test_a_manifest_applied_again_changes_nothing(service: Raw) -> None:
    stored = admit(kinds.SERVICES, service, None, user="me")
    assert admit(kinds.SERVICES, service, stored, user="you") == stored


def test_other_kinds_are_none_of_our_business() -> None:
    pod = {"kind": "Pod", "spec": {"anything": 1}}
    assert admit(kinds.PODS, pod, None, user="me") == pod


@pytest.mark.parametrize("status", [1, [], None, {"x": [{"y": 1}]}])
def test_a_status_of_any_form_is_kept(status: object, service: Raw) -> None:
    service["status"] = status
    assert admit(kinds.SERVICES, service, None, user="me")["status"] == status


def test_who_did_it(service: Raw) -> None:
    created = admit(kinds.SERVICES, service, None, user="ann")
    assert created["metadata"]["annotations"] == {keys.CREATOR: "ann", keys.LAST_MODIFIER: "ann"}
    changed = copy.deepcopy(created)
    changed["metadata"]["annotations"]["note"] = "x"
    assert admit(kinds.SERVICES, changed, created, user="bob") == changed
    changed["spec"]["template"]["spec"]["timeoutSeconds"] = 9
    found = admit(kinds.SERVICES, changed, created, user="bob")["metadata"]["annotations"]
    assert found == {keys.CREATOR: "ann", keys.LAST_MODIFIER: "bob", "note": "x"}


def test_nobody_is_not_named(service: Raw) -> None:
    assert "annotations" not in admit(kinds.SERVICES, service, None, user="")["metadata"]


def test_what_an_owner_made_keeps_the_owners_names(configuration: Raw) -> None:
    owner = {"apiVersion": "v1", "kind": "Service", "name": "iris", "uid": "u"}
    configuration["metadata"] |= {
        "ownerReferences": [owner],
        "annotations": {keys.CREATOR: "ann"},
    }
    found = admit(kinds.CONFIGURATIONS, configuration, None, user="controller")
    assert found["metadata"]["annotations"] == {keys.CREATOR: "ann"}
    renamed = copy.deepcopy(found)
    renamed["metadata"]["annotations"] = {keys.CREATOR: "bob"}
    assert admit(kinds.CONFIGURATIONS, renamed, found, user="controller") == renamed


def test_history_is_not_rewritten(service: Raw, refused: Callable[..., str]) -> None:
    old = admit(kinds.SERVICES, service, None, user="ann")
    new = copy.deepcopy(old)
    new["metadata"]["annotations"] = {keys.CREATOR: "bob", keys.LAST_MODIFIER: "bob"}
    assert refused(admit, kinds.SERVICES, new, old, user="bob") == (
        f"annotation value is immutable: metadata.annotations.{keys.CREATOR}\n"
        f"invalid value: bob: metadata.annotations.{keys.LAST_MODIFIER}"
    )


def test_a_revision_never_changes(revision: Raw, refused: Callable[..., str]) -> None:
    old = admit(kinds.REVISIONS, revision, None, user="me")
    new = copy.deepcopy(old)
    new["spec"]["containers"][0]["image"] = "a/c"
    assert refused(admit, kinds.REVISIONS, new, old, user="me") == (
        "Immutable fields changed (-old +new): spec\n"
        'spec.containers[0].image:\n\t-: "a/b"\n\t+: "a/c"'
    )


def test_a_revisions_annotations_may_change(revision: Raw) -> None:
    old = admit(kinds.REVISIONS, revision, None, user="me")
    new = copy.deepcopy(old)
    new["metadata"]["annotations"] = {keys.MIN_SCALE: "3"}
    assert admit(kinds.REVISIONS, new, old, user="me") == new


def test_a_revision_older_than_a_default_never_gets_it(
    revision: Raw, refused: Callable[..., str]
) -> None:
    new = copy.deepcopy(revision)  # stored before there were probes
    new["metadata"]["annotations"] = {keys.MIN_SCALE: "3"}
    assert admit(kinds.REVISIONS, new, revision, user="me")["spec"] == revision["spec"]
    new["spec"]["timeoutSeconds"] = 300  # what it was all along
    assert admit(kinds.REVISIONS, new, revision, user="me")["spec"] == revision["spec"]
    new["spec"]["timeoutSeconds"] = 9
    assert "spec.timeoutSeconds:" in refused(admit, kinds.REVISIONS, new, revision, user="me")


@pytest.mark.parametrize("name", ["service", "configuration"])
def test_a_revision_name_is_used_once(
    name: str, request: pytest.FixtureRequest, refused: Callable[..., str]
) -> None:
    raw = request.getfixturevalue(name)
    resource = kinds.SERVICES if name == "service" else kinds.CONFIGURATIONS
    raw["spec"]["template"]["metadata"]["name"] = "iris-blue"
    old = admit(resource, raw, None, user="me")
    new = copy.deepcopy(raw)
    new["spec"]["template"]["spec"]["timeoutSeconds"] = 9
    assert refused(admit, resource, new, old, user="me") == (
        "Saw the following changes without a name change (-old +new): spec.template.metadata.name\n"
        "spec.template.spec.timeoutSeconds:\n\t-: 300\n\t+: 9"
    )
    new["spec"]["template"]["metadata"]["name"] = "iris-green"
    assert admit(resource, new, old, user="me")["spec"] != old["spec"]


def test_traffic_may_move_under_one_name(service: Raw) -> None:
    service["spec"]["template"]["metadata"]["name"] = "iris-blue"
    old = admit(kinds.SERVICES, service, None, user="me")
    new = copy.deepcopy(old)
    new["spec"]["traffic"] = [{"revisionName": "iris-red", "percent": 100}]
    traffic = admit(kinds.SERVICES, new, old, user="me")["spec"]["traffic"]
    assert traffic == [{"revisionName": "iris-red", "latestRevision": False, "percent": 100}]


def test_a_refusal_names_everything(service: Raw, refused: Callable[..., str]) -> None:
    service["spec"]["template"]["spec"] = {"containers": [{}], "hostname": "h"}
    assert refused(admit, kinds.SERVICES, service, None, user="me") == (
        "missing field(s): spec.template.spec.containers[0].image\n"
        "must not set the field(s): spec.template.spec.hostname"
    )


@given(
    st.dictionaries(
        st.sampled_from(["metadata", "spec", "status", "kind"]),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=3),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(
                    st.sampled_from(["name", "template", "spec", "traffic", "labels"]), inner
                )
            ),
        ),
    )
)
def test_any_object_is_admitted_or_refused(raw: Raw) -> None:
    for resource, _ in ADMITTED:
        try:
            found = admit(resource, raw, None, user="me")
        except InvalidObjectError:
            continue
        assert admit(resource, found, found, user="me") == found


def older_than_a_rule(service: Raw) -> Raw:
    """What was stored before there was a rule against it."""
    stored = admit(kinds.SERVICES, service, None, user="ann")
    stored = copy.deepcopy(stored)
    stored["spec"]["template"]["spec"]["nodeName"] = "here"
    stored["metadata"]["annotations"]["networking.knative.dev/foo"] = "x"
    stored["metadata"]["finalizers"] = ["example.com/hold"]
    return stored


def test_what_is_older_than_a_rule_can_be_labelled_and_released(service: Raw) -> None:
    old = older_than_a_rule(service)
    new = copy.deepcopy(old)
    new["metadata"] |= {"labels": {"a": "b"}, "finalizers": []}
    assert admit(kinds.SERVICES, new, old, user="bob") == new


def test_what_is_older_than_a_rule_is_refused_once_it_changes(
    service: Raw, refused: Callable[..., str]
) -> None:
    old = older_than_a_rule(service)
    new = copy.deepcopy(old)
    new["spec"]["template"]["spec"]["timeoutSeconds"] = 9
    both = (
        'invalid key name "networking.knative.dev/foo": metadata.annotations\n'
        "must not set the field(s): spec.template.spec.nodeName"
    )
    assert refused(admit, kinds.SERVICES, new, old, user="bob") == both
    assert refused(admit, kinds.SERVICES, old, None, user="bob") == both


def test_a_new_fault_beside_old_ones_is_refused(service: Raw, refused: Callable[..., str]) -> None:
    old = older_than_a_rule(service)
    new = copy.deepcopy(old)
    new["metadata"]["annotations"]["networking.knative.dev/bar"] = "x"
    found = refused(admit, kinds.SERVICES, new, old, user="bob")
    assert 'invalid key name "networking.knative.dev/bar"' in found
    new = copy.deepcopy(old)
    new["metadata"]["annotations"][keys.CREATOR] = "bob"
    assert "annotation value is immutable" in refused(admit, kinds.SERVICES, new, old, user="bob")
