import logging
import re
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from activator import process
from activator.config import Settings
from cluster import flags
from tests.cluster import processes
from tests.cluster.serving import Served


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


async def test_it_serves_and_is_ready_without_an_autoscaler(
    served: Served, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    said = ("--namespace=default", "--host=127.0.0.1", "--port=0", "--linger-s=0")
    async with processes.running(served, tmp_path, process.parse, process.serve, *said):
        found = await processes.until(
            lambda: re.search(r"served at 127\.0\.0\.1, port (\d+)", caplog.text)
        )
        async with aiohttp.ClientSession() as session:
            headers = {"Host": "none.default.localhost"}
            async with session.get(f"http://127.0.0.1:{found[1]}/", headers=headers) as response:
                assert response.status == 404
        url = f"http://127.0.0.1:{await processes.admin_port(caplog)}"
        status, text = await processes.answer(f"{url}/readyz")
        assert (status, '"reports":false' in text) == (200, True)
        _, text = await processes.answer(f"{url}/metrics")
        assert 'code="4xx"' in text
        assert "relight_activator_stats_link_up 0.0" in text
        assert (await processes.answer(f"{url}/requests"))[0] == 200


def test_limits_are_flags() -> None:
    args = process.parse(["--queue-depth-max=7", "--inside-network=10.0.0.0/8,::1/128"])
    settings = flags.filled(args, process.FLAGS, Settings)
    assert settings.queue_depth_max == 7
    assert settings.inside_networks == ("10.0.0.0/8", "::1/128")
    assert settings.body_bytes_max == Settings().body_bytes_max


def test_a_network_that_is_none_is_named() -> None:
    args = process.parse(["--inside-network=x"])
    with pytest.raises(flags.FlagError, match="--inside-network: 'x' does not appear"):
        flags.filled(args, process.FLAGS, Settings)
