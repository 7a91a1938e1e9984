import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from telemetry.asking import Questions, answer
from telemetry.health import Admin, Readiness
from telemetry.metrics import Exposition, gauge


@asynccontextmanager
async def serving(admin: Admin) -> AsyncIterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(admin.run(listener))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        running.cancel()


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


@pytest.mark.parametrize(("is_ready", "status"), [(True, 200), (False, 503)])
async def test_ready_is_told_with_its_facts(is_ready: bool, status: int) -> None:
    readiness = Readiness(is_ready=is_ready, facts={"leader": "x"})
    admin = Admin(web.Application(), ready=lambda: readiness, exposition=Exposition())
    async with serving(admin) as url:
        said = f'{{"ready":{str(is_ready).lower()},"leader":"x"}}\n'
        assert await get(f"{url}/readyz") == (status, said)
        assert await get(f"{url}/healthz") == (200, "ok\n")  # it lives, ready or not


async def test_metrics_stand_beside_the_components_questions() -> None:
    questions = Questions()

    async def name(_request: web.Request) -> web.Response:
        return answer({"name": "x"})

    questions.get("/name", name)
    exposition = Exposition(lambda: [gauge("there", "There.", 1)])
    admin = Admin(questions.app, ready=lambda: Readiness(is_ready=True), exposition=exposition)
    async with serving(admin) as url:
        status, text = await get(f"{url}/metrics")
        assert status == 200
        assert "relight_there 1.0" in text
        assert await get(f"{url}/name") == (200, '{"name":"x"}\n')


async def test_who_stands_by_tells_of_itself_and_of_nothing_else() -> None:
    questions = Questions()
    leads = False
    questions.only_while(lambda: leads)

    async def name(_request: web.Request) -> web.Response:
        return answer({"name": "x"})

    questions.get("/name", name)
    admin = Admin(questions.app, ready=lambda: Readiness(is_ready=True), exposition=Exposition())
    async with serving(admin) as url:
        status, text = await get(f"{url}/name")
        assert status == 503
        assert "AskTheLeader" in text
        for path in ("healthz", "readyz", "metrics"):
            assert (await get(f"{url}/{path}"))[0] == 200
        leads = True
        assert (await get(f"{url}/name"))[0] == 200
