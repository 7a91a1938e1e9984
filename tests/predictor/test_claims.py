import pytest

from predictor.claims import Claim, ClaimError, Phase, PodLife, read_claim

CLAIM = Claim(id="c1", revision="r-1", args=("--model", "m"), env={"A": "b"}, wait_s=0.0)
OTHER = Claim(id="c2", revision="r-2", args=(), env={}, wait_s=0.0)


def warm() -> PodLife:
    life = PodLife("secret")
    life.warmed()
    return life


def test_a_body_is_a_claim() -> None:
    body = (
        b'{"id": "c1", "revision": "r-1", "args": ["--model", "m"], "env": {"A": "b"}, "wait_s": 0}'
    )
    assert read_claim(body) == CLAIM


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "JSON"),
        (b"[]", "object"),
        (b'{"revision": "r"}', "id"),
        (b'{"id": 7, "revision": "r"}', "id"),
        (b'{"id": "c"}', "revision"),
        (b'{"id": "c", "revision": "r", "args": "x"}', "args"),
        (b'{"id": "c", "revision": "r", "args": [1]}', "args"),
        (b'{"id": "c", "revision": "r", "env": {"A": 1}}', "env"),
        (b'{"id": "c", "revision": "r", "env": []}', "env"),
        (b'{"id": "c", "revision": "r", "wait_s": 31}', "wait_s"),
        (b'{"id": "c", "revision": "r", "wait_s": true}', "wait_s"),
        (b'{"id": "c", "revision": "r", "wait_s": "1"}', "wait_s"),
        (b'{"id": "c", "revision": "r", "image": "x"}', "image"),
    ],
)
def test_a_body_that_makes_no_sense_is_refused_by_the_field(body: bytes, field: str) -> None:
    with pytest.raises(ClaimError, match=field) as refused:
        read_claim(body)
    assert refused.value.status == 400


@pytest.mark.parametrize("said", ["", "Bearer", "Bearer wrong", "Basic secret", "secret"])
def test_only_who_has_the_key_may_claim(said: str) -> None:
    life = warm()
    life.check_key("Bearer secret")
    with pytest.raises(ClaimError) as refused:
        life.check_key(said)
    assert refused.value.status == 401


def test_without_a_key_nobody_may() -> None:
    with pytest.raises(ClaimError):
        PodLife("").check_key("Bearer ")


def test_one_claim_is_taken_and_the_same_one_is_heard_again() -> None:
    life = warm()
    assert life.take(CLAIM)
    assert life.phase is Phase.CLAIMED
    assert not life.take(CLAIM)
    with pytest.raises(ClaimError, match="claimed already, for r-1") as refused:
        life.take(OTHER)
    assert refused.value.status == 409


def test_what_is_not_warm_is_not_claimed() -> None:
    with pytest.raises(ClaimError, match="starting") as refused:
        PodLife("secret").take(CLAIM)
    assert refused.value.status == 503


def test_it_never_goes_back() -> None:
    life = warm()
    life.take(CLAIM)
    life.said({"ready": True, "load_ms": 3.0})
    assert life.phase is Phase.SERVING
    life.warmed()
    assert life.phase is Phase.SERVING
    life.ended()
    with pytest.raises(ClaimError) as refused:
        life.take(OTHER)
    assert refused.value.status == 409


def test_it_is_ready_when_it_can_be_claimed_and_when_it_serves() -> None:
    life = PodLife("secret")
    seen = [life.is_ready]
    life.warmed()
    seen.append(life.is_ready)
    life.take(CLAIM)
    seen.append(life.is_ready)
    life.said({"ready": True})
    seen.append(life.is_ready)
    life.ended()
    seen.append(life.is_ready)
    assert seen == [False, True, False, True, False]


def test_it_tells_what_the_replica_said() -> None:
    life = warm()
    assert life.told() == {"phase": "warm"}
    life.take(CLAIM)
    life.said({"failed": "no such model"})
    assert life.told() == {"phase": "claimed", "revision": "r-1", "failed": "no such model"}


def test_an_end_before_it_is_warm_stays_an_end() -> None:
    life = PodLife("secret")
    life.ended()
    life.warmed()
    assert life.phase is Phase.ENDED


def test_an_end_stays_one_whatever_the_replica_said_before() -> None:
    life = warm()
    life.take(CLAIM)
    life.ended()
    life.said({"ready": True})
    assert life.phase is Phase.ENDED
