"""Kinds as people use them, under the real kubectl: CRDs, core kinds, access, the machine."""

from pathlib import Path

import pytest
import yaml

from tests.conformance.test_kubectl import Kubectl, kubectl, program, pytestmark

__all__ = ["kubectl", "program", "pytestmark"]

CRD = (Path(__file__).parent / "certificates.yaml").read_text()
OBJECT = {
    "apiVersion": "cert.example.com/v1",
    "kind": "Certificate",
    "metadata": {"name": "a"},
    "spec": {"secretName": "s", "issuerRef": {"name": "x"}, "port": "http", "extra": {"any": 1}},
}
NAME = "certificates.cert.example.com"


@pytest.fixture
def custom(kubectl: Kubectl) -> Kubectl:
    pytest.importorskip("cel", reason="the CRD has rules: needs common-expression-language")
    (kubectl.folder / "crd.yaml").write_text(CRD)
    kubectl("apply", "-f", "crd.yaml")
    kubectl("wait", "--for=condition=Established", f"crd/{NAME}", "--timeout=10s")
    return kubectl


def test_a_crd_is_installed_and_explained(custom: Kubectl) -> None:
    assert "cert,certs" in custom("api-resources", "--api-group=cert.example.com")
    assert "What certificate is wanted." in custom("explain", "certificates.spec")
    assert "cert.example.com/v1beta1" in custom("api-versions").split()
    assert custom("get", "crd", "-o", "name") == (
        f"customresourcedefinition.apiextensions.k8s.io/{NAME}\n"
    )


def test_objects_are_pruned_defaulted_printed_and_selected(custom: Kubectl) -> None:
    custom("apply", "-f", custom.write(OBJECT))
    spec = custom.get("cert", "a")["spec"]
    assert (spec["algorithm"], spec["replicas"], spec["issuerRef"]["kind"]) == ("RSA", 1, "Issuer")
    assert spec["extra"] == {"any": 1}
    assert custom("get", "certs").split()[:4] == ["NAME", "READY", "SECRET", "AGE"]
    assert "REPLICAS" in custom("get", "cert", "-o", "wide")
    assert "certificate.cert.example.com/a" in custom("get", "all")
    found = custom("get", "cert", "--field-selector", "spec.secretName=s", "-o", "name")
    assert found == "certificate.cert.example.com/a\n"
    custom("scale", "cert/a", "--replicas=3")
    assert custom.get("cert", "a")["spec"]["replicas"] == 3
    ready = '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
    custom("patch", "cert", "a", "--subresource=status", "--type=merge", "-p", ready)
    custom("wait", "--for=condition=Ready", "cert/a", "--timeout=10s")
    old = custom.run("get", "certificates.v1beta1.cert.example.com", "a", "-o", "yaml")
    assert yaml.safe_load(old.stdout)["apiVersion"] == "cert.example.com/v1beta1"
    assert "cert.example.com/v1beta1 Certificate is deprecated" in old.stderr


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ('{"replicas":"x"}', 'spec.replicas in body must be of type integer: "string"'),
        ('{"replicas":99}', "should be less than or equal to 10"),
        ('{"algorithm":"X"}', 'Unsupported value: "X": supported values: "RSA", "ECDSA"'),
        ('{"dnsNames":["a","a"]}', 'spec.dnsNames[1]: Duplicate value: "a"'),
        ('{"issuerRef":{"name":null}}', "spec.issuerRef.name: Required value"),
        ('{"maxReplicas":0}', "replicas must not exceed maxReplicas"),
        ('{"secretName":"t"}', "secretName is immutable"),
    ],
    ids=["type", "maximum", "enum", "an item twice", "required", "a rule", "immutable"],
)
def test_what_is_wrong_is_told_as_kubernetes_tells_it(
    custom: Kubectl, patch: str, words: str
) -> None:
    custom("apply", "-f", custom.write(OBJECT))
    told = custom.refused("patch", "cert", "a", "--type=merge", "-p", f'{{"spec":{patch}}}')
    assert words in told


def test_a_slip_of_the_pen_is_refused(custom: Kubectl) -> None:
    wrong = {**OBJECT, "spec": {**OBJECT["spec"], "secretname": "s"}}  # type: ignore[dict-item] # an object
    assert 'unknown field "spec.secretname"' in custom.refused("apply", "-f", custom.write(wrong))


def test_a_crd_is_upgraded_and_deleted_with_its_objects(custom: Kubectl) -> None:
    custom("apply", "-f", custom.write(OBJECT))
    upgraded = yaml.safe_load(CRD)
    upgraded["spec"]["versions"][1]["served"] = False
    (custom.folder / "crd.yaml").write_text(yaml.safe_dump(upgraded))
    custom("apply", "-f", "crd.yaml")
    assert "cert.example.com/v1beta1" not in custom("api-versions")
    assert custom("get", "cert", "-o", "name")
    custom("delete", "crd", NAME)
    assert "the server" in custom.refused("get", "cert")
    custom("apply", "-f", "crd.yaml")
    assert custom.run("get", "cert").stderr.startswith("No resources found")


def test_a_crd_that_is_wrong_is_refused_by_field(kubectl: Kubectl) -> None:
    wrong = yaml.safe_load(CRD)
    wrong["spec"]["versions"][1]["storage"] = True
    told = kubectl.refused("create", "-f", kubectl.write(wrong))
    assert "must have exactly one version marked as storage version" in told


def test_typed_commands_create_what_they_say(kubectl: Kubectl) -> None:
    (kubectl.folder / "f").write_text("x: 1")
    kubectl("create", "configmap", "c", "--from-literal=a=b", "--from-file=f")
    assert kubectl.get("cm", "c")["data"] == {"a": "b", "f": "x: 1"}
    kubectl("create", "secret", "generic", "s", "--from-literal=a=b")
    assert kubectl.get("secret", "s")["data"] == {"a": "Yg=="}
    login = ("--docker-server=example.com", "--docker-username=a", "--docker-password=b")
    kubectl("create", "secret", "docker-registry", "r", *login)
    assert kubectl.get("secret", "r")["type"] == "kubernetes.io/dockerconfigjson"
    kubectl("create", "serviceaccount", "bob")
    assert "bob" in kubectl("get", "sa")
    kubectl("create", "namespace", "team")
    assert "default" in kubectl("get", "sa", "-n", "team")
    wrong = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x"},
        "data": {"a b": ""},
    }
    assert "a valid config key" in kubectl.refused("create", "-f", kubectl.write(wrong))


def test_who_am_i_and_what_may_i(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "create", "services.serving.knative.dev") == "yes\n"
    assert "no" in kubectl.run("auth", "can-i", "create", "services").stdout
    assert "*.*" in kubectl("auth", "can-i", "--list")
    assert "system:masters" in kubectl("auth", "whoami")


def test_core_services_are_none_and_ksvc_are_knatives(kubectl: Kubectl) -> None:
    assert "No resources found" in kubectl.run("get", "services").stderr
    told = kubectl.refused("create", "service", "clusterip", "x", "--tcp=80")
    assert "use a Service of serving.knative.dev/v1" in told
    assert "is running at" in kubectl("cluster-info")
    assert kubectl("get", "--raw", "/readyz?verbose").startswith("[+]ping ok")


def test_what_a_process_has_not_is_told(kubectl: Kubectl) -> None:
    assert "tokens of ServiceAccounts are not served" in kubectl.refused(
        "create", "token", "default"
    )
