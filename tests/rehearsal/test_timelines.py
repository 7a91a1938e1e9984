"""Steps for charts."""

from rehearsal.runs import Life, Run
from rehearsal.timelines import steps, timeline


def test_steps_say_how_many_cover_each_moment() -> None:
    assert steps([(1.0, 3.0), (2.0, 5.0), (3.0, 3.0), (5.0, 6.0)]) == [
        (0.0, 0.0),
        (1.0, 1.0),
        (2.0, 2.0),
        (3.0, 1.0),
        (5.0, 1.0),
        (6.0, 0.0),
    ]


def test_what_began_before_is_there_from_the_beginning() -> None:
    assert steps([(-5.0, 2.0), (-5.0, -1.0)]) == [(0.0, 1.0), (2.0, 0.0)]
    assert steps([]) == [(0.0, 0.0)]


def test_a_run_is_ordered_by_time() -> None:
    told = timeline(
        Run(
            arrivals=[5.0, 0.0],
            services=[2.0, 1.0],
            waits=[0.0, 3.0],
            found=b"\0\1",
            lives=[Life(born_s=0.0, ready_s=3.0, ended_s=9.0, busy_s=3.0, last_s=7.0)],
            frozen=[(9.0, 10.0)],
            cold_starts=1,
            end_s=10.0,
        )
    )
    assert told.span_s == 10.0
    assert told.requests == [(0.0, 1.0), (5.0, 2.0)]
    assert told.waits == [(0.0, 3.0), (5.0, 0.0)]
    assert told.starting == [(0.0, 1.0), (3.0, 0.0)]
    assert told.ready == [(0.0, 0.0), (3.0, 1.0), (9.0, 0.0)]
    assert told.frozen == [(0.0, 0.0), (9.0, 1.0), (10.0, 0.0)]
