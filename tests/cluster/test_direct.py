from collections.abc import Iterator

import pytest

from api.kinds import PODS, SERVICES
from cluster.client import Client
from cluster.direct import DirectClient
from tests.cluster.serving import Served, pod, service
from tests.cluster.suite import ClientSuite, take


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


class TestDirectClient(ClientSuite):
    @pytest.fixture
    def client(self, served: Served) -> Client:
        return served.direct


async def test_the_user_is_who_admission_sees(served: Served) -> None:
    made = await DirectClient(served.server, user="ann").create(SERVICES, service())
    assert made["metadata"]["annotations"]["serving.knative.dev/creator"] == "ann"


async def test_results_are_shared_not_copied(served: Served) -> None:
    await served.direct.create(PODS, pod())
    found = await served.direct.get(PODS, "default", "p")
    assert found is (await served.direct.list(PODS)).items[0]


async def test_what_the_caller_keeps_is_not_what_is_stored(served: Served) -> None:
    raw = pod()
    await served.direct.create(PODS, raw)
    raw["spec"]["containers"][0]["image"] = "changed"
    found = await served.direct.get(PODS, "default", "p")
    assert found["spec"]["containers"][0]["image"] == "relight/predictor"


async def test_a_watch_that_is_left_is_closed(served: Served) -> None:
    stream = served.direct.watch(PODS, resource_version="0")
    await served.direct.create(PODS, pod())
    await take(stream, 1)
    assert served.server.statistics().watchers == 1
    await stream.aclose()  # type: ignore[attr-defined] # it is a generator
    assert served.server.statistics().watchers == 0
