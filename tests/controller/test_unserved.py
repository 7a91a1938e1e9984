import pytest

from api.settings_examples import OF_MAPS
from controller.unserved import NAMES, unserved


@pytest.mark.parametrize(
    ("name", "key", "why"),
    [
        ("config-autoscaler", "later", "not a key that Relight knows"),
        ("config-gc", "stale-revision-timeout", "not a key that Relight knows"),
        ("config-network", "domain-template", "hosts are NAME.NAMESPACE.DOMAIN"),
        ("config-network", "tag-template", "hosts are NAME.NAMESPACE.DOMAIN"),
        ("config-network", "ingress-class", "the only ingress there is"),
        ("config-network", "certificate-class", "ends no TLS"),
        ("config-network", "autocreate-cluster-domain-claims", "no ClusterDomainClaims"),
        ("config-network", "autoTLS", "ends no TLS"),
        ("config-network", "mesh-compatibility-mode", "reached by their own addresses"),
        ("config-network", "frob", "not a key that Relight knows"),
        ("config-deployment", "queue-sidecar-image", "no queue-proxy"),
        ("config-deployment", "queueSidecarCPURequest", "no queue-proxy"),
        ("config-deployment", "registries-skipping-tag-resolving", "no tag of an image"),
        ("config-deployment", "runtime-class-name", "that its template asks for"),
        ("config-domain", "example.com", "--domain"),
        ("config-defaults", "revision-timeout-seconds", "own defaults"),
        ("config-features", "multi-container", "is fixed"),
        ("config-certmanager", "issuerRef", "ends no TLS"),
        ("config-leader-election", "buckets", "own processes"),
        ("config-logging", "loglevel.controller", "own processes"),
        ("config-observability", "metrics-protocol", "own processes"),
        ("config-tracing", "backend", "own processes"),
    ],
)
def test_what_is_not_read_is_known_by_name_and_reason(name: str, key: str, why: str) -> None:
    found = unserved(name, {key: "x", "_example": "y"})
    assert list(found) == [key]
    assert why in found[key]


@pytest.mark.parametrize("name", OF_MAPS)
def test_what_is_read_is_not_named(name: str) -> None:
    data = {each.key: each.default for each in OF_MAPS[name]}
    assert unserved(name, data) == {}


def test_a_config_map_of_anybody_else_has_keys_of_its_own() -> None:
    assert unserved("config-mine", {"a": "b"}) == {}
    assert set(OF_MAPS) < set(NAMES)
