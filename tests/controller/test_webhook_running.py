"""The webhook as a whole, in front of an API server: from an empty Secret to an answer."""

import argparse
import asyncio
import base64
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from api.kinds import CONFIGMAPS, NAMESPACES, SECRETS, SERVICES
from cluster import flags
from controller import webhook_running
from controller.webhook_running import RunningWebhook
from tests.cluster.serving import Served, namespace
from tests.controller.reviews import review

DEADLINE_S = 10.0
SYSTEM = "relight-system"
EMPTY = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "webhook-certificate", "namespace": SYSTEM},
}


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    served = Served()
    served.clock.now_s = time.time()
    await served.direct.create(NAMESPACES, namespace(SYSTEM))
    yield served
    served.close()


@pytest.fixture
def args() -> argparse.Namespace:
    return parsed("--webhook-host=127.0.0.1", "--webhook-port=0", "--webhook-linger-s=0")


def parsed(*said: str) -> argparse.Namespace:
    config = flags.Flag("--config-namespace", flags.text, "", SYSTEM)
    table = (*flags.COMMON, config, *webhook_running.FLAGS)
    return flags.parser("controller", "", table).parse_args(said)


@asynccontextmanager
async def running(webhook: RunningWebhook) -> AsyncIterator[None]:
    async with asyncio.timeout(DEADLINE_S), webhook.running():
        yield


async def until_serving(webhook: RunningWebhook) -> None:
    while webhook.unready():
        await asyncio.sleep(0.001)


async def asked(webhook: RunningWebhook, bundle: str, obj: dict[str, Any]) -> str:
    trusting = ssl.create_default_context(cadata=bundle)
    url = f"https://127.0.0.1:{webhook.server.port}/validate"
    async with aiohttp.ClientSession() as session:
        name = {"ssl": trusting, "server_hostname": f"webhook.{SYSTEM}.svc"}
        async with session.post(url, json=review(SERVICES, obj), **name) as answer:
            assert answer.status == 200
            response = (await answer.json())["response"]
            return str((response.get("status") or {}).get("message", ""))


def service(max_scale: str) -> dict[str, Any]:
    annotations = {"autoscaling.knative.dev/max-scale": max_scale}
    template = {
        "metadata": {"annotations": annotations},
        "spec": {"containers": [{"image": "a/b"}]},
    }
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "iris", "namespace": "default"},
        "spec": {"template": template},
    }


def bundle(served: Served) -> str:
    stored = served.server.get(SECRETS, SYSTEM, "webhook-certificate")
    return base64.b64decode(stored["data"]["ca.crt"]).decode()


async def test_it_answers_by_the_settings_of_now_whoever_leads(
    served: Served, args: argparse.Namespace
) -> None:
    await served.direct.create(SECRETS, EMPTY)
    webhook = RunningWebhook(served.direct, args, clock=served.clock)
    assert webhook.unready() == "the admission webhook waits for the Secret webhook-certificate"
    async with running(webhook):
        await until_serving(webhook)
        assert await asked(webhook, bundle(served), service("5")) == ""
        settings = {"name": "config-autoscaler", "namespace": SYSTEM}
        limit = {"max-scale": "3", "max-scale-limit": "3"}
        await served.direct.create(CONFIGMAPS, {"metadata": settings, "data": limit})
        while not (said := await asked(webhook, bundle(served), service("5"))):
            await asyncio.sleep(0.001)
        assert said.startswith("validation failed: expected 1 <= 5 <= 3: spec.template")
    assert webhook.unready() == "the admission webhook does not serve"


async def test_it_leaves_before_it_ever_served(served: Served, args: argparse.Namespace) -> None:
    class Silent:
        async def list(self, *_: object, **__: object) -> None:
            await asyncio.Event().wait()

    client: Any = Silent()
    async with running(RunningWebhook(client, args, clock=served.clock)):
        await asyncio.sleep(0)


async def test_a_port_that_is_taken_ends_the_process(
    served: Served, args: argparse.Namespace
) -> None:
    with listening() as port:
        args.webhook_port = port
        with pytest.raises(ExceptionGroup) as caught:
            async with running(RunningWebhook(served.direct, args, clock=served.clock)):
                await asyncio.Event().wait()
    assert caught.group_contains(OSError)


@contextlib.contextmanager
def listening() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ((), True),
        (("--namespace=x",), False),
        (("--namespace=x", "--webhook=true"), True),
        (("--webhook=false",), False),
    ],
)
async def test_who_answers(said: tuple[str, ...], expected: bool, served: Served) -> None:
    webhook = RunningWebhook(served.direct, parsed(*said), clock=served.clock)
    assert webhook.is_wanted == expected
    if not expected:
        assert webhook.unready() == ""
        async with webhook.running():
            await webhook.lead()


def test_the_certificate_is_for_what_callers_say() -> None:
    service = "webhook.relight-system"
    given = (service, f"{service}.svc", f"{service}.svc.cluster.local")
    assert webhook_running.names(parsed()) == given
    more = parsed("--webhook-name=10.99.0.1,a", "--webhook-name=", "--webhook-name=b")
    assert webhook_running.names(more) == (*given, "10.99.0.1", "a", "b")
    other = parsed("--webhook-service=asked", "--system-namespace=mine")
    assert webhook_running.names(other)[1] == "asked.mine.svc"
