from functools import partial

from autoscaler import metrics
from autoscaler.beside import Beside, Place
from autoscaler.config import Settings
from autoscaler.server import Autoscaler
from autoscaler.stat_server import StatServer
from tests.autoscaler.stores import MemoryStore
from tests.cluster.serving import Served


async def test_everything_has_one_name_and_a_help() -> None:
    served = Served()
    settings = Settings()
    meet = partial(Beside, served.direct, Place(namespace="knative-serving"))
    autoscaler = Autoscaler(
        served.direct, settings, clock=served.clock, store=MemoryStore(), meet=meet
    )
    stats = StatServer("a", receive=autoscaler.receive, listen=autoscaler.listen)
    families = list(metrics.families(autoscaler, stats))
    names = [each.name for each in families]
    assert len(names) == len(set(names))
    assert {
        "autoscaler_wanted_replicas",
        "autoscaler_reporters",
        "autoscaler_state_saves",
        "autoscaler_measured",
        "autoscaler_can_wake",
    } <= set(names)
    assert all(each.help.endswith(".") for each in families)
    served.close()
