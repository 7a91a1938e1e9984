import csv
import io

import orjson

from rehearsal import policies
from rehearsal.scores import Score
from relight import scoreboard
from relight.scoreboard import Line


def line(name: str, **changed: float) -> Line:
    numbers = {
        "requests": 100,
        "wait_mean_s": 0.1,
        "wait_p50_s": 0.0,
        "wait_p95_s": 0.3,
        "wait_p99_s": 1.25,
        "wait_max_s": 2.0,
        "waits": 1600,
        "cold_waits": 200,
        "resumed_waits": 0,
        "cold_starts": 13,
        "starts": 20,
        "resumes": 0,
        "busy_s": 1000.0,
        "idle_s": 3990.0,
        "starting_s": 10.0,
        "wasted_s": 100.0,
        "frozen_s": 0.0,
        "span_s": 3600.0,
    }
    score = Score(**{**numbers, **changed})  # type: ignore[arg-type] # numbers of both sorts
    return Line(policy=policies.parse(name), score=score)


LINES = [line("kpa"), line("relight", cold_waits=50, busy_s=0.0, idle_s=2490.0)]


def test_the_share_of_the_first_stands_beside_the_others() -> None:
    head, first, second = scoreboard.cells(LINES, price=None)
    assert head[:2] == ["POLICY", "WAIT P50"]
    by_first, by_second = dict(zip(head, first, strict=True)), dict(zip(head, second, strict=True))
    assert by_first["COLD WAITS"] == "200"
    assert by_second["COLD WAITS"] == "50 (25 %)"
    assert (by_first["REPLICA-S"], by_second["REPLICA-S"]) == ("5,000", "2,500 (50 %)")
    assert (by_first["P95"], by_first["P99"]) == ("300 ms", "1.25 s")


def test_nothing_is_no_base_for_a_share() -> None:
    rows = scoreboard.cells([line("oracle", cold_waits=0), line("kpa")], price=None)
    assert rows[2][rows[0].index("COLD WAITS")] == "200"


def test_columns_that_say_nothing_are_left_out() -> None:
    head = scoreboard.cells(LINES, price=None)[0]
    assert not {"COST", "FROZEN", "RESUMED WAITS"} & set(head)
    frozen = scoreboard.cells([line("kpa", frozen_s=7.0, resumed_waits=3)], price=0.5)
    told = dict(zip(*frozen, strict=True))
    assert (told["FROZEN"], told["RESUMED WAITS"], told["COST"]) == ("7", "3", "$0.6944")


def test_numbers_are_aligned_to_the_right() -> None:
    lines = scoreboard.table(LINES, price=3.6).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("POLICY")
    assert {len(text) for text in lines} == {len(lines[0])}
    assert lines[1].endswith("$5.00")
    assert lines[2].endswith("$2.50")


def test_json_has_every_number_and_what_to_paste() -> None:
    told = orjson.loads(scoreboard.as_json(LINES, {"trace": "t"}, price=3600.0))
    assert told["trace"] == "t"
    kpa, relight = told["policies"]
    assert (kpa["policy"], kpa["replica_s"], kpa["cost_usd"]) == ("kpa", 5000.0, 5000.0)
    assert relight["cold_waits"] == 50
    assert list(relight["annotations"].values()) == ["relight.autoscaling.knative.dev"]


def test_csv_is_read_back() -> None:
    rows = list(csv.DictReader(io.StringIO(scoreboard.as_csv(LINES, price=None))))
    assert [row["policy"] for row in rows] == ["kpa", "relight"]
    assert float(rows[1]["replica_s"]) == 2500
    assert "cost_usd" not in rows[0]
