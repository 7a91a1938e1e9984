import logging
from typing import Any

import pytest

from api.stats import Stat
from autoscaler.dumping import Kept, pack, unpack
from autoscaler.memory import Memory
from autoscaler.pilot import Pilot, Scale, first_life
from tests.autoscaler.specs import spec

KEY = ("default", "r")
SHIFT_S = 1_000_000.0  # what the clock of decisions lacks to epoch seconds
SCALE = Scale(replicas=3, ready=3)


def pilot(now_s: float, **changes: Any) -> Pilot:
    life = first_life(active="True", is_initialized=True, now_s=now_s)
    return Pilot(spec(**({"is_kpa": False} | changes)), life, scale=SCALE, wanted=None, now_s=now_s)


def report(flown: Pilot, now_s: float, load: float) -> None:
    stat = Stat(
        namespace="default",
        revision="r",
        reporter="a",
        time_s=now_s,
        average_concurrency=load,
        requests_per_s=load,
    )
    flown.receive(stat, now_s=now_s)
    flown.turn(SCALE, now_s=now_s, listening_since_s=0)


def kept(now_s: float = 20.0) -> bytes:
    """Of a pilot that saw a load of 20 until `now_s`."""
    flown = pilot(0)
    for second in range(int(now_s) + 1):
        report(flown, second, 20.0)
    blob = Memory().dump(KEY, "u", flown, now_s=now_s, epoch_s=now_s + SHIFT_S)
    assert blob is not None
    return blob


def recalled(
    blob: bytes, *, now_s: float, uid: str = "u", shift_s: float = SHIFT_S, **changes: Any
) -> tuple[Memory, Pilot]:
    memory, flown = Memory(), pilot(now_s, **changes)
    memory.learn({KEY: blob})
    memory.recall(KEY, uid, flown, SCALE, now_s=now_s, epoch_s=now_s + shift_s)
    return memory, flown


def stable(flown: Pilot, now_s: float) -> float | None:
    turned = flown.turn(SCALE, now_s=now_s, listening_since_s=now_s - 1000)
    return turned.decision.seen.stable


@pytest.mark.parametrize("away_s", [0.0, 1.0, 7.5, 59.0])
@pytest.mark.parametrize("restart_s", [-20.0, 0.0, 12_345.6])
def test_another_process_with_another_clock_goes_on(away_s: float, restart_s: float) -> None:
    """`restart_s` is how far the new clock is from the old one."""
    now_s = 20 + away_s + restart_s
    memory, flown = recalled(kept(), now_s=now_s, shift_s=SHIFT_S - restart_s)
    assert memory.restored == 1
    report(flown, now_s + 1, 20.0)
    assert stable(flown, now_s + 1) == 20.0


def test_it_is_given_once() -> None:
    memory, _ = recalled(kept(), now_s=21)
    again = pilot(21)
    memory.recall(KEY, "u", again, SCALE, now_s=21, epoch_s=21 + SHIFT_S)
    assert memory.restored == 1


@pytest.mark.parametrize(
    ("now_s", "uid", "shift_s"),
    [
        (80.5, "u", SHIFT_S),  # older than the stable window
        (21.0, "another", SHIFT_S),  # made anew under the same name
        (21.0, "u", SHIFT_S - 30),  # the wall clock was set back
        (21.0, "u", SHIFT_S + 3600),  # or forth
    ],
)
def test_what_is_of_another_time_or_another_revision_is_not_used(
    now_s: float, uid: str, shift_s: float
) -> None:
    memory, flown = recalled(kept(), now_s=now_s, uid=uid, shift_s=shift_s)
    assert (memory.restored, memory.unreadable) == (0, 0)
    assert stable(flown, now_s) == 0.0


def test_a_pilot_that_was_told_of_load_knows_better() -> None:
    memory, flown = Memory(), pilot(21)
    report(flown, 21, 1.0)
    memory.learn({KEY: kept()})
    memory.recall(KEY, "u", flown, SCALE, now_s=22, epoch_s=22 + SHIFT_S)
    assert memory.restored == 0
    assert stable(flown, 22) == 1.0


