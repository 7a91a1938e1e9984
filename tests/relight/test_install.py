"""`relight install` into a cluster that is new, installed, older or somebody else's."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from relight.errors import Exit
from tests.relight.conftest import Cluster, Platform

SETTINGS = {"DOMAIN": "example.com", "PREDICTOR_IMAGE": "relight/predictor:0.1.0"}
POD = {"containers": [{"name": "c", "image": "relight/controller:0.1.0"}]}


def named(version: str, kind: str, name: str, **more: Any) -> dict[str, Any]:
    labels = {"app.kubernetes.io/part-of": "relight"}
    metadata = {"name": name, "namespace": "relight-system", "labels": labels}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    """A small one of one's own."""
    folder = tmp_path / "overlay"
    folder.mkdir()
    template = {"metadata": {}, "spec": POD}
    objects = [
        named("v1", "ConfigMap", "relight-settings", data=SETTINGS),
        named("apps/v1", "Deployment", "controller", spec={"template": template}),
        named("apps/v1", "StatefulSet", "redis"),
    ]
    (folder / "all.yaml").write_text(yaml.safe_dump_all(objects))
    (folder / "kustomization.yaml").write_text(
        "{apiVersion: kustomize.config.k8s.io/v1beta1, kind: Kustomization, resources: [all.yaml]}"
    )
    return folder


def settings(cluster: Cluster) -> dict[str, str]:
    found = cluster.get("configmaps", "relight-settings", "relight-system")
    assert found is not None
    return dict(found["data"])


async def test_all_of_it_into_an_empty_cluster(cluster: Cluster) -> None:
    code, out, err = await cluster.type("install", "--image-tag", "dev", "--image-prefix", "r.io")
    assert code == Exit.OK, err
    assert cluster.names("deployments") == {"activator", "autoscaler", "controller"}
    assert len(cluster.names("customresourcedefinitions")) == 9
    deployment = cluster.get("deployments", "activator", "relight-system")
    assert deployment is not None
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "r.io/relight/activator:dev"
    assert settings(cluster)["PREDICTOR_IMAGE"] == "r.io/relight/predictor:dev"
    assert "0 as they were" in out
    code, out, err = await cluster.type("install", "--image-tag", "dev", "--image-prefix", "r.io")
    assert code == Exit.OK, err
    assert out.startswith("0 changed, ")


async def test_settings_are_kept_and_start_pods_anew(cluster: Cluster, overlay: Path) -> None:
    def annotations() -> dict[str, str]:
        found = cluster.get("deployments", "controller", "relight-system")
        assert found is not None
        return dict(found["spec"]["template"]["metadata"]["annotations"])

    await cluster.type("install", "--overlay", str(overlay))
    first = annotations()
    code, out, err = await cluster.type(
        "install", "--overlay", str(overlay), "--set", "domain=a.org"
    )
    assert code == Exit.OK, err
    assert "Deployment relight-system/controller configured" in out
    await cluster.type("install", "--overlay", str(overlay), "--image-tag", "2")
    assert settings(cluster) == {"DOMAIN": "a.org", "PREDICTOR_IMAGE": "relight/predictor:2"}
    assert annotations() != first


async def test_what_another_overlay_had_is_removed_and_redis_gets_a_password(
    cluster: Cluster, overlay: Path
) -> None:
    plural = "horizontalpodautoscalers"
    scaler = named("autoscaling/v2", "HorizontalPodAutoscaler", "activator")
    cluster.put("autoscaling/v2", plural, scaler)
    code, out, err = await cluster.type("install", "--overlay", str(overlay))
    assert code == Exit.OK, err
    assert cluster.names(plural) == set()
    assert "HorizontalPodAutoscaler relight-system/activator removed" in out
    made = cluster.get("secrets", "relight-redis", "relight-system")
    assert made is not None
    data = {name: base64.b64decode(value).decode() for name, value in made["data"].items()}
    assert data["url"] == f"redis://:{data['password']}@redis.relight-system.svc:6379/0"
    await cluster.type("install", "--overlay", str(overlay))
    assert cluster.get("secrets", "relight-redis", "relight-system") == made


async def test_a_dry_run_changes_nothing(cluster: Cluster, overlay: Path) -> None:
    code, out, err = await cluster.type("install", "--overlay", str(overlay), "--dry-run")
    assert code == Exit.OK, err
    assert [each["kind"] for each in yaml.safe_load_all(out)] == [
        "ConfigMap",
        "Deployment",
        "StatefulSet",
    ]
    assert cluster.objects == {}


async def test_definitions_of_somebody_else_are_left_alone(cluster: Cluster) -> None:
    name = "services.serving.knative.dev"
    theirs = {"metadata": {"name": name, "labels": {"knative.dev/crd-install": "true"}}}
    stored = cluster.put("apiextensions.k8s.io/v1", "customresourcedefinitions", theirs)
    code, _, err = await cluster.type("install", "--overlay", "minimal")
    assert code == Exit.FAILED
    assert f"{name} (Knative)" in err
    assert list(cluster.objects.values()) == [stored]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "domain"), "--set domain: expected KEY=VALUE"),
        (("--set", "domian=x"), "--set domian: no such setting; there are"),
        (("--overlay", "big"), "--overlay big: one of"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    cluster: Cluster, words: tuple[str, str], said: str
) -> None:
    code, _, err = await cluster.type("install", *words)
    assert code == Exit.USAGE
    assert said in err
    assert cluster.objects == {}


async def test_a_platform_of_one_machine_needs_none(platform: Platform) -> None:
    cluster = Cluster(platform.folder / "kubeconfig", platform._capsys)
    code, _, err = await cluster.type("install")
    assert code == Exit.USAGE
    assert "a whole platform by itself" in err


async def test_nobody_there(cluster: Cluster) -> None:
    text = cluster.kubeconfig.read_text()
    cluster.kubeconfig.write_text(text.replace(text.split("127.0.0.1:")[1].split()[0], "1"))
    for verb in ("install", "uninstall", "doctor"):
        code, _, err = await cluster.type(verb)
        assert code == Exit.UNREACHABLE, err
        assert "does not answer" in err


async def test_beside_knative_the_autoscaler_alone_is_installed(cluster: Cluster) -> None:
    name = "services.serving.knative.dev"
    theirs = {"metadata": {"name": name, "labels": {"knative.dev/crd-install": "true"}}}
    stored = cluster.put("apiextensions.k8s.io/v1", "customresourcedefinitions", theirs)
    words = ("install", "--overlay", "beside-knative", "--set", "tick-s=1")
    code, _, err = await cluster.type(*words)
    assert code == Exit.FAILED
    assert "there is no namespace knative-serving" in err
    assert list(cluster.objects.values()) == [stored]
    cluster.put("v1", "namespaces", {"metadata": {"name": "knative-serving"}})
    code, _, err = await cluster.type(*words)
    assert code == Exit.OK, err
    assert cluster.names("deployments") == {"autoscaler"}
    assert cluster.names("customresourcedefinitions") == {name}
    assert cluster.names("mutatingwebhookconfigurations") == set()
    assert settings(cluster)["TICK_S"] == "1"
    assert cluster.get("roles", "relight-autoscaler", "knative-serving")
    code, _, err = await cluster.type("uninstall", "--yes")
    assert code == Exit.OK, err
    assert cluster.get("roles", "relight-autoscaler", "knative-serving") is None
    assert cluster.get("rolebindings", "relight-autoscaler", "knative-serving") is None
    assert cluster.names("namespaces") == {"knative-serving"}
    assert cluster.names("customresourcedefinitions") == {name}
