"""The webhook's certificates over the years, in literal times."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster import issuing
from controller import certificates
from controller.certificates import AUTHORITIES, AUTHORITY_KEY, SERVER, SERVER_KEY, Data, wanted

NAMES = ("webhook.relight-system.svc", "webhook.relight-system.svc.cluster.local")
START = datetime(2027, 1, 15, 12, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def at(found: Data, after: timedelta, names: tuple[str, ...] = NAMES) -> Data:
    return wanted(found, names=names, now=START + after)


def authorities(found: Data) -> list[str]:
    """When each authority began, in days after the start."""
    begins = [e.not_valid_before_utc for e in issuing.read_bundle(found[AUTHORITIES])]
    return [f"{(each + issuing.BACKDATED - START) / DAY:g}" for each in begins]


def signer(found: Data) -> int:
    """Which authority of the bundle signed the server's certificate."""
    [server] = issuing.read_bundle(found[SERVER])
    bundle = issuing.read_bundle(found[AUTHORITIES])
    return next(at for at, each in enumerate(bundle) if issuing.is_by(server, each))


def ends(found: Data) -> float:
    [server] = issuing.read_bundle(found[SERVER])
    return (server.not_valid_after_utc - START) / DAY


def test_the_first_are_used_at_once() -> None:
    found = at({}, DAY * 0)
    assert set(found) == {AUTHORITIES, AUTHORITY_KEY, SERVER, SERVER_KEY}
    assert (authorities(found), signer(found), ends(found)) == (["0"], 0, 90)
    issuing.read(found[SERVER], found[SERVER_KEY])
    issuing.read(found[AUTHORITIES], found[AUTHORITY_KEY])


@pytest.mark.parametrize("days", [0, 1, 59, 59.9])
def test_they_stay_while_they_are_good(days: float) -> None:
    found = at({}, DAY * 0)
    assert at(found, days * DAY) == found


def test_the_servers_is_renewed_a_month_before_its_end() -> None:
    found = at({}, DAY * 0)
    later = at(found, 60 * DAY)
    assert later[AUTHORITIES] == found[AUTHORITIES]
    assert (signer(later), ends(later)) == (0, 150)


def test_other_names_need_another_certificate_at_once() -> None:
    found = at({}, DAY * 0)
    later = at(found, DAY, (*NAMES, "10.99.0.1"))
    assert later[AUTHORITIES] == found[AUTHORITIES]
    assert later[SERVER] != found[SERVER]


def test_an_authority_is_announced_before_it_signs_and_kept_until_it_ends() -> None:
    found = at({}, DAY * 0)
    found = at(found, 545 * DAY)  # a server's certificate until day 635
    assert (authorities(found), signer(found), ends(found)) == (["0"], 0, 635)
    announced = at(found, 550 * DAY)
    assert (authorities(announced), signer(announced)) == (["550", "0"], 1)
    assert announced[SERVER] == found[SERVER]
    waiting = at(announced, 550 * DAY + HOUR / 2)
    assert waiting == announced
    settled = at(waiting, 550 * DAY + HOUR)
    assert (authorities(settled), signer(settled)) == (["550", "0"], 0)
    assert at(settled, 600 * DAY) == settled
    assert authorities(at(settled, 729 * DAY)) == ["550", "0"]
    assert authorities(at(settled, 730 * DAY)) == ["550"]


def test_a_platform_that_slept_through_it_all_begins_anew() -> None:
    found = at(at({}, DAY * 0), 4000 * DAY)
    assert (authorities(found), signer(found), ends(found)) == (["4000"], 0, 4090)


def test_a_server_near_its_end_does_not_wait_for_a_new_authority_to_settle() -> None:
    found = at({}, DAY * 0)
    found = at(found, 470 * DAY)
    later = at(found, 559.5 * DAY)  # nobody looked since; half a day is left
    assert (authorities(later), signer(later)) == (["559.5", "0"], 0)


@pytest.mark.parametrize("name", [AUTHORITIES, AUTHORITY_KEY, SERVER, SERVER_KEY])
@pytest.mark.parametrize("junk", [None, b"", b"junk"])
def test_what_somebody_broke_is_made_anew(name: str, junk: bytes | None) -> None:
    found = dict(at({}, DAY * 0))
    broken = {**found, name: junk} if junk is not None else {k: found[k] for k in {*found} - {name}}
    mended = at(broken, DAY)
    issuing.read(mended[SERVER], mended[SERVER_KEY])
    issuing.read(mended[AUTHORITIES], mended[AUTHORITY_KEY])
    signer(mended)
    assert at(mended, DAY) == mended
    if name == AUTHORITY_KEY:  # who trusted the old one goes on doing so for now
        assert mended[SERVER] == found[SERVER]
        assert authorities(mended) == ["1", "0"]


def test_what_else_stands_in_the_secret_is_not_ours() -> None:
    assert set(at({"note": b"x"}, DAY)) == {AUTHORITIES, AUTHORITY_KEY, SERVER, SERVER_KEY}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 24 * 30), min_size=1, max_size=40))
def test_who_looks_monthly_or_oftener_is_never_met_with_an_unknown_or_ended_one(
    steps: list[int],
) -> None:
    """An API server that hears of a bundle an hour late trusts every certificate it meets."""
    found = at({}, DAY * 0)
    after = DAY * 0
    shown: list[tuple[timedelta, Data]] = [(after, found)]
    for hours in [*steps, *([24 * 30] * 30)]:
        after += hours * HOUR
        found = at(found, after)
        shown.append((after, found))
        heard = [data for when, data in shown if when <= after - certificates.SETTLED] or [found]
        [server] = issuing.read_bundle(found[SERVER])
        known = issuing.read_bundle(heard[-1][AUTHORITIES])
        assert any(issuing.is_by(server, each) for each in known)
        assert server.not_valid_after_utc - START > after


def test_a_server_can_be_started_with_them(tmp_path: object) -> None:
    from pathlib import Path

    found = at({}, DAY * 0)
    folder = Path(str(tmp_path))
    (folder / "crt").write_bytes(found[SERVER])
    (folder / "key").write_bytes(found[SERVER_KEY])
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(folder / "crt", folder / "key")
