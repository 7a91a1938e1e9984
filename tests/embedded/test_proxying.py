"""Components behind Kubernetes' service proxy."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from embedded.http import make_app
from embedded.proxying import refusal
from tests.cluster.serving import Served

HERE = "/api/v1/namespaces/relight-system/services"
Client = TestClient[web.Request, web.Application]


def component() -> web.Application:
    async def echo(request: web.Request) -> web.Response:
        return web.json_response({"it": request.match_info["name"], "query": request.query_string})

    app = web.Application()
    app.router.add_get("/things/{name}", echo)
    return app


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    served = Served()
    app = make_app(served.server, token="sesame", services={"autoscaler": component})
    async with TestClient(TestServer(app)) as client:
        yield client
    served.close()


async def get(client: Client, path: str, token: str = "sesame") -> tuple[int, dict[str, str]]:
    headers = {"Authorization": f"Bearer {token}"}
    async with client.get(URL(path, encoded=True), headers=headers) as response:
        return response.status, await response.json()


@pytest.mark.parametrize(
    "said", ["autoscaler:admin", "autoscaler", "http:autoscaler:admin", "autoscaler%3Aadmin"]
)
async def test_a_component_answers_under_every_name_of_its_port(client: Client, said: str) -> None:
    status, raw = await get(client, f"{HERE}/{said}/proxy/things/a?b=c")
    assert (status, raw) == (200, {"it": "a", "query": "b=c"})


async def test_only_who_knows_the_token_may_ask(client: Client) -> None:
    status, raw = await get(client, f"{HERE}/autoscaler:admin/proxy/things/a", token="guessed")
    assert (status, raw["reason"]) == (401, "Unauthorized")


@pytest.mark.parametrize(
    ("path", "code", "reason", "said"),
    [
        (f"{HERE}/nobody/proxy/x", 404, "NotFound", 'services "nobody" not found'),
        (f"{HERE}/nobody:admin/proxy", 404, "NotFound", 'services "nobody" not found'),
        (
            "/api/v1/namespaces/default/services/autoscaler:admin/proxy/things/a",
            *(404, "NotFound", 'services "autoscaler" not found'),
        ),
        (
            f"{HERE}/autoscaler:web/proxy/things/a",
            *(503, "ServiceUnavailable", 'no service port "web" found for service "autoscaler"'),
        ),
        (f"{HERE}/autoscaler:admin/proxy/nothing", 404, "NotFound", "Not Found"),
    ],
)
async def test_what_is_not_there(
    client: Client, path: str, code: int, reason: str, said: str
) -> None:
    status, raw = await get(client, path)
    assert (status, raw["kind"], raw["reason"], raw["message"]) == (code, "Status", reason, said)


def test_other_paths_are_none_of_its_business() -> None:
    for path in ("/", "/api/v1/pods", f"{HERE}", f"{HERE}/autoscaler", f"{HERE}/a/status"):
        assert refusal(path, {}) is None
