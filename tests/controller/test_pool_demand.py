from controller.pool_demand import HALF_LIFE_S, REFILL_S, SIZE_MAX, Demand


def sizes(asked: list[tuple[float, int]], *times: float) -> list[int]:
    demand = Demand()
    for at_s, count in asked:
        demand.asked(count, now_s=at_s)
    return [demand.size(now_s=at_s) for at_s in times]


def test_one_waits_for_whoever_comes_first() -> None:
    assert sizes([], 0.0, 1e6) == [1, 1]


def test_what_is_asked_for_within_a_refill_counts_together() -> None:
    asked = [(0.0, 1), (REFILL_S / 2, 2), (REFILL_S - 1, 1)]
    assert sizes(asked, REFILL_S) == [4]


def test_what_comes_one_by_one_needs_one() -> None:
    assert sizes([(2 * REFILL_S * turn, 1) for turn in range(50)], 100 * REFILL_S) == [1]


def test_a_peak_fades_by_half() -> None:
    moments = [0.0, HALF_LIFE_S, 2 * HALF_LIFE_S, 3 * HALF_LIFE_S, 99 * HALF_LIFE_S]
    assert sizes([(0.0, 8)], *moments) == [8, 4, 2, 1, 1]


def test_a_smaller_peak_does_not_hide_what_is_left_of_a_larger_one() -> None:
    assert sizes([(0.0, 8), (HALF_LIFE_S, 2)], HALF_LIFE_S) == [4]
    assert sizes([(0.0, 8), (HALF_LIFE_S, 6)], HALF_LIFE_S) == [6]


def test_there_is_a_bound() -> None:
    assert sizes([(0.0, 1000)], 0.0) == [SIZE_MAX]
