"""Several Revisions' records as one."""

from rehearsal.runs import COLD, WARM, Life, Run, merged

LIFE = Life(born_s=0.0, ready_s=1.0, ended_s=2.0, busy_s=0.5, last_s=1.5)


def run(*, arrival_s: float, end_s: float) -> Run:
    return Run(
        arrivals=[arrival_s],
        services=[0.5],
        waits=[1.0],
        found=bytearray([COLD]),
        lives=[LIFE],
        frozen=[(2.0, end_s)],
        cold_starts=1,
        end_s=end_s,
    )


def test_records_add_up() -> None:
    both = merged([run(arrival_s=0.0, end_s=3.0), run(arrival_s=7.0, end_s=9.0)])
    assert both.arrivals == [0.0, 7.0]
    assert both.lives == [LIFE, LIFE]
    assert list(both.found) == [COLD, COLD]
    assert both.frozen == [(2.0, 3.0), (2.0, 9.0)]
    assert (both.cold_starts, both.end_s) == (2, 9.0)
    assert WARM not in both.found


def test_one_record_stays_as_it_is() -> None:
    alone = run(arrival_s=0.0, end_s=3.0)
    assert merged([alone]) is alone


def test_none_is_an_empty_one() -> None:
    assert merged([]).end_s == 0.0
