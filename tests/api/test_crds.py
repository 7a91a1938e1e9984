"""The definitions clusters install: complete, structural, and as `manifests/` has them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from api import crds, kinds
from api.crd_rules import Rule
from api.crds import RULES
from api.schemas import SCHEMAS
from hack.make_manifests import files

MANIFESTS = Path(__file__).parent.parent.parent / "manifests"
FILES = files()
WRITTEN = [path for path in FILES if path.endswith(".yaml")]
DEFINITIONS = crds.definitions()
SERVICE = crds.definition(kinds.SERVICES)


def version(definition: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = definition["spec"]["versions"][0]
    return found


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """The schema and every schema in it."""
    yield schema
    for each in (schema.get("properties") or {}).values():
        yield from nodes(each)
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict):
            yield from nodes(schema[inner])


def test_every_kind_with_a_schema_has_a_definition() -> None:
    assert set(crds.definitions()) == {f"{each.plural}.{each.group}" for each in SCHEMAS}


@pytest.mark.parametrize("path", FILES)
def test_manifests_are_what_the_api_says(path: str) -> None:
    assert (MANIFESTS / path).read_text() == FILES[path], "run `make manifests`"


def test_no_definition_is_left_over() -> None:
    folders = {path.partition("/")[0] for path in FILES}
    found = {
        str(path.relative_to(MANIFESTS)) for each in folders for path in MANIFESTS.glob(f"{each}/*")
    }
    assert found == set(FILES)


@pytest.mark.parametrize("path", WRITTEN)
def test_manifests_are_yaml_of_one_object(path: str) -> None:
    kind = {"300-crds": "CustomResourceDefinition", "400-runtimes": "ClusterServingRuntime"}
    assert yaml.safe_load(FILES[path])["kind"] == kind[path.partition("/")[0]]


def test_names_are_those_of_the_kind() -> None:
    assert SERVICE["spec"]["names"] == {
        "plural": "services",
        "singular": "service",
        "kind": "Service",
        "listKind": "ServiceList",
        "shortNames": ["kservice", "ksvc"],
        "categories": ["all", "knative", "serving"],
    }


def test_the_columns_end_with_the_age() -> None:
    columns = version(SERVICE)["additionalPrinterColumns"]
    assert [each["name"] for each in columns][::5] == ["URL", "Age"]


@pytest.mark.parametrize("name", DEFINITIONS)
def test_schemas_are_structural(name: str) -> None:
    schema = version(DEFINITIONS[name])["schema"]["openAPIV3Schema"]
    assert schema["properties"]["metadata"] == {"type": "object"}
    for each in nodes(schema):
        assert (
            "type" in each
            or each.get("x-kubernetes-int-or-string")
            or (each.get("x-kubernetes-preserve-unknown-fields"))
        ), each
        assert not ("properties" in each and "additionalProperties" in each)


@pytest.mark.parametrize("resource", RULES, ids=lambda each: each.kind)
def test_every_rule_is_in_the_definition(resource: Any) -> None:
    schema = version(crds.definition(resource))["schema"]["openAPIV3Schema"]
    written = [
        rule["rule"] for each in nodes(schema) for rule in each.get("x-kubernetes-validations", ())
    ]
    wanted = [rule.expression for rules in RULES[resource].values() for rule in rules]
    assert sorted(written) == sorted(each for each in wanted if each)


def test_a_rule_for_a_field_that_is_not_there_is_not_lost() -> None:
    with pytest.raises(KeyError):
        crds.with_rules(SCHEMAS[kinds.ROUTES], {("spec", "nothing"): (Rule(expression="true"),)})


def test_rules_leave_the_schemas_themselves_alone() -> None:
    crds.with_rules(SCHEMAS[kinds.ROUTES], {("spec",): (Rule(expression="true"),)})
    assert all("x-kubernetes-validations" not in each for each in nodes(SCHEMAS[kinds.ROUTES]))


@pytest.mark.parametrize("name", DEFINITIONS)
def test_kubectl_can_note_the_whole_definition_in_an_annotation(name: str) -> None:
    definition = DEFINITIONS[name]
    assert crds.size(definition) <= crds.SIZE_MAX
    assert "description" in version(definition)["schema"]["openAPIV3Schema"]


def test_descriptions_are_left_out_from_below() -> None:
    fields = version(crds.definition(kinds.INFERENCESERVICES))["schema"]["openAPIV3Schema"]
    model = fields["properties"]["spec"]["properties"]["predictor"]["properties"]["model"]
    assert "description" in model["properties"]["storageUri"]
    assert not any("description" in each for each in nodes(model["properties"]["env"]["items"]))
    own = SCHEMAS[kinds.INFERENCESERVICES]["properties"]["spec"]["properties"]["predictor"]
    assert any("description" in each for each in nodes(own["properties"]["volumes"]["items"]))


@pytest.mark.parametrize("path", WRITTEN)
def test_manifests_have_no_anchors(path: str) -> None:
    assert not any(isinstance(each, yaml.AliasEvent) for each in yaml.parse(FILES[path]))


@pytest.mark.parametrize("name", DEFINITIONS)
def test_the_keys_of_lists_are_always_there(name: str) -> None:
    for each in nodes(version(DEFINITIONS[name])["schema"]["openAPIV3Schema"]):
        for key in each.get("x-kubernetes-list-map-keys", ()):
            assert key in each["items"]["required"]  # or a default, which may not be ""


def at(definition: dict[str, Any], path: tuple[str, ...]) -> Any:
    schema = version(definition)["schema"]["openAPIV3Schema"]
    for step in path:
        schema = schema["items"] if step == "[]" else schema["properties"][step]
    return schema


@pytest.mark.parametrize("resource", SCHEMAS, ids=lambda each: each.kind)
def test_what_is_refused_by_name_reaches_who_refuses_it(resource: Any) -> None:
    """A server would take away what the schema does not have, and nobody would hear of it."""
    definition = DEFINITIONS[crds.name(resource)]
    for path in crds.refused(resource):
        found = at(definition, path)  # of its own form, where it is refused in part only
        assert found.get("x-kubernetes-preserve-unknown-fields") or found["type"], path


def test_fields_of_which_that_holds() -> None:
    pod = ("spec", "template", "spec")
    found = crds.refused(kinds.SERVICES)
    assert {(*pod, "nodeName"), (*pod, "containers", "[]", "lifecycle")} <= set(found)
    assert crds.refused(kinds.PODAUTOSCALERS) == []
    of_inference = crds.refused(kinds.INFERENCESERVICES)
    assert {
        ("spec", "predictor", "nodeName"),
        ("spec", "explainer", "batcher"),
        ("spec", "transformer", "containers", "[]", "lifecycle"),
    } <= set(of_inference)
    assert max(len([step for step in path if step != "[]"]) for path in of_inference) == 4


def test_fields_are_added_to_a_copy() -> None:
    before = {"properties": {"a": {"type": "array", "items": {"type": "object"}}}}
    after = crds.with_fields(before, [("a", "[]", "b"), ("a",), ("c",)], {"x": 1})
    items = {"type": "object", "properties": {"b": {"x": 1}}}
    assert after == {"properties": {"a": {"type": "array", "items": items}, "c": {"x": 1}}}
    assert before == {"properties": {"a": {"type": "array", "items": {"type": "object"}}}}
    with pytest.raises(KeyError):
        crds.with_fields(before, [("no", "such")], {"x": 1})
