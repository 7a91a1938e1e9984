"""What a head asks for, and who may ask for what."""

import pytest

from activator.config import Settings
from activator.planning import Planner, is_local, timeout_s
from activator.plans import Plan
from activator.routing import Router
from activator.statistics import Statistics
from activator.targets import Model, RevisionKey, Share
from tests.wire.memory import Memory
from wire.exchange import Exchange
from wire.head import Head

REFUSED: list[tuple[bytes, str, int]] = []


class Link:
    """The connection of one exchange."""

    def __init__(self) -> None:
        self.transport = Memory()

    def finished(self, exchange: Exchange) -> None:
        """The answer is whole."""


def ask(
    host: str, path: str = "/", *, peer: str = "127.0.0.1", local: bool = False, **headers: str
) -> tuple[Plan[str] | None, bytes]:
    """The plan of a request, and the answer that was given in its place."""
    settings = Settings()
    router = Router(domain="localhost", draw=lambda: 0.0)
    router.set_revision("default", "app-1", Model(service="app", name="app"))
    shares = [Share(revision="app-1", percent=100)]
    router.set_route("default", "app", shares, is_inside_only=local)
    planner: Planner[str] = Planner(
        settings,
        router,
        holder_of={RevisionKey("default", "app-1"): "holder"}.get,
        statistics=lambda: Statistics(connections=1, requests=2, expected=3, revisions={}),
        fresh_id=lambda: b"fresh",
        told=lambda *refusal: REFUSED.append(refusal),
    )
    pairs = [(b"host", host.encode())]
    pairs += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    link = Link()
    head = Head(b"GET", path.encode(), pairs, dict(pairs))
    exchange = Exchange(link, peer, head)  # type: ignore[arg-type] # as much as it needs
    exchange.is_complete = True
    return planner.plan(exchange, 7), link.transport.sent


def test_a_plan_is_kept_with_the_head() -> None:
    plan, sent = ask("app.default.localhost", relight_timeout="2.5")
    assert plan is not None
    assert (plan.version, plan.holder, plan.asked_s, plan.upgrade) == (7, "holder", 2.5, b"")
    assert b"knative-serving-default-route: true\r\n" in plan.start
    assert sent == b""


def test_a_refusal_is_told() -> None:
    REFUSED.clear()
    plan, sent = ask("nobody.default.localhost", x_request_id="mine")
    assert (plan, sent[:12]) == (None, b"HTTP/1.1 404")
    assert REFUSED == [(b"mine", "UnknownHost", 404)]


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1", ""])
@pytest.mark.parametrize(
    ("host", "path"),
    [("app.default.svc.cluster.local", "/"), ("localhost", "/v2/models/app/infer")],
)
def test_what_is_cluster_local_is_served_inside(host: str, path: str, peer: str) -> None:
    assert ask(host, path, peer=peer, local=True)[0] is not None


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("app.default.svc.cluster.local", "/"),
        ("localhost", "/v2/models/app/infer"),
        ("app-1.default.svc", "/"),
    ],
)
def test_what_is_cluster_local_does_not_exist_for_callers_outside(host: str, path: str) -> None:
    plan, sent = ask(host, path, peer="10.1.2.3", local=True)
    assert plan is None
    assert sent.startswith(b"HTTP/1.1 404 ")
    assert b"app" not in sent.partition(b"\r\n\r\n")[2]
    assert ask(host, path, peer="10.1.2.3")[0] is not None


@pytest.mark.parametrize(
    ("headers", "status", "body"),
    [
        ({"k_network_probe": "activator"}, b"200", b"activator"),
        ({"k_network_probe": "probe", "k_network_hash": "abc"}, b"200", b""),
        (
            {"k_network_probe": "probe"},
            b"400",
            b'a probe request must contain a non-empty "K-Network-Hash" header\n',
        ),
        ({"k_network_probe": "queue"}, b"400", b'unexpected probe header value: "queue"\n'),
    ],
)
@pytest.mark.parametrize("host", ["app.default.localhost", "nobody", "localhost"])
def test_network_probes_are_answered_as_by_knatives_activator(
    host: str, headers: dict[str, str], status: bytes, body: bytes
) -> None:
    plan, sent = ask(host, **headers)
    assert plan is None
    assert sent.split(b" ")[1] == status
    assert sent.endswith(b"\r\n\r\n" + body)
    assert (b"k-network-hash: abc\r\n" in sent) == ("k_network_hash" in headers)


def test_a_timeout_is_a_number_of_seconds() -> None:
    assert timeout_s(b"2.5", 10) == 2.5
    assert timeout_s(b"10.1", 10) is None


def test_callers_on_this_machine() -> None:
    assert is_local("")
    assert is_local("127.0.0.1")
    assert is_local("::1")
    assert not is_local("10.0.0.1")
    assert not is_local("nonsense")


TO = {"knative_serving_revision": "app-1", "knative_serving_namespace": "default"}


@pytest.mark.parametrize("host", ["nobody.default.localhost", "localhost", "10.1.2.3:8080"])
@pytest.mark.parametrize("local", [True, False])
def test_an_entry_inside_may_name_the_revision_itself(host: str, local: bool) -> None:
    plan, _ = ask(host, local=local, **TO)
    assert plan is not None
    assert plan.holder == "holder"
    assert b"knative-serving-revision" not in plan.start
    assert b"knative-serving-namespace" not in plan.start


def test_a_revision_that_does_not_exist_is_not_found_whatever_the_host_says() -> None:
    plan, sent = ask("app.default.localhost", **TO | {"knative_serving_revision": "app-2"})
    assert (plan, sent[:12]) == (None, b"HTTP/1.1 404")


@pytest.mark.parametrize("name", TO)
def test_half_a_name_is_none(name: str) -> None:
    assert ask("nobody.default.localhost", **{name: TO[name]})[0] is None
    assert ask("app.default.localhost", **{name: "other"})[0] is not None


@pytest.mark.parametrize("local", [True, False])
def test_callers_outside_name_hosts_only(local: bool) -> None:
    assert ask("nobody.default.localhost", peer="10.1.2.3", local=local, **TO)[0] is None
    assert ask("app.default.svc", peer="10.1.2.3", local=True, **TO)[0] is None
    other = TO | {"knative_serving_revision": "other"}
    plan, _ = ask("app.default.localhost", peer="10.1.2.3", **other)
    assert plan is not None, "by its host, as if nothing had been said"
