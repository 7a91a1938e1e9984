"""The whole platform in virtual time: a few seeds, and that the simulation can fail.

`make sim` runs many more seeds, and `python -m tests.simulation --mutations` all the breaks.
"""

import pytest

from tests.simulation.mutations import MUTATIONS
from tests.simulation.simulation import run


@pytest.mark.parametrize("seed", [1, 2, 3, 5, 9, 12, 23, 28, 50, 76])
def test_nothing_is_violated(seed: int) -> None:
    result = run(seed)
    assert not result.violation, "\n".join(result.last)


def test_one_seed_is_one_run() -> None:
    one, again, other = run(7), run(7), run(8)
    assert (one.hash, one.lines, one.fates) == (again.hash, again.lines, again.fates)
    assert one.hash != other.hash
    assert "200" in one.fates | other.fates, "nobody was served: these seeds test nothing"


@pytest.mark.parametrize(
    ("mutation", "words"),
    [
        ("limit-ignored", "too many requests"),
        ("no-drain", "while"),
        ("unready-traffic", "was never ready"),
        ("never-zero", "not at rest"),
    ],
)
def test_a_break_is_found(mutation: str, words: str) -> None:
    with MUTATIONS[mutation]():
        found = next(filter(None, (run(seed).violation for seed in range(20))), "")
    assert words in found
