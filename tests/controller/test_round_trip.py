"""Objects of Knative's are Relight's, and the other way round: both ways, through real servers.

There is no Knative here. What it takes is written down by what its definitions name (the list
that docs/compatibility.md is made of) and by what its webhook refuses of these kinds.
"""

import copy
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from api import keys
from api.kinds import CONFIGURATIONS, PODAUTOSCALERS, REVISIONS, ROUTES, SERVICES, Resource
from cluster.errors import InvalidError
from tests.api.test_exports import DOCUMENTS
from tests.controller.world import World, a_world, ksvc

EXAMPLES = Path(__file__).parent.parent.parent / "examples/knative"
FIELDS = Path(__file__).parent.parent / "upstream_fields.txt"
KINDS = (SERVICES, CONFIGURATIONS, REVISIONS, ROUTES, PODAUTOSCALERS)
# What a server sets.
SERVERS = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")
# Where the spec of Pods stands.
PODS = {
    "Service": "spec.template.spec",
    "Configuration": "spec.template.spec",
    "Revision": "spec",
}
# Of these Knative's webhook lets pass, without any feature switched on.
POD_FIELDS = {
    *("containers", "volumes", "serviceAccountName", "imagePullSecrets", "enableServiceLinks"),
    *("containerConcurrency", "timeoutSeconds"),
    *("responseStartTimeoutSeconds", "idleTimeoutSeconds", "automountServiceAccountToken"),
}
CONTAINER_FIELDS = {
    *("name", "args", "command", "env", "envFrom", "workingDir", "image", "imagePullPolicy"),
    *("ports", "livenessProbe", "readinessProbe", "startupProbe", "resources"),
    *("securityContext", "terminationMessagePath", "terminationMessagePolicy", "volumeMounts"),
}
VOLUMES = {"secret", "configMap", "projected", "emptyDir", "persistentVolumeClaim"}
CLASSES = {keys.CLASS_KPA, keys.CLASS_HPA}

# As Knative stores it: its webhook added class and metric, its controllers the rest.
PODAUTOSCALER = """
apiVersion: autoscaling.internal.knative.dev/v1alpha1
kind: PodAutoscaler
metadata:
  annotations:
    autoscaling.knative.dev/class: {class}
    autoscaling.knative.dev/metric: {metric}
    autoscaling.knative.dev/minScale: "1"
    client.knative.dev/user-image: example.com/hello
    serving.knative.dev/creator: kubernetes-admin
    serving.knative.dev/routes: hello
    serving.knative.dev/routingStateModified: "2026-05-01T08:00:00Z"
  labels:
    app: hello-00003
    serving.knative.dev/configuration: hello
    serving.knative.dev/configurationGeneration: "3"
    serving.knative.dev/revision: hello-00003
    serving.knative.dev/revisionUID: r
    serving.knative.dev/service: hello
  name: hello-00003
  namespace: default
spec:
  containerConcurrency: 0
  protocolType: http1
  reachability: Reachable
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: hello-00003-deployment}
"""


def knatives() -> Iterator[dict[str, Any]]:
    yield from copy.deepcopy([each for each in DOCUMENTS if each["kind"] != "DomainMapping"])
    for class_, metric in ((keys.CLASS_KPA, "concurrency"), (keys.CLASS_BESIDE, '""')):
        text = PODAUTOSCALER.replace("{class}", class_).replace("{metric}", metric)
        yield yaml.safe_load(text)


def bare(raw: dict[str, Any]) -> dict[str, Any]:
    """As somebody takes it from one cluster to another."""
    metadata = {key: each for key, each in raw["metadata"].items() if key not in SERVERS}
    return {key: each for key, each in {**raw, "metadata": metadata}.items() if key != "status"}


def upstream(kind: str) -> set[str]:
    """The path of every field of a kind."""
    found: dict[str, set[str]] = {}
    for line in FIELDS.read_text().splitlines():
        if re.fullmatch(r"# \w+", line):
            below = found.setdefault(line.removeprefix("# "), set())
        elif not line.startswith("#"):
            parent, _, names = line.partition(": ")
            below |= {("" if parent == "." else parent + ".") + name for name in names.split()}
    at = PODS.get(kind)
    pods = {f"{at}.{each}" for each in found["Pod"]} if at else set()
    return found[kind] | pods


