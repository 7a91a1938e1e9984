"""Who owns what and what a write would do, as the real kubectl shows it: whichever are here."""

from typing import Any

import pytest
import yaml

from tests.cluster.serving import deployment, namespace, pod, service
from tests.conformance.test_kubectl import FOUND, Kubectl, kubectl, program

__all__ = ["kubectl", "program"]  # fixtures

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not FOUND, reason="no kubectl beside Python and none in /usr/bin"),
]


def managers(obj: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (each["manager"], each["operation"], each.get("subresource", ""))
        for each in obj["metadata"].get("managedFields", ())
    ]


def shown(kubectl: Kubectl, *words: str) -> dict[str, Any]:
    raw = kubectl("get", *words, "-o", "yaml", "--show-managed-fields")
    found: dict[str, Any] = yaml.safe_load(raw)
    return found


def labelled(**labels: str) -> dict[str, Any]:
    raw = service()
    return {**raw, "metadata": {"name": "hello", "labels": labels}}


def test_two_managers_conflict_share_and_take_over(kubectl: Kubectl) -> None:
    on_server = ("apply", "--server-side", "-f")
    kubectl(*on_server, kubectl.write(labelled(a="1")), "--field-manager=one")
    told = kubectl.refused(*on_server, kubectl.write(labelled(a="2")), "--field-manager=two")
    assert 'Apply failed with 1 conflict: conflict with "one": .metadata.labels.a' in told
    assert "--force-conflicts" in told
    path = kubectl.write(labelled(a="2", b="2"))
    kubectl(*on_server, path, "--field-manager=two", "--force-conflicts")
    assert kubectl.get("ksvc", "hello")["metadata"]["labels"] == {"a": "2", "b": "2"}
    # "one" lost its label and so takes nothing away; "two" takes its own.
    kubectl(*on_server, kubectl.write(labelled()), "--field-manager=one")
    assert kubectl.get("ksvc", "hello")["metadata"]["labels"] == {"a": "2", "b": "2"}
    kubectl(*on_server, kubectl.write(labelled(b="2")), "--field-manager=two")
    assert kubectl.get("ksvc", "hello")["metadata"]["labels"] == {"b": "2"}


def test_managed_fields_are_shown_to_who_asks(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(deployment()))
    kubectl("scale", "deployment", "d", "--replicas=4")
    kubectl("label", "deployment", "d", "x=y")
    assert "managedFields" not in kubectl("get", "deployment", "d", "-o", "yaml")
    found = shown(kubectl, "deployment", "d")
    # Entries stand by the second of their write, then by name: a clock's second may pass between.
    assert sorted(managers(found)) == [
        ("kubectl", "Update", "scale"),
        ("kubectl-client-side-apply", "Update", ""),
        ("kubectl-label", "Update", ""),
    ]
    (scaled,) = (each for each in found["metadata"]["managedFields"] if "subresource" in each)
    assert scaled["fieldsV1"] == {"f:spec": {"f:replicas": {}}}


def test_from_the_client_to_the_server(kubectl: Kubectl) -> None:
    first = labelled(a="1", b="1")
    path = kubectl.write(first)
    kubectl("apply", "-f", path)
    kubectl("apply", "--server-side", "-f", path)  # kubectl moves what it owned
    kubectl("apply", "--server-side", "-f", kubectl.write(labelled(a="2")))
    found = shown(kubectl, "ksvc", "hello")
    assert found["metadata"]["labels"] == {"a": "2"}
    assert ("kubectl-client-side-apply", "Update", "") not in managers(found)
    assert ("kubectl", "Apply", "") in managers(found)


def test_nothing_to_do_writes_nothing(kubectl: Kubectl) -> None:
    path = kubectl.write(service())
    kubectl("apply", "-f", path)
    before = kubectl.get("ksvc", "hello")["metadata"]["resourceVersion"]
    # kubectl goes by its patch, which holds every list of a custom kind that has defaults.
    assert kubectl("apply", "-f", path).split()[-1] in ("configured", "unchanged")
    assert kubectl.get("ksvc", "hello")["metadata"]["resourceVersion"] == before
    kubectl("apply", "--server-side", "-f", path, "--field-manager=x")
    before = kubectl.get("ksvc", "hello")["metadata"]["resourceVersion"]
    kubectl("apply", "--server-side", "-f", path, "--field-manager=x")
    assert kubectl.get("ksvc", "hello")["metadata"]["resourceVersion"] == before


