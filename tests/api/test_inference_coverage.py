"""The list of fields says what the parser does: field by field."""

from typing import Any

import pytest

from api import kinds
from api.coverage import Entry, Fate, OneMachine
from api.inference import InferenceService
from api.inference_coverage import KINDS, entries
from api.inference_defaults import defaulted_spec
from api.kinds import Resource
from api.runtimes import Runtime
from api.schemas import SCHEMAS
from tests.api.inferences import complaints, container, isvc, predictor
from tests.api.test_schemas import example

UNKNOWN = "unknown field: "


def parse(resource: Resource, raw: Any) -> object:
    if resource == kinds.INFERENCESERVICES:
        return InferenceService.parse({**raw, "spec": defaulted_spec(raw["spec"])})
    return Runtime.parse(raw, resource=resource)


def start(resource: Resource, path: str) -> dict[str, Any]:
    """An object into which a field can be put."""
    if resource != kinds.INFERENCESERVICES:
        spec: dict[str, Any] = {"containers": [container()]}
        header = {"apiVersion": resource.api_version, "kind": resource.kind}
        return {**header, "metadata": {"name": "a"}, "spec": spec}
    steps = path.split(".")
    found: dict[str, Any] = {"predictor": predictor()}
    if len(steps) > 2 and steps[1] == "predictor" and steps[2] not in ("model", "batcher"):
        found = {"predictor": {}} if is_framework(steps[2]) else {"predictor": custom()}
    if len(steps) > 1 and steps[1] in ("transformer", "explainer"):
        found[steps[1]] = custom()
    return isvc(found)


def custom() -> dict[str, Any]:
    return {"containers": [container()]}


def is_framework(name: str) -> bool:
    return name in SCHEMAS[kinds.INFERENCESERVICES]["properties"]["spec"]["properties"][
        "predictor"
    ]["properties"] and name in (
        *("sklearn", "xgboost", "tensorflow", "pytorch", "triton"),
        *("onnx", "huggingface", "pmml", "lightgbm", "paddle"),
    )


def put(raw: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    at: Any = raw
    steps = path.split(".")
    for step in steps[:-1]:
        name = step.removesuffix("[*]")
        inside = at.setdefault(name, [{}] if step.endswith("[*]") else {})
        at = inside[0] if step.endswith("[*]") else inside
    last = steps[-1].removesuffix("[*]")
    at[last] = [value] if steps[-1].endswith("[*]") else value
    return raw


def schema_at(resource: Resource, path: str) -> Any:
    schema = SCHEMAS[resource]
    for step in path.split("."):
        name = step.removesuffix("[*]")
        schema = schema["properties"][name]
        if step.endswith("[*]"):
            schema = schema["items"]
    return schema


def is_repeated(path: str) -> bool:
    """Below all but one of the older keys stands the same container."""
    steps = path.split(".")
    return len(steps) > 4 and is_framework(steps[2]) and steps[2] != "sklearn"


EVERY = [
    each
    for resource in KINDS
    for each in entries(resource)
    if each.path.startswith("spec.") and not is_repeated(each.path)
]


def test_there_are_many() -> None:
    assert len(EVERY) > 500
    refused = [each for each in EVERY if each.fate is Fate.REFUSED]
    assert len(refused) > 50
    assert all(each.reason for each in refused if not each.pod_path)


@pytest.mark.parametrize("resource", KINDS, ids=lambda each: each.kind)
def test_each_is_listed_once(resource: Resource) -> None:
    paths = [each.path for each in entries(resource)]
    assert len(paths) == len(set(paths))


@pytest.mark.parametrize("entry", EVERY, ids=lambda each: f"{each.kind.kind}:{each.path}")
def test_the_list_says_what_the_parser_does(entry: Entry) -> None:
    raw = start(entry.kind, entry.path)
    is_served = entry.fate is not Fate.REFUSED
    value = example(schema_at(entry.kind, entry.path)) if is_served else {"x": "y"}
    said = complaints(lambda each: parse(entry.kind, each), put(raw, entry.path, value))
    here = entry.path.replace("[*]", "[0]")
    for name in FRAMEWORK_PATHS:
        here = here.replace(name, "spec.predictor.model")
    lines = said.splitlines()
    denied = [each for each in lines if each.startswith((UNKNOWN, "must not set the field(s)"))]
    if is_served:
        assert not any(here in each.split(": ", 1)[-1].split(", ") for each in denied), said
    else:
        assert here in said


FRAMEWORK_PATHS = [
    f"spec.predictor.{name}"
    for name in SCHEMAS[kinds.INFERENCESERVICES]["properties"]["spec"]["properties"]["predictor"][
        "properties"
    ]
    if is_framework(name)
]


@pytest.mark.parametrize(
    ("path", "pod_path"),
    [
        ("spec.predictor.volumes[*].hostPath", "volumes[*].hostPath"),
        ("spec.predictor.model.livenessProbe", "containers[*].livenessProbe"),
        ("spec.predictor.model.storageUri", ""),
        ("spec.predictor.model.name", ""),
        ("spec.predictor.model.lifecycle", "containers[*].lifecycle"),
        ("spec.transformer.hostname", "hostname"),
        ("spec.predictor.minReplicas", ""),
        ("spec.transformer.containers[*].image", "containers[*].image"),
    ],
)
def test_fields_of_a_pod_are_known_as_such(path: str, pod_path: str) -> None:
    [found] = [each for each in entries(kinds.INFERENCESERVICES) if each.path == path]
    assert found.pod_path == pod_path


def test_one_machine_is_laid_over() -> None:
    one_machine = OneMachine(whole={"runtimeClassName": "no runtime"}, partly={})
    found = {each.path: each for each in entries(kinds.INFERENCESERVICES, one_machine)}
    for component in ("predictor", "transformer", "explainer"):
        assert found[f"spec.{component}.runtimeClassName"].fate is Fate.CLUSTER
        assert found[f"spec.{component}.nodeSelector"].fate is Fate.SERVED