def fields(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield f"{path}.{key}".lstrip(".")
            yield from fields(each, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for each in value:
            yield from fields(each, f"{path}[*]")


def unknown(raw: dict[str, Any]) -> list[str]:
    """Fields that Knative's definition of a kind does not name, and would drop."""
    known = upstream(raw["kind"])
    above = {path for each in known for path in _above(each)}
    body = {key: each for key, each in raw.items() if key in ("spec", "status")}
    found = (each for each in fields(body) if ".metadata." not in each)
    # Where no field is named there are keys of anybody's, as in nodeSelector.
    return [
        each
        for each in found
        if each not in known and not any(up in known - above for up in _above(each))
    ]


def _above(path: str) -> Iterator[str]:
    while "." in path:
        path = path.rpartition(".")[0]
        yield path.removesuffix("[*]")


def refused(raw: dict[str, Any]) -> list[str]:
    """What Knative's webhook would say of it."""
    metadata, spec, kind = raw["metadata"], raw["spec"], raw["kind"]
    annotations = metadata.get("annotations") or {}
    found = [f"no field: {each}" for each in unknown(raw)]
    if kind in ("Service", "Configuration"):
        template = spec["template"].get("metadata") or {}
        scaling = [each for each in annotations if each.startswith(keys.AUTOSCALING_PREFIX)]
        found += [f"not here: {each}" for each in scaling]
        annotations = template.get("annotations") or {}
    class_ = annotations.get(keys.SCALING_CLASS, keys.CLASS_KPA)
    if class_.endswith(".knative.dev") and class_ not in CLASSES:
        found.append(f"invalid value: {class_}")
    metric = annotations.get(keys.SCALING_METRIC, "concurrency")
    if class_ == keys.CLASS_KPA and metric not in {"concurrency", "rps"}:
        found.append(f"invalid value: {metric}")
    if kind in PODS:
        found += _refused_pod(spec if kind == "Revision" else spec["template"]["spec"])
    if kind in ("Service", "Route"):
        found += _refused_traffic(spec["traffic"], kind)
    if kind == "PodAutoscaler" and (
        spec["protocolType"] not in {"http1", "h2c"}
        or set(spec["scaleTargetRef"]) != {"apiVersion", "kind", "name"}
    ):
        found.append("no target")
    return found


def _refused_pod(spec: dict[str, Any]) -> Iterator[str]:
    yield from (f"must not set {each}" for each in set(spec) - POD_FIELDS)
    if not 0 <= spec.get("containerConcurrency", 0) <= 1000:
        yield "containerConcurrency"
    if not 0 < spec.get("timeoutSeconds", 300) <= 600:
        yield "timeoutSeconds"
    for each in spec["containers"]:
        yield from _refused_container(each)
    for each in spec.get("volumes", ()):
        if not VOLUMES & set(each):
            yield f"volume {each}"


def _refused_container(container: dict[str, Any]) -> Iterator[str]:
    yield from (f"must not set containers.{name}" for name in set(container) - CONTAINER_FIELDS)
    ports = container.get("ports", ())
    if len(ports) > 1:
        yield "ports"
    for port in ports:
        if port.get("name", "") not in {"", "h2c", "http1"} or "hostPort" in port:
            yield f"port {port}"
    reserved = {"PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION"}
    if reserved & {one["name"] for one in container.get("env", ())}:
        yield "env"
    probe = container.get("readinessProbe") or {}
    if not probe.get("periodSeconds", 0) and {"failureThreshold", "timeoutSeconds"} & set(probe):
        yield "readinessProbe"


def _refused_traffic(traffic: list[dict[str, Any]], kind: str) -> Iterator[str]:
    if sum(each.get("percent", 0) for each in traffic) != 100:
        yield "traffic"
    for each in traffic:
        if "url" in each or (kind == "Service" and "configurationName" in each):
            yield "traffic"
        if bool(each.get("latestRevision")) == bool(each.get("revisionName")):
            yield "latestRevision"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path / "store.db") as world:
        yield world


def told(raw: dict[str, Any]) -> dict[str, str]:
    """Annotations, but who made what nobody owns: that is whoever makes it here."""
    found = dict(raw["metadata"].get("annotations") or {})
    if not raw["metadata"].get("ownerReferences"):
        found.pop(keys.CREATOR, None)
        found.pop(keys.LAST_MODIFIER, None)
    return found


def of(kind: str) -> Resource:
    return next(each for each in KINDS if each.kind == kind)


@pytest.mark.parametrize("raw", list(knatives()), ids=lambda raw: raw["kind"])
async def test_what_knative_stored_is_stored_as_it_is(raw: dict[str, Any], world: World) -> None:
    assert refused(raw) == [], "it is Knative's"
    sent = bare(raw)
    made = await world.client.create(of(raw["kind"]), copy.deepcopy(sent))
    assert told(made) == told(sent)
    assert made["metadata"].get("labels") == sent["metadata"].get("labels")
    found = made["spec"]
    if raw["kind"] == "Configuration":
        found = {key: each for key, each in found.items() if key in raw["spec"]}
        [container] = found["template"]["spec"]["containers"]
        assert container.items() >= raw["spec"]["template"]["spec"]["containers"][0].items()
    else:
        assert found == raw["spec"]
    # And again from here, as it was taken there.
    assert refused(made) == []


SHIPPED = ("hello", "sidecar", "probes", "beside/from-url", "beside/from-claim")


def services() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in SHIPPED:
        raw = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
        raw["metadata"]["namespace"] = "default"
        container = raw["spec"]["template"]["spec"]["containers"][0]
        container.setdefault("args", ["good"])  # which the world's stand-in reads
        yield name, raw
    annotations = {keys.SCALING_CLASS: keys.CLASS_BESIDE, keys.MAX_SCALE: "3"}
    yield "good", ksvc("mnist", labels={"team": "a"}, template_annotations=annotations)


@pytest.mark.parametrize(("name", "raw"), list(services()), ids=[name for name, _ in services()])
async def test_what_relight_stores_is_what_knative_takes(
    name: str, raw: dict[str, Any], world: World, tmp_path: Path
) -> None:
    service = raw["metadata"]["name"]
    async with world.controller():
        await world.apply(raw)
        await world.until(lambda: _has(world, REVISIONS, f"{service}-00001"), "a Revision")
        await world.until(lambda: _has(world, ROUTES, service), "a Route")
        if name == "good":
            await world.until(lambda: world.says(SERVICES, service, "True"), "ready")
    stored = {
        (resource.kind, each["metadata"]["name"]): {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            **each,
        }
        for resource in KINDS
        for each in (await world.client.list(resource, "default")).items
    }
    kinds = {kind for kind, _ in stored}
    assert kinds >= {"Service", "Configuration", "Revision", "Route"}
    assert name != "good" or "PodAutoscaler" in kinds
    for title, each in stored.items():
        assert (title, refused(bare(each))) == (title, [])
    # What was taken from here is the same somewhere else.
    async with a_world(tmp_path / "other.db") as other:
        for (kind, _), each in stored.items():
            made = await other.client.create(of(kind), copy.deepcopy(bare(each)))
            assert made["spec"] == each["spec"]


def _has(world: World, resource: Resource, name: str) -> bool:
    return any(each == ("default", name) for each in world.informers[resource].objects)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"annotations": {keys.SCALING_CLASS: keys.CLASS_RELIGHT}}, "invalid value: relight."),
        ({"nodeSelector": {"a": "b"}}, "must not set nodeSelector"),
        ({"hostNetwork": False, "runtimeClassName": "gvisor"}, "must not set "),
    ],
)
async def test_what_is_ours_alone_is_told(change: dict[str, Any], said: str, world: World) -> None:
    """Relight takes more than Knative does: this says so, or the tests above could not fail."""
    raw = ksvc("mnist", template_annotations=change.pop("annotations", {}))
    raw["spec"]["template"]["spec"] |= change
    try:
        made = await world.client.create(SERVICES, raw)
    except InvalidError:
        pytest.fail("Relight takes it")
    found = refused({**made, "kind": "Service"})
    assert said in found[0]
