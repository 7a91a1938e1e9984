"""Server-side apply: who owns which field, and what happens when two want one."""

from typing import Any

import pytest

from api.kinds import INFERENCESERVICES, SERVICES
from tests.conformance.servers import Api
from tests.conformance.test_objects import refused

A, B = "team-a", "team-b"


def applied(**more: Any) -> dict[str, Any]:
    """What a manager applies: a Service with an image, and labels."""
    metadata: dict[str, Any] = {"name": "s"}
    if "labels" in more:
        metadata["labels"] = more.pop("labels")
    if "annotations" in more:
        metadata["annotations"] = more.pop("annotations")
    template = {"spec": {"containers": [{"name": "c", "image": "relight/predictor:dev"}], **more}}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"template": template},
    }


def owned(obj: dict[str, Any], manager: str, operation: str = "Apply") -> dict[str, Any]:
    """The fields that a manager owns, as fieldsV1."""
    for entry in obj["metadata"].get("managedFields", ()):
        if (entry["manager"], entry["operation"]) == (manager, operation):
            found: dict[str, Any] = entry["fieldsV1"]
            return found
    return {}


async def apply(api: Api, body: dict[str, Any], manager: str = A, **query: str) -> dict[str, Any]:
    return await api.do("patch", SERVICES, "s", body, patch="apply", fieldManager=manager, **query)


async def test_applying_creates_what_is_not_there(api: Api) -> None:
    made = await apply(api, applied(labels={"a": "1"}))
    assert made["metadata"]["labels"] == {"a": "1"}
    [entry] = [e for e in made["metadata"]["managedFields"] if e["operation"] == "Apply"]
    assert entry["manager"] == A
    assert entry["apiVersion"] == "serving.knative.dev/v1"
    assert entry["fieldsType"] == "FieldsV1"
    assert owned(made, A)["f:metadata"]["f:labels"]["f:a"] == {}


async def test_applying_the_same_again_changes_nothing(api: Api) -> None:
    made = await apply(api, applied(labels={"a": "1"}))
    again = await apply(api, applied(labels={"a": "1"}))
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_a_field_no_longer_applied_is_removed(api: Api) -> None:
    await apply(api, applied(labels={"a": "1", "b": "2"}))
    after = await apply(api, applied(labels={"a": "1"}))
    assert after["metadata"]["labels"] == {"a": "1"}


async def test_what_others_own_stays(api: Api) -> None:
    await apply(api, applied(labels={"a": "1"}))
    await api.do("patch", SERVICES, "s", {"metadata": {"labels": {"z": "26"}}}, fieldManager="hand")
    after = await apply(api, applied(labels={"a": "2"}))
    assert after["metadata"]["labels"] == {"a": "2", "z": "26"}
    assert owned(after, "hand", "Update")["f:metadata"]["f:labels"]["f:z"] == {}


async def test_two_managers_that_want_one_field_conflict(api: Api) -> None:
    await apply(api, applied(timeoutSeconds=10))
    error = await refused(apply(api, applied(timeoutSeconds=20), B))
    assert (error.status, error.reason) == (409, "Conflict")
    assert error.message == (
        'Apply failed with 1 conflict: conflict with "team-a": .spec.template.spec.timeoutSeconds'
    )
    assert error.details["causes"] == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "team-a"',
            "field": ".spec.template.spec.timeoutSeconds",
        }
    ]


async def test_two_conflicts_are_told_together(api: Api) -> None:
    await apply(api, applied(timeoutSeconds=10, labels={"a": "1"}))
    error = await refused(apply(api, applied(timeoutSeconds=20, labels={"a": "2"}), B))
    assert error.message == (
        'Apply failed with 2 conflicts: conflicts with "team-a":\n'
        "- .metadata.labels.a\n"
        "- .spec.template.spec.timeoutSeconds"
    )


# exception: apply-knows-defaults
async def test_the_same_value_is_shared(api: Api) -> None:
    await apply(api, applied(timeoutSeconds=10))
    both = await apply(api, applied(timeoutSeconds=10), B)
    for manager in (A, B):
        fields = owned(both, manager)["f:spec"]["f:template"]["f:spec"]
        assert fields["f:timeoutSeconds"] == {}
    left = await apply(api, applied(), A)
    assert left["spec"]["template"]["spec"]["timeoutSeconds"] == 10


async def test_force_takes_a_field_over(api: Api) -> None:
    await apply(api, applied(timeoutSeconds=10))
    after = await apply(api, applied(timeoutSeconds=20), B, force="true")
    assert after["spec"]["template"]["spec"]["timeoutSeconds"] == 20
    assert "f:timeoutSeconds" not in owned(after, A)["f:spec"]["f:template"]["f:spec"]
    error = await refused(apply(api, applied(timeoutSeconds=10), A))
    assert error.reason == "Conflict"


