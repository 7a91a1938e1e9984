"""The tree that came with the program, in each of its shapes."""

from pathlib import Path

import pytest

from relight import tree
from relight.errors import FailedError, UsageError


def kinds_and_names(*chosen: str) -> set[tuple[str, str]]:
    return {(o["kind"], o["metadata"]["name"]) for o in tree.objects(tree.root(), chosen)}


def test_overlays_together_are_all_of_their_objects() -> None:
    found = kinds_and_names("ha", "redis", "redis")
    assert {("HorizontalPodAutoscaler", "activator"), ("StatefulSet", "redis")} <= found
    assert kinds_and_names() <= found


def test_minimal_has_less() -> None:
    assert ("DaemonSet", "node-cache") in kinds_and_names() - kinds_and_names("minimal")


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text(
        "resources: [one.yaml]\nkind: Kustomization\napiVersion: kustomize.config.k8s.io/v1beta1\n"
    )
    (tmp_path / "one.yaml").write_text(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: one}, data: {a: b}}"
    )
    [found] = tree.objects(tree.root(), [str(tmp_path)])
    assert found["data"] == {"a": "b"}


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (["huge"], "--overlay huge: one of beside-knative, gpu, ha, minimal"),
        (["minimal", "ha"], "choose one"),
        (["beside-knative", "ha"], "--overlay beside-knative: .* stands alone"),
        (["./x", "ha"], "stands alone"),
        (["./no/such/folder"], "no/such/folder: no folder with a kustomization.yaml"),
    ],
)
def test_what_can_not_be_meant_is_refused(chosen: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        tree.objects(tree.root(), chosen)


def test_without_kubectl_it_says_where_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(FailedError, match="kubectl is not on the PATH"):
        tree.kubectl()


def test_without_manifests_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tree, "_PLACES", (tmp_path,))
    with pytest.raises(FailedError, match="without its manifests"):
        tree.root()