def test_what_would_be(kubectl: Kubectl) -> None:
    path = kubectl.write(labelled(a="1"))
    for how in ("client", "server"):
        assert "dry run" in kubectl("apply", "-f", path, f"--dry-run={how}")
    assert "dry run" in kubectl("create", "-f", path, "--dry-run=server")
    assert "NotFound" in kubectl.refused("get", "ksvc", "hello")
    assert kubectl.run("diff", "-f", path).returncode == 1
    kubectl("apply", "-f", path)
    assert kubectl.run("diff", "-f", path).returncode == 0
    assert kubectl.run("diff", "-f", kubectl.write(labelled(a="2"))).returncode == 1
    on_server = ("diff", "--server-side", "-f", path)
    assert kubectl.run(*on_server, "--force-conflicts").returncode in (0, 1)
    before = kubectl.get("ksvc", "hello")
    kubectl("apply", "--server-side", "--force-conflicts", "-f", path, "--dry-run=server")
    kubectl("label", "ksvc", "hello", "n=1", "--dry-run=server")
    kubectl("replace", "-f", path, "--dry-run=server")
    kubectl("patch", "ksvc", "hello", "--type=merge", "-p", '{"spec":{}}', "--dry-run=server")
    kubectl("delete", "ksvc", "hello", "--dry-run=server")
    kubectl("delete", "ksvc", "--all", "--dry-run=server")
    assert kubectl.get("ksvc", "hello") == before


def test_slips_are_told(kubectl: Kubectl) -> None:
    slip = deployment()
    slip["spec"]["replcas"] = 3
    words = kubectl.refused("apply", "-f", kubectl.write(slip))
    assert 'strict decoding error: unknown field "spec.replcas"' in words
    warned = kubectl.run("apply", "-f", kubectl.write(slip), "--validate=warn")
    assert warned.returncode == 0
    assert 'Warning: unknown field "spec.replcas"' in warned.stderr
    kubectl("apply", "-f", kubectl.write(slip), "--validate=ignore")
    ours = service(timeoutSecs=7)
    words = kubectl.refused("apply", "-f", kubectl.write(ours))
    assert 'unknown field "spec.template.spec.timeoutSecs"' in words


def test_labels_annotations_and_every_patch(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(service(), deployment()))
    kubectl("label", "ksvc", "hello", "a=1")
    assert "--overwrite is false" in kubectl.refused("label", "ksvc", "hello", "a=2")
    kubectl("label", "ksvc", "hello", "a=2", "--overwrite")
    assert kubectl("label", "ksvc", "hello", "--list") == "a=2\n"
    kubectl("label", "ksvc", "hello", "a-")
    kubectl("annotate", "ksvc", "hello", "n=1")
    kubectl("annotate", "ksvc", "hello", "n=2", "--overwrite")
    assert "n=2" in kubectl("annotate", "ksvc", "hello", "--list")
    merge = '{"metadata":{"labels":{"m":"1"}}}'
    kubectl("patch", "ksvc", "hello", "--type=merge", "-p", merge)
    operations = '[{"op":"add","path":"/metadata/labels/j","value":"1"}]'
    kubectl("patch", "ksvc", "hello", "--type=json", "-p", operations)
    assert kubectl.get("ksvc", "hello")["metadata"]["labels"] == {"m": "1", "j": "1"}
    strategic = '{"spec":{"template":{"spec":{"containers":[{"name":"c","workingDir":"/x"}]}}}}'
    kubectl("patch", "deployment", "d", "-p", strategic)
    status = '{"status":{"replicas":2}}'
    kubectl("patch", "deployment", "d", "--subresource=status", "--type=merge", "-p", status)
    assert kubectl.get("deployment", "d")["status"]["replicas"] == 2
    part = '{"spec":{"replicas":6}}'
    kubectl("patch", "deployment", "d", "--subresource=scale", "--type=merge", "-p", part)
    assert kubectl.get("deployment", "d")["spec"]["replicas"] == 6
    managed = '{"metadata":{"managedFields":[{}]}}'
    kubectl("patch", "ksvc", "hello", "--type=merge", "-p", managed)
    assert not managers(shown(kubectl, "ksvc", "hello"))


