"""What a server serves, asked of itself."""

import pytest

from api.kinds import Resource
from cluster.errors import ForbiddenError
from relight import served
from relight.connection import Connection
from tests.relight.conftest import Cluster


async def test_kinds_are_found_and_absent_versions_left_out(connection: Connection) -> None:
    found = await served.kinds_of(connection, ["v1", "policy/v1", "policy/v1beta1"])
    budget = found["policy/v1", "PodDisruptionBudget"]
    assert budget == Resource(
        "policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", "poddisruptionbudget"
    )
    assert not found["v1", "Node"].is_namespaced
    assert not any(version == "policy/v1beta1" for version, _ in found)


async def test_a_version_one_may_not_see_is_absent(
    cluster: Cluster, connection: Connection
) -> None:
    cluster.refused["GET /apis/policy/v1"] = (403, "no")
    assert await served.kinds_of(connection, ["policy/v1"]) == {}


async def test_answers(cluster: Cluster, connection: Connection) -> None:
    assert (await served.ask(connection, "/version"))["gitVersion"] == "v1.99.0"
    path = "/api/v1/namespaces/n/services/s:admin/proxy/healthz"
    assert await served.ask(connection, path) == "ok"
    cluster.refused["GET /version"] = (403, "not you")
    with pytest.raises(ForbiddenError, match="not you"):
        await served.ask(connection, "/version")
