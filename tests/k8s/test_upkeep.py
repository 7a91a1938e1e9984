"""What the platform keeps in order by itself: other people's edits, what is not wanted any more."""

import pytest

from tests.k8s.cluster import KNATIVE, SYSTEM, Cluster, Raw, host_of, isvc, service, wait_until
from tests.k8s.test_serving import celsius
from tests.k8s.test_settings import program

pytestmark = pytest.mark.e2e
SOON_S = 60.0


def test_a_host_of_ones_own(cluster: Cluster, namespace: str) -> None:
    host = f"shop.{namespace}.example.org"
    mapping = {
        "apiVersion": "serving.knative.dev/v1beta1",
        "kind": "DomainMapping",
        "metadata": {"name": host},
        "spec": {
            "ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "shop"}
        },
    }
    cluster.apply(mapping, namespace=namespace)
    assert cluster.ask(host).status == 404, "it leads nowhere yet"
    cluster.apply(service("shop", program("hello"), timeoutSeconds=5), namespace=namespace)
    path = f"/apis/serving.knative.dev/v1beta1/namespaces/{namespace}/domainmappings/{host}"
    assert host_of(cluster.until_ready(path)) == host
    answer = cluster.ask(host)
    assert (answer.status, answer.headers["relight-revision"]) == (200, "shop-00001")
    cluster.kubectl("delete", "domainmapping", host, "-n", namespace)
    wait_until(lambda: cluster.ask(host).status == 404, SOON_S, f"{host} to be nobody's")


def test_class_hpa_is_kubernetes_own_autoscaler(cluster: Cluster, namespace: str) -> None:
    """It is made with our bounds, and what somebody else writes there is undone."""
    annotations = {
        "autoscaling.knative.dev/class": "hpa.autoscaling.knative.dev",
        "autoscaling.knative.dev/metric": "cpu",
        "autoscaling.knative.dev/min-scale": "2",
        "autoscaling.knative.dev/max-scale": "3",
        "autoscaling.knative.dev/window": "30s",
    }
    container = program("hello", resources={"requests": {"cpu": "10m"}})
    cluster.apply(
        service("by-cpu", container, annotations=annotations, timeoutSeconds=5), namespace=namespace
    )
    host = cluster.until_service(namespace, "by-cpu")
    assert cluster.ask(host).status == 200
    path = f"/apis/autoscaling/v1/namespaces/{namespace}/horizontalpodautoscalers/by-cpu-00001"

    def bounds() -> tuple[int, int]:
        spec = cluster.get(path)["spec"]
        return spec["minReplicas"], spec["maxReplicas"]

    assert bounds() == (2, 3)
    wait_until(lambda: len(cluster.replicas(namespace, "by-cpu")) == 2, SOON_S, "two replicas")
    assert cluster.call("PATCH", path, {"spec": {"maxReplicas": 9}}).status == 200
    wait_until(lambda: bounds() == (2, 3), SOON_S, "the edit to be undone")


def test_a_transformer_that_is_not_wanted_any_more(
    cluster: Cluster, namespace: str, model_server: str
) -> None:
    plain = isvc("weather", f"{model_server}/fahrenheit.onnx")
    transformer = {
        "minReplicas": 0,
        "timeout": 5,
        "containers": [program("weather", image="example/weather:1")],
    }
    both = {**plain, "spec": {**plain["spec"], "transformer": transformer}}
    cluster.apply(both, namespace=namespace)
    host = cluster.until_isvc(namespace, "weather")
    answer = cluster.ask(host, "/v1/models/weather:predict", {"instances": ["25 °C"]})
    assert (answer.status, answer.json()) == (200, {"predictions": ["77 °F"]})
    cluster.apply(plain, namespace=namespace)
    services = f"{KNATIVE}/namespaces/{namespace}/services"
    wait_until(
        lambda: (
            {each["metadata"]["name"] for each in cluster.items(services)} == {"weather-predictor"}
        ),
        SOON_S,
        "the transformer's Service to go",
    )
    host = cluster.until_isvc(namespace, "weather")
    answer = cluster.ask(host, "/v2/models/weather/infer", celsius())
    assert answer.status == 200, answer.body


def test_revisions_that_nobody_asks_for_are_collected(cluster: Cluster, namespace: str) -> None:
    settings: Raw = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "config-gc"},
        "data": {
            "retain-since-create-time": "disabled",
            "retain-since-last-active-time": "disabled",
            "min-non-active-revisions": "0",
            "max-non-active-revisions": "1",
        },
    }
    revisions = f"{KNATIVE}/namespaces/{namespace}/revisions"
    cluster.apply(settings, namespace=SYSTEM)
    try:
        for number in "1234":
            container = program("hello", env=[{"name": "TARGET", "value": number}])
            cluster.apply(service("tidy", container, timeoutSeconds=5), namespace=namespace)
            host = cluster.until_service(namespace, "tidy")
            assert cluster.ask(host).status == 200
        wait_until(
            lambda: (
                {each["metadata"]["name"] for each in cluster.items(revisions)}
                == {"tidy-00003", "tidy-00004"}
            ),
            SOON_S,
            "all Revisions but two to go",
        )
    finally:
        cluster.kubectl("delete", "configmap", "config-gc", "-n", SYSTEM)


def test_a_core_service_that_somebody_changed_is_put_right(
    cluster: Cluster, namespace: str
) -> None:
    """A selector would have Kubernetes lead it to Pods by itself, past activators and all."""
    cluster.apply(service("edited", program("hello"), timeoutSeconds=5), namespace=namespace)
    cluster.until_service(namespace, "edited")
    path = f"/api/v1/namespaces/{namespace}/services/edited"
    wrong = {"spec": {"selector": {"app": "somebody"}}}
    assert cluster.call("PATCH", path, wrong).status == 200
    wait_until(lambda: not cluster.get(path)["spec"].get("selector"), SOON_S, "no selector")
