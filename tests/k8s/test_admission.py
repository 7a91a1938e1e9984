"""Admission on a real API server, through our webhook: one machine's words, defaults and advice."""

import copy
import json
import random
from typing import Any

import pytest

from api import kinds
from api.kinds import Resource
from cluster.errors import ApiError
from cluster.options import WriteOptions
from embedded.apiserver import ApiServer
from embedded.store import IN_MEMORY, Store
from tests.api.test_inference import CASES
from tests.api.test_messages import ALL, BASES, RESOURCES, changed
from tests.k8s.cluster import SYSTEM, Cluster, Raw, wait_until

pytestmark = pytest.mark.e2e


def path_of(resource: Resource, namespace: str) -> str:
    home = f"/namespaces/{namespace}" if resource.is_namespaced else ""
    group = f"/apis/{resource.group}" if resource.group else "/api"
    return f"{group}/{resource.version}{home}/{resource.plural}"


def placed(resource: Resource, raw: Raw, namespace: str) -> Raw:
    raw = {"apiVersion": resource.api_version, "kind": resource.kind, **copy.deepcopy(raw)}
    raw["metadata"]["namespace"] = namespace
    return raw


def on_one_machine(resource: Resource, raw: Raw) -> tuple[int, str]:
    """The code and words of one machine's API server."""
    store = Store(IN_MEMORY)
    server = ApiServer(store, clock=lambda: 1.8e9, rng=random.Random(1))
    named = {"apiVersion": "v1", "kind": "Namespace"}
    home = raw["metadata"]["namespace"]
    server.create(kinds.NAMESPACES, None, {**named, "metadata": {"name": home}}, WriteOptions())
    try:
        server.create(resource, home, raw, WriteOptions())
    except ApiError as error:
        return error.status, error.message
    finally:
        server.close()
        store.close()
    return 201, ""


def on_the_cluster(cluster: Cluster, resource: Resource, raw: Raw) -> tuple[int, str]:
    """The same of the cluster's, which stores nothing."""
    path = path_of(resource, raw["metadata"]["namespace"])
    answer = cluster.call("POST", f"{path}?dryRun=All", raw)
    return answer.status, "" if answer.status == 201 else answer.json()["message"]


def test_every_refusal_of_knatives_kinds_is_that_of_one_machine(
    cluster: Cluster, namespace: str
) -> None:
    asked = [
        (RESOURCES[kind], placed(RESOURCES[kind], changed(BASES[kind], changes), namespace))
        for kind, changes, _ in ALL
    ]
    # A name is made before one machine asks, and after a cluster does: Knative's words are there.
    asked = [each for each in asked if "generateName" not in each[1]["metadata"]]
    assert len(asked) > 100
    assert _differences(cluster, asked) == []


def test_every_refusal_of_an_inference_service_is_that_of_one_machine(
    cluster: Cluster, namespace: str
) -> None:
    resource = kinds.INFERENCESERVICES
    # A slip of the pen is told of by the server (strictly asked), or taken away by it.
    cases = [raw for _, raw, text in CASES if not text.startswith("unknown field")]
    asked = [(resource, placed(resource, raw, namespace)) for raw in cases]
    # What is of another kind, or has no name, is refused before anybody is asked.
    asked = [(r, raw) for r, raw in asked if raw["kind"] == r.kind and raw["metadata"]["name"]]
    assert _differences(cluster, asked) == []


def _differences(cluster: Cluster, asked: list[tuple[Resource, Raw]]) -> list[Any]:
    found = []
    for resource, raw in asked:
        theirs, ours = on_the_cluster(cluster, resource, raw), on_one_machine(resource, raw)
        if theirs != ours:
            found.append((raw, theirs, ours))
    return found


