"""`relight uninstall`: what goes, what stays, and what is said before."""

from typing import Any

import pytest

from relight.errors import Exit
from tests.relight.conftest import Cluster

OURS = {"app.kubernetes.io/part-of": "relight"}


def put(cluster: Cluster, version: str, plural: str, name: str, **more: Any) -> None:
    namespace = more.pop("namespace", "relight-system")
    labels = more.pop("labels", OURS)
    metadata = {"name": name, "labels": labels} | ({"namespace": namespace} if namespace else {})
    cluster.put(version, plural, {"metadata": metadata, **more})


@pytest.fixture
def installed(cluster: Cluster) -> Cluster:
    put(cluster, "v1", "namespaces", "relight-system", namespace="")
    put(cluster, "v1", "namespaces", "default", namespace="", labels={})
    put(cluster, "apps/v1", "deployments", "activator")
    put(cluster, "rbac.authorization.k8s.io/v1", "clusterroles", "relight-activator", namespace="")
    definition = ("apiextensions.k8s.io/v1", "customresourcedefinitions")
    put(cluster, *definition, "services.serving.knative.dev", namespace="")
    put(cluster, "serving.knative.dev/v1", "services", "iris", namespace="default", labels={})
    put(cluster, "v1", "pods", "warm", namespace="default", labels={"relight.dev/pool": "x"})
    put(cluster, "v1", "pods", "theirs", namespace="default", labels={})
    return cluster


async def test_users_objects_stay(installed: Cluster) -> None:
    code, out, err = await installed.type("uninstall", "--yes")
    assert code == Exit.OK, err
    assert "keeps what users made: 1 services.serving.knative.dev" in out
    assert "removes 1 warm Pods" in out
    assert installed.names("services") == {"iris"}
    assert installed.names("pods") == {"theirs"}
    assert installed.names("namespaces") == {"default"}
    assert installed.names("deployments") | installed.names("clusterroles") == set()
    assert installed.names("customresourcedefinitions") == {"services.serving.knative.dev"}


async def test_they_go_when_that_is_said(installed: Cluster) -> None:
    code, out, err = await installed.type("uninstall", "--yes", "--delete-crds")
    assert code == Exit.OK, err
    assert "DELETES every kind of ours and all objects of them: 1 services" in out
    assert installed.names("customresourcedefinitions") == set()


@pytest.mark.parametrize(("typed", "goes"), [("y", True), ("", False), ("no", False)])
async def test_a_person_is_asked(
    installed: Cluster, monkeypatch: pytest.MonkeyPatch, typed: str, *, goes: bool
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: typed)
    code, _, _ = await installed.type("uninstall")
    assert code == (Exit.OK if goes else Exit.USAGE)
    assert ("activator" in installed.names("deployments")) is not goes


async def test_warm_pods_are_those_that_are_there_in_the_end(
    installed: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hesitate(_: str) -> str:
        claimed = {"serving.knative.dev/revision": "r"}
        put(installed, "v1", "pods", "warm", namespace="default", labels=claimed)
        put(installed, "v1", "pods", "newer", namespace="default", labels={"relight.dev/pool": "x"})
        return "y"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", hesitate)
    code, _, err = await installed.type("uninstall")
    assert code == Exit.OK, err
    assert installed.names("pods") == {"theirs", "warm"}


async def test_a_script_has_to_say_yes(installed: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    before = dict(installed.objects)
    code, _, err = await installed.type("uninstall")
    assert code == Exit.USAGE
    assert "nothing was removed: say --yes" in err
    assert installed.objects == before


async def test_nothing_to_remove(cluster: Cluster) -> None:
    code, out, _ = await cluster.type("uninstall")
    assert (code, out) == (Exit.OK, "Relight is not installed on this cluster\n")
