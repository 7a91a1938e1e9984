import pytest

from api import kinds
from api.kinds import NAMESPACES, PODS, SERVICES, Resource
from cluster.errors import NotFoundError
from embedded import resources


@pytest.mark.parametrize("resource", kinds.ALL, ids=lambda each: each.kind)
def test_every_kind_is_found_by_path_and_by_kind(resource: Resource) -> None:
    assert resources.by_path(resource.group, resource.version, resource.plural) is resource
    assert resources.by_kind(resource.api_version, resource.kind) is resource


def test_what_is_not_served_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="could not find the requested resource"):
        resources.by_path("", "v1", "endpoints")
    assert resources.by_kind("v1", "Endpoints") is None


def test_errors_name_the_kind_as_kubernetes_does() -> None:
    assert resources.not_found(PODS, "x").message == 'pods "x" not found'
    error = resources.already_exists(SERVICES, "x")
    assert error.message == 'services.serving.knative.dev "x" already exists'
    assert error.details == {"name": "x", "kind": "services", "group": "serving.knative.dev"}
    assert resources.conflict(PODS, "x", "why").message == (
        'Operation cannot be fulfilled on pods "x": why'
    )


def test_invalid_lists_every_cause() -> None:
    one = resources.invalid(PODS, "x", [("spec", "Required value")])
    assert one.message == 'Pod "x" is invalid: spec: Required value'
    two = resources.invalid(SERVICES, "x", [("a", "1"), ("b", "2")], reason="FieldValueRequired")
    assert two.message == 'Service.serving.knative.dev "x" is invalid: [a: 1, b: 2]'
    assert two.details["group"] == "serving.knative.dev"
    assert two.details["causes"][1] == {
        "reason": "FieldValueRequired",
        "message": "2",
        "field": "b",
    }


def test_a_stranger_hears_what_is_served() -> None:
    other = Resource("example.com", "v1", "things", "Thing", "thing")
    message = resources.not_served(other).message
    assert "does not serve things.example.com" in message
    assert "revisions.serving.knative.dev" in message


def test_what_each_kind_can_do() -> None:
    assert NAMESPACES in resources.WITHOUT_GENERATION
    assert SERVICES not in resources.BUILT_IN
    assert {kinds.DEPLOYMENTS} == resources.WITH_SCALE
    assert kinds.EVENTS not in resources.WITH_STATUS
