from controller import metrics
from controller.config import Settings
from controller.server import Controller
from tests.cluster.serving import Served


async def test_everything_has_one_name_and_a_help() -> None:
    served = Served()
    controller = Controller(served.direct, Settings(), clock=served.clock)
    families = list(metrics.families(controller))
    names = [each.name for each in families]
    assert len(names) == len(set(names))
    assert {"controller_reconciles", "controller_failures", "controller_queue"} <= set(names)
    assert all(each.help.endswith(".") for each in families)
    served.close()
