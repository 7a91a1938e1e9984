"""Runtimes: every message, and what is read of a good one."""

from typing import Any

import pytest

from api import kinds
from api.runtimes import ModelFormat, Runtime
from tests.api.inferences import complaints, container


def runtime(*, cluster: bool = False, **spec: Any) -> dict[str, Any]:
    resource = kinds.CLUSTERSERVINGRUNTIMES if cluster else kinds.SERVINGRUNTIMES
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": "mine"},
        "spec": {"containers": [container()], **spec},
    }


def formats(*found: Any) -> dict[str, Any]:
    return runtime(supportedModelFormats=list(found))


CASES = [
    ("containers", runtime(containers=[]), "missing field(s): spec.containers"),
    ("format", formats({}), "missing field(s): spec.supportedModelFormats[0].name"),
    (
        "priority",
        formats({"name": "x", "priority": 0}),
        "invalid value: 0: spec.supportedModelFormats[0].priority\nmust be greater than zero",
    ),
    (
        "priorities",
        formats(
            {"name": "x", "autoSelect": True, "priority": 1},
            {"name": "x", "version": "2", "autoSelect": True, "priority": 2},
        ),
        "different priorities assigned for the model format x under the servingruntime mine",
    ),
    (
        "protocol",
        runtime(protocolVersions=["v2", "v9"]),
        "invalid protocol v9. Must be one of [v1, v2, grpc-v1, grpc-v2]: spec.protocolVersions[1]",
    ),
    (
        "container",
        runtime(containers=[container(stdin=True)]),
        "must not set the field(s): spec.containers[0].stdin",
    ),
    ("unknown", runtime(foo=1), "unknown field: spec.foo"),
    ("a pod's field", runtime(dnsPolicy="None"), "unknown field: spec.dnsPolicy"),
    (
        "name",
        {**runtime(), "metadata": {}},
        "name or generateName is required: metadata.name",
    ),
]


@pytest.mark.parametrize(("raw", "message"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_every_complaint(raw: Any, message: str) -> None:
    assert complaints(Runtime.parse, raw) == message


def test_a_runtime_is_read() -> None:
    found = Runtime.parse(
        runtime(
            cluster=True,
            supportedModelFormats=[
                {"name": "x", "version": "1", "autoSelect": True, "priority": 2}
            ],
            protocolVersions=["v1"],
            disabled=True,
            nodeSelector={"a": "b"},
            labels={"c": "d"},
            annotations={"e": "f"},
            multiModel=False,
        ),
        resource=kinds.CLUSTERSERVINGRUNTIMES,
    )
    assert found.is_of_cluster
    assert found.is_disabled
    assert found.formats == (ModelFormat(name="x", version="1", is_auto_selected=True, priority=2),)
    assert found.priority_of("x") == 2
    assert found.priority_of("y") is None
    assert found.pod == {"nodeSelector": {"a": "b"}}
    assert (found.labels, found.annotations) == ({"c": "d"}, {"e": "f"})
    assert found.speaks("v1")
    assert not found.speaks("v2")


def test_a_disabled_runtime_may_contradict_itself() -> None:
    found = formats(
        {"name": "x", "autoSelect": True, "priority": 1},
        {"name": "x", "version": "2", "autoSelect": True, "priority": 2},
    )
    found["spec"]["disabled"] = True
    assert complaints(Runtime.parse, found) == ""
