"""`relight doctor` as it is typed."""

from relight.errors import Exit
from tests.relight.conftest import Cluster


async def test_an_empty_cluster(cluster: Cluster) -> None:
    code, out, err = await cluster.type("doctor")
    assert code == Exit.FAILED
    assert "ok   the API server answers: Kubernetes v1.99.0\n" in out
    assert "BAD  definitions are missing: " in out
    assert "BAD  Relight is not installed" in out
    assert "\n     → relight install\n" in out
    assert "2 of " in err


async def test_quietly_only_what_is_wrong(cluster: Cluster) -> None:
    _, out, _ = await cluster.type("doctor", "--quiet")
    marks = {line.split()[0] for line in out.splitlines() if not line.startswith(" ")}
    assert marks == {"BAD"}
