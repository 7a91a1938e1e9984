"""A cluster under test: real kubectl for what users do, its API for what tests wait for."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from cluster.auth import Address, load_kubeconfig

ROOT = Path(__file__).parent.parent.parent
SYSTEM = "relight-system"
KUBECTL = Path(sys.executable).parent / "kubectl"
READY_S = 90.0  # from created to ready, on a machine with other work to do
ENTRY_NAME = "cluster-test-entry"

KNATIVE = "/apis/serving.knative.dev/v1"
KSERVE = "/apis/serving.kserve.io/v1beta1"
Raw = dict[str, Any]
TOLD: list[str] = []  # lines for the end of the run


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def wait_until(condition: Callable[[], Any], deadline_s: float, what: str) -> Any:
    """What the condition returns once that is true; TimeoutError names what was awaited."""
    ends = time.monotonic() + deadline_s
    while not (found := condition()):
        if time.monotonic() > ends:
            raise TimeoutError(f"waited {deadline_s:.0f} s for {what}")
        time.sleep(0.1)
    return found


@dataclass(slots=True, kw_only=True)
class Cluster:
    """One cluster, reached by a kubeconfig; hack/cluster.sh says what else is known of it."""

    kubeconfig: Path
    state: Path | None  # of a cluster of shared/k8s: its folder
    kind: str  # of a cluster of kind: its name
    host: str  # this machine's address, as Pods see it; empty: not known
    images: tuple[str, ...]  # tags of our images, of which the first is installed
    prefix: str  # of the images' names, for `relight install --image-prefix`
    redis: int  # the process of the Redis that the autoscalers use; 0: there is none
    _address: Address = field(init=False)
    _tls: Any = field(init=False)
    _entry: str = field(init=False, default="")

    @classmethod
    def from_environment(cls) -> "Cluster":
        """As hack/cluster.sh set it."""
        told = os.environ
        return cls(
            kubeconfig=Path(told["RELIGHT_CLUSTER"]),
            state=Path(told["RELIGHT_CLUSTER_STATE"])
            if told.get("RELIGHT_CLUSTER_STATE")
            else None,
            kind=told.get("RELIGHT_CLUSTER_KIND", ""),
            host=told.get("RELIGHT_CLUSTER_HOST", ""),
            images=tuple(told.get("RELIGHT_CLUSTER_TAGS", "").split()),
            prefix=told.get("RELIGHT_CLUSTER_IMAGES", ""),
            redis=int(told.get("RELIGHT_CLUSTER_REDIS") or 0),
        )

    def __post_init__(self) -> None:
        self._address = load_kubeconfig(self.kubeconfig)
        self._tls = self._address.ssl_context()

    def tell(self, text: str) -> None:
        """Show it at the end of the run, whatever becomes of the test."""
        TOLD.extend(text.splitlines())

    # -- as a user ----------------------------------------------------------------------------

    def kubectl(
        self, *args: str, stdin: str | None = None, check: bool = True, deadline_s: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """The real one; a cache of its own, for clusters of one machine share their address."""
        command = [str(KUBECTL), "--kubeconfig", str(self.kubeconfig)]
        done = subprocess.run(
            [*command, "--cache-dir", f"{self.kubeconfig}.cache", *args],
            cwd=ROOT,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=deadline_s,
        )
        said = f"kubectl {' '.join(args)}: {done.stdout}{done.stderr}"
        assert done.returncode == 0 or not check, said
        return done

    def apply(self, *objects: Mapping[str, Any], namespace: str) -> None:
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(items))

    def discard(self, namespace: str) -> None:
        """Delete it, without waiting; programs that do not hear SIGTERM end at once, too."""
        self.kubectl("delete", "namespace", namespace, "--wait=false", "--ignore-not-found")
        self.call("DELETE", f"/api/v1/namespaces/{namespace}/pods?gracePeriodSeconds=1")

    def relight(
        self, *args: str, check: bool = True, deadline_s: float = 240
    ) -> subprocess.CompletedProcess[str]:
        """The command line of this checkout."""
        done = subprocess.run(
            [sys.executable, "-m", "relight", *args],
            cwd=ROOT,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            capture_output=True,
            text=True,
            check=False,
            timeout=deadline_s,
        )
        said = f"relight {' '.join(args)}: {done.stdout}{done.stderr}"
        assert done.returncode == 0 or not check, said
        return done

    # -- what stands in the API ---------------------------------------------------------------

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        url = urlsplit(self._address.url)
        kind = http.client.HTTPSConnection if self._tls else http.client.HTTPConnection
        tls = {"context": self._tls} if self._tls else {}
        connection = kind(url.hostname or "", url.port, timeout=30, **tls)
        headers = {"Content-Type": "application/json"}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        if self._address.token:
            headers["Authorization"] = f"Bearer {self._address.token}"
        data = None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(status=answer.status, headers=found, body=answer.read())
        finally:
            connection.close()

    def get(self, path: str) -> Raw:
        """An object or a list; empty if it is not there."""
        answer = self.call("GET", path)
        if answer.status == 404:
            return {}
        assert answer.status == 200, f"{path}: {answer.status} {answer.body[:500]!r}"
        return dict(answer.json())

    def items(self, path: str, **selectors: str) -> list[Raw]:
        query = f"?{urlencode(selectors)}" if selectors else ""
        return list(self.get(path + query).get("items") or [])

    def pods(self, namespace: str, selector: str = "") -> list[Raw]:
        return self.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)

    def replicas(self, namespace: str, service: str) -> list[Raw]:
        """The Pods of a Service that are not on their way out."""
        found = self.pods(namespace, f"serving.knative.dev/service={service}")
        return [each for each in found if "deletionTimestamp" not in each["metadata"]]

    def of(self, component: str) -> list[Raw]:
        """The Pods of one of our components that are not on their way out."""
        found = self.pods(SYSTEM, f"app.kubernetes.io/name={component}")
        return [each for each in found if "deletionTimestamp" not in each["metadata"]]

    def service(self, namespace: str, name: str) -> Raw:
        return self.get(f"{KNATIVE}/namespaces/{namespace}/services/{name}")

    def isvc(self, namespace: str, name: str) -> Raw:
        return self.get(f"{KSERVE}/namespaces/{namespace}/inferenceservices/{name}")

    def until_ready(self, path: str, deadline_s: float = READY_S) -> Raw:
        """The object, once its Ready speaks of what was written last and is True."""
        seen: list[Raw] = [{}]

        def is_ready() -> bool:
            seen[0] = self.get(path)
            told = seen[0].get("status") or {}
            is_current = told.get("observedGeneration") == seen[0]["metadata"]["generation"]
            return is_current and condition(seen[0])["status"] == "True"

        try:
            wait_until(is_ready, deadline_s, f"{path} to be ready")
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {json.dumps(seen[0].get('status'), indent=1)}") from None
        return seen[0]

    def until_service(self, namespace: str, name: str, deadline_s: float = READY_S) -> str:
        """Its host, once it is ready."""
        found = self.until_ready(f"{KNATIVE}/namespaces/{namespace}/services/{name}", deadline_s)
        return host_of(found)

    def until_isvc(self, namespace: str, name: str, deadline_s: float = READY_S) -> str:
        path = f"{KSERVE}/namespaces/{namespace}/inferenceservices/{name}"
        return host_of(self.until_ready(path, deadline_s))

    def until_zero(self, namespace: str, service: str, deadline_s: float = READY_S) -> None:
        wait_until(
            lambda: not self.replicas(namespace, service), deadline_s, f"{service} to be at zero"
        )

    # -- requests -----------------------------------------------------------------------------

    @property
    def entry(self) -> str:
        """HOST:PORT at which the activators' Service takes requests from here."""
        if not self._entry:
            self._entry = self._by_cluster_ip() or self._by_node_port()
        return self._entry

    def _by_cluster_ip(self) -> str:
        spec = self.get(f"/api/v1/namespaces/{SYSTEM}/services/activator").get("spec") or {}
        port = next((p["port"] for p in spec.get("ports", ()) if p.get("name") == "http"), 80)
        try:
            with socket.create_connection((str(spec.get("clusterIP")), port), timeout=3):
                return f"{spec['clusterIP']}:{port}"
        except OSError:
            return ""

    def _by_node_port(self) -> str:
        """From outside: a Service of ours on a port of every node."""
        theirs = self.get(f"/api/v1/namespaces/{SYSTEM}/services/activator")["spec"]
        ports = [each for each in theirs["ports"] if each.get("name") == "http"]
        made = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": ENTRY_NAME, "namespace": SYSTEM},
            "spec": {"type": "NodePort", "selector": theirs["selector"], "ports": ports},
        }
        self.apply(made, namespace=SYSTEM)
        found = self.get(f"/api/v1/namespaces/{SYSTEM}/services/{ENTRY_NAME}")
        (node, *_) = self.items("/api/v1/nodes")
        at = {each["type"]: each["address"] for each in node["status"]["addresses"]}
        return f"{at['InternalIP']}:{found['spec']['ports'][0]['nodePort']}"

    def ask(
        self,
        host: str,
        path: str = "/",
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        deadline_s: float = 60,
    ) -> Answer:
        """One request on a connection of its own; a body means POST."""
        return send(self.entry, host, path, body, headers=headers, deadline_s=deadline_s)

    def shares(self, host: str, path: str, body: Any, count: int) -> Counter[str]:
        """How many of `count` answers each Revision gave; all of them 200."""
        found: Counter[str] = Counter()
        for _ in range(count):
            answer = self.ask(host, path, body)
            assert answer.status == 200, answer.body
            found[answer.headers["relight-revision"]] += 1
        return found

    def logs(self, component: str, *, lines: int = 40) -> str:
        """The end of what each Pod of a component wrote, earlier containers' too."""
        told = []
        for pod in self.pods(SYSTEM, f"app.kubernetes.io/name={component}"):
            name = pod["metadata"]["name"]
            for args in (("--previous",), ()):
                done = self.kubectl(
                    *("logs", "-n", SYSTEM, name, f"--tail={lines}", *args), check=False
                )
                if done.returncode == 0 and done.stdout:
                    told.append(f"-- {name} {' '.join(args)}\n{done.stdout}")
        return "".join(told)


