from importlib import util
from math import inf
from pathlib import Path
from typing import Any

import pytest

from rehearsal.columns import Hints
from relight import simulate_arguments
from relight.__main__ import build_parser
from relight.errors import UsageError
from relight.simulate_arguments import DEFAULT_POLICIES, Wanted


def wanted(*words: str) -> Wanted:
    return simulate_arguments.wanted(build_parser().parse_args(["simulate", "t.csv", *words]))


def test_without_flags() -> None:
    found = wanted()
    assert tuple(policy.name for policy in found.policies) == DEFAULT_POLICIES
    assert (found.service_s, found.cold_start_s, found.concurrency) == (None, None, None)
    assert (found.frozen_max, found.resume_s, found.price) == (0, 0.001, None)
    assert (found.from_s, found.to_s, found.is_cut) == (0.0, inf, False)
    assert (found.search_class, found.output, found.seed) == (None, "table", 0)


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (("--service-time", "0.2s"), "service_s", 0.2),
        (("--cold-start", "1m"), "cold_start_s", 60.0),
        (("--concurrency", "0"), "concurrency", 0),
        (("--frozen", "3"), "frozen_max", 3),
        (("--resume", "2ms", "--frozen", "1"), "resume_s", 0.002),
        (("--price", "1.5"), "price", 1.5),
        (("--slice", "10m..20m"), "from_s", 600.0),
        (("--slice", "..20m"), "to_s", 1200.0),
        (("--slice", "..20m"), "is_cut", True),
        (("--compress", "4"), "compress", 4.0),
        (("--chart", "a.HTML"), "chart", Path("a.HTML")),
        (("--search",), "search_class", "relight"),
        (("--search", "--search-class", "kpa"), "search_class", "kpa"),
        (("--seed", "7"), "seed", 7),
        (("--time-column", "2", "--time-unit", "ms"), "hints", Hints(time="2", unit="ms")),
        (("--duration-column", "rt"), "hints", Hints(duration="rt")),
        (("--duration-unit", "us"), "hints", Hints(duration_unit="us")),
        (("--model-column", "fn"), "hints", Hints(model="fn")),
        (("-o", "csv"), "output", "csv"),
    ],
)
def test_flags(words: tuple[str, ...], name: str, value: Any) -> None:
    assert getattr(wanted(*words), name) == value


def test_policies_in_the_order_in_which_they_were_typed() -> None:
    found = wanted("--policy", "oracle", "--policy", "kpa,window=30s")
    assert [policy.name for policy in found.policies] == ["oracle", "kpa,window=30s"]


@pytest.mark.parametrize(
    "words",
    [
        ("--service-time", "fast"),
        ("--cold-start", "500"),
        ("--concurrency", "-1"),
        ("--frozen", "-1"),
        ("--resume", "x", "--frozen", "1"),
        ("--resume", "1ms"),
        ("--policy", "kpa", "--search"),
        ("--from", "a", "--service-time", "1s", "--cold-start", "1s", "--concurrency", "1"),
        ("--price", "-1"),
        ("--price", "nan"),
        ("--slice", "20m"),
        ("--compress", "0"),
        ("--compress", "inf"),
        ("--rescale", "-1"),
        ("--seed", "-1"),
        ("--policy", "cows"),
        ("--policy", "kpa,window=1s"),
        ("--policy", "kpa,windows=30s"),
        ("--chart", "a.svg"),
        ("--chart", "/no/such/folder/a.html"),
        ("--search-class", "kpa"),
    ],
)
def test_what_cannot_be_meant_names_the_flag(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        wanted(*words)
    assert str(caught.value).startswith(words[0])
    assert "\n" not in str(caught.value)


def test_the_same_policy_twice_is_a_slip() -> None:
    with pytest.raises(UsageError, match=r"^--policy kpa: it is given twice"):
        wanted("--policy", "kpa", "--policy", "kpa")


def test_a_png_without_matplotlib_is_refused_before_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(simulate_arguments, "find_spec", lambda _name: None)
    assert util.find_spec is not simulate_arguments.find_spec
    with pytest.raises(UsageError, match=r"pip install 'relight\[charts\]'"):
        wanted("--chart", "a.png")
    assert wanted("--chart", "a.html").chart == Path("a.html")
