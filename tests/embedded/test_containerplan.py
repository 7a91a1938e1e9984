from pathlib import Path
from typing import Any

import orjson
import pytest

from embedded.containerplan import ContainerPlan, Start
from embedded.launching import CommandLaunch, Refusal
from embedded.podlog import PodLog
from tests.embedded.test_residence import House, house

__all__ = ["house"]


async def plan_of(house: House, *, is_init: bool = False, **fields: Any) -> ContainerPlan:
    home = await house.home("a", **fields)
    return ContainerPlan(home.spec["containers"][0], home, is_init=is_init)


async def started(house: House, **fields: Any) -> tuple[ContainerPlan, Start]:
    plan = await plan_of(house, **fields)
    start = plan.next()
    assert isinstance(start, Start)
    return plan, start


async def test_a_plain_command_stays_where_the_platform_is(house: House) -> None:
    plan, start = await started(house, args=["$(PORT)"])
    assert isinstance(start.launch, CommandLaunch)
    assert start.launch.argv == ("x", str(start.port))
    assert start.confinement == ""
    request = plan.request(start, ("y",))
    assert request["argv"] == ("y",)
    assert request["cwd"] == str(house.folder)
    assert request["env"] == {"A": "1", "PORT": str(start.port)}
    assert "confinement" not in request


async def test_what_runs_first_has_no_port(house: House) -> None:
    plan = await plan_of(house, is_init=True, livenessProbe={"tcpSocket": {}})
    start = plan.next()
    assert isinstance(start, Start)
    assert start.port == 0
    assert start.launch.env == {}
    assert not plan.is_serving
    assert plan.probes() == []


async def test_a_working_directory_is_taken(house: House) -> None:
    plan, start = await started(house, workingDir="/srv")
    assert plan.request(start, ("y",))["cwd"] == "/srv"


async def test_an_image_that_is_not_ours_is_refused(house: House) -> None:
    assert isinstance((await plan_of(house, command=[])).next(), Refusal)


async def test_last_words_have_a_place_and_an_order(house: House, tmp_path: Path) -> None:
    plan, start = await started(house, terminationMessagePath="/mnt/last-words")
    facts = orjson.loads(Path(start.confinement).read_bytes())
    operation, source, target = facts["steps"][-1]
    assert (operation, target) == ("bind", "/mnt/last-words")
    log = PodLog(tmp_path / "log")
    with log.open() as output:
        output.write(b"logged\n")
    assert plan.message(log, is_error=True) == "logged"
    log.failure = "said of itself"
    assert plan.message(log, is_error=True) == "said of itself"
    Path(source).write_text("written for us")
    assert plan.message(log, is_error=True) == "written for us"


@pytest.mark.parametrize(
    ("fields", "words"),
    [({}, "logged"), ({"terminationMessagePolicy": "File"}, "")],
)
async def test_the_log_stands_in_unless_only_the_file_counts(
    house: House, tmp_path: Path, fields: dict[str, Any], words: str
) -> None:
    plan = await plan_of(house, **fields)
    log = PodLog(tmp_path / "log")
    with log.open() as output:
        output.write(b"logged\n")
    assert plan.message(log, is_error=True) == words


async def test_a_default_readiness_needs_no_probe_and_others_do(house: House) -> None:
    probe = {"exec": {"command": ["true"]}}
    plan = await plan_of(house, readinessProbe=probe, livenessProbe={"tcpSocket": {}})
    assert [each.kind for each in plan.probes()] == ["readiness", "liveness"]
