"""The same manifests on a cluster and on one machine: the same statuses, or a diff."""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from examples.running import Platform
from tests.e2e.conftest import kubectl_for
from tests.k8s.cluster import KUBECTL, ROOT, Cluster, condition, wait_until
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
}
KINDS = [
    *(("serving.knative.dev/v1", each) for each in ("services", "configurations")),
    *(("serving.knative.dev/v1", each) for each in ("revisions", "routes")),
    ("serving.kserve.io/v1beta1", "inferenceservices"),
]
READY_S = 90.0
Get = Callable[[str], Any]
Apply = Callable[[str], object]


@pytest.fixture(scope="module")
def one_machine() -> Iterator[Platform]:
    """`relight up` where the cluster's addresses lead somewhere, too."""
    with (
        tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as folder,
        Platform(Path(folder) / "d", cwd=ROOT) as running,
    ):
        yield running


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_statuses(
    cluster: Cluster, one_machine: Platform, namespace: str, model_server: str, shape: str
) -> None:
    files = [(EXAMPLES / each).read_text() for each in SHAPES[shape]]
    texts = [each.replace("examples/models/", f"{model_server}/") for each in files]
    embedded = kubectl_for(str(KUBECTL), one_machine)
    embedded("create", "namespace", namespace)

    def there(text: str) -> None:
        cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=text)

    def here(text: str) -> None:
        embedded("apply", "-n", namespace, "-f", "-", stdin=text)

    told = difference(
        statuses(one_machine.get, here, texts, namespace),
        statuses(cluster.get, there, texts, namespace),
    )
    assert told == "", f"set aside: {', '.join(SET_ASIDE)}; the rest differs:\n{told}"


def statuses(get: Get, apply: Apply, texts: list[str], namespace: str) -> dict[str, Any]:
    """Apply them; the status of everything, once all is ready and has said so."""
    for text in texts:
        apply(text)
        made = yaml.safe_load(text)
        kind = "services" if made["kind"] == "Service" else "inferenceservices"
        path = f"{at(made['apiVersion'], kind, namespace)}/{made['metadata']['name']}"
        wait_until(partial(_is_settled_at, get, path), READY_S, f"{path} to be ready")
    seen: list[dict[str, Any]] = [{}]

    def is_still() -> bool:
        """Ready, and the same as last time: what follows readiness has been written, too."""
        found = {
            f"{kind} {item['metadata']['name']}": item
            for group, kind in KINDS
            for item in get(at(group, kind, namespace)).get("items") or ()
        }
        before, seen[0] = seen[0], {name: each.get("status") for name, each in found.items()}
        return all(is_settled(each) for each in found.values()) and seen[0] == before

    wait_until(is_still, READY_S, "everything to be ready")
    return seen[0]


def at(group: str, kind: str, namespace: str) -> str:
    return f"/apis/{group}/namespaces/{namespace}/{kind}"


def _is_settled_at(get: Get, path: str) -> bool:
    return is_settled(get(path))


def is_settled(found: Any) -> bool:
    told = found.get("status") or {}
    is_current = told.get("observedGeneration") == found["metadata"]["generation"]
    return is_current and condition(found)["status"] == "True"
