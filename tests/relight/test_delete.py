from pathlib import Path

import pytest

from api import kinds
from cluster.errors import NotFoundError
from tests.relight.conftest import Platform


async def test_services_go_and_waiting_sees_their_replicas_gone(
    platform: Platform, model: Path
) -> None:
    for name in ("iris", "wine"):
        await platform.type("deploy", name, "--model", str(model))
    code, out, _ = await platform.type("delete", "iris", "wine", "iris", "--wait")
    assert code == 0
    assert out == (
        'service.serving.knative.dev "iris" deleted\nservice.serving.knative.dev "wine" deleted\n'
    )
    assert (await platform.client.list(kinds.PODS)).items == []
    with pytest.raises(NotFoundError):
        await platform.service()


async def test_what_is_not_there_is_told_after_the_rest_is_done(
    platform: Platform, model: Path
) -> None:
    await platform.type("deploy", "iris", "--model", str(model))
    code, out, err = await platform.type("delete", "nobody", "iris")
    assert code == 1
    assert out == 'service.serving.knative.dev "iris" deleted\n'
    assert '"nobody" not found' in err


async def test_replicas_that_stay_run_into_the_limit(platform: Platform, model: Path) -> None:
    await platform.type("deploy", "iris", "--model", str(model))
    platform.controller.cancel()
    words = ("--wait", "--wait-timeout", "0.05")
    code, out, err = await platform.type("delete", "iris", *words)
    assert (code, out) == (1, "")
    assert "iris is deleted but not gone after 0.05 s" in err
