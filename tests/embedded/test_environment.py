import base64
from decimal import Decimal
from typing import Any

import pytest

from embedded.environment import (
    Downward,
    Lookup,
    MissingError,
    environment,
    expanded,
    is_pod_field,
    pod_field,
    references,
    resource_field,
)

POD: dict[str, Any] = {
    "metadata": {
        "name": "p",
        "namespace": "ns",
        "uid": "u",
        "labels": {"app": "a", "b": 'quo"te'},
        "annotations": {"x/y": "z"},
    },
    "spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "1500m"}}}]},
}
ABOUT = Downward(pod=POD, capacity={"memory": Decimal(1 << 30)})
OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    ("ConfigMap", "words"): {
        "kind": "ConfigMap",
        "metadata": {"name": "words"},
        "data": {"a": "one", "b": "two"},
        "binaryData": {"c": base64.b64encode(b"three").decode()},
    },
    ("Secret", "hidden"): {
        "kind": "Secret",
        "metadata": {"name": "hidden"},
        "data": {"p": base64.b64encode(b"s3cret").decode()},
    },
}


def find(kind: str, name: str) -> Any:
    return OBJECTS.get((kind, name))


LOOKUP: Lookup = find


def made(*env: dict[str, Any], **fields: Any) -> dict[str, str]:
    return environment({"name": "c", "env": list(env), **fields}, ABOUT, LOOKUP)


def of(name: str, **source: Any) -> dict[str, Any]:
    return {"name": name, "valueFrom": source}


def test_everything_comes_in_kubernetes_order() -> None:
    found = made(
        {"name": "A", "value": "$(P_p)-$(LATER)-$$(A)"},
        {"name": "LATER", "value": "x"},
        {"name": "b", "value": "mine"},
        {"name": "EMPTY"},
        of("SECRET", secretKeyRef={"name": "hidden", "key": "p"}),
        of("BINARY", configMapKeyRef={"name": "words", "key": "c"}),
        of("NONE", configMapKeyRef={"name": "words", "key": "no", "optional": True}),
        envFrom=[
            {"configMapRef": {"name": "words"}},
            {"prefix": "P_", "secretRef": {"name": "hidden"}},
            {"configMapRef": {"name": "nowhere", "optional": True}},
        ],
    )
    assert found == {
        "a": "one",
        "b": "mine",
        "c": "three",
        "P_p": "s3cret",
        "A": "s3cret-$(LATER)-$(A)",
        "LATER": "x",
        "EMPTY": "",
        "SECRET": "s3cret",
        "BINARY": "three",
    }


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"configMapKeyRef": {"name": "no", "key": "a"}}, 'configmap "no" not found'),
        ({"secretKeyRef": {"name": "no", "key": "a"}}, 'secret "no" not found'),
        (
            {"configMapKeyRef": {"name": "words", "key": "z"}},
            "couldn't find key z in ConfigMap ns/words",
        ),
        (
            {"secretKeyRef": {"name": "hidden", "key": "z"}},
            "couldn't find key z in Secret ns/hidden",
        ),
    ],
)
def test_what_is_missing_is_told_in_kubernetes_words(source: dict[str, Any], words: str) -> None:
    with pytest.raises(MissingError) as missing:
        made(of("A", **source))
    assert str(missing.value) == words


def test_a_missing_source_of_many_variables_is_told() -> None:
    with pytest.raises(MissingError, match='secret "no" not found'):
        made(envFrom=[{"secretRef": {"name": "no"}}])


def test_the_port_is_the_one_that_was_given() -> None:
    container = {"env": [{"name": "PORT", "value": "1"}, {"name": "U", "value": ":$(PORT)"}]}
    assert environment(container, ABOUT, LOOKUP, port=4711) == {"PORT": "4711", "U": ":4711"}
    assert environment({}, ABOUT, LOOKUP, port=4711) == {"PORT": "4711"}
    assert environment({}, ABOUT, LOOKUP) == {}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "p"),
        ("metadata.namespace", "ns"),
        ("metadata.uid", "u"),
        ("metadata.labels['app']", "a"),
        ("metadata.annotations['x/y']", "z"),
        ("metadata.annotations['none']", ""),
        ("metadata.labels", 'app="a"\nb="quo\\"te"'),
        ("spec.nodeName", "localhost"),
        ("spec.serviceAccountName", "default"),
        ("status.podIP", "127.0.0.1"),
        ("status.hostIP", "127.0.0.1"),
    ],
)
def test_a_container_learns_of_its_pod(path: str, value: str) -> None:
    assert pod_field(path, ABOUT) == value
    assert is_pod_field(path, is_file=True)
    assert is_pod_field(path) is (path != "metadata.labels")


def test_an_unknown_field_is_told() -> None:
    assert not is_pod_field("spec.hostname")
    with pytest.raises(MissingError, match=r"unsupported fieldPath: spec\.hostname"):
        made(of("A", fieldRef={"fieldPath": "spec.hostname"}))


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ({"resource": "limits.cpu"}, "2"),
        ({"resource": "limits.cpu", "divisor": "1m"}, "1500"),
        ({"resource": "requests.cpu", "divisor": "1m"}, "1500"),
        ({"resource": "requests.memory"}, "0"),
        ({"resource": "limits.memory", "divisor": "1Mi"}, "1024"),
    ],
)
def test_bounds_are_told_rounded_up(reference: dict[str, Any], value: str) -> None:
    assert resource_field({"containerName": "c", **reference}, {}, ABOUT) == value


def test_a_dollar_is_doubled_to_stay() -> None:
    env = {"A": "1"}
    assert expanded("$(A) $$(A) $A $(B) $$ $", env) == "1 $(A) $A $(B) $ $"


def test_what_a_pod_refers_to_is_found_everywhere() -> None:
    spec = {
        "initContainers": [{"envFrom": [{"configMapRef": {"name": "i"}}]}],
        "containers": [{"env": [of("A", secretKeyRef={"name": "e", "key": "k"})]}],
        "volumes": [
            {"name": "a", "secret": {"secretName": "v"}},
            {"name": "b", "projected": {"sources": [{"configMap": {"name": "p"}}]}},
        ],
    }
    assert references(spec) == {
        ("ConfigMap", "i"),
        ("Secret", "e"),
        ("Secret", "v"),
        ("ConfigMap", "p"),
    }
