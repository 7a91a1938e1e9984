"""Parts of a trace, faster and busier ones, and what is said of one."""

import pytest

from rehearsal.shaping import compress, cut, describe, rescale
from rehearsal.traces import Trace

TRACE = Trace(
    arrivals=[0.0, 0.5, 0.5, 100.0, 101.0],
    durations=[1.0, 2.0, 3.0, 4.0, 5.0],
    models=["a", "b", "a", "a", "b"],
    began_s=1000.0,
)


def test_compressed_requests_come_sooner_and_take_as_long() -> None:
    faster = compress(TRACE, 10)
    assert faster.arrivals == [0.0, 0.05, 0.05, 10.0, 10.1]
    assert faster.durations == TRACE.durations
    assert faster.notes == ("Compressed: it runs 10 times as fast.",)


def test_a_cut_begins_with_its_first_request() -> None:
    part = cut(TRACE, 0.5, 101.0)
    assert part.arrivals == [0.0, 0.0, 99.5]
    assert part.durations == [2.0, 3.0, 4.0]
    assert part.models == ["b", "a", "a"]
    assert part.began_s == 1000.5


def test_a_cut_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing arrived from 1 s to 100 s"):
        cut(TRACE, 1.0, 100.0)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("inf"), float("nan")])
def test_a_factor_is_over_zero(factor: float) -> None:
    with pytest.raises(ValueError, match="times as fast"):
        compress(TRACE, factor)
    with pytest.raises(ValueError, match="times as many"):
        rescale(TRACE, factor)


def test_twice_as_many_come_in_the_same_time() -> None:
    busier = rescale(TRACE, 2)
    assert busier.arrivals == [0.0, 0.25, 0.5, 0.5, 0.5, 50.25, 100.0, 100.5, 101.0, 101.0]
    assert busier.models == list("aabbaaaabb")
    assert busier.durations == [each for each in (1, 2, 3, 4, 5) for _ in range(2)]


def test_a_part_of_them_is_drawn_alike_each_time() -> None:
    long = Trace(arrivals=[float(each) for each in range(10_000)])
    fewer = rescale(long, 0.3, seed=1)
    assert fewer.arrivals == rescale(long, 0.3, seed=1).arrivals
    assert fewer.arrivals != rescale(long, 0.3, seed=2).arrivals
    assert 2_800 < len(fewer) < 3_200
    assert 14_500 < len(rescale(long, 1.5)) < 15_500


def test_when_nothing_is_left_it_is_said() -> None:
    with pytest.raises(ValueError, match="nothing is left of 1 requests times 1e-09"):
        rescale(Trace(arrivals=[0.0]), 1e-9)


def test_a_trace_in_numbers() -> None:
    told = describe(TRACE)
    assert (told.requests, told.models, told.span_s, told.rate_peak) == (5, 2, 101.0, 3)
    assert (told.gaps, told.gap_max_s) == (1, 99.5)
    assert told.gap_variation == pytest.approx(1.70, abs=0.01)
    assert told.sentence == (
        "5 requests of 2 models in 101 s: 0.05 a second, at most 3 in one; "
        "1 gaps over 60 s, the longest 100 s"
    )


def test_one_request_is_a_trace_too() -> None:
    told = describe(Trace(arrivals=[0.0]))
    assert (told.span_s, told.rate_mean, told.gap_variation) == (0.0, 0.0, 0.0)
