"""ORCA headers: what our predictor writes is read, and so is what vLLM and Triton write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import load_reports
from api.load_reports import Form, LoadReport


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            b"TEXT named_metrics.tokens_in_flight=123, named_metrics.queue_delay_ms=4.5",
            LoadReport(tokens_in_flight=123, queue_delay_s=0.0045),
        ),
        (b"text named_metrics.queue_delay_ms=1e3", LoadReport(queue_delay_s=1)),
        (
            b'JSON {"named_metrics": {"tokens_in_flight": 7}, "cpu_utilization": 0.3}',
            LoadReport(tokens_in_flight=7),
        ),
        (b'JSON {"namedMetrics":{"queue_delay_ms":0}}', LoadReport(queue_delay_s=0)),
        (b'JSON {"named_metrics": {"tokens_in_flight": null}}', LoadReport()),
        # Triton with TensorRT-LLM: a share of its capacity.
        (
            b"TEXT named_metrics.kv_cache_utilization=0.250000, "
            b"named_metrics.max_token_capacity=16384",
            LoadReport(tokens_in_flight=4096),
        ),
        (
            b'JSON {"named_metrics":{"kv_cache_utilization":0.5,"max_token_capacity":1000}}',
            LoadReport(tokens_in_flight=500),
        ),
        # vLLM: neither tokens nor a delay.
        (
            b"TEXT named_metrics.kv_cache_usage_perc=0.4, named_metrics.num_requests_waiting=3.0",
            LoadReport(),
        ),
        # What is not a named metric is none of ours, whatever its name.
        (b"TEXT cpu_utilization=0.4,tokens_in_flight=9", LoadReport()),
    ],
)
def test_reading(value: bytes, expected: LoadReport) -> None:
    assert load_reports.read(value) == expected


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"", "neither TEXT nor JSON"),
        (b"BIN CAESBA==", "neither TEXT nor JSON"),
        (b"named_metrics.tokens_in_flight=1", "neither TEXT nor JSON"),
        (b"TEXT", "'' is not name=number"),
        (b"TEXT named_metrics.tokens_in_flight", "is not name=number"),
        (b"TEXT named_metrics.tokens_in_flight=many", "is not name=number"),
        (b"TEXT named_metrics.tokens_in_flight=nan", "is not name=number"),
        (b"TEXT named_metrics.tokens_in_flight=1_0", "is not name=number"),
        (b"TEXT named_metrics.tokens_in_flight=-1", "tokens_in_flight is not a number of 0"),
        (b"TEXT named_metrics.queue_delay_ms=1e999", "queue_delay_ms is not a number of 0"),
        (b"TEXT named_metrics.a=1,named_metrics.a=2", "named_metrics.a stands twice"),
        (b"JSON {", "can not be parsed"),
        (b"JSON " + b"[" * 4000, "can not be parsed"),
        (b"JSON []", "is not an object with"),
        (b'JSON {"named_metrics": 3}', "an object named_metrics"),
        (b'JSON {"named_metrics": {"tokens_in_flight": true}}', "not a number of 0"),
        (b'JSON {"named_metrics": {"tokens_in_flight": NaN}}', "not a number of 0"),
        (b'JSON {"named_metrics": {"queue_delay_ms": "4"}}', "not a number of 0"),
        (b"TEXT " + b"x" * 4096, "longer than 4096 bytes"),
    ],
)
def test_what_can_not_be_read_says_why(value: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        load_reports.read(value)


@given(
    st.sampled_from(["TEXT", "JSON"]), st.none() | st.floats(0, 1e12), st.none() | st.floats(0, 1e9)
)
def test_what_is_written_is_read(form: Form, tokens: float | None, delay_ms: float | None) -> None:
    said = {"tokens_in_flight": tokens, "queue_delay_ms": delay_ms, "of_others": 1}
    metrics = {name: value for name, value in said.items() if value is not None}
    assert load_reports.read(load_reports.write(form, metrics).encode()) == LoadReport(
        tokens_in_flight=tokens, queue_delay_s=None if delay_ms is None else delay_ms / 1000
    )


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(value: bytes) -> None:
    for start in (b"", b"TEXT ", b"JSON ", b'JSON {"named_metrics":{"tokens_in_flight":'):
        try:
            report = load_reports.read(start + value)
        except ValueError:
            continue
        assert report.tokens_in_flight is None or report.tokens_in_flight >= 0


@pytest.mark.parametrize(
    ("metrics", "why"),
    [
        ({"a b": 1}, "'a b' is no name"),
        ({"a\r\nx: y": 1}, "is no name"),
        ({3: 1}, "3 is no name"),
        ({"a": -1}, "a is -1, not a number"),
        ({"a": float("nan")}, "a is nan, not a number"),
        ({"a": True}, "a is True, not a number"),
        ({"a": "1"}, "a is '1', not a number"),
    ],
)
def test_what_can_not_be_written_says_why(metrics: dict[str, float], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        load_reports.write("TEXT", metrics)


@pytest.mark.parametrize(
    ("asked", "form"),
    [(b"text", "TEXT"), (b"JSON", "JSON"), (b" Json ", "JSON"), (b"BIN", None), (b"", None)],
)
def test_the_form_is_asked_for_in_any_case(asked: bytes, form: Form | None) -> None:
    assert load_reports.form_of(asked) == form
