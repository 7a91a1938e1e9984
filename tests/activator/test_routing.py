"""Hosts, tags, paths and shares."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activator.claims import Owner
from activator.hosts import parse_host
from activator.routing import Inference, Router
from activator.targets import Model, RevisionKey, Share, Way


def key(name: str, namespace: str = "default") -> RevisionKey:
    return RevisionKey(namespace, name)


@pytest.fixture
def router() -> Router:
    it = Router(domain="example.com", draw=random.Random(7).random)
    for revision in ("shop-1", "shop-2", "shop-3"):
        it.set_revision("default", revision, Model(service="shop", name="shop"))
    it.set_revision("prod", "shop-1", Model(service="shop", name="shop"))
    it.set_route(
        "default",
        "shop",
        [
            Share(revision="shop-1", percent=100),
            Share(revision="shop-2", percent=0, tag="next"),
        ],
    )
    it.set_route("prod", "shop", [Share(revision="shop-1", percent=100)])
    return it


def found(router: Router, host: str, path: str = "/", tag: str | None = None) -> RevisionKey | None:
    way = router.find(host.encode(), path.encode(), tag.encode() if tag else None)
    return None if way is None else (way.target.only or way.target.pick())


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("shop.default.example.com", key("shop-1")),
        ("SHOP.Default.Example.COM:8080", key("shop-1")),
        ("shop.default.example.com.", key("shop-1")),
        ("shop.prod.example.com", key("shop-1", "prod")),
        ("next-shop.default.example.com", key("shop-2")),
        ("shop-3.default.example.com", key("shop-3")),
        ("shop.default.svc.cluster.local", key("shop-1")),
        ("shop.default.svc", key("shop-1")),
        ("shop.default", key("shop-1")),
        ("next-shop.prod.example.com", None),
        ("shop.example.com", None),
        ("other.default.example.com", None),
        ("shop.default.example.org", None),
    ],
)
def test_hosts(router: Router, host: str, expected: RevisionKey | None) -> None:
    assert found(router, host) == expected
    assert found(router, host) == expected  # from the cache


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080", ""])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/models/shop", key("shop-1")),
        ("/v1/models/shop:predict", key("shop-1")),
        ("/v2/models/shop/infer?x=/v2/models/none", key("shop-1")),
        ("/v2/models/sh%6Fp", key("shop-1")),
        ("/v2/models/shop/versions/shop-3/infer", key("shop-3")),
        ("/v2/models/shop/versions/none/infer", None),
        ("/v2/models/none/infer", None),
        ("/v3/models/shop", None),
        ("/v2/models", None),
        ("/", None),
    ],
)
def test_paths_on_the_bare_host(
    router: Router, host: str, path: str, expected: RevisionKey | None
) -> None:
    assert found(router, host, path) == expected
    assert router.is_bare(host.encode())


def test_a_tag_header_chooses_the_tag_on_any_host_of_the_route(router: Router) -> None:
    assert found(router, "shop.default.example.com", tag="next") == key("shop-2")
    assert found(router, "localhost", "/v2/models/shop/infer", tag="next") == key("shop-2")
    assert found(router, "shop.default.example.com", tag="none") == key("shop-1")


def test_a_model_name_of_its_own(router: Router) -> None:
    router.set_revision("default", "shop-1", Model(service="shop", name="net"))
    router.set_revision("default", "shop-2", Model(service="shop", name="net"))
    router.set_revision("default", "shop-3", Model(service="shop", name="net"))
    assert found(router, "localhost", "/v1/models/net:predict") == key("shop-1")
    assert found(router, "localhost", "/v1/models/shop:predict") is None


def test_changes_take_effect_at_once(router: Router) -> None:
    assert found(router, "shop.default.example.com") == key("shop-1")
    router.set_route("default", "shop", [Share(revision="shop-2", percent=100)])
    assert found(router, "shop.default.example.com") == key("shop-2")
    assert found(router, "next-shop.default.example.com") is None
    router.remove_route("default", "shop")
    assert found(router, "shop.default.example.com") is None
    assert found(router, "localhost", "/v2/models/shop") is None
    router.remove_revision("default", "shop-3")
    assert found(router, "shop-3.default.example.com") is None


def test_a_route_without_traffic_leads_nowhere(router: Router) -> None:
    router.set_route("default", "new", [])
    way = router.find(b"new.default.example.com", b"/", None)
    assert way is not None
    assert way.target.pick() is None


def test_coinciding_names_are_settled_by_kind(router: Router) -> None:
    router.set_route("default", "next-shop", [Share(revision="shop-3", percent=100)])
    assert found(router, "next-shop.default.example.com") == key("shop-3")
    router.remove_route("default", "next-shop")
    assert found(router, "next-shop.default.example.com") == key("shop-2")


def test_known_hosts_are_told_sorted(router: Router) -> None:
    assert router.hosts() == [
        "next-shop.default.example.com",
        "shop.default.example.com",
        "shop.prod.example.com",
    ]


def test_the_caches_are_bounded(router: Router) -> None:
    for number in range(10_000):
        found(router, f"host-{number}.default.example.com")
        found(router, "localhost", f"/v2/models/{number}")
    assert len(router._by_host) <= 4096
    assert len(router._by_path) <= 4096


def way(router: Router, host: str, path: str = "/", tag: str | None = None) -> Way | None:
    return router.find(host.encode(), path.encode(), tag.encode() if tag else None)


# -- what the replica is told --------------------------------------------------------------------


def test_the_replica_is_told_whether_a_tag_or_the_shares_chose(router: Router) -> None:
    default = b"knative-serving-default-route: true\r\n"
    main = way(router, "shop.default.example.com")
    assert main is not None
    assert (main.lines, main.replaced) == (default, frozenset())
    # An unknown tag is told by both headers at once; a known one has no default route.
    unknown = way(router, "shop.default.example.com", tag="none")
    known = way(router, "shop.default.example.com", tag="next")
    assert unknown is main
    assert known is not None
    assert known.lines == b""
    host = way(router, "next-shop.default.example.com", tag="none")
    assert host is not None
    assert (host.lines, host.replaced) == (
        b"knative-serving-tag: next\r\n",
        {b"knative-serving-tag"},
    )
    assert host.target.only == key("shop-2")  # the host counts, not the header
    revision = way(router, "shop-3.default.example.com")
    assert revision is not None
    assert revision.lines == b""


# -- visibility ----------------------------------------------------------------------------------


def make_local(router: Router) -> None:
    shares = [
        Share(revision="shop-1", percent=100),
        Share(revision="shop-2", percent=0, tag="next"),
    ]
    router.set_route("default", "shop", shares, is_inside_only=True)


@pytest.mark.parametrize("name", ["shop", "next-shop", "shop-1", "shop-2", "shop-3"])
def test_what_is_cluster_local_has_no_public_host(router: Router, name: str) -> None:
    assert found(router, f"{name}.default.example.com") is not None
    make_local(router)
    assert found(router, f"{name}.default.example.com") is None
    for suffix in ("", ".svc", ".svc.cluster.local", ".svc.cluster.local.:80"):
        it = way(router, f"{name}.default{suffix}")
        assert it is not None
        assert it.is_inside_only
    assert found(router, "shop.prod.example.com") == key("shop-1", "prod")


def test_a_path_on_the_bare_host_and_a_tag_header_keep_what_is_cluster_local_inside(
    router: Router,
) -> None:
    make_local(router)
    for path in ("/v1/models/shop:predict", "/v2/models/shop/versions/shop-3/infer"):
        it = way(router, "localhost", path)
        assert it is not None
        assert it.is_inside_only
    it = way(router, "shop.default.svc", tag="next")
    assert it is not None
    assert it.is_inside_only


def test_a_revision_that_a_public_route_names_too_is_public(router: Router) -> None:
    router.set_revision("default", "free-1", Model(service="", name="free"))
    router.set_route("default", "in", [Share(revision="free-1", percent=100)], is_inside_only=True)
    assert found(router, "free-1.default.example.com") is None
    router.set_route("default", "out", [Share(revision="free-1", percent=100)])
    assert found(router, "free-1.default.example.com") == key("free-1")
    router.remove_route("default", "out")
    assert found(router, "free-1.default.example.com") is None
    router.remove_route("default", "in")
    assert found(router, "free-1.default.example.com") == key("free-1")


def test_a_cluster_local_route_is_listed_by_its_local_names(router: Router) -> None:
    make_local(router)
    assert router.hosts() == [
        "next-shop.default.svc.cluster.local",
        "shop.default.svc.cluster.local",
        "shop.prod.example.com",
    ]


# -- DomainMappings ------------------------------------------------------------------------------


def owner(name: str, namespace: str = "default", created: str = "2026-01-01T00:00:00Z") -> Owner:
    return Owner(created, namespace, name)


@pytest.mark.parametrize(
    "host",
    ["www.shop.org", "WWW.Shop.Org", "www.shop.org:8080", "www.shop.org.", "www.shop.org.:1"],
)
def test_a_mapped_host_leads_to_its_route(router: Router, host: str) -> None:
    assert found(router, host) is None
    router.set_mapping(owner("www.shop.org"), "shop")
    assert found(router, host) == key("shop-1")
    assert found(router, host, tag="next") == key("shop-2")
    assert "www.shop.org" in router.hosts()
    router.remove_route("default", "shop")
    assert found(router, host) is None
    assert "www.shop.org" not in router.hosts()


def test_a_mapping_that_is_gone_leads_nowhere(router: Router) -> None:
    router.set_mapping(owner("www.shop.org"), "shop")
    assert found(router, "www.shop.org") == key("shop-1")
    router.set_mapping(owner("www.shop.org"), "other")
    assert found(router, "www.shop.org") is None
    router.remove_mapping("default", "www.shop.org")
    assert found(router, "www.shop.org") is None
    assert "www.shop.org" not in router.hosts()


def test_a_mapping_shows_a_cluster_local_route_to_the_world(router: Router) -> None:
    make_local(router)
    router.set_mapping(owner("www.shop.org"), "shop")
    it = way(router, "www.shop.org")
    assert it is not None
    assert not it.is_inside_only


def test_a_services_own_host_and_the_older_mapping_win(router: Router) -> None:
    router.set_mapping(owner("shop.default.example.com", "prod"), "shop")
    assert found(router, "shop.default.example.com") == key("shop-1")
    router.set_mapping(owner("a.org", "prod", "2026-01-01T00:00:00Z"), "shop")
    router.set_mapping(owner("a.org", "default", "2026-01-02T00:00:00Z"), "shop")
    assert found(router, "a.org") == key("shop-1", "prod")
    router.remove_mapping("prod", "a.org")
    assert found(router, "a.org") == key("shop-1")


# -- InferenceServices ---------------------------------------------------------------------------


def infer(
    router: Router, name: str = "iris", namespace: str = "default", **more: object
) -> Inference:
    made: dict[str, Any] = {
        "owner": owner(name, namespace, str(more.pop("created", "2026-01-01T00:00:00Z"))),
        "has_transformer": False,
        "has_explainer": False,
        "is_inside_only": False,
        **more,
    }
    it = Inference(**made)
    for component in ("predictor", "transformer", "explainer"):
        if component == "predictor" or getattr(it, f"has_{component}"):
            service = f"{name}-{component}"
            revision = f"{service}-1"
            model = name if component == "predictor" else service
            router.set_revision(namespace, revision, Model(service=service, name=model))
            router.set_route(namespace, service, [Share(revision=revision, percent=100)])
    router.set_inference(it)
    return it


@pytest.mark.parametrize(
    "host",
    [
        "iris-default.example.com",
        "iris.default.example.com",
        "iris.default.svc.cluster.local",
        "iris.default.svc",
        "iris.default",
        "IRIS-Default.example.com:8080",
    ],
)
def test_the_hosts_of_an_inference_service_lead_to_the_component_of_the_path(
    router: Router, host: str
) -> None:
    infer(router)
    assert found(router, host, "/v1/models/iris:explain") == key("iris-predictor-1")
    infer(router, has_explainer=True)
    assert found(router, host, "/v1/models/iris:predict") == key("iris-predictor-1")
    assert found(router, host, "/v1/models/iris:explain?x") == key("iris-explainer-1")
    assert found(router, host, "/v2/models/iris/explain") == key("iris-explainer-1")
    infer(router, has_explainer=True, has_transformer=True)
    assert found(router, host, "/v1/models/iris:predict") == key("iris-transformer-1")
    assert found(router, host, "/anything") == key("iris-transformer-1")
    assert found(router, host, "/v1/models/iris:explain") == key("iris-explainer-1")
    it = way(router, host)
    assert it is not None
    assert it.lines == (
        b"knative-serving-default-route: true\r\n"
        b"kserve-isvc-name: iris\r\nkserve-isvc-namespace: default\r\n"
    )
    router.remove_inference("default", "iris")
    assert found(router, host) is None


@pytest.mark.parametrize("host", ["iris-default", "iris-default.svc", "iris-default.example.org"])
def test_the_flat_name_of_an_inference_service_is_of_the_public_domain(
    router: Router, host: str
) -> None:
    infer(router)
    assert found(router, host) is None


def test_the_bare_host_finds_an_inference_service_through_its_transformer(router: Router) -> None:
    infer(router)
    assert found(router, "localhost", "/v1/models/iris:predict") == key("iris-predictor-1")
    infer(router, has_transformer=True, has_explainer=True)
    for path in ("/v1/models/iris:predict", "/v2/models/iris/infer", "/v2/models/iris"):
        assert found(router, "localhost", path) == key("iris-transformer-1")
    assert found(router, "localhost", "/v1/models/iris:explain") == key("iris-explainer-1")
    versioned = "/v2/models/iris/versions/iris-predictor-1/infer"
    assert found(router, "localhost", versioned) == key("iris-predictor-1")
    # A Service that has this model of its own comes first.
    router.set_revision("default", "zoo-1", Model(service="zoo", name="iris"))
    router.set_route("default", "zoo", [Share(revision="zoo-1", percent=100)])
    assert found(router, "localhost", "/v1/models/iris:predict") == key("zoo-1")


def test_the_bare_host_finds_an_inference_service_whose_model_says_nothing(router: Router) -> None:
    infer(router, has_transformer=True)
    router.set_revision(
        "default", "iris-predictor-1", Model(service="iris-predictor", name="iris-predictor")
    )
    assert found(router, "localhost", "/v1/models/iris:predict") == key("iris-transformer-1")


def test_an_inference_service_without_routes_is_known_and_leads_nowhere_yet(router: Router) -> None:
    infer(router)
    router.remove_route("default", "iris-predictor")
    it = way(router, "iris-default.example.com")
    assert it is not None
    assert it.target.pick() is None


def test_a_service_of_the_same_host_wins_over_an_inference_service(router: Router) -> None:
    infer(router, "shop")
    assert found(router, "shop.default.example.com") == key("shop-1")
    assert found(router, "shop-default.example.com") == key("shop-predictor-1")


def test_inference_services_that_share_a_flat_name_are_settled_by_age(router: Router) -> None:
    infer(router, "a", "b-c", created="2026-01-02T00:00:00Z")
    infer(router, "a-b", "c", created="2026-01-01T00:00:00Z")
    assert found(router, "a-b-c.example.com") == key("a-b-predictor-1", "c")
    router.remove_inference("c", "a-b")
    assert found(router, "a-b-c.example.com") == key("a-predictor-1", "b-c")


def test_a_cluster_local_inference_service_has_no_public_host(router: Router) -> None:
    infer(router, is_inside_only=True)
    assert found(router, "iris-default.example.com") is None
    assert found(router, "iris.default.example.com") is None
    it = way(router, "iris.default.svc.cluster.local")
    assert it is not None
    assert it.is_inside_only
    assert "iris.default.svc.cluster.local" in router.hosts()


# -- any table -----------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "a-b", "b-a", "a-predictor", "t-a"])
SPACES = st.sampled_from(["default", "b", "a-b"])
HOSTS = st.sampled_from(["a.org", "a.default.x", "b.b.x", "a-b.x", "a-default.x"])
STEPS = st.one_of(
    st.tuples(st.just("route"), SPACES, NAMES, st.sampled_from(["", "t"]), st.booleans()),
    st.tuples(st.just("no route"), SPACES, NAMES),
    st.tuples(st.just("revision"), SPACES, NAMES),
    st.tuples(st.just("no revision"), SPACES, NAMES),
    st.tuples(st.just("inference"), SPACES, NAMES, st.booleans(), st.integers(1, 2)),
    st.tuples(st.just("no inference"), SPACES, NAMES),
    st.tuples(st.just("mapping"), SPACES, HOSTS, NAMES, st.integers(1, 2)),
    st.tuples(st.just("no mapping"), SPACES, HOSTS),
)
ASKED = [
    f"{name}.{space}{suffix}"
    for name in ("a", "b", "a-b", "t-a", "a-predictor")
    for space in ("default", "b", "a-b")
    for suffix in (".x", ".svc", ".svc.cluster.local", "")
] + ["a.org", "a-b.x", "a-default.x", "a-b-b.x", "b-a-b.x", "localhost", "x"]


def build(state: dict) -> Router:
    """A table made in one go, in a fixed order."""
    router = Router(domain="x", draw=lambda: 0.0)
    for step in sorted(state.values(), key=str):
        apply(router, step)
    return router


def apply(router: Router, step: tuple) -> None:
    match step:
        case "route", space, name, tag, local:
            share = Share(revision=f"{name}-1", percent=100, tag=tag)
            router.set_route(space, name, [share], is_inside_only=local)
        case "no route", space, name:
            router.remove_route(space, name)
        case "revision", space, name:
            router.set_revision(space, name, Model(service=name, name=name))
        case "no revision", space, name:
            router.remove_revision(space, name)
        case "inference", space, name, local, day:
            router.set_inference(
                Inference(
                    owner=owner(name, space, f"2026-01-0{day}"),
                    has_transformer=False,
                    has_explainer=False,
                    is_inside_only=local,
                )
            )
        case "no inference", space, name:
            router.remove_inference(space, name)
        case "mapping", space, host, route, day:
            router.set_mapping(owner(host, space, f"2026-01-0{day}"), route)
        case "no mapping", space, host:
            router.remove_mapping(space, host)


def leads(router: Router, host: str) -> tuple | None:
    it = way(router, host)
    return None if it is None else (it.target.only, it.lines, it.is_inside_only)


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, max_size=30))
def test_where_a_host_leads_depends_on_what_there_is_and_not_on_how_it_came(steps: list) -> None:
    router = Router(domain="x", draw=lambda: 0.0)
    state: dict = {}
    for step in steps:
        apply(router, step)
        for host in ASKED[:7]:
            way(router, host)  # fill the caches: a change must empty them
        kind = step[0].removeprefix("no ")
        if step[0].startswith("no "):
            state.pop((kind, *step[1:3]), None)
        else:
            state[kind, *step[1:3]] = step
    fresh = build(state)
    assert router.hosts() == fresh.hosts()
    for host in ASKED:
        assert leads(router, host) == leads(fresh, host), host


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, max_size=30))
def test_public_hosts_never_lead_to_what_is_inside_only_and_routes_come_first(steps: list) -> None:
    router = Router(domain="x", draw=lambda: 0.0)
    for step in steps:
        apply(router, step)
    for host in ASKED:
        place = parse_host(host.encode(), b"x")
        it = way(router, host)
        assert place is None or it is None or not (place.is_public and it.is_inside_only), host
        route = router._routes.get(place.stem) if place is not None else None
        if route is not None and place is not None:
            assert it is route or (place.is_public and route.is_inside_only), host


@given(st.text("aAbB.:0-9[]", max_size=20))
def test_a_host_is_the_same_however_it_is_spelled(host: str) -> None:
    router = Router(domain="x", draw=lambda: 0.0)
    router.set_route("b", "a", [Share(revision="a-1", percent=100)])
    plain = host.lower()
    assert found(router, host) == found(router, plain)
    if "." in plain and ":" not in plain and "[" not in plain:
        assert found(router, plain + ":80") == found(router, plain)
        assert found(router, plain + ".") == found(router, plain)


def test_a_revision_is_addressed_by_its_names(router: Router) -> None:
    way = router.addressed(b"prod", b"shop-1")
    assert way is not None
    assert way.target.only == key("shop-1", "prod")
    assert way.is_inside_only
    assert router.addressed(b"prod", b"shop-2") is None
