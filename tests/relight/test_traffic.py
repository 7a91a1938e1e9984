from pathlib import Path
from typing import Any

import orjson
import pytest

from relight.traffic import settled
from tests.relight.conftest import Platform


@pytest.fixture
async def two(platform: Platform, model: Path) -> Platform:
    """Two ready revisions; the second has all the traffic."""
    await platform.type("deploy", "iris", "--model", str(model))
    await platform.type("deploy", "iris", "--concurrency", "2")
    return platform


async def test_the_split_is_shown(two: Platform) -> None:
    code, out, _ = await two.type("traffic", "iris")
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["REVISION", "PERCENT", "LATEST", "TAG", "URL"],
        ["iris-00002", "100%", "yes"],
    ]


async def test_shares_are_given_and_waited_for(two: Platform) -> None:
    code, out, err = await two.type("traffic", "iris", "iris-00001=90", "--latest", "10")
    assert code == 0, err
    assert await two.shares() == {"iris-00001": 90, "@latest": 10}
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [
        ["iris-00001", "90%"],
        ["iris-00002", "10%"],
    ]


async def test_the_result_may_be_printed_as_json(two: Platform) -> None:
    code, out, _ = await two.type("traffic", "iris", "@latest=100", "-o", "json")
    assert code == 0
    [target] = orjson.loads(out)
    assert (target["revisionName"], target["percent"]) == ("iris-00002", 100)


async def test_rollback_and_promotion_say_what_they_do(two: Platform) -> None:
    code, _, err = await two.type("traffic", "iris", "--rollback")
    assert (code, err) == (0, "iris: rolling back from iris-00002 to iris-00001\n")
    assert await two.shares() == {"iris-00001": 100}
    code, _, err = await two.type("traffic", "iris", "--promote")
    assert (code, err) == (0, "iris: promoting iris-00002\n")
    assert await two.shares() == {"@latest": 100}


async def test_rollback_ends_a_canary(two: Platform) -> None:
    await two.type("traffic", "iris", "iris-00001=80", "@latest=20")
    code, _, err = await two.type("traffic", "iris", "--rollback")
    assert (code, err) == (0, "iris: rolling back from iris-00002 to iris-00001\n")


async def test_rollback_with_nothing_before_is_1(two: Platform) -> None:
    await two.type("traffic", "iris", "--rollback")
    code, _, err = await two.type("traffic", "iris", "--rollback")
    assert code == 1
    assert "no earlier ready revision to go back to (serving: iris-00001)" in err


async def test_tags_come_and_go(two: Platform) -> None:
    code, out, _ = await two.type("traffic", "iris", "--tag", "old=iris-00001")
    assert code == 0
    assert "http://old-iris.default.localhost" in out
    assert await two.shares() == {"@latest": 100}
    code, out, _ = await two.type("traffic", "iris", "--untag", "old")
    assert code == 0
    assert "old" not in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["@latest=90"], "the shares sum to 90, want 100: @latest=90"),
        (["iris-9=100"], "has no revision iris-9 (revisions: iris-00001, iris-00002)"),
        (["@latest=100", "--promote"], "no shares beside them"),
        (["@latest=50", "--latest", "50"], "@latest is given two shares"),
        (["--untag", "x"], 'there is no tag "x" (tags: none)'),
        (["--tag", "Not_A_Label=@latest"], "spec.traffic[0].tag"),
    ],
)
async def test_bad_input_is_2_and_changes_nothing(
    words: list[str], told: str, two: Platform
) -> None:
    before = await two.service()
    code, out, err = await two.type("traffic", "iris", *words)
    assert (code, out) == (2, "")
    assert told in err
    assert await two.service() == before


async def test_a_service_that_is_not_there_is_1(platform: Platform) -> None:
    code, _, err = await platform.type("traffic", "iris", "--promote")
    assert code == 1
    assert '"iris" not found' in err


async def test_a_route_that_does_not_follow_runs_into_the_limit(two: Platform) -> None:
    two.controller.cancel()
    words = ("--rollback", "--wait-timeout", "0.05")
    code, _, err = await two.type("traffic", "iris", *words)
    assert code == 1
    assert "the Route of iris does not show the new split after 0.05 s" in err


WANTED = [{"revisionName": "a", "percent": 100}]


def route(*, spec: Any = WANTED, status: Any = (), ready: str = "Unknown", **more: Any) -> Any:
    conditions = [{"type": "Ready", "status": ready}, *more.get("conditions", [])]
    return {
        "metadata": {"generation": 2},
        "spec": {"traffic": spec},
        "status": {
            "observedGeneration": more.get("observed", 2),
            "traffic": list(status),
            "conditions": conditions,
        },
    }


MISSING = {"type": "AllTrafficAssigned", "status": "False", "message": "Revision a not found"}


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (None, None),
        (route(status=WANTED, ready="True"), WANTED),
        (route(status=WANTED), None),  # shown, but not ready yet
        (route(ready="True"), None),
        (route(conditions=[MISSING]), "Revision a not found; the traffic is as it was"),
        (route(conditions=[MISSING], spec=[]), None),  # speaks of the split before
        (route(conditions=[MISSING], observed=1), None),
    ],
)
def test_when_a_route_has_settled(raw: Any, answer: Any) -> None:
    assert settled(raw, WANTED) == answer