def test_kubectl_shows_the_refusal_the_advice_and_the_defaults(
    cluster: Cluster, namespace: str
) -> None:
    raw = placed(kinds.SERVICES, BASES["Service"], namespace)
    wrong = changed(raw, {"spec/template/spec/timeoutSeconds": 601})
    said = apply(cluster, wrong, "--dry-run=server")
    assert said.returncode == 1
    assert (
        'admission webhook "validation.webhook.serving.knative.dev" denied the request: '
        "validation failed: expected 0 <= 601 <= 600: spec.template.spec.timeoutSeconds"
    ) in said.stderr
    said = apply(cluster, raw, "--dry-run=server")
    assert said.returncode == 0
    assert "Warning: Kubernetes default value is insecure" in said.stderr
    path = f"{path_of(kinds.SERVICES, namespace)}/{raw['metadata']['name']}"
    assert cluster.call("GET", path).status == 404
    answer = cluster.call("POST", f"{path_of(kinds.SERVICES, namespace)}?dryRun=All", raw)
    made = answer.json()
    assert made["metadata"]["annotations"].keys() >= {
        "serving.knative.dev/creator",
        "serving.knative.dev/lastModifier",
    }
    assert made["spec"]["template"]["spec"]["timeoutSeconds"] == 300
    assert made["spec"]["traffic"] == [{"latestRevision": True, "percent": 100}]


def test_a_field_that_is_refused_by_name_is_not_taken_away_before(
    cluster: Cluster, namespace: str
) -> None:
    raw = placed(kinds.SERVICES, BASES["Service"], namespace)
    wrong = changed(raw, {"spec/template/spec/nodeName": "here"})
    for flag in ("--validate=true", "--validate=false"):
        said = apply(cluster, wrong, flag)
        assert "must not set the field(s): spec.template.spec.nodeName" in said.stderr
    explained = cluster.kubectl("explain", "ksvc.spec.template.spec").stdout
    assert "nodeName" in explained
    assert "containerConcurrency" in explained


def test_settings_that_can_not_be_read_are_refused(cluster: Cluster) -> None:
    wrong = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "config-autoscaler", "namespace": SYSTEM},
        "data": {"stable-window": "1s"},
    }
    path = f"/api/v1/namespaces/{SYSTEM}/configmaps"
    is_there = cluster.call("GET", f"{path}/config-autoscaler").status == 200
    answer = (
        cluster.call("PUT", f"{path}/config-autoscaler?dryRun=All", wrong)
        if is_there
        else cluster.call("POST", f"{path}?dryRun=All", wrong)
    )
    assert answer.json()["message"] == (
        'admission webhook "config.webhook.serving.knative.dev" denied the request: '
        "validation failed: stable-window = 1s, must be in [6s; 1h0m0s] range"
    )


def test_both_configurations_trust_what_is_served(cluster: Cluster) -> None:
    secret = cluster.get(f"/api/v1/namespaces/{SYSTEM}/secrets/webhook-certificate")
    for kind, name in (("mutating", "defaulting"), ("validating", "validation")):
        path = f"/apis/admissionregistration.k8s.io/v1/{kind}webhookconfigurations"
        found = cluster.get(f"{path}/{name}.webhook.relight.dev")
        bundles = {each["clientConfig"]["caBundle"] for each in found["webhooks"]}
        assert bundles == {secret["data"]["ca.crt"]}


def test_a_secret_that_was_emptied_is_filled_and_trusted_again(
    cluster: Cluster, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{SYSTEM}/secrets/webhook-certificate"
    before = cluster.get(path)
    cluster.call("PUT", path, {**before, "data": {}})
    wait_until(
        lambda: (
            (cluster.get(path).get("data") or {}).get("ca.crt", "")
            not in ("", before["data"]["ca.crt"])
        ),
        30,
        "new certificates",
    )
    raw = placed(kinds.SERVICES, BASES["Service"], namespace)
    wait_until(
        lambda: on_the_cluster(cluster, kinds.SERVICES, raw)[0] == 201, 60, "the API server's trust"
    )


def apply(cluster: Cluster, raw: Raw, *flags: str) -> Any:
    return cluster.kubectl("apply", *flags, "-f", "-", stdin=json.dumps(raw), check=False)
