import pytest

from autoscaler.activator_text import Held, read

# As the exporters of OpenTelemetry (since Knative 1.19) and OpenCensus write it.
NOW = """
# HELP kn_revision_request_queued Number of requests queued
# TYPE kn_revision_request_queued gauge
kn_revision_request_queued{k8s_namespace_name="default",kn_revision_name="r-00001"} 3
kn_revision_request_queued{k8s_namespace_name="other",kn_revision_name="r-00001"} 1 1712345678901
kn_revision_request_concurrency{k8s_namespace_name="default",kn_revision_name="r-00001"} 2.5
http_server_request_duration_seconds_bucket{kn_revision_name="r-00001",le="0.005"} 7
"""
BEFORE = """
activator_request_concurrency{configuration_name="r",namespace_name="default",revision_name="r-1"} 4
activator_request_count{namespace_name="default",revision_name="r-1"} 40
"""


def test_queued_and_concurrent_requests_are_read_by_revision() -> None:
    assert read(NOW) == {
        ("default", "r-00001"): Held(queued=3.0, concurrency=2.5),
        ("other", "r-00001"): Held(queued=1.0),
    }


def test_the_names_of_before_are_read_too() -> None:
    assert read(BEFORE) == {("default", "r-1"): Held(concurrency=4.0)}


def test_samples_that_differ_in_other_labels_are_summed() -> None:
    line = 'kn_revision_request_queued{{k8s_namespace_name="a",kn_revision_name="r",x="{}"}} 2\n'
    assert read(line.format(1) + line.format(2)) == {("a", "r"): Held(queued=4.0)}


@pytest.mark.parametrize(
    "line",
    [
        'kn_revision_request_queued{k8s_namespace_name="a"} 2',
        'kn_revision_request_queued{k8s_namespace_name="a",kn_revision_name="r"} NaN',
        'kn_revision_request_queued{k8s_namespace_name="a",kn_revision_name="r"} -1',
        'kn_revision_request_queued_else{k8s_namespace_name="a",kn_revision_name="r"} 1',
        "go_goroutines 20",
    ],
)
def test_what_says_nothing_of_a_revision_is_passed_over(line: str) -> None:
    assert read(line) == {}


@pytest.mark.parametrize("text", ["", "# HELP nothing", "<html>not here</html>"])
def test_what_is_no_text_of_metrics_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match="no sample"):
        read(text)
