import pytest

from embedded import definitions


@pytest.mark.parametrize(
    ("given", "ordered"),
    [
        (["v1alpha1", "v1", "v1beta1"], ["v1", "v1beta1", "v1alpha1"]),
        (["v1", "v2", "v10"], ["v10", "v2", "v1"]),
        (["foo10", "v1beta2", "foo2", "v1beta10"], ["v1beta10", "v1beta2", "foo10", "foo2"]),
        (["v11alpha2", "v12alpha1"], ["v12alpha1", "v11alpha2"]),
    ],
)
def test_versions_are_ordered_as_in_kubernetes(given: list[str], ordered: list[str]) -> None:
    assert sorted(given, key=definitions.priority) == ordered


def test_a_crd_is_read_whole() -> None:
    definition = definitions.read(
        {
            "metadata": {"name": "things.example.com"},
            "spec": {
                "group": "example.com",
                "scope": "Cluster",
                "names": {"plural": "things", "kind": "Thing", "categories": ["all"]},
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "deprecated": True,
                        "schema": {"openAPIV3Schema": {"type": "object"}},
                        "additionalPrinterColumns": [
                            {"name": "Color", "type": "string", "jsonPath": ".spec.color"}
                        ],
                        "selectableFields": [{"jsonPath": ".spec.color"}],
                        "subresources": {
                            "status": {},
                            "scale": {
                                "specReplicasPath": ".spec.replicas",
                                "statusReplicasPath": ".status.replicas",
                            },
                        },
                    }
                ],
            },
        }
    )
    (version,) = definition.versions
    assert (definition.storage, definition.kind, definition.group) == ("v1", "Thing", "example.com")
    assert version.resource.singular == "thing"
    assert not version.resource.is_namespaced
    assert version.warning == "example.com/v1 Thing is deprecated"
    assert version.columns[0].json_path == ".spec.color"
    assert version.selectable == ("spec.color",)
    assert version.scale is not None
    assert version.scale.replicas == ".spec.replicas"
    assert list(version.schema["properties"]) == ["apiVersion", "kind", "metadata"]