def test_replacing(kubectl: Kubectl) -> None:
    path = kubectl.write(deployment())
    assert "NotFound" in kubectl.refused("replace", "-f", path)
    kubectl("create", "-f", path)
    uid = kubectl.get("deployment", "d")["metadata"]["uid"]
    kubectl("replace", "-f", path)
    assert kubectl.get("deployment", "d")["metadata"]["uid"] == uid
    kubectl("replace", "--force", "-f", path)
    assert kubectl.get("deployment", "d")["metadata"]["uid"] != uid
    stale = kubectl.get("deployment", "d")
    kubectl("label", "deployment", "d", "a=b")
    told = kubectl.refused("replace", "-f", kubectl.write(stale))
    assert "the object has been modified; please apply your changes to the latest version" in told


def test_rollouts(kubectl: Kubectl) -> None:
    kubectl("create", "-f", kubectl.write(deployment(replicas=1)))
    status = (
        '{"status":{"observedGeneration":1,"replicas":1,"updatedReplicas":1,'
        '"readyReplicas":1,"availableReplicas":1}}'
    )
    kubectl("patch", "deployment", "d", "--subresource=status", "--type=merge", "-p", status)
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment", "d")
    kubectl("rollout", "pause", "deployment", "d")
    assert kubectl.get("deployment", "d")["spec"]["paused"] is True
    kubectl("rollout", "resume", "deployment", "d")
    kubectl("rollout", "restart", "deployment", "d")
    # There are no ReplicaSets, so there is no history to show or to go back to.
    for verb in ("history", "undo"):
        words = kubectl.refused("rollout", verb, "deployment", "d")
        assert "failed to retrieve replica sets from deployment d" in words
    template = kubectl.get("deployment", "d")["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]


def test_a_status_is_edited(kubectl: Kubectl) -> None:
    kubectl("create", "-f", kubectl.write(deployment(replicas=1)))
    script = kubectl.folder / "editor.sh"
    script.write_text("#!/bin/sh\nprintf 'status:\\n  replicas: 5\\n' >> \"$1\"\n")
    script.chmod(0o755)
    kubectl._environment["KUBE_EDITOR"] = str(script)
    assert "edited" in kubectl("edit", "deployment", "d", "--subresource=status")
    found = shown(kubectl, "deployment", "d")
    assert (found["spec"]["replicas"], found["status"]["replicas"]) == (1, 5)
    assert ("kubectl-edit", "Update", "status") in managers(found)


def test_a_namespace_says_what_holds_it(kubectl: Kubectl) -> None:
    held = pod(namespace="team")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    kubectl("create", "-f", kubectl.write(namespace("team"), held))
    kubectl("delete", "namespace", "team", "--wait=false")
    told = kubectl("describe", "namespace", "team")
    assert "Terminating" in told
    assert "example.com/hold in 1 resource instances" in told
    words = kubectl.refused("create", "-f", kubectl.write(pod("late", "team")))
    assert "because it is being terminated" in words
    patch = '{"metadata":{"finalizers":null}}'
    kubectl("patch", "pod", "p", "-n", "team", "--type=merge", "-p", patch)
    assert "NotFound" in kubectl.refused("get", "namespace", "team")


def test_how_to_delete(kubectl: Kubectl) -> None:
    held = pod()
    held["metadata"]["finalizers"] = ["example.com/hold"]
    kubectl("create", "-f", kubectl.write(held, service()))
    kubectl("delete", "pod", "p", "--wait=false", "--grace-period=0", "--force=false")
    assert kubectl.get("pod", "p")["metadata"]["deletionTimestamp"]
    kubectl(
        "patch", "pod", "p", "--type=json", "-p", '[{"op":"remove","path":"/metadata/finalizers"}]'
    )
    assert "NotFound" in kubectl.refused("get", "pod", "p")
    kubectl("delete", "ksvc", "-l", "nothing=here")
    kubectl("delete", "ksvc", "hello", "--cascade=foreground")
    assert kubectl("delete", "ksvc", "hello", "--ignore-not-found") == ""
