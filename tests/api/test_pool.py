from typing import Any

import pytest

from api import pool

STEP = {"name": "relight-model", "command": ["python3", "-m", "predictor.fetch_step"]}


def spec(**container: Any) -> dict[str, Any]:
    """A Pod's spec as a cluster stores a Revision's, of our predictor with a model elsewhere."""
    env = [{"name": "PORT", "value": "8080"}, {"name": "RELIGHT_CACHE", "value": "/cache"}]
    mounts = [{"name": "relight-cache", "mountPath": "/cache"}]
    own = {
        "name": "user-container",
        "image": "relight/predictor:1",
        "args": ["--model", "http://models/m.onnx"],
        "ports": [{"name": "user-port", "containerPort": 8080, "protocol": "TCP"}],
        "env": env,
        "volumeMounts": mounts,
        "resources": {"requests": {"cpu": "50m"}},
        "readinessProbe": {
            "httpGet": {"path": "/v2/health/ready", "port": 8080},
            "periodSeconds": 1,
        },
        **container,
    }
    step = {**STEP, "image": own["image"], "env": env, "volumeMounts": mounts}
    return {
        "containers": [own],
        "initContainers": [step],
        "volumes": [{"name": "relight-cache", "emptyDir": {}}],
        "serviceAccountName": "default",
        "terminationGracePeriodSeconds": 300,
        "restartPolicy": "Always",
    }


def test_a_revision_of_our_predictor_is_poolable() -> None:
    assert not pool.refusal(spec())


@pytest.mark.parametrize(
    ("container", "why"),
    [
        ({"image": "example.com/other:1"}, "image is not relight/predictor"),
        ({"command": ["sh"]}, "has command"),
        ({"envFrom": [{"secretRef": {"name": "s"}}]}, "has envFrom"),
        ({"livenessProbe": {"tcpSocket": {"port": 1}}}, "has livenessProbe"),
        ({"startupProbe": {"tcpSocket": {"port": 1}}}, "has startupProbe"),
        ({"lifecycle": {"preStop": {}}}, "has lifecycle"),
        ({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {}}}]}, "A comes from elsewhere"),
        ({"env": [{"name": "A", "value": "$(PORT)"}]}, "A refers to"),
        ({"args": ["--model", "$(URI)"]}, "refers to variables"),
        ({"readinessProbe": {"exec": {"command": ["x"]}}}, "readinessProbe of its own"),
        (
            {"readinessProbe": {"httpGet": {"path": "/v2/health/ready"}, "initialDelaySeconds": 5}},
            "readinessProbe of its own",
        ),
    ],
)
def test_what_a_warm_pod_can_not_be_is_said(container: dict[str, Any], why: str) -> None:
    assert why in pool.refusal(spec(**container))


@pytest.mark.parametrize(
    ("pod", "why"),
    [
        ({"containers": [{}, {}]}, "2 containers"),
        ({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}, "volume 'v'"),
        ({"volumes": [{"name": "v", "persistentVolumeClaim": {}}]}, "volume 'v'"),
        ({"initContainers": [{"name": "own", "image": "x"}]}, "init container 'own'"),
        (
            {"initContainers": [{"name": "relight-model", "image": "x", "command": ["sh"]}]},
            "init container 'relight-model'",
        ),
        (
            {"initContainers": [{**STEP, "envFrom": [{"secretRef": {}}]}]},
            "credentials",
        ),
        (
            {"initContainers": [{**STEP, "volumeMounts": [{"name": "keys"}]}]},
            "credentials",
        ),
        ({"hostNetwork": True}, "hostNetwork"),
        ({"topologySpreadConstraints": [{}]}, "topologySpreadConstraints"),
        ({"affinity": {"podAntiAffinity": {"x": []}}}, "podAntiAffinity"),
    ],
)
def test_what_a_pod_has_beside_its_container_counts(pod: dict[str, Any], why: str) -> None:
    assert why in pool.refusal({**spec(), **pod})


def test_what_a_user_says_in_args_and_env_makes_no_class() -> None:
    other = spec(args=["--model", "s3://b/other"], env=[{"name": "A", "value": "b"}])
    assert pool.class_of(other) == pool.class_of(spec())
    assert len(pool.class_of(other)) == 16


@pytest.mark.parametrize(
    "changed",
    [
        spec(image="relight/predictor:2"),
        spec(resources={"requests": {"cpu": "100m"}}),
        spec(securityContext={"runAsUser": 7}),
        {**spec(), "serviceAccountName": "other"},
        {**spec(), "nodeSelector": {"disk": "fast"}},
        {**spec(), "tolerations": [{"key": "gpu"}]},
        {**spec(), "terminationGracePeriodSeconds": 5},
    ],
)
def test_what_can_not_be_changed_later_makes_a_class(changed: dict[str, Any]) -> None:
    assert not pool.refusal(changed)
    assert pool.class_of(changed) != pool.class_of(spec())


def test_a_warm_pod_holds_nothing_of_its_user_and_ends_for_good() -> None:
    made = pool.make_pod("ns", "abc", spec(), name="n", key="secret")
    container = made["spec"]["containers"][0]
    assert made["metadata"]["labels"]["relight.dev/pool"] == "abc"
    assert "ownerReferences" not in made["metadata"]
    assert made["metadata"]["annotations"] == pool.WHILE_WARM
    assert made["spec"]["restartPolicy"] == "Never"
    assert "initContainers" not in made["spec"]
    assert container["env"] == [{"name": "RELIGHT_CLAIM_KEY", "value": "secret"}]
    assert container["args"] == ["--port", "8080", "--claim-port", "8081"]
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": 8081}
    for name in ("image", "resources", "ports", "volumeMounts"):
        assert container[name] == spec()["containers"][0][name]
    assert pool.key_of(made) == "secret"
    assert "models" not in str(made)


def test_a_replica_may_want_the_claim_port() -> None:
    made = pool.pod_spec(spec(ports=[{"containerPort": 8081}]), key="k")
    assert made["containers"][0]["args"] == ["--port", "8081", "--claim-port", "8082"]


def test_the_assignment_is_what_the_container_would_have() -> None:
    env = [
        {"name": "A", "value": "1"},
        {"name": "E"},
        {"name": "A", "value": "2"},  # the later one counts
    ]
    told = pool.assignment(spec(env=env))
    assert told.args == ("--model", "http://models/m.onnx")
    assert dict(told.env) == {"A": "2", "E": ""}
