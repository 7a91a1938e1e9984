"""The header that tells a replica's load: what is ours, what the model says, and wrong words."""

from collections.abc import Mapping
from typing import Any

import pytest

from api import load_reports
from api.load_reports import LoadReport
from predictor.load_header import LoadHeader


def told(
    metrics: Mapping[Any, Any] | None, *, waited_s: float = 0.0, form: bytes = b"TEXT"
) -> LoadReport:
    header = LoadHeader(None if metrics is None else lambda: metrics)
    return read(header.line(form, waited_s=waited_s))


def read(line: bytes) -> LoadReport:
    name, _, value = line.partition(b": ")
    assert name == b"endpoint-load-metrics"
    assert value.endswith(b"\r\n")
    return load_reports.read(value.removesuffix(b"\r\n"))


@pytest.mark.parametrize("form", [b"TEXT", b"json"])
def test_every_model_tells_how_long_a_request_waited(form: bytes) -> None:
    assert told(None, waited_s=0.0125, form=form) == LoadReport(queue_delay_s=0.0125)


def test_a_model_tells_of_its_tokens() -> None:
    assert told({"tokens_in_flight": 512}, waited_s=1) == LoadReport(
        tokens_in_flight=512, queue_delay_s=1
    )


@pytest.mark.parametrize(("waited_s", "expected_s"), [(0.01, 0.03), (0.05, 0.05)])
def test_the_longer_of_two_waits_counts(waited_s: float, expected_s: float) -> None:
    assert told({"queue_delay_ms": 30}, waited_s=waited_s).queue_delay_s == expected_s


def test_what_others_know_is_passed_on() -> None:
    line = LoadHeader(lambda: {"kv_cache_usage_perc": 0.5}).line(b"text", waited_s=0)
    assert b"named_metrics.kv_cache_usage_perc=0.5" in line


@pytest.mark.parametrize("form", [b"", b"BIN", b"yaml"])
def test_a_form_that_is_not_written_gets_no_header(form: bytes) -> None:
    assert LoadHeader().line(form, waited_s=1) == b""


@pytest.mark.parametrize(
    "metrics",
    [
        {"tokens_in_flight": -1},
        {"tokens_in_flight": "many"},
        {"queue_delay_ms": None},
        {"a\r\nset-cookie: b": 1},
        ["tokens_in_flight"],
    ],
)
def test_what_a_model_says_wrongly_is_left_out_and_logged_once(
    metrics: Any, caplog: pytest.LogCaptureFixture
) -> None:
    header = LoadHeader(lambda: metrics)
    for _ in range(3):
        line = header.line(b"TEXT", waited_s=0.5)
        assert read(line) == LoadReport(queue_delay_s=0.5)
    assert caplog.text.count("load_metrics is not reported") == 1


def test_a_model_that_raises_costs_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Mapping[str, float]:
        raise KeyError("gone")

    assert read(LoadHeader(fail).line(b"TEXT", waited_s=0.5)) == LoadReport(queue_delay_s=0.5)
    assert "KeyError: 'gone'" in caplog.text
