"""The end-to-end suite on a real cluster: skipped unless `make cluster-test` runs it.

Every test has a namespace of its own, which goes with all that is in it.
"""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.k8s import models
from tests.k8s.cluster import SYSTEM, TOLD, Cluster, wait_until

CLUSTER = "RELIGHT_CLUSTER"
HERE = Path(__file__).parent
# Last: an upgrade of all there is, and a look at what all the others did.
LAST = ("test_failures.py", "test_access.py")
COMPONENTS = ("activator", "autoscaler", "controller")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ours = [each for each in items if each.path.parent == HERE]
    if CLUSTER not in os.environ:
        for item in ours:
            if "cluster" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.skip("no cluster: make cluster-test brings one"))
    places = {HERE / name: place for place, name in enumerate(LAST, 1)}
    items.sort(key=lambda each: places.get(each.path, 0))


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster, with the platform installed and ready (test_install.py looks closer)."""
    found = Cluster.from_environment()
    wait_until(lambda: all(found.of(each) for each in COMPONENTS), 60, f"our Pods in {SYSTEM}")
    return found


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for one test. It is deleted without waiting: Pods take seconds to go."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    yield name
    if getattr(request.node, "failed", False):
        _tell(cluster, name)
    cluster.discard(name)


@pytest.fixture(scope="session")
def model_server(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """http://HOST:PORT, with the models of `models.FILES`."""
    if not cluster.host:
        pytest.skip("it is not known how Pods reach this machine: RELIGHT_CLUSTER_HOST=ADDRESS")
    with models.served(tmp_path_factory.mktemp("models"), cluster.host) as address:
        yield address


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):  # type: ignore[no-untyped-def] # pytest's own types
    report = yield
    if report.when == "call":
        item.failed = report.failed
    return report


def _tell(cluster: Cluster, namespace: str) -> None:
    """What a person would look at first; pytest shows it with the failure."""
    kinds = "ksvc,isvc,revision,podautoscaler,deployment,pod,events"
    print(cluster.kubectl("get", kinds, "-n", namespace, "-o", "wide", check=False).stdout)  # noqa: T201 - pytest shows it
    for component in COMPONENTS:
        print(cluster.logs(component))  # noqa: T201 - pytest shows it


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures and tables of tests that passed, too."""
    for line in TOLD:
        terminalreporter.write_line(line)
