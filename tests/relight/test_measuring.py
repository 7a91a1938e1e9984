from pathlib import Path
from typing import Any

import pytest

from api import keys
from relight import measuring
from relight.__main__ import build_parser, execute
from relight.config import _from_data_dir
from relight.connection import connect
from relight.ended import Ended, parse
from relight.errors import FailedError
from tests.relight.conftest import Platform
from tests.relight.test_ended import row
from tests.relight.test_record import Activator, activator

__all__ = ["activator"]  # a fixture
POD = {"metadata": {"annotations": {keys.START_TIMING: '{"fork_ms": 5.0, "load_ms": 95.0}'}}}


def requests(*changed: dict[str, Any]) -> list[Ended]:
    return [parse(row(**each)) for each in changed]


def test_service_times_are_of_what_was_answered_well() -> None:
    found = measuring.service_times(
        requests({"executing_s": 0.1}, {"executing_s": 9.0, "status": 500}, {"executing_s": None})
    )
    assert found == (0.1,)


def test_a_start_is_counted_once_and_from_the_poke() -> None:
    found = measuring.cold_starts(
        requests(
            {"replica": "a", "held_s": 0.5, "gathered_s": 0.002},
            {"replica": "a", "held_s": 0.9, "gathered_s": 0.002},  # waited for a slot, too
            {"replica": "b", "held_s": 0.3, "gathered_s": 0.0},
            {"replica": "c", "held_s": 0.1, "gathered_s": None},  # came in the middle of a start
            {"replica": "d", "held_s": 0.1, "cold": False},
        )
    )
    assert found == (pytest.approx(0.498), pytest.approx(0.3))


def test_replicas_say_how_they_started() -> None:
    pods: list[dict[str, Any]] = [
        POD,
        {"metadata": {"annotations": {keys.START_TIMING: '{"load_ms": 30, "provider": "cpu"}'}}},
        {"metadata": {}},
        {"metadata": {"annotations": {keys.START_TIMING: '{"resumed_ms": 0.4}'}}},
    ]
    assert measuring.start_timings(pods) == (pytest.approx(0.1), pytest.approx(0.03))


async def measured(platform: Platform, name: str, **needs: bool) -> measuring.Measured:
    asked = {"needs_service": True, "needs_cold_start": True, **needs}
    async with connect(_from_data_dir(platform.folder)) as connection:
        return await measuring.measure(connection, "default", name, **asked)


@pytest.mark.parametrize("name", ["iris", "iris-00001"])
async def test_a_service_and_a_revision_are_measured(
    platform: Platform, activator: Activator, name: str
) -> None:
    activator.rows.put_nowait(row(executing_s=0.25))
    activator.rows.put_nowait(row(cold=False, executing_s=0.35))
    activator.rows.put_nowait(None)
    found = await measured(platform, name)
    assert found.revision == "iris-00001"
    assert found.service_s == (0.25, 0.35)
    assert found.cold_starts_s == (pytest.approx(0.498),)
    assert found.cold_starts_from == "1 start from zero of iris-00001"
    assert activator.asked == [{"namespace": "default", "revision": "iris-00001"}]


async def test_without_samples_it_says_which_flag_helps(
    platform: Platform, activator: Activator
) -> None:
    activator.rows.put_nowait(None)
    with pytest.raises(
        FailedError, match=r"remembers no answered request of iris-00001.*--service"
    ):
        await measured(platform, "iris")
    activator.rows.put_nowait(row(cold=False))
    activator.rows.put_nowait(None)
    with pytest.raises(FailedError, match=r"no start of iris-00001 is remembered.*--cold-start"):
        await measured(platform, "iris")


async def test_what_a_flag_says_need_not_be_measured(
    platform: Platform, activator: Activator
) -> None:
    activator.rows.put_nowait(None)
    found = await measured(platform, "iris", needs_service=False, needs_cold_start=False)
    assert (found.service_s, found.cold_starts_s) == ((), ())


async def test_no_such_name(platform: Platform, activator: Activator) -> None:
    with pytest.raises(FailedError, match="--from cow: no service and no revision"):
        await measured(platform, "cow")


async def test_simulate_says_where_its_numbers_are_from(
    platform: Platform,
    activator: Activator,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trace = tmp_path / "t.csv"
    trace.write_text("timestamp\n0\n1\n")
    activator.rows.put_nowait(row(executing_s=0.25))
    activator.rows.put_nowait(None)
    words = ["simulate", str(trace), "--from", "iris", "--policy", "relight"]
    words += ["--data-dir", str(platform.folder)]
    capsys.readouterr()
    assert await execute(build_parser().parse_args(words)) == 0
    assert capsys.readouterr().out.splitlines()[1] == (
        "service time 250 ms (1 request of iris-00001); "
        "cold start 498 ms (1 start from zero of iris-00001); "
        "concurrency unlimited (of iris-00001)"
    )