def test_what_was_learned_is_taken_over_by_a_pilot_that_knows_better_and_never_too_old() -> None:
    teacher = pilot(0)
    for burst in range(6):
        for second in range(3):
            report(teacher, burst * 400 + second, 20.0)
        teacher.turn(SCALE, now_s=burst * 400 + 300, listening_since_s=0)
    blob = Memory().dump(KEY, "u", teacher, now_s=2100, epoch_s=2100 + SHIFT_S)
    assert blob is not None
    learned = teacher._weigher.levels.dump(shift_s=0)["gaps"]
    assert learned
    _, late = recalled(blob, now_s=2100 + 86_400)
    assert late._weigher.levels.dump(shift_s=0)["gaps"] == learned
    memory, busy = Memory(), pilot(2110)
    report(busy, 2110, 1.0)
    needs = busy._weigher.levels.dump(shift_s=0)["needs"]
    memory.learn({KEY: blob})
    memory.recall(KEY, "u", busy, SCALE, now_s=2111, epoch_s=2111 + SHIFT_S)
    after = busy._weigher.levels.dump(shift_s=0)
    assert (after["gaps"], after["needs"]) == (learned, needs)


@pytest.mark.parametrize("section", ["windows", "state", "life", "wanted"])
@pytest.mark.parametrize("value", [None, 7.5, "x", [], {}, {"stable": 1}, [1, 2]])
def test_a_section_of_another_shape_changes_nothing(
    section: str, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    if section == "wanted" and value is None:
        return  # never known
    found = unpack(kept())
    sections = dict(found.sections) | {section: value}
    with caplog.at_level(logging.WARNING):
        memory, flown = recalled(pack(Kept(uid="u", at_s=found.at_s, sections=sections)), now_s=21)
    assert (memory.restored, memory.unreadable) == (0, 1)
    assert "default/r is unreadable" in caplog.text
    assert stable(flown, 21) == 0.0


def test_a_section_of_a_later_reader_is_left_alone() -> None:
    found = unpack(kept())
    sections = dict(found.sections) | {"learned": {"gaps": [1, 2, 3]}}
    memory, _ = recalled(pack(Kept(uid="u", at_s=found.at_s, sections=sections)), now_s=21)
    assert memory.restored == 1


def test_another_metric_or_average_begins_anew_and_another_length_is_cut() -> None:
    for name in ("is_rps", "is_weighted"):
        changes: dict[str, Any] = {name: True}
        memory, flown = recalled(kept(), now_s=21, **changes)
        assert memory.restored == 1
        assert stable(flown, 21) == 0.0
    live, away = pilot(0), recalled(kept(), now_s=20, stable_window_s=30.0)[1]
    for second in range(21):
        report(live, second, 20.0)
    live.respec(spec(is_kpa=False, stable_window_s=30.0), now_s=20)
    for flown in (live, away):
        report(flown, 21, 5.0)
    assert stable(away, 21) == stable(live, 21) != 0.0


def test_a_delay_outlives_the_windows() -> None:
    flown = pilot(0, scale_down_delay_s=600.0)
    for second in range(21):
        report(flown, second, 20.0)
    blob = Memory().dump(KEY, "u", flown, now_s=20, epoch_s=20 + SHIFT_S)
    assert blob is not None
    memory, later = recalled(blob, now_s=300, scale_down_delay_s=600.0)
    assert memory.restored == 0
    for second in range(301, 480):
        report(later, second, 1.0)
    turned = later.turn(SCALE, now_s=480, listening_since_s=0)
    assert (turned.want, turned.decision.reason.value) == (3, "scale-down-delay")


def test_what_is_to_be_kept_is_given_out_once() -> None:
    memory = Memory()
    memory.touch(KEY)
    memory.touch(KEY)
    assert memory.take() == [KEY]
    assert memory.take() == []


def test_what_nobody_recalled_is_gone() -> None:
    memory = Memory()
    memory.learn({KEY: kept(), ("default", "gone"): b"?"})
    memory.recall(KEY, "u", pilot(21), SCALE, now_s=21, epoch_s=21 + SHIFT_S)
    memory.settle()
    assert memory.take() == [("default", "gone")]
    assert memory.is_stored(("default", "gone"))
    memory.stored({}, [("default", "gone")])
    assert not memory.is_stored(("default", "gone"))


def test_a_pilot_that_knows_nothing_is_not_kept() -> None:
    assert Memory().dump(KEY, "u", pilot(0), now_s=1, epoch_s=1 + SHIFT_S) is None
