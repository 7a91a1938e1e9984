"""The same manifests on a cluster and on one machine: the same statuses, or a diff."""

import json
import tempfile
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.keys import MIN_SCALE
from examples.running import Platform
from tests.e2e.conftest import kubectl_for
from tests.k8s.cluster import KUBECTL, ROOT, SYSTEM, Cluster, condition, wait_until
from tests.k8s.comparing import SET_ASIDE, difference

pytestmark = pytest.mark.e2e

EXAMPLES = ROOT / "examples"
# Each is a list of files, applied one after the other. `storageUri: examples/models/X` becomes an
# address that both can reach; all else is applied as it is.
SHAPES = {
    "a Service": ["knative/hello.yaml"],
    "two Revisions and their tags": [
        "knative/blue-green/1-blue.yaml",
        "knative/blue-green/2-green.yaml",
    ],
    "a model": ["kserve/onnx.yaml"],
    "a canary": ["kserve/canary/1-first.yaml", "kserve/canary/2-canary.yaml"],
    "a transformer": ["kserve/transformer.yaml"],
    "a predictor of one's own": ["kserve/custom-predictor.yaml"],
}
KINDS = [
    *(("serving.knative.dev/v1", each) for each in ("services", "configurations")),
    *(("serving.knative.dev/v1", each) for each in ("revisions", "routes")),
    ("serving.kserve.io/v1beta1", "inferenceservices"),
]
READY_S = 90.0
AT_REST_S = 60.0
# On both: the same window, so that what scales to zero is there within seconds.
WINDOW: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "config-autoscaler"},
    "data": {"stable-window": "6s"},
}
Statuses = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two platforms."""

    get: Callable[[str], Any]
    kubectl: Callable[..., object]
    settings: str  # the namespace of its ConfigMaps


@pytest.fixture(scope="module")
def pair(cluster: Cluster, model_server: str) -> Iterator[tuple[Statuses, Statuses]]:
    """The statuses of all shapes, on one machine and on the cluster, applied to both at once.

    `relight up` runs where the cluster's addresses lead somewhere, too.
    """
    namespace = f"t-{uuid.uuid4().hex[:8]}"
    with (
        tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as folder,
        Platform(Path(folder) / "d", cwd=ROOT) as machine,
        ThreadPoolExecutor() as pool,
    ):
        here = Side(
            get=machine.get,
            kubectl=kubectl_for(str(KUBECTL), machine),
            settings="knative-serving",
        )
        there = Side(get=cluster.get, kubectl=cluster.kubectl, settings=SYSTEM)
        ends = [pool.submit(statuses, each, namespace, model_server) for each in (here, there)]
        try:
            yield ends[0].result(), ends[1].result()
        finally:
            cluster.discard(namespace)
            cluster.kubectl("delete", "configmap", WINDOW["metadata"]["name"], "-n", SYSTEM)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_statuses(pair: tuple[Statuses, Statuses], shape: str) -> None:
    """Of every object of a shape: they begin with the name that its manifest has."""
    made = yaml.safe_load((EXAMPLES / SHAPES[shape][0]).read_text())
    name = made["metadata"]["name"]
    here, there = (
        {key: each[key] for key in each if key.partition(" ")[2].startswith(name)} for each in pair
    )
    assert here, "no object at all"
    told = difference(here, there)
    assert told == "", f"set aside: {', '.join(SET_ASIDE)}; the rest differs:\n{told}"


def statuses(side: Side, namespace: str, models: str) -> Statuses:
    """Apply every shape; the status of everything, once all is ready and what idles is at zero."""
    side.kubectl("apply", "-n", side.settings, "-f", "-", stdin=json.dumps(WINDOW))
    side.kubectl("create", "namespace", namespace)
    for step in zip_longest(*SHAPES.values()):
        texts = [(EXAMPLES / file).read_text() for file in step if file]
        for text in texts:
            placed = text.replace("examples/models/", f"{models}/")
            side.kubectl("apply", "-n", namespace, "-f", "-", stdin=placed)
        for text in texts:
            made = yaml.safe_load(text)
            kind = "services" if made["kind"] == "Service" else "inferenceservices"
            path = f"{at(made['apiVersion'], kind, namespace)}/{made['metadata']['name']}"
            wait_until(partial(_is_settled_at, side.get, path), READY_S, f"{path} to be ready")
    seen: list[Statuses] = [{}]

    def is_still() -> bool:
        """The same as last time: what follows readiness has been written, too."""
        found = {
            f"{kind} {item['metadata']['name']}": item
            for group, kind in KINDS
            for item in side.get(at(group, kind, namespace)).get("items") or ()
        }
        before, seen[0] = seen[0], {name: each.get("status") for name, each in found.items()}
        return all(is_settled(each) for each in found.values()) and seen[0] == before

    wait_until(is_still, AT_REST_S, "everything to be ready and at rest")
    return seen[0]


def at(group: str, kind: str, namespace: str) -> str:
    return f"/apis/{group}/namespaces/{namespace}/{kind}"


def _is_settled_at(get: Callable[[str], Any], path: str) -> bool:
    return is_settled(get(path))


def is_settled(found: Any) -> bool:
    """Ready in its latest form and, if it is a Revision, as many replicas as it keeps."""
    told = found.get("status") or {}
    is_current = told.get("observedGeneration") == found["metadata"]["generation"]
    if "containerStatuses" in told:
        kept = int(found["metadata"].get("annotations", {}).get(MIN_SCALE, 0))
        counts = {told.get("actualReplicas") or 0, told.get("desiredReplicas") or 0}
        return is_current and counts == {kept}
    return is_current and condition(found)["status"] == "True"
