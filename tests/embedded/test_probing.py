from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from embedded.probing import Probe, Watch, Watches, probes_of


def probe(**fields: Any) -> Probe:
    return Probe(**{"kind": "readiness", "action": "tcpSocket", "settings": {}, **fields})


def test_kubernetes_defaults_and_knatives_hurry() -> None:
    raw = {"readinessProbe": {"httpGet": {"path": "/"}}, "livenessProbe": {"tcpSocket": {}}}
    ready, live = probes_of(raw, is_knative=True)
    assert (ready.is_hurried, live.is_hurried) == (True, False)
    assert (live.period_s, live.timeout_s, live.successes, live.failures) == (10, 1, 1, 3)
    ready, _ = probes_of(raw, is_knative=False)
    assert not ready.is_hurried
    raw = {"readinessProbe": {"exec": {"command": ["x"]}, "periodSeconds": 3}}
    (ready,) = probes_of(raw, is_knative=True)
    assert (ready.action, ready.is_hurried, ready.period_s) == ("exec", False, 3)
    assert (
        probes_of(
            {"startupProbe": {"terminationGracePeriodSeconds": 4, "grpc": {"port": 1}}},
            is_knative=True,
        )[0].grace_s
        == 4
    )


def test_a_hurried_probe_asks_often_until_it_succeeds() -> None:
    watch = Watch(probe(is_hurried=True), started_s=0.0)
    for at in range(10):
        assert watch.observe(False, now_s=at) is False
        assert watch.due_s == at + 0.05
    assert watch.observe(True, now_s=10)
    assert (watch.verdict, watch.due_s) == (True, 20.0)
    for at in (20, 30):
        assert not watch.observe(False, now_s=at)
    assert watch.observe(False, now_s=40)
    assert watch.verdict is False


@given(st.integers(1, 3), st.integers(1, 3), st.lists(st.booleans(), max_size=30))
def test_a_verdict_needs_its_threshold_in_a_row(
    successes: int, failures: int, answers: list[bool]
) -> None:
    watch = Watch(probe(successes=successes, failures=failures), started_s=0.0)
    expected = None
    for at, answer in enumerate(answers):
        before = watch.verdict
        is_changed = watch.observe(answer, now_s=at)
        needed = successes if answer else failures
        if answers[max(0, at + 1 - needed) : at + 1] == [answer] * needed:
            expected = answer
        assert watch.verdict is expected
        assert is_changed is (before is not expected)


def test_nothing_else_is_asked_before_the_startup_probe_succeeded() -> None:
    probes = [
        probe(kind="startup", period_s=1.0, failures=3),
        probe(kind="readiness", initial_delay_s=1.0),
        probe(kind="liveness", initial_delay_s=9.0),
    ]
    watches = Watches(probes, now_s=0.0)
    watch = watches.next_due()
    assert watch is not None
    assert watch.probe.kind == "startup"
    assert not watches.observe(watch, False, now_s=0.0)
    assert (watches.is_started, watches.is_ready) == (False, False)
    assert not watches.observe(watch, True, now_s=5.0)
    assert watches.is_started
    watch = watches.next_due()
    assert watch is not None
    assert (watch.probe.kind, watch.due_s) == ("readiness", 5.0)
    assert not watches.observe(watch, True, now_s=5.0)
    assert watches.is_ready
    watch = watches.next_due()
    assert watch is not None
    assert (watch.probe.kind, watch.due_s) == ("liveness", 9.0)


def test_a_startup_or_liveness_probe_that_fails_ends_the_container() -> None:
    for kind in ("startup", "liveness"):
        watches = Watches([probe(kind=kind, failures=2)], now_s=0.0)
        watch = watches.next_due()
        assert watch is not None
        assert not watches.observe(watch, False, now_s=0.0)
        assert watches.observe(watch, False, now_s=1.0)


def test_a_readiness_probe_that_fails_only_stops_requests() -> None:
    watches = Watches([probe(failures=1)], now_s=0.0)
    watch = watches.next_due()
    assert watch is not None
    assert not watches.observe(watch, True, now_s=0.0)
    assert not watches.observe(watch, False, now_s=1.0)
    assert not watches.is_ready


def test_without_probes_there_is_nothing_to_ask() -> None:
    watches = Watches([], now_s=0.0)
    assert watches.next_due() is None
    assert watches.is_ready
