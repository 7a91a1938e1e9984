import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from api.kinds import PODS
from cluster import authorizing, connecting
from cluster.auth import Address, load_kubeconfig
from cluster.credentials import Credential, CredentialsError
from cluster.errors import UnauthorizedError, UnavailableError
from cluster.plugins import Plugin

PLUGIN = Plugin(user="ada", command="x", api_version="client.authentication.k8s.io/v1")


class Server:
    """It takes one token at a time, and keeps what it was shown."""

    def __init__(self) -> None:
        self.token = "t1"
        self.seen: list[str | None] = []

    async def answer(self, request: web.Request) -> web.Response:
        shown = request.headers.get("Authorization")
        self.seen.append(shown)
        body = await request.text()
        if shown != f"Bearer {self.token}":
            return web.json_response({"kind": "Status", "message": "no", "code": 401}, status=401)
        return web.json_response({"items": [], "body": body})


@asynccontextmanager
async def listening(server: Server) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    async with TestServer(app) as found:
        yield str(found.make_url("")).rstrip("/")


class Asked:
    """A plugin that knows a new token each time."""

    def __init__(self, expires_s: float | None = None) -> None:
        self.times = 0
        self.expires_s = expires_s

    async def __call__(self, plugin: Plugin) -> Credential:
        assert plugin is PLUGIN
        self.times += 1
        times = self.times
        await asyncio.sleep(0)
        return Credential(token=f"t{times}", expires_s=self.expires_s)


@asynccontextmanager
async def session(
    url: str, asked: Asked, now_s: list[float] | None = None
) -> AsyncIterator[ClientSession]:
    address = Address(url=url, plugin=PLUGIN)
    clock = now_s or [0.0]
    found = await authorizing.begin(address, None, now=lambda: clock[0], ask=asked)
    assert found is not None
    async with ClientSession(middlewares=[found]) as made:
        yield made


async def test_without_a_plugin_there_is_nothing_to_do() -> None:
    assert await authorizing.begin(Address(url="http://x"), None) is None


async def test_it_is_asked_once_while_its_answer_holds() -> None:
    server, asked, now_s = Server(), Asked(expires_s=100.0), [0.0]
    async with listening(server) as url, session(url, asked, now_s) as client:
        assert asked.times == 1  # before any request
        for _ in range(3):
            assert (await client.get(url)).status == 200
        assert asked.times == 1
        now_s[0], server.token, asked.expires_s = 100.0, "t2", None
        assert (await client.get(url)).status == 200
    assert asked.times == 2
    assert server.seen == ["Bearer t1"] * 3 + ["Bearer t2"]


async def test_who_is_refused_asks_again_once() -> None:
    server, asked = Server(), Asked()
    async with listening(server) as url, session(url, asked) as client:
        server.token = "t2"
        answer = await client.post(url, data=b"kept")
        assert (await answer.json())["body"] == "kept"
        server.token = "nobody's"
        assert (await client.get(url)).status == 401
    assert server.seen == ["Bearer t1", "Bearer t2", "Bearer t2", "Bearer t3"]
    assert asked.times == 3


async def test_many_that_are_refused_ask_once() -> None:
    server, asked = Server(), Asked()
    async with listening(server) as url, session(url, asked) as client:
        server.token = "t2"
        answers = await asyncio.gather(*(client.get(url) for _ in range(8)))
        assert [answer.status for answer in answers] == [200] * 8
    assert asked.times == 2


async def test_other_servers_are_told_nothing() -> None:
    server, other = Server(), Server()
    async with (
        listening(server) as url,
        listening(other) as elsewhere,
        session(url, Asked()) as client,
    ):
        assert (await client.get(elsewhere)).status == 401
    assert other.seen == [None]


async def test_a_certificate_needs_tls_and_has_to_be_one() -> None:
    async def ask(plugin: Plugin) -> Credential:
        return Credential(certificate=b"c", key=b"k")

    with pytest.raises(CredentialsError, match="http://x has no TLS"):
        await authorizing.begin(Address(url="http://x", plugin=PLUGIN), None, ask=ask)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(CredentialsError, match="unusable"):
        await authorizing.begin(Address(url="https://x", plugin=PLUGIN), context, ask=ask)


# A new token each time, counted in a file; when that says "broken" it fails.
PROGRAM = f"""#!{sys.executable}
import json, os, pathlib, sys
file = pathlib.Path(os.environ["COUNT"])
if file.read_text() == "broken":
    sys.exit(9)
number = int(file.read_text()) + 1
file.write_text(str(number))
version = json.loads(os.environ["KUBERNETES_EXEC_INFO"])["apiVersion"]
status = {{"token": "t%d" % number, "expirationTimestamp": "2999-01-01T00:00:00Z"}}
print(json.dumps({{"kind": "ExecCredential", "apiVersion": version, "status": status}}))
"""


async def test_a_program_of_a_kubeconfig_opens_a_connection(tmp_path: Path) -> None:
    (tmp_path / "plugin").write_text(PROGRAM)
    (tmp_path / "plugin").chmod(0o755)
    count = tmp_path / "count"
    count.write_text("0")
    server = Server()
    async with listening(server) as url:
        told = {
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "ada"}}],
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [
                {
                    "name": "ada",
                    "user": {
                        "exec": {
                            "apiVersion": PLUGIN.api_version,
                            "interactiveMode": "Never",
                            "command": "./plugin",
                            "env": [{"name": "COUNT", "value": str(count)}],
                        }
                    },
                }
            ],
        }
        (tmp_path / "kubeconfig").write_text(json.dumps(told))
        address = load_kubeconfig(tmp_path / "kubeconfig")
        async with connecting.connect(address) as client:
            for _ in range(2):
                assert (await client.list(PODS)).items == []
            assert count.read_text() == "1"
            server.token = "t2"
            assert (await client.list(PODS)).items == []
            server.token = "nobody's"
            with pytest.raises(UnauthorizedError):
                await client.list(PODS)
            count.write_text("broken")
            with pytest.raises(UnavailableError, match="of user 'ada': it failed"):
                await client.list(PODS)
        with pytest.raises(CredentialsError, match="of user 'ada': it failed"):
            async with connecting.connect(address):
                pass
