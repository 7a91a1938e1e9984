"""Rings of activators: who owns what, and that nothing is lost on the way. Seeds are printed."""

import pytest

from tests.activator.peering import Faults, World

CALM: dict[str, Faults] = {
    "nothing happens": Faults(leaving=True),
    "replicas come and go": Faults(replicas=True, leaving=True),
    "activators join and leave": Faults(members=True, replicas=True, leaving=True),
    "activators crash": Faults(members=True, crashes=True, leaving=True),
    "connections break and are there again": Faults(blips=True, leaving=True),
}
ALL = Faults(members=True, crashes=True, blips=True, cuts=True, replicas=True, leaving=True)


@pytest.mark.parametrize("seed", range(16))
@pytest.mark.parametrize("what", CALM)
def test_no_limit_is_exceeded_and_nothing_is_lost(what: str, seed: int) -> None:
    names = "abcd"[: 2 + seed % 3]
    world = World(seed, names=names, faults=CALM[what], capacity=1 + seed % 2)
    world.run(0.2)
    world.scramble(requests=60, for_s=2.0, events=12)
    world.run(2.5)
    world.settle()
    world.check_at_rest()
    lost = [each for each in world.requests if each.why == "crash"]
    assert not lost or CALM[what].crashes
    assert sum(each.why == "answered" for each in world.requests) > 10


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_nothing_waits_for_ever_and_the_limit_holds_again_at_last(
    seed: int,
) -> None:
    world = World(seed, names="abcd"[: 2 + seed % 3], faults=ALL)
    world.run(0.2)
    world.scramble(requests=60, for_s=2.0, events=20)
    world.run(2.5)
    world.settle()
    world.check_at_rest()
    world.is_strict = True
    world.scramble(requests=40, for_s=0.5, events=0)
    world.run(world.now_s + 10)
    world.check_at_rest()
