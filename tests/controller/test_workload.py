from typing import Any

import pytest

from api.admission import admit
from api.kinds import PODAUTOSCALERS
from controller.predictor_pods import PredictorPods
from controller.workload import initial_scale, make_deployment, make_podautoscaler
from tests.controller.objects import SPEC, a_configuration, a_revision, owned_by


def revision(**container: Any) -> dict[str, Any]:
    spec = {**SPEC, "containers": [{**SPEC["containers"][0], **container}]}
    return a_revision(
        spec=spec,
        labels={"serving.knative.dev/service": "mnist", "team": "vision"},
        annotations={
            "autoscaling.knative.dev/min-scale": "2",
            "autoscaling.knative.dev/initial-scale": "3",
            "serving.knative.dev/routes": "mnist",
            "serving.knative.dev/routingStateModified": "2027",
            "serving.knative.dev/progress-deadline": "2m",
            "relight.dev/model-digest": "sha256:ab",
        },
    )


def env(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"]}


def test_the_deployment() -> None:
    made = make_deployment(revision(), replicas=3)
    assert made["metadata"]["name"] == "mnist-00001-deployment"
    assert made["metadata"]["ownerReferences"] == owned_by(revision())
    spec = made["spec"]
    assert spec["replicas"] == 3
    assert spec["progressDeadlineSeconds"] == 120
    uid = {"serving.knative.dev/revisionUID": "Revision-mnist-00001"}
    assert spec["selector"] == {"matchLabels": uid}
    labels = spec["template"]["metadata"]["labels"]
    assert labels == {
        "app": "mnist-00001",
        "team": "vision",
        "serving.knative.dev/configuration": "mnist",
        "serving.knative.dev/configurationGeneration": "1",
        "serving.knative.dev/revision": "mnist-00001",
        "serving.knative.dev/service": "mnist",
        **uid,
    }
    assert spec["template"]["metadata"]["annotations"] == {
        "serving.knative.dev/progress-deadline": "2m",
        "relight.dev/model-digest": "sha256:ab",
        "kubectl.kubernetes.io/default-container": "user-container",
    }
    assert made["metadata"]["annotations"] == {
        "serving.knative.dev/progress-deadline": "2m",
        "relight.dev/model-digest": "sha256:ab",
    }
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0}
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 60
    assert "containerConcurrency" not in spec["template"]["spec"]


def test_the_runtime_contracts_environment() -> None:
    container = make_deployment(revision(env=[{"name": "A", "value": "1"}]), replicas=3)["spec"][
        "template"
    ]["spec"]["containers"][0]
    assert env(container) == {
        "A": "1",
        "PORT": "8080",
        "K_SERVICE": "mnist",
        "K_CONFIGURATION": "mnist",
        "K_REVISION": "mnist-00001",
    }
    assert container["ports"] == [{"name": "user-port", "containerPort": 8080, "protocol": "TCP"}]
    assert container["readinessProbe"]["tcpSocket"] == {"port": 8080}


def test_our_predictor_is_told_more() -> None:
    made = make_deployment(
        revision(image="relight/predictor:v1", ports=[{"containerPort": 9000}]), replicas=3
    )
    container = made["spec"]["template"]["spec"]["containers"][0]
    assert env(container) == {
        "PORT": "9000",
        "K_SERVICE": "mnist",
        "K_CONFIGURATION": "mnist",
        "K_REVISION": "mnist-00001",
        "RELIGHT_MODEL_DIGEST": "sha256:ab",
        "RELIGHT_CONTAINER_CONCURRENCY": "4",
        "RELIGHT_TIMEOUT_S": "60",
    }
    assert container["readinessProbe"]["httpGet"] == {"path": "/v2/health/ready", "port": 9000}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, {"tcpSocket": {"port": 9000}, "periodSeconds": 1}),
        (
            {"tcpSocket": {"port": 0}, "successThreshold": 1},  # as Knative's defaults write it
            {"tcpSocket": {"port": 9000}, "successThreshold": 1, "periodSeconds": 1},
        ),
        (
            {"httpGet": {"path": "/ok", "port": "http1"}, "periodSeconds": 5},
            {"httpGet": {"path": "/ok", "port": 9000}, "periodSeconds": 5},
        ),
        ({"exec": {"command": ["true"]}}, {"exec": {"command": ["true"]}, "periodSeconds": 1}),
        ({"tcpSocket": {"port": 7}}, {"tcpSocket": {"port": 7}, "periodSeconds": 1}),
    ],
)
def test_a_probe_without_a_port_asks_the_one_that_serves(
    asked: dict[str, Any], expected: dict[str, Any]
) -> None:
    raw = revision(image="a/b", ports=[{"containerPort": 9000}], readinessProbe=asked)
    container = make_deployment(raw, replicas=1)["spec"]["template"]["spec"]["containers"][0]
    assert container["readinessProbe"] == expected


