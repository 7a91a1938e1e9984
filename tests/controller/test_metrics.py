from controller import metrics
from controller.config import Settings
from controller.server import Controller
from controller.webhook import Webhook
from controller.webhook_server import WebhookServer
from tests.cluster.serving import Served

OUTCOMES = ("allowed", "refused", "malformed")


async def test_everything_has_one_name_and_a_help() -> None:
    served = Served()
    controller = Controller(served.direct, Settings(), clock=served.clock)
    webhook = WebhookServer(Webhook(config_namespace="x"))
    families = [*metrics.families(controller), *metrics.of_webhook(webhook)]
    names = [each.name for each in families]
    assert len(names) == len(set(names))
    assert {"controller_reconciles", "controller_failures", "controller_queue"} <= set(names)
    assert {f"controller_webhook_{each}" for each in OUTCOMES} <= set(names)
    assert all(each.help.endswith(".") for each in families)
    served.close()
