import argparse
import asyncio
from typing import Any

import pytest

from cluster import flags, leading
from cluster.auth import Address
from cluster.errors import UnavailableError
from cluster.flags import FlagError
from telemetry.metrics import Family

SERVER = Address(url="http://127.0.0.1:1")


def parse(*arguments: str) -> argparse.Namespace:
    table = (*flags.COMMON, *leading.FLAGS)
    return flags.parser("prog", "It leads.", table).parse_args(arguments)


def test_a_pods_name_is_who_it_is() -> None:
    assert leading.identity(parse("--pod-name=p-0")) == "p-0"
    assert leading.identity(parse()) != leading.identity(parse())


@pytest.mark.parametrize(
    ("arguments", "address"),
    [
        (["--pod-ip=10.0.0.9"], "10.0.0.9:5"),
        (["--pod-ip=fd00::9"], "[fd00::9]:5"),
        ([], "127.0.0.1:5"),
    ],
)
def test_where_it_is_reached(arguments: list[str], address: str) -> None:
    assert leading.reached_at(parse(*arguments), SERVER, 5) == address


async def test_who_has_not_heard_of_the_lease_is_not_ready() -> None:
    args = parse("--pod-name=p-0", "--lease-s=10", "--lease-renew-s=6")
    async with leading.election(args, SERVER, "autoscaler", "10.0.0.9:5") as election:
        readiness = leading.ready(election)
        assert not readiness.is_ready
        assert readiness.facts == {"leads": False, "leader": "", "address": ""}
        families: dict[str, Any] = {}
        for each in leading.families(election, "autoscaler"):
            assert isinstance(each, Family)
            families[each.name] = each.samples[0][1]
        assert families["autoscaler_leads"] == 0
        assert election.identity == "p-0"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--lease-s=5"], "--lease-s: must be at least"),
        (["--lease-retry-s=3"], "--lease-renew-s: must be at least twice"),
    ],
)
async def test_terms_that_can_not_work_are_named(arguments: list[str], says: str) -> None:
    with pytest.raises(FlagError, match=says):
        async with leading.election(parse(*arguments), SERVER, "x", ""):
            pass


async def test_a_pace_is_kept_and_who_does_not_lead_writes_nothing() -> None:
    args = parse("--api-qps=1000", "--api-burst=1")
    async with leading.election(args, SERVER, "x", "") as election:
        admit = leading.admission(args, election)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for _ in range(11):
            await admit("GET", "pods")
        assert loop.time() - began_s >= 0.009  # ten of them waited for a thousandth each
        with pytest.raises(UnavailableError, match="not ours"):
            await admit("PATCH", "scale")
