import math
from dataclasses import fields
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler import dumping
from autoscaler.decider import State
from autoscaler.dumping import DumpError, Kept, pack, unpack
from autoscaler.idling import Life, Phase
from autoscaler.window import MaxWindow
from tests.autoscaler.specs import spec

KEPT = Kept(uid="u", at_s=1_800_000_000.25, sections={"wanted": 3, "state": {"x": None}})


def test_what_was_packed_is_unpacked() -> None:
    assert unpack(pack(KEPT)) == KEPT


def blob(**changes: Any) -> bytes:
    return orjson.dumps(orjson.loads(pack(KEPT)) | changes)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (b"", "not a blob"),
        (b"\xff\x00", "not a blob"),
        (b"[]", "not a blob"),
        (b"{}", "not a blob"),
        (b'"version"', "not a blob"),
        (pack(KEPT)[:-4], "not a blob"),
        (blob(version=2), "version 2, this one reads 1"),
        (blob(uid=7), "another kind"),
        (blob(at="now"), "another kind"),
        (blob(sections=[]), "another kind"),
        (b" " * (dumping.BLOB_BYTES_MAX + 1), "at most"),
    ],
)
def test_what_is_no_blob_says_why(bad: bytes, says: str) -> None:
    with pytest.raises(DumpError, match=says):
        unpack(bad)


@given(st.binary(max_size=60))
def test_no_bytes_do_more_harm_than_that(anything: bytes) -> None:
    with pytest.raises(DumpError):
        unpack(anything)


def test_nobody_packs_what_nobody_would_read() -> None:
    with pytest.raises(DumpError, match="at most 524288 are kept"):
        pack(Kept(uid="u", at_s=0.0, sections={"learned": "x" * dumping.BLOB_BYTES_MAX}))


def test_the_longest_windows_that_can_be_asked_for_fit() -> None:
    values = [math.pi * 1e5] * 3600
    pack(Kept(uid="u", at_s=0.0, sections={"stable": values, "panic": values}))


STATES = st.builds(
    State,
    recommended=st.none() | st.integers(0, 9),
    panic_since_s=st.none() | st.integers(0, 99).map(float),
    panic_scale=st.integers(0, 9),
    excess_burst_capacity=st.none() | st.integers(-9, 9),
)


@given(state=STATES, shift_s=st.integers(-50, 50))
def test_a_state_comes_back(state: State, shift_s: int) -> None:
    raw = orjson.loads(orjson.dumps(dumping.dump_state(state, shift_s=shift_s)))
    assert dumping.restore_state(raw, shift_s=shift_s) == state


def test_every_field_of_a_state_and_of_a_life_is_kept() -> None:
    """A field that is added must be dumped, or be named here with the reason why not."""
    kept = set(dumping.dump_state(State(), shift_s=0))
    assert {each.name.removesuffix("_s") for each in fields(State)} == kept | {"delay"}
    life = Life(phase=Phase.ACTIVE, since_s=1, is_initialized=True, proxy_since_s=2)
    assert {each.name.removesuffix("_s") for each in fields(Life)} == set(
        dumping.dump_life(life, shift_s=0)
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"recommended": -1},
        {"recommended": 1.5},
        {"recommended": True},
        {"recommended": "3"},
        {"panic_since": float("nan")},
        {"panic_since": "now"},
        {"panic_scale": []},
        {"excess_burst_capacity": {}},
    ],
)
def test_a_state_of_other_kinds_is_a_fault(changes: dict[str, Any]) -> None:
    raw = dumping.dump_state(State(), shift_s=0) | changes
    with pytest.raises(dumping.FAULTS):
        dumping.restore_state(raw, shift_s=0)


def test_the_delay_forgets_what_is_over_and_never_looks_ahead() -> None:
    delay = MaxWindow(entries=((10, 9), (12, 5), (14, 2)))
    raw = dumping.dump_delay(delay, shift_s=200.0)
    again = dumping.restore_delay(raw, shift_s=200.0, now_s=28.5, delay_s=9.0)
    assert again == delay
    later = dumping.restore_delay(raw, shift_s=200.0, now_s=32.5, delay_s=9.0)
    assert later == MaxWindow(entries=((12, 5), (14, 2)))
    early = dumping.restore_delay(raw, shift_s=200.0, now_s=26.5, delay_s=9.0)
    assert early.entries == ((10, 9), (12, 5), (13, 2))
    assert dumping.restore_delay(raw, shift_s=200.0, now_s=198.0, delay_s=9.0) == MaxWindow()
    for bad in ([1], [(1, "x")], [(1, 2, 3)], 7):
        with pytest.raises(dumping.FAULTS):
            dumping.restore_delay(bad, shift_s=0.0, now_s=2.0, delay_s=2.0)


def life(**changes: Any) -> Life:
    values: dict[str, Any] = {
        "phase": Phase.ACTIVE,
        "since_s": 100.0,
        "is_initialized": False,
        "proxy_since_s": 100.0,
    }
    return Life(**(values | changes))


def test_a_life_knows_again_since_when() -> None:
    raw = dumping.dump_life(
        life(since_s=40.0, is_initialized=True, proxy_since_s=None), shift_s=7.0
    )
    assert dumping.restore_life(raw, life(), shift_s=7.0) == life(
        since_s=40.0, is_initialized=True, proxy_since_s=None
    )


def test_a_phase_that_changed_after_the_dump_is_the_newer_one() -> None:
    raw = dumping.dump_life(life(since_s=40.0), shift_s=0)
    inactive = life(phase=Phase.INACTIVE)
    assert dumping.restore_life(raw, inactive, shift_s=0) is inactive


def test_no_life_began_in_the_future() -> None:
    raw = dumping.dump_life(life(since_s=500.0, proxy_since_s=500.0), shift_s=0)
    assert dumping.restore_life(raw, life(), shift_s=0) == life()


@pytest.mark.parametrize("changes", [{"phase": "Maybe"}, {"since": "x"}, {"proxy_since": []}])
def test_a_life_of_other_kinds_is_a_fault(changes: dict[str, Any]) -> None:
    with pytest.raises(dumping.FAULTS):
        dumping.restore_life(dumping.dump_life(life(), shift_s=0) | changes, life(), shift_s=0)


@pytest.mark.parametrize(
    ("known", "replicas", "expected", "is_panicking"),
    [
        (3, 3, 3, False),  # as it was left
        (3, None, 3, False),  # no Deployment to compare with
        (None, 3, None, False),
        (3, 10, 10, True),  # a burst after the dump
        (10, 3, 3, False),  # scaled down after the dump: up again only by new reports
        (3, 0, 0, False),
        (0, 1, 0, False),  # for zero, and the last one waits for its time
        (0, 4, 4, True),
        (9, 6, 9, False),  # bounded by max-scale, and so it was written
        (1, 2, 1, False),  # and by min-scale
    ],
)
def test_where_the_deployment_differs_it_is_newer(
    known: int | None, replicas: int | None, expected: int | None, is_panicking: bool
) -> None:
    after = dumping.caught_up(
        spec(max_scale=6 if known == 9 else 0, min_scale=2 if known == 1 else 0),
        State(recommended=known, panic_scale=0),
        life(is_initialized=True),
        replicas=replicas,
        ready=replicas or 0,
        now_s=50.0,
    )
    assert (after.recommended, after.is_panicking) == (expected, is_panicking)
    if is_panicking:
        assert (after.panic_since_s, after.panic_scale) == (50.0, expected)