def test_the_default_probe_of_our_predictor_asks_whether_it_can_serve() -> None:
    raw = revision(
        image="relight/predictor", readinessProbe={"tcpSocket": {"port": 0}, "successThreshold": 1}
    )
    container = make_deployment(raw, replicas=1)["spec"]["template"]["spec"]["containers"][0]
    assert container["readinessProbe"] == {
        "httpGet": {"path": "/v2/health/ready", "port": 8080},
        "successThreshold": 1,
        "periodSeconds": 1,
    }


def test_what_the_user_says_of_a_container_stands() -> None:
    raw = revision(terminationMessagePolicy="File", livenessProbe={"httpGet": {"path": "/alive"}})
    container = make_deployment(raw, replicas=1)["spec"]["template"]["spec"]["containers"][0]
    assert container["terminationMessagePolicy"] == "File"
    assert container["livenessProbe"] == {"httpGet": {"path": "/alive", "port": 8080}}


def test_only_the_serving_container_gets_the_port() -> None:
    raw = a_revision(
        spec={
            "containers": [
                {"name": "side", "image": "side"},
                {"name": "main", "image": "main", "ports": [{"containerPort": 9000}]},
            ]
        }
    )
    side, main = make_deployment(raw, replicas=3)["spec"]["template"]["spec"]["containers"]
    assert "PORT" not in env(side)
    assert env(main)["PORT"] == "9000"
    assert env(main)["K_SERVICE"] == ""  # a Configuration of its own has no Service


def test_everything_else_of_a_pod_is_passed_on_unchanged() -> None:
    spec = {
        "containers": [
            {"name": "side", "image": "side", "env": [{"name": "PORT", "value": "9"}]},
            {
                "name": "main",
                "image": "main",
                "ports": [{"containerPort": 9000, "name": "h2c"}],
                "env": [{"name": "A", "value": "1"}, {"name": "K_SERVICE", "value": "mine"}],
                "securityContext": {"runAsNonRoot": True},
                "volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": True}],
            },
        ],
        "initContainers": [{"name": "fetch", "image": "fetch", "args": ["x"]}],
        "volumes": [{"name": "v", "configMap": {"name": "c"}}],
        "serviceAccountName": "robot",
        "imagePullSecrets": [{"name": "s"}],
        "nodeSelector": {"gpu": "yes"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "topologySpreadConstraints": [{"maxSkew": 1}],
        "runtimeClassName": "nvidia",
        "priorityClassName": "high",
        "schedulerName": "other",
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["1.1.1.1"]},
        "hostAliases": [{"ip": "127.0.0.1"}],
        "shareProcessNamespace": True,
        "securityContext": {"fsGroup": 1},
        "automountServiceAccountToken": False,
        "enableServiceLinks": True,
        "containerConcurrency": 1,
        "timeoutSeconds": 77,
        "responseStartTimeoutSeconds": 7,
        "idleTimeoutSeconds": 7,
    }
    made = make_deployment(a_revision(spec=spec), replicas=1)["spec"]["template"]["spec"]
    limits = {
        *("containerConcurrency", "timeoutSeconds"),
        *("responseStartTimeoutSeconds", "idleTimeoutSeconds"),
    }
    changed = {"containers", "initContainers", "terminationGracePeriodSeconds"}
    assert set(made) == set(spec) - limits | changed
    assert all(made[name] == spec[name] for name in set(made) - changed)
    assert made["terminationGracePeriodSeconds"] == 77
    assert made["initContainers"] == [
        {
            "name": "fetch",
            "image": "fetch",
            "args": ["x"],
            "terminationMessagePolicy": "FallbackToLogsOnError",
        }
    ]
    side, main = made["containers"]
    assert [each["name"] for each in side["env"]] == [
        *("PORT", "K_REVISION", "K_CONFIGURATION", "K_SERVICE")
    ]
    assert [each["name"] for each in main["env"]] == [
        *("A", "K_SERVICE", "PORT", "K_REVISION", "K_CONFIGURATION", "K_SERVICE")
    ]
    assert "readinessProbe" not in side
    assert "ports" not in side
    assert main["ports"] == [{"name": "h2c", "containerPort": 9000, "protocol": "TCP"}]
    for name in ("securityContext", "volumeMounts"):
        assert main[name] == spec["containers"][1][name]  # type: ignore[index] # a list


def test_how_many_replicas_it_starts_with() -> None:
    assert initial_scale(revision()) == 3
    assert initial_scale(a_revision()) == 1


def test_a_label_app_of_the_users_stands() -> None:
    raw = a_revision(labels={"app": "mine"})
    assert make_deployment(raw, replicas=3)["metadata"]["labels"]["app"] == "mine"


