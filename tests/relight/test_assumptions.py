import pytest

from rehearsal.traces import Trace
from relight.assumptions import Measured, assume
from relight.simulate_arguments import Wanted
from tests.relight.test_simulate_arguments import wanted

PLAIN = Trace(arrivals=[0.0, 1.0])
TIMED = Trace(arrivals=[0.0, 1.0, 2.0], durations=[0.1, 0.3, 2.0])
LIVE = Measured(
    revision="iris-00001",
    service_s=(0.05, 0.06, 0.07),
    cold_starts_s=(0.4,),
    cold_starts_from="1 start from zero of iris-00001",
    concurrency=2,
)


@pytest.mark.parametrize(
    ("flags", "trace", "measured", "service_s", "note"),
    [
        ((), PLAIN, None, (0.2,), "service time 200 ms (assumed)"),
        ((), TIMED, None, (0.2,), "service time median 300 ms, 100 ms to 2 s (of the trace)"),
        (
            (),
            TIMED,
            LIVE,
            (0.05, 0.06, 0.07),
            "service time median 60 ms, 50 ms to 70 ms (3 requests of iris-00001)",
        ),
        (("--service-time", "1s"), TIMED, LIVE, (1.0,), "service time 1 s"),
    ],
)
def test_a_flag_counts_before_a_measurement_before_the_trace(
    flags: tuple[str, ...],
    trace: Trace,
    measured: Measured | None,
    service_s: tuple[float, ...],
    note: str,
) -> None:
    found = assume(wanted(*flags), trace, measured)
    assert found.terms.service_s == service_s
    assert found.notes[0] == note
    assert found.terms.uses_durations is ("of the trace" in note)


@pytest.mark.parametrize(
    ("flags", "measured", "cold_s", "concurrency", "notes"),
    [
        ((), None, (0.5,), 4, ("cold start 500 ms (assumed)", "concurrency 4 (assumed)")),
        (
            (),
            LIVE,
            (0.4,),
            2,
            (
                "cold start 400 ms (1 start from zero of iris-00001)",
                "concurrency 2 (of iris-00001)",
            ),
        ),
        (
            ("--cold-start", "2s", "--concurrency", "0"),
            LIVE,
            (2.0,),
            0,
            ("cold start 2 s", "concurrency unlimited"),
        ),
    ],
)
def test_so_it_is_with_starts_and_concurrency(
    flags: tuple[str, ...],
    measured: Measured | None,
    cold_s: tuple[float, ...],
    concurrency: int,
    notes: tuple[str, ...],
) -> None:
    found = assume(wanted(*flags), PLAIN, measured)
    assert (found.terms.cold_starts_s, found.terms.concurrency) == (cold_s, concurrency)
    assert found.notes[1:] == notes


def test_what_is_not_usual_is_said() -> None:
    asked: Wanted = wanted("--frozen", "3", "--resume", "2ms", "--compress", "4", "--seed", "9")
    found = assume(asked, PLAIN, None)
    assert found.notes[3:] == ("3 kept frozen, resumed in 2 ms", "4 times as fast")
    assert (found.terms.frozen_max, found.terms.resume_s, found.terms.seed) == (3, 0.002, 9)
