"""Hosts, tags, paths and shares."""

import random
from collections import Counter

import pytest

from activator.routing import Model, RevisionKey, Router, Share


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
    target = router.find(host.encode(), path.encode(), tag.encode() if tag else None)
    return None if target is None else (target.only or target.pick())


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
    target = router.find(b"new.default.example.com", b"/", None)
    assert target is not None
    assert target.pick() is None


@pytest.mark.parametrize("seed", range(20))
def test_a_canary_gets_its_share_within_one_of_200(seed: int) -> None:
    router = Router(domain="x", draw=random.Random(seed).random)
    router.set_route(
        "default", "r", [Share(revision="old", percent=80), Share(revision="new", percent=20)]
    )
    target = router.find(b"r.default.x", b"/", None)
    assert target is not None
    assert target.only is None
    counts = Counter(target.pick().name for _ in range(200))
    assert abs(counts["new"] - 40) <= 2


def test_a_share_is_fair_to_every_other_request_too() -> None:
    # A client that alternates two kinds of request must not find one kind always on the canary.
    router = Router(domain="x", draw=lambda: 0.25)
    router.set_route(
        "default", "r", [Share(revision="old", percent=50), Share(revision="new", percent=50)]
    )
    target = router.find(b"r.default.x", b"/", None)
    picks = [target.pick().name for _ in range(400)]
    assert 90 <= picks[::2].count("new") <= 110


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