def test_the_hash_tells_of_every_change_but_scaling() -> None:
    def hash_of(raw: dict[str, Any]) -> str:
        return str(
            make_deployment(raw, replicas=3)["metadata"]["labels"][
                "serving.knative.dev/deployment-hash"
            ]
        )

    before = hash_of(revision())
    assert hash_of(revision()) == before
    assert hash_of(revision(args=["other"])) != before
    scaled = revision()
    scaled["metadata"]["annotations"]["autoscaling.knative.dev/min-scale"] = "9"
    scaled["metadata"]["annotations"]["relight.dev/keep-alive"] = "fast"
    scaled["metadata"]["labels"]["serving.knative.dev/routingState"] = "active"
    assert hash_of(scaled) == before
    assert len(before) <= 63


@pytest.mark.parametrize(
    ("state", "is_broken", "reachability"),
    [
        ("pending", False, None),
        ("active", False, "Reachable"),
        ("reserve", False, "Unreachable"),
        ("active", True, "Unreachable"),
    ],
)
def test_the_podautoscaler(state: str, is_broken: bool, reachability: str | None) -> None:
    raw = revision()
    raw["metadata"]["labels"]["serving.knative.dev/routingState"] = state
    made = make_podautoscaler(raw, is_broken=is_broken)
    assert made["metadata"]["name"] == "mnist-00001"
    assert made["metadata"]["annotations"]["autoscaling.knative.dev/min-scale"] == "2"
    assert "serving.knative.dev/routes" not in made["metadata"]["annotations"]
    spec = dict(made["spec"])
    assert spec.pop("reachability", None) == reachability
    assert spec == {
        "scaleTargetRef": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "mnist-00001-deployment",
        },
        "containerConcurrency": 4,
        "protocolType": "http1",
    }


def test_what_speaks_http2_says_so() -> None:
    container = {"name": "main", "image": "main", "ports": [{"name": "h2c"}]}
    made = make_podautoscaler(a_revision(spec={"containers": [container]}), is_broken=False)
    assert made["spec"]["protocolType"] == "h2c"


def test_what_is_made_is_admitted_unchanged() -> None:
    # A default filled in by the server would be taken for a change, and written for ever.
    raw = a_revision(of=a_configuration(), spec=SPEC)
    made = make_podautoscaler(raw, is_broken=False)
    assert admit(PODAUTOSCALERS, made, None, user="controller") == made


def test_of_whom_a_mode_is_acted_on_says_so_on_its_podautoscaler() -> None:
    said = [
        make_podautoscaler(revision(), is_broken=False, is_direct=is_direct)["metadata"][
            "annotations"
        ].get("relight.dev/direct")
        for is_direct in (True, False)
    ]
    assert said == ["true", None]


def test_a_replica_that_services_lead_to_lingers_and_may_take_its_whole_timeout_after_that() -> (
    None
):
    container = {"name": "c", "image": "relight/predictor", "args": ["--model", "/m"]}
    raw = a_revision(spec={"timeoutSeconds": 60, "containers": [container]})
    for linger_s, told in ((5, "5"), (0, None)):
        made = make_deployment(raw, replicas=1, predictor=PredictorPods(linger_s=linger_s))
        pod = made["spec"]["template"]["spec"]
        env = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
        assert env.get("RELIGHT_LINGER_S") == told
        assert pod["terminationGracePeriodSeconds"] == 60 + linger_s


def test_on_a_cluster_the_predictor_has_its_model_first_and_a_cache() -> None:
    raw = revision(image="relight/predictor", args=["--model", "s3://b/m"])
    pods = PredictorPods(image="example.com/relight/predictor:1")
    made = make_deployment(raw, replicas=1, predictor=pods)
    spec = made["spec"]["template"]["spec"]
    [step], [container] = spec["initContainers"], spec["containers"]
    assert step["image"] == container["image"] == pods.image
    assert "sha256:ab" in step["args"]
    assert env(container)["RELIGHT_CACHE"] == env(step)["RELIGHT_CACHE"]
    hashed = "serving.knative.dev/deployment-hash"
    alone = make_deployment(raw, replicas=1)
    assert "initContainers" not in alone["spec"]["template"]["spec"]
    assert made["metadata"]["labels"][hashed] != alone["metadata"]["labels"][hashed]


def test_a_program_of_the_users_own_is_left_alone_there() -> None:
    raw = revision(image="example.com/serve")
    pods = PredictorPods(image="example.com/relight/predictor:1", node_cache="/var/cache/r")
    assert make_deployment(raw, replicas=1, predictor=pods) == make_deployment(raw, replicas=1)


def test_a_podautoscaler_says_what_is_waited_for() -> None:
    raw = revision(image="example.com/serve")
    waiting = make_podautoscaler(raw, is_broken=False, waits="PullingImage")
    assert waiting["metadata"]["annotations"]["relight.dev/waits"] == "PullingImage"
    told = make_podautoscaler(raw, is_broken=False)["metadata"]["annotations"]
    assert "relight.dev/waits" not in told