async def test_an_update_takes_fields_without_asking(api: Api) -> None:
    await apply(api, applied(timeoutSeconds=10))
    patch = {"spec": {"template": {"spec": {"timeoutSeconds": 30}}}}
    after = await api.do("patch", SERVICES, "s", patch, fieldManager="hand")
    assert "f:timeoutSeconds" not in owned(after, A)["f:spec"]["f:template"]["f:spec"]
    error = await refused(apply(api, applied(timeoutSeconds=10)))
    assert error.message.startswith(
        'Apply failed with 1 conflict: conflict with "hand" using serving.knative.dev/v1'
    )


async def test_a_manager_must_have_a_name(api: Api) -> None:
    error = await refused(api.do("patch", SERVICES, "s", applied(), patch="apply"))
    assert error.status in (400, 422)
    assert "fieldManager" in error.message


async def test_what_is_applied_may_not_say_who_owns_it(api: Api) -> None:
    body = applied()
    body["metadata"]["managedFields"] = [
        {"manager": A, "operation": "Apply", "apiVersion": "serving.knative.dev/v1"}
    ]
    error = await refused(apply(api, body))
    assert error.status == 400
    assert "metadata.managedFields must be nil" in error.message


async def test_a_status_that_is_applied_with_the_rest_is_left_out(api: Api) -> None:
    made = await apply(api, {**applied(), "status": {"url": "http://a"}})
    assert "status" not in made


@pytest.mark.needs("recent")  # older servers publish the schema some time after the kind
async def test_items_with_names_are_owned_one_by_one(api: Api) -> None:
    def secrets(*names: str) -> list[dict[str, str]]:
        return [{"name": each} for each in names]

    def of_pod(made: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = made["spec"]["template"]["spec"]
        return found

    body = applied()
    of_pod(body)["imagePullSecrets"] = secrets("a", "b")
    await apply(api, body)
    other = applied()
    of_pod(other)["imagePullSecrets"] = secrets("c")
    both = await apply(api, other, B)
    assert of_pod(both)["imagePullSecrets"] == secrets("a", "b", "c")
    fields = owned(both, B)["f:spec"]["f:template"]["f:spec"]["f:imagePullSecrets"]
    assert fields == {'k:{"name":"c"}': {}}
    of_pod(body)["imagePullSecrets"] = secrets("b")
    left = await apply(api, body)
    assert of_pod(left)["imagePullSecrets"] == secrets("b", "c")


@pytest.mark.needs("recent")
async def test_items_of_an_inference_service_are_owned_one_by_one(api: Api) -> None:
    """# exception: lists-of-inference-services"""
    for manager, secret in ((A, "a"), (B, "b")):
        predictor = {
            "containers": [{"name": "own", "image": "example.com/serve"}],
            "imagePullSecrets": [{"name": secret}],
        }
        body = {
            "apiVersion": INFERENCESERVICES.api_version,
            "kind": "InferenceService",
            "metadata": {"name": "s"},
            "spec": {"predictor": predictor},
        }
        made = await api.do(
            "patch", INFERENCESERVICES, "s", body, patch="apply", fieldManager=manager
        )
    assert made["spec"]["predictor"]["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]


@pytest.mark.needs("recent")
async def test_containers_are_owned_as_a_whole(api: Api) -> None:
    made = await apply(api, applied())
    assert owned(made, A)["f:spec"]["f:template"]["f:spec"]["f:containers"] == {}
    other = applied()
    other["spec"]["template"]["spec"]["containers"][0]["image"] = "relight/predictor:other"
    error = await refused(apply(api, other, B))
    assert error.message == (
        'Apply failed with 1 conflict: conflict with "team-a": .spec.template.spec.containers'
    )


@pytest.mark.needs("owners-of-parts")
async def test_the_status_is_applied_apart(api: Api) -> None:
    await apply(api, applied())
    body = {**applied(), "status": {"url": "http://a"}}
    del body["spec"]
    after = await apply(api, body, part="status")
    assert after["status"] == {"url": "http://a"}
    [entry] = [e for e in after["metadata"]["managedFields"] if e.get("subresource") == "status"]
    assert entry["fieldsV1"] == {"f:status": {"f:url": {}}}


async def test_a_dry_run_of_apply_changes_nothing(api: Api) -> None:
    made = await apply(api, applied(timeoutSeconds=10))
    tried = await apply(api, applied(timeoutSeconds=20), dryRun="All")
    assert tried["spec"]["template"]["spec"]["timeoutSeconds"] == 20
    read = await api.do("get", SERVICES, "s")
    assert read["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_ownership_can_be_reset(api: Api) -> None:
    await apply(api, applied())
    patch = [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]
    after = await api.do("patch", SERVICES, "s", patch, patch="json")
    assert "managedFields" not in after["metadata"]


async def test_creating_makes_its_manager_an_owner(api: Api) -> None:
    made = await api.do("create", SERVICES, body=applied(labels={"a": "1"}), fieldManager="hand")
    fields = owned(made, "hand", "Update")
    assert fields["f:metadata"]["f:labels"] == {".": {}, "f:a": {}}
    error = await refused(apply(api, applied(labels={"a": "2"})))
    assert error.reason == "Conflict"
