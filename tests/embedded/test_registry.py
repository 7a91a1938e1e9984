import pytest

from api import kinds
from api.kinds import Resource
from cluster.errors import NotFoundError
from embedded import definitions
from embedded.registry import Registry


def crd(**spec: object) -> dict[str, object]:
    return {
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
            "versions": [
                {"name": "v1beta1", "served": True, "storage": False},
                {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}},
                {"name": "v1alpha1", "served": False, "storage": False},
            ],
        }
        | spec,
    }


@pytest.mark.parametrize("resource", kinds.ALL, ids=lambda each: each.kind)
def test_every_static_kind_is_found_and_has_a_schema(resource: Resource) -> None:
    registry = Registry()
    assert registry.by_path(resource.group, resource.version, resource.plural) is resource
    assert registry.by_kind(resource.api_version, resource.kind) is resource
    schema = registry.schema_of(resource)
    assert schema is not None
    assert "metadata" in schema["properties"]


def test_a_definition_is_served_at_its_versions_until_it_is_forgotten() -> None:
    registry = Registry(statics=())
    before = registry.generation
    registry.define(definitions.read(crd()))
    assert [each.version for each in registry.all] == ["v1", "v1beta1"]
    assert [each.version for each in registry.homes()] == ["v1"]
    v1 = registry.by_path("example.com", "v1", "widgets")
    assert v1.short_names == ("wd",)
    assert registry.has_status(v1)
    assert not registry.has_status(registry.by_path("example.com", "v1beta1", "widgets"))
    assert not registry.has_scale(v1)
    assert registry.generation > before
    registry.forget("widgets.example.com")
    with pytest.raises(NotFoundError):
        registry.by_path("example.com", "v1", "widgets")


def test_a_static_kind_wins_over_a_definition_of_the_same_name() -> None:
    native = Resource("example.com", "v1", "widgets", "Widget", "widget")
    registry = Registry(statics=(native,))
    registry.define(definitions.read(crd()))
    assert registry.all == (native,)
