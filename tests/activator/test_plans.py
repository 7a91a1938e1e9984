"""What is kept with a head."""

from activator.plans import Plan, client_request_id
from activator.targets import RevisionKey, Way, sole
from wire.exchange import Exchange
from wire.head import Head


def exchange(**headers: bytes) -> Exchange:
    pairs = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    return Exchange(None, "", Head(b"GET", b"/", pairs, dict(pairs)))  # type: ignore[arg-type] # nothing is sent


def test_a_plan_has_all_that_the_head_decides() -> None:
    target = sole(RevisionKey("ns", "r"))
    plan: Plan[str] = Plan(
        exchange(host=b"h", x_request_id=b"mine"),
        version=3,
        way=Way(target=target, lines=b"x-way: 1\r\n"),
        holder="holder",
        asked_s=None,
    )
    assert (plan.version, plan.target, plan.holder, plan.asked_s) == (3, target, "holder", None)
    assert plan.request_id == b"mine"
    assert plan.start.startswith(b"GET / HTTP/1.1\r\nhost: h\r\n")
    assert b"\r\nx-way: 1\r\n" in plan.start
    assert b"mine" not in plan.start


def test_an_absent_or_absurd_request_id_is_none() -> None:
    assert client_request_id(exchange()) is None
    assert client_request_id(exchange(x_request_id=b"")) is None
    assert client_request_id(exchange(x_request_id=b"a" * 129)) is None
    assert client_request_id(exchange(x_request_id=b"a" * 128)) == b"a" * 128


def test_a_plan_that_asks_for_more_is_made_once() -> None:
    plan: Plan[str] = Plan(
        exchange(host=b"h"),
        version=3,
        way=Way(target=sole(RevisionKey("ns", "r"))),
        holder="holder",
        asked_s=2.0,
    )
    before = plan.start
    asking = plan.asking(b"a: 1\r\n")
    assert asking.start == before + b"a: 1\r\n"
    assert (asking.version, asking.holder, asking.asked_s) == (3, "holder", 2.0)
    assert plan.start == before
    assert plan.asking(b"a: 1\r\n") is asking
