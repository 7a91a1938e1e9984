"""Objects into a cluster, new and old."""

from typing import Any

import pytest

from relight.applying import apply, title
from relight.connection import Connection
from relight.errors import FailedError
from tests.relight.conftest import Cluster


def obj(version: str, kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **more}


DEFINITION = obj(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "cows.farm.dev",
    spec={"schema": {"x-rules": [1], "inner": {"x-rules": [2], "type": "object"}}},
)
BUDGET = obj("policy/v1", "PodDisruptionBudget", "b", spec={"maxUnavailable": 1})
BUDGET["metadata"]["namespace"] = "n"


async def test_applying_again_changes_nothing(connection: Connection) -> None:
    told: list[str] = []
    first = await apply(connection, [DEFINITION, BUDGET], tell=told.append)
    assert told == [
        "CustomResourceDefinition cows.farm.dev created",
        "PodDisruptionBudget n/b created",
    ]
    assert first.names == {
        ("CustomResourceDefinition", "", "cows.farm.dev"),
        ("PodDisruptionBudget", "n", "b"),
    }
    again = await apply(connection, [DEFINITION, BUDGET], tell=told.append)
    assert (again.changed, again.unchanged, len(told)) == ([], 2, 2)
    other = {**BUDGET, "spec": {"maxUnavailable": 2}}
    await apply(connection, [other], tell=told.append)
    assert told[-1] == "PodDisruptionBudget n/b configured"


async def test_what_is_scaled_by_others_stays_as_many_as_it_is(
    cluster: Cluster, connection: Connection
) -> None:
    deployment = obj("apps/v1", "Deployment", "activator", spec={"replicas": 2, "selector": {}})
    deployment["metadata"]["namespace"] = "n"
    await apply(connection, [deployment], tell=lambda _: None)
    left_out = {**deployment, "spec": {"selector": {}}}
    done = await apply(connection, [left_out], tell=lambda _: None)
    assert done.unchanged == 1
    # Then by a HorizontalPodAutoscaler.
    cluster.put("apps/v1", "deployments", {**deployment, "spec": {"replicas": 7}})
    await apply(connection, [left_out], tell=lambda _: None)
    stored = cluster.get("deployments", "activator", "n")
    assert stored is not None
    assert stored["spec"] == {"replicas": 7, "selector": {}}


async def test_an_older_server_gets_what_it_takes(cluster: Cluster, connection: Connection) -> None:
    cluster.served["policy/v1beta1"] = cluster.served.pop("policy/v1")
    cluster.unknown_fields = ("x-rules",)
    gone = obj("gone.io/v1", "Thing", "t")
    told: list[str] = []
    done = await apply(connection, [DEFINITION, BUDGET, gone], tell=told.append)
    stored = cluster.get("customresourcedefinitions", "cows.farm.dev")
    assert stored is not None
    assert stored["spec"] == {"schema": {"inner": {"type": "object"}}}
    budget = cluster.get("poddisruptionbudgets", "b", "n")
    assert budget is not None
    assert budget["apiVersion"] == "policy/v1beta1"
    assert len(done.notes) == 2
    assert done.skipped == ["Thing t: gone.io/v1 Thing is not served here"]


async def test_a_refusal_names_the_object(
    cluster: Cluster, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relight.applying._AGAIN_S", 0.001)
    path = "PATCH /apis/policy/v1/namespaces/n/poddisruptionbudgets/b"
    cluster.refused[path] = (403, "you may not")
    with pytest.raises(FailedError, match="PodDisruptionBudget n/b: you may not"):
        await apply(connection, [BUDGET], tell=print)
    assert cluster.asked.count(path) == 3


def test_titles() -> None:
    assert title(BUDGET) == "PodDisruptionBudget n/b"
    assert title(DEFINITION) == "CustomResourceDefinition cows.farm.dev"