def send(
    entry: str,
    host: str,
    path: str = "/",
    body: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    deadline_s: float = 60,
) -> Answer:
    """One request on a connection of its own; OSError or HTTPException if that breaks."""
    connection = http.client.HTTPConnection(entry, timeout=deadline_s)
    try:
        return exchange(connection, host, path, body, headers=headers)
    finally:
        connection.close()


def exchange(
    connection: http.client.HTTPConnection,
    host: str,
    path: str = "/",
    body: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request on a connection, which is opened if it is not."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    method = "GET" if data is None else "POST"
    connection.request(method, path, data, {"Host": host, **(headers or {})})
    response = connection.getresponse()
    found = {name.lower(): value for name, value in response.getheaders()}
    return Answer(status=response.status, headers=found, body=response.read())


def condition(obj: Mapping[str, Any], kind: str = "Ready") -> Raw:
    """One condition of an object; Unknown while it is not there."""
    for found in (obj.get("status") or {}).get("conditions") or ():
        if found["type"] == kind:
            return dict(found)
    return {"status": "Unknown", "reason": "", "message": ""}


def host_of(obj: Mapping[str, Any]) -> str:
    return urlsplit(obj["status"]["url"]).netloc


def service(name: str, container: Mapping[str, Any], **others: Any) -> Raw:
    """A Knative Service of one container; `annotations` go on its template."""
    annotations = {"autoscaling.knative.dev/window": "6s", **others.pop("annotations", {})}
    metadata: Raw = {"annotations": annotations}
    if "revision" in others:
        metadata["name"] = others.pop("revision")
    traffic = others.pop("traffic", None)
    spec: Raw = {"template": {"metadata": metadata, "spec": {"containers": [container], **others}}}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": spec | ({"traffic": traffic} if traffic else {}),
    }


def isvc(name: str, uri: str, **predictor: Any) -> Raw:
    """An InferenceService of an ONNX model that scales to zero soon."""
    model = {"modelFormat": {"name": "onnx"}, "protocolVersion": "v2", "storageUri": uri}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": {"autoscaling.knative.dev/window": "6s"}},
        "spec": {"predictor": {"minReplicas": 0, "model": model, **predictor}},
    }
