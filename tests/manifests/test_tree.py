"""The manifests in every shape: what they grant, how they run, and that they fit the code."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from yaml import CSafeLoader

import activator.process
import autoscaler.process
import controller.process
from api import kinds
from relight import tree
from tests.manifests.shapes import (
    BESIDE,
    EVERY,
    OVERLAYS,
    ROOT,
    SHAPES,
    TREE,
    of,
    rendered,
    title,
    workloads,
)

SYSTEM = "relight-system"
NAME = "app.kubernetes.io/name"
PARSERS = {
    "activator": activator.process.parse,
    "autoscaler": autoscaler.process.parse,
    "controller": controller.process.parse,
}
# Those that a Pod has no use for: it is told by its service account, and its ports are declared.
UNWIRED = {
    *("--help", "--kubeconfig", "--namespace", "--admin-host", "--admin-port", "--host", "--port"),
    *("--beside-knative", "--queue-proxy-port", "--activator-metrics-port"),
    *("--stats-host", "--stats-port", "--webhook", "--webhook-host", "--webhook-port"),
    *("--webhook-service", "--webhook-name", "--webhook-linger-s", "--peers-port"),
}
NOT_OURS_TO_GRANT = {
    ("certificates_keeping.py", "secrets"),  # made by whoever installs
}
OURS = re.compile(r"relight/(activator|autoscaler|controller|predictor):0\.1\.0(-[a-z-]+)?")


def rules(shape: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for each in (*of(shape, "ClusterRole"), *of(shape, "Role")):
        for rule in each["rules"]:
            yield title(each), rule


@pytest.mark.parametrize("shape", EVERY)
def test_nobody_may_do_everything(shape: str) -> None:
    assert list(rules(shape))
    for name, rule in rules(shape):
        for part in ("apiGroups", "resources", "verbs"):
            assert "*" not in rule[part], name
        assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"]), name
        assert "pods/exec" not in rule["resources"], name
        assert "nonResourceURLs" not in rule, name
    for each in (*of(shape, "ClusterRoleBinding"), *of(shape, "RoleBinding")):
        assert each["roleRef"]["name"].removeprefix("relight-") in PARSERS
        [subject] = each["subjects"]
        assert subject["name"] == each["roleRef"]["name"].removeprefix("relight-")
        assert subject["namespace"] == SYSTEM


def test_people_have_rights_by_kubernetes_own_roles() -> None:
    mark = "rbac.authorization.k8s.io/aggregate-to-"
    may: dict[str, dict[str, set[str]]] = {}
    for each in of("", "ClusterRole"):
        for label in each["metadata"]["labels"]:
            if label.startswith(mark):
                resources = may.setdefault(label.removeprefix(mark), {})
                for rule in each["rules"]:
                    for name in rule["resources"]:
                        resources.setdefault(f"{name}.{rule['apiGroups'][0]}", set()).update(
                            rule["verbs"]
                        )
    kinds = {path.stem for path in (TREE / "300-crds").glob("*.*.yaml")}
    assert may["view"] == {each: {"get", "list", "watch"} for each in kinds}
    by_components = {"podautoscalers.autoscaling.internal.knative.dev"}
    of_the_cluster = {"clusterservingruntimes.serving.kserve.io"}
    writes = {"create", "update", "patch", "delete", "deletecollection"}
    written = may["edit"] | may["admin"]
    people = kinds - by_components - of_the_cluster
    assert written == dict.fromkeys(people, writes)
    # A host belongs to nobody's namespace.
    assert set(may["admin"]) == {"domainmappings.serving.knative.dev"}


@pytest.mark.parametrize("shape", SHAPES)
def test_secrets_are_one_by_name(shape: str) -> None:
    found = [(name, rule) for name, rule in rules(shape) if "secrets" in rule["resources"]]
    assert [(name, rule.get("resourceNames")) for name, rule in found] == [
        ("Role controller", ["webhook-certificate"])
    ]


@pytest.mark.parametrize("shape", EVERY)
def test_leases_are_written_in_our_namespace_by_name_only(shape: str) -> None:
    for name, rule in rules(shape):
        if "leases" in rule["resources"]:
            assert name.startswith("Role ")
            if {"update", "patch", "delete"} & set(rule["verbs"]):
                assert rule["resourceNames"] == [name.removeprefix("Role ")]


@pytest.mark.parametrize("component", PARSERS)
def test_what_is_asked_for_by_its_kind_may_be(component: str) -> None:
    """Read from the code: what a suite on a cluster does not come to would be refused there."""
    may = {
        (group, resource, verb)
        for shape in EVERY
        for name, rule in rules(shape)
        if component in name
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    asked = re.compile(r"client\.(get|create|delete)\(\s*([A-Z][A-Z_0-9]+),")
    found = [
        (path.name, verb, getattr(kinds, name))
        for path in (ROOT / component).glob("*.py")
        for verb, name in asked.findall(path.read_text())
    ]
    assert found or component == "activator"  # which watches, and writes nothing
    for where, verb, kind in found:
        if (where, kind.plural) not in NOT_OURS_TO_GRANT:
            assert (kind.group, kind.plural, verb) in may, f"{where}: {verb} {kind.plural}"


def pods(shape: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for each in workloads(shape):
        yield each, each["spec"]["template"]["spec"]


@pytest.mark.parametrize("shape", EVERY)
def test_containers_have_as_little_as_they_need(shape: str) -> None:
    assert list(pods(shape))
    for each, spec in pods(shape):
        name = title(each)
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), name
        assert spec["enableServiceLinks"] is False, name
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True, name
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name
            image = container["image"]
            assert OURS.fullmatch(image) or image == "valkey/valkey:8.1", name


@pytest.mark.parametrize("shape", EVERY)
def test_what_serves_is_probed_and_nobody_special(shape: str) -> None:
    for each, spec in pods(shape):
        assert "hostPath" not in str(spec) or each["metadata"]["namespace"] == "relight-node"
        for container in spec["containers"]:
            context = spec["securityContext"] | container["securityContext"]
            assert context["runAsNonRoot"] is True, title(each)
            if container.get("ports") and OURS.fullmatch(container["image"]):
                assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
            if container.get("ports"):
                probes = {"startupProbe", "livenessProbe", "readinessProbe"}
                assert probes <= set(container), title(each)


@pytest.mark.parametrize("shape", SHAPES)
def test_components_are_replaced_one_after_the_other(shape: str) -> None:
    found = of(shape, "Deployment")
    assert {each["metadata"]["name"] for each in found} == set(PARSERS)
    budgets = {each["metadata"]["name"]: each["spec"] for each in of(shape, "PodDisruptionBudget")}
    for each in found:
        spec, name = each["spec"], each["metadata"]["name"]
        assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
        template = spec["template"]
        labels = template["metadata"]["labels"]
        assert spec["selector"]["matchLabels"].items() <= labels.items()
        assert template["spec"]["serviceAccountName"] == name
        for constraint in template["spec"]["topologySpreadConstraints"]:
            assert constraint["labelSelector"]["matchLabels"].items() <= labels.items()
        if spec.get("replicas") != 1:
            assert budgets[name]["maxUnavailable"] == 1
            assert budgets[name]["selector"] == spec["selector"]
        else:
            assert name not in budgets, "a budget of one that is one stops every drain"


@pytest.mark.parametrize("shape", EVERY)
def test_flags_and_settings_are_those_of_the_components(shape: str) -> None:
    [settings] = [e for e in of(shape, "ConfigMap") if e["metadata"]["name"] == "relight-settings"]
    used = set()
    for each in of(shape, "Deployment"):
        [container] = each["spec"]["template"]["spec"]["containers"]
        values = settings["data"] | {one["name"]: "given" for one in container["env"]}
        values |= {"POD_NAMESPACE": "relight-system", "STATE": "redis://localhost"}
        arguments = [_filled(one, values) for one in container["args"]]
        PARSERS[each["metadata"]["name"]](arguments)  # exits for what it does not know
        used |= set(re.findall(r"\$\((\w+)\)", " ".join(container["args"])))
    assert set(settings["data"]) <= used, "a setting that nobody reads"


def _filled(argument: str, values: dict[str, str]) -> str:
    return re.sub(r"\$\((\w+)\)", lambda found: values[found[1]], argument)


def test_the_grace_of_an_activator_fits_how_it_ends() -> None:
    [deployment] = [e for e in of("", "Deployment") if e["metadata"]["name"] == "activator"]
    args = activator.process.parse([])
    grace_s = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace_s > args.linger_s + args.end_s


@pytest.mark.parametrize("name", PARSERS)
def test_every_flag_is_a_setting(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        PARSERS[name](["--help"])
    known = set(re.findall(r"^ +(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    [deployment] = [e for e in of("", "Deployment") if e["metadata"]["name"] == name]
    arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    wired = [each.partition("=")[0] for each in arguments]
    assert sorted(known - UNWIRED) == sorted(wired)


@pytest.mark.parametrize("shape", EVERY)
def test_services_and_policies_name_ports_that_exist(shape: str) -> None:
    ports = {
        (tuple(each["spec"]["selector"]["matchLabels"].items()), port["name"])
        for each in workloads(shape)
        for container in each["spec"]["template"]["spec"]["containers"]
        for port in container.get("ports", ())
    }
    known = {name for _, name in ports}
    for each in of(shape, "Service"):
        selector = tuple(each["spec"]["selector"].items())
        for port in each["spec"]["ports"]:
            assert (selector, port["targetPort"]) in ports, title(each)
    for each in of(shape, "NetworkPolicy"):
        for rule in each["spec"].get("ingress", ()):
            assert {port["port"] for port in rule["ports"]} <= known, title(each)
    deny = [e for e in of(shape, "NetworkPolicy") if e["metadata"]["name"] == "nobody"]
    assert SYSTEM in {each["metadata"]["namespace"] for each in deny}


def test_redis_is_reached_by_who_is_told_of_it() -> None:
    """Who has its URL, and nobody else."""
    shape = "overlays/redis"
    told = {
        each["metadata"]["name"]
        for each in of(shape, "Deployment")
        for variable in each["spec"]["template"]["spec"]["containers"][0]["env"]
        if "secretKeyRef" in variable.get("valueFrom", {})
    }
    [policy] = [e for e in of(shape, "NetworkPolicy") if e["metadata"]["name"] == "redis"]
    [rule] = policy["spec"]["ingress"]
    assert {each["podSelector"]["matchLabels"][NAME] for each in rule["from"]} == told


@pytest.mark.parametrize("shape", SHAPES)
def test_the_namespace_is_restricted_and_everything_is_labelled(shape: str) -> None:
    labels = {e["metadata"]["name"]: e["metadata"]["labels"] for e in of(shape, "Namespace")}
    assert labels[SYSTEM]["pod-security.kubernetes.io/enforce"] == "restricted"
    for each in rendered(shape):
        assert each["metadata"]["labels"]["app.kubernetes.io/part-of"] == "relight", title(each)
        namespace = each["metadata"].get("namespace")
        assert namespace is None or namespace in labels, title(each)


@pytest.mark.parametrize("shape", SHAPES)
def test_webhooks_come_last_and_lead_to_a_service(shape: str) -> None:
    names = [each["kind"] for each in rendered(shape)]
    first = names.index("MutatingWebhookConfiguration")
    assert first > names.index("Deployment")
    assert first > max(i for i, name in enumerate(names) if name == "ClusterRoleBinding")
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        for each in of(shape, kind):
            for hook in each["webhooks"]:
                assert hook["sideEffects"] == "None"
                assert hook["timeoutSeconds"] <= 10
                service = hook["clientConfig"]["service"]
                assert (service["namespace"], service["name"]) == (SYSTEM, "webhook")
                assert "caBundle" not in hook["clientConfig"]


def test_each_overlay_is_what_install_makes_of_its_name() -> None:
    assert tree.overlays(TREE) == OVERLAYS
    for name in ("minimal", "ha", "beside-knative"):
        by_install = tree.objects(TREE, [name])
        got = {title(each) for each in by_install if each["kind"] != "CustomResourceDefinition"}
        assert got == {title(each) for each in rendered(f"overlays/{name}")}


def test_shapes_differ_as_they_say() -> None:
    def replicas(shape: str) -> dict[str, Any]:
        return {e["metadata"]["name"]: e["spec"].get("replicas") for e in of(shape, "Deployment")}

    assert set(replicas("overlays/minimal").values()) == {1}
    assert set(replicas("").values()) == {2}
    assert replicas("overlays/ha")["activator"] is None
    [scaler] = of("overlays/ha", "HorizontalPodAutoscaler")
    assert scaler["spec"]["minReplicas"] == 3
    [settings] = of("overlays/gpu", "ConfigMap")
    assert settings["data"]["PREDICTOR_IMAGE"] == "relight/predictor:0.1.0-gpu"
    assert of("overlays/minimal", "DaemonSet") == []
    assert {"PodMonitor", "PrometheusRule"} <= {
        e["kind"] for e in rendered("overlays/prometheus-operator")
    }


def test_the_node_cache_is_where_the_settings_say() -> None:
    [cache] = of("", "DaemonSet")
    [settings] = of("", "ConfigMap")
    [volume] = cache["spec"]["template"]["spec"]["volumes"]
    assert volume["hostPath"]["path"] == settings["data"]["NODE_CACHE"]


def test_every_file_is_part_of_the_tree() -> None:
    for listing in (*TREE.rglob("Kustomization"), *TREE.rglob("kustomization.yaml")):
        told = yaml.safe_load(listing.read_text())
        named = {
            *told.get("resources", ()),
            *(p["path"] for p in told.get("patches", ()) if "path" in p),
        }
        files = {each.name for each in listing.parent.glob("*.yaml")} - {"kustomization.yaml"}
        # By hand, when the definitions are there.
        assert files - named == (
            {"runtime.yaml"} if listing.parent.name == "gpu" and "parts" in listing.parts else set()
        )


def test_definitions_fit_into_the_books_of_kubectl_apply() -> None:
    # It keeps all it applied in one annotation, and those are 256 KiB together.
    for path in (TREE / "300-crds").glob("*.yaml"):
        raw = yaml.load(path.read_text(), Loader=CSafeLoader)
        assert len(json.dumps(raw, separators=(",", ":"))) < 250_000, path.name


def test_the_version_is_the_projects() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert re.search(r'^version = "0\.1\.0"$', text, re.MULTILINE), "manifests/ name 0.1.0"


def test_beside_knative_there_is_the_autoscaler_and_nothing_of_knatives() -> None:
    made = {each["kind"] for each in tree.objects(TREE, ["beside-knative"])}
    assert "CustomResourceDefinition" not in made
    assert not any("Webhook" in kind for kind in made)
    [deployment] = copy.deepcopy(of(BESIDE, "Deployment"))
    [usual] = [e for e in of("", "Deployment") if e["metadata"]["name"] == "autoscaler"]
    usual = copy.deepcopy(usual)
    containers = [e["spec"]["template"]["spec"]["containers"][0] for e in (deployment, usual)]
    args, usual_args = ({*each.pop("args")} for each in containers)
    ports = [[port["name"] for port in each.pop("ports")] for each in containers]
    assert deployment == usual
    assert ports == [["admin"], ["admin", "stats"]]
    assert args - usual_args == {
        "--beside-knative=knative-serving",
        "--config-namespace=knative-serving",
    }
    left_out = {each.partition("=")[0] for each in usual_args - args}
    assert left_out == {"--config-namespace", "--scrape", "--claims"}


def test_beside_knative_nothing_is_written_but_scales_statuses_and_modes() -> None:
    may = {
        (resource, verb)
        for _, rule in rules(BESIDE)
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if verb not in {"get", "list", "watch"} and resource != "leases"
    }
    assert may == {
        ("podautoscalers/status", "patch"),
        ("podautoscalers/finalizers", "update"),  # what OwnerReferencesPermissionEnforcement asks
        ("serverlessservices", "create"),
        ("serverlessservices", "patch"),
        ("deployments/scale", "patch"),
        ("events", "create"),
        ("events", "patch"),
    }
    [role] = [e for e in of(BESIDE, "Role") if e["metadata"]["namespace"] != SYSTEM]
    assert role["metadata"]["namespace"] == "knative-serving"
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"]}
    ]
