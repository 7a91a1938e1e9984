"""The API server of one machine under the real kubectl: whichever are found here.

No component runs: what is tested is the server alone. `tests/e2e` drives the whole.
"""

import asyncio
import json
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from api.kinds import PODS
from api.warnings import INSECURE
from cluster.options import WriteOptions
from embedded.apiserver import ApiServer
from embedded.http import make_app
from embedded.store import IN_MEMORY, Store
from tests.cluster.serving import deployment, namespace, owned_by, pod, service

DEADLINE_S = 30.0
BESIDE_PYTHON = Path(sys.executable).parent / "kubectl"
FOUND = [
    str(path)
    for path in (BESIDE_PYTHON, shutil.which("kubectl", path="/usr/local/bin:/usr/bin"))
    if path and Path(path).exists()
]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not FOUND, reason="no kubectl beside Python and none in /usr/bin"),
]


class Api:
    """A server in a thread, with a loop of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve)
        self._ready = threading.Event()
        self.url = ""
        self._thread.start()
        assert self._ready.wait(DEADLINE_S)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._start())
        self._ready.set()
        self.loop.run_forever()
        self.loop.run_until_complete(self._runner.cleanup())
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self._store.close()
        self.loop.close()

    async def _start(self) -> None:
        # Here, not in the constructor: SQLite's objects belong to the thread that made them.
        self._store = Store(IN_MEMORY)
        self.server = ApiServer(self._store, clock=time.time, rng=random.Random(1))
        self.server.logs_port = self._log
        self._runner = web.AppRunner(make_app(self.server))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    def do(self, call: Callable[[ApiServer], Any]) -> Any:
        """Call the server in its own loop."""

        async def run() -> Any:
            return call(self.server)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(DEADLINE_S)

    async def _pieces(self, words: str) -> AsyncIterator[bytes]:
        yield f"{words}\n".encode()

    def _log(self, _namespace: str, name: str, **how: Any) -> AsyncIterator[bytes]:
        return self._pieces(f"log of {name} {sorted(how.items())}")

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(DEADLINE_S)


class Kubectl:
    """The program with nothing but a kubeconfig."""

    def __init__(self, program: str, folder: Path, api: Api) -> None:
        self.api = api
        self.folder = folder
        self._command = [program, "--kubeconfig", str(folder / "kubeconfig")]
        self._environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
        named = {"name": "x"}
        raw = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "x",
            "clusters": [named | {"cluster": {"server": api.url}}],
            "contexts": [named | {"context": {"cluster": "x", "user": "x"}}],
            "users": [named | {"user": {}}],
        }
        (folder / "kubeconfig").write_text(yaml.safe_dump(raw))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._command, *words],
            env=self._environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    def __call__(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        # Knative warns of what Kubernetes leaves insecure, and so do we: of nothing else.
        others = [line for line in done.stderr.splitlines() if INSECURE not in line]
        assert not any("Warning" in line for line in others), done.stderr
        return done.stdout

    def refused(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self._command, *words],
            env=self._environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
        )

    def write(self, *objects: dict[str, Any]) -> str:
        path = self.folder / "objects.yaml"
        path.write_text(yaml.safe_dump_all(objects))
        return str(path)

    def get(self, *words: str) -> Any:
        return json.loads(self("get", *words, "-o", "json"))


def _spelled(path: str) -> str:
    """For the names of tests: whose kubectl it is."""
    return "kubectl-of-python" if path == str(BESIDE_PYTHON) else "kubectl-of-system"


@pytest.fixture(scope="module", params=FOUND, ids=_spelled)
def program(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def kubectl(program: str, tmp_path: Path) -> Iterator[Kubectl]:
    api = Api()
    yield Kubectl(program, tmp_path, api)
    api.close()


EVERYTHING = (service(), pod(), deployment(), namespace("team"))


def test_what_is_there(kubectl: Kubectl) -> None:
    resources = kubectl("api-resources")
    for words in ("kservice,ksvc", "config,cfg", "kpa,pa", "deploy", "Revision"):
        assert words in resources
    assert "serving.knative.dev/v1" in kubectl("api-versions").split()
    assert "+relight" in kubectl.run("version").stdout
    assert kubectl("auth", "can-i", "create", "pods") == "yes\n"


def test_apply_creates_updates_and_finds_nothing_to_do(kubectl: Kubectl) -> None:
    first = kubectl("apply", "-f", kubectl.write(*EVERYTHING))
    assert first.count("created") == 4
    again = kubectl("apply", "-f", kubectl.write(pod(), deployment(), namespace("team")))
    assert again.count("unchanged") == 3
    changed = deployment(replicas=5)
    changed["spec"]["template"]["spec"] = {
        "containers": [{"name": "c", "image": "other", "env": [{"name": "A", "value": "1"}]}]
    }
    changed["metadata"]["labels"] = {"a": "b"}
    kubectl("apply", "-f", kubectl.write(changed, service(timeoutSeconds=7)))
    found = kubectl.get("deployment", "d")
    assert (found["spec"]["replicas"], found["metadata"]["labels"]) == (5, {"a": "b"})
    assert found["spec"]["template"]["spec"]["containers"][0]["env"] == [
        {"name": "A", "value": "1"}
    ]
    assert kubectl.get("ksvc", "hello")["spec"]["template"]["spec"]["timeoutSeconds"] == 7
    # What is left out of the next apply goes, item by item.
    kubectl("apply", "-f", kubectl.write(deployment()))
    found = kubectl.get("deployment", "d")
    assert "labels" not in found["metadata"]
    assert found["spec"]["template"]["spec"]["containers"] == pod()["spec"]["containers"]


def test_apply_on_the_server(kubectl: Kubectl) -> None:
    path = kubectl.write(*EVERYTHING)
    assert kubectl("apply", "--server-side", "-f", path).count("serverside-applied") == 4
    before = kubectl.get("deployment", "d")["metadata"]["resourceVersion"]
    kubectl("apply", "--server-side", "-f", path)
    assert kubectl.get("deployment", "d")["metadata"]["resourceVersion"] == before


def test_apply_on_the_server_after_the_client(kubectl: Kubectl) -> None:
    path = kubectl.write(*EVERYTHING)
    kubectl("apply", "-f", path)
    kubectl("apply", "--server-side", "-f", path)
    kubectl("apply", "-f", path)


def test_diff_tells_changes_only(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(deployment()))
    assert kubectl("diff", "-f", kubectl.write(deployment())) == ""
    done = kubectl.run("diff", "-f", kubectl.write(deployment(replicas=3)))
    assert (done.returncode, "+  replicas: 3" in done.stdout) == (1, True), done.stderr


def test_create_and_replace(kubectl: Kubectl) -> None:
    path = kubectl.write(pod(), service())
    assert kubectl("create", "-f", path).count("created") == 2
    assert "AlreadyExists" in kubectl.refused("create", "-f", path)
    kubectl("replace", "-f", kubectl.write(pod(labels={"a": "b"})))
    assert kubectl.get("pod", "p")["metadata"]["labels"] == {"a": "b"}
    kubectl("create", "namespace", "made")
    assert kubectl.get("ns", "made")["status"]["phase"] == "Active"
    kubectl("run", "quick", "--image", "relight/predictor")
    assert kubectl("get", "pod", "quick", "-o", "name") == "pod/quick\n"
    # kubectl sends these as protobuf, which the server reads for the kinds people create so.
    kubectl("create", "deployment", "x", "--image", "y", "--replicas", "2", "--port", "80")
    assert kubectl.get("deployment", "x")["spec"]["replicas"] == 2
    words = kubectl.refused("create", "job", "x", "--image", "y")
    assert "Job" in words or "could not find the requested resource" in words


def test_every_way_to_look(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(*EVERYTHING, pod("q", labels={"tier": "web"})))
    assert "URL" in kubectl("get", "ksvc,cfg,rev,rt,pods")
    assert kubectl("get", "ksvc").split()[:6] == [
        *("NAME", "URL", "LATESTCREATED", "LATESTREADY", "READY", "REASON"),
    ]
    assert "NOMINATED NODE" in kubectl("get", "pods", "-o", "wide")
    assert "SELECTOR" in kubectl("get", "deploy", "-o", "wide")
    assert yaml.safe_load(kubectl("get", "pod", "p", "-o", "yaml"))["kind"] == "Pod"
    assert kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.name}") == "p q"
    assert kubectl("get", "pods", "-o", "name") == "pod/p\npod/q\n"
    assert "NAMESPACE" in kubectl("get", "pods", "-A")
    assert kubectl("get", "pods", "-l", "tier in (web, db)", "-o", "name") == "pod/q\n"
    assert kubectl("get", "po", "--field-selector", "metadata.name=p", "-o", "name") == "pod/p\n"
    everything = kubectl("get", "all")
    for words in ("pod/p", "deployment.apps/d", "service.serving.knative.dev/hello"):
        assert words in everything
    assert "default" in kubectl("get", "ns")
    assert "tier=web" in kubectl("get", "pods", "--show-labels")
    assert "WEB" in kubectl("get", "pods", "-L", "tier").upper()
    assert kubectl("get", "pods", "--sort-by", "{.metadata.name}", "--no-headers").count("\n") == 2
    assert kubectl("get", "pods", "--chunk-size", "1", "--no-headers").count("\n") == 2
    assert 'pods "absent" not found' in kubectl.refused("get", "pod", "absent")


def test_describe_and_explain(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(*EVERYTHING))
    assert re.search(r"Timeout Seconds: +300", kubectl("describe", "ksvc", "hello"))
    assert "Image:        relight/predictor" in kubectl("describe", "pod", "p")
    assert "1 desired" in kubectl("describe", "deployment", "d")
    assert "latestRevision" in kubectl("explain", "ksvc.spec.traffic")
    assert "containerConcurrency" in kubectl("explain", "ksvc", "--recursive")
    probe = kubectl("explain", "ksvc.spec.template.spec.containers.readinessProbe")
    assert "Whether the container can take requests" in probe
    assert "tcpSocket" in probe
    assert "One variable" in kubectl("explain", "pod.spec.containers.env")
    assert "How many Pods" in kubectl("explain", "deployment.spec.replicas")
    assert "FIELDS" in kubectl("explain", "deployment")
    assert "annotations" in kubectl("explain", "pod.metadata")


def test_every_kind_of_patch(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(*EVERYTHING))
    merge = '{"spec":{"template":{"spec":{"containerConcurrency":5}}}}'
    kubectl("patch", "ksvc", "hello", "--type", "merge", "-p", merge)
    operations = '[{"op":"test","path":"/spec/template/spec/containerConcurrency","value":5}]'
    kubectl("patch", "ksvc", "hello", "--type", "json", "-p", operations)
    strategic = '{"spec":{"template":{"spec":{"containers":[{"name":"c","args":["x"]}]}}}}'
    kubectl("patch", "deployment", "d", "-p", strategic)
    (container,) = kubectl.get("deploy", "d")["spec"]["template"]["spec"]["containers"]
    assert container == {"name": "c", "image": "relight/predictor", "args": ["x"]}
    assert "is not supported" in kubectl.refused(
        "patch", "ksvc", "hello", "--type", "strategic", "-p", merge
    )
    status = '{"status":{"url":"http://x"}}'
    kubectl("patch", "ksvc", "hello", "--subresource=status", "--type", "merge", "-p", status)
    found = kubectl.get("ksvc", "hello")
    assert (found["status"], found["metadata"]["generation"]) == ({"url": "http://x"}, 2)


def test_edits_in_place(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(*EVERYTHING))
    kubectl("label", "pod", "p", "a=b")
    kubectl("annotate", "ksvc", "hello", "example.com/x=y")
    kubectl("scale", "deployment", "d", "--replicas", "3")
    kubectl("set", "image", "deployment/d", "c=other")
    kubectl("set", "env", "deployment/d", "A=1", "B=2")
    kubectl("set", "env", "deployment/d", "A-")
    found = kubectl.get("deployment", "d")["spec"]
    assert found["replicas"] == 3
    assert found["template"]["spec"]["containers"] == [
        {"name": "c", "image": "other", "env": [{"name": "B", "value": "2"}]}
    ]
    kubectl("label", "pod", "p", "a-")
    assert "labels" not in kubectl.get("pod", "p")["metadata"]
    script = kubectl.folder / "editor"
    script.write_text("#!/bin/sh\nsed -i 's/replicas: 3/replicas: 4/' \"$1\"\n")
    script.chmod(0o755)
    kubectl._environment["KUBE_EDITOR"] = str(script)
    assert "edited" in kubectl("edit", "deployment", "d")
    assert kubectl.get("deployment", "d")["spec"]["replicas"] == 4


def test_watching_and_waiting(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(service()))
    with (
        kubectl.start("get", "ksvc", "-w") as watch,
        kubectl.start(
            "wait", "--for=condition=Ready", "ksvc/hello", f"--timeout={DEADLINE_S:.0f}s"
        ) as wait,
    ):
        assert watch.stdout is not None
        assert wait.stdout is not None
        assert "READY" in watch.stdout.readline()
        assert watch.stdout.readline().startswith("hello")
        status = '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
        kubectl("patch", "ksvc", "hello", "--subresource=status", "--type=merge", "-p", status)
        assert "True" in watch.stdout.readline()
        assert "condition met" in wait.stdout.readline()
        assert wait.wait(DEADLINE_S) == 0
        watch.kill()


def test_deleting(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(*EVERYTHING, pod("a", labels={"tier": "db"}), pod("b")))
    kubectl("delete", "pod", "p")
    kubectl("delete", "pods", "-l", "tier=db")
    assert kubectl("get", "pods", "-o", "name") == "pod/b\n"
    kubectl("delete", "pods", "--all")
    kubectl("wait", "--for=delete", "pod/b", "--timeout=5s")
    kubectl("delete", "-f", kubectl.write(service(), deployment(), namespace("team")))
    assert "No resources found" in kubectl.run("get", "all", "-A").stderr
    assert 'pods "p" not found' in kubectl.refused("delete", "pod", "p")
    assert "may not be deleted" in kubectl.refused("delete", "ns", "default")


def test_a_running_pod_is_waited_for(kubectl: Kubectl) -> None:
    owner = kubectl.api.do(lambda api: api.create(PODS, None, pod("owner"), WriteOptions()))
    kubectl("apply", "-f", kubectl.write(pod(ownerReferences=[owned_by(owner)])))
    kubectl("patch", "pod", "p", "--subresource=status", "-p", '{"status":{"phase":"Running"}}')
    with (
        kubectl.start("delete", "pod", "p") as deleting,
        # Of a list: of one object by name kubectl drops the first event, which may be the one.
        kubectl.start("get", "pods", "-w", "--no-headers") as watching,
    ):
        assert watching.stdout is not None
        for line in watching.stdout:
            if line.startswith("p ") and "Terminating" in line:
                break
        assert deleting.poll() is None
        kubectl.run("delete", "pod", "p", "--grace-period=0", "--force")
        assert deleting.wait(DEADLINE_S) == 0
        watching.kill()


def test_logs(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(pod()))

    def asked(*words: str) -> str:
        return kubectl("logs", "p", *words)

    assert "tail_lines=None" in asked()
    assert "'follow', True" in asked("-f", "--tail=5")
    assert "tail_lines=5" in asked("-f", "--tail=5")
    assert "previous=True" in asked("-c", "c", "--previous")
    assert asked("--limit-bytes=3") == "log"
    assert "timestamps=True" in asked("--timestamps")
    assert "since_s=1" in asked("--since=5m")
    assert "since_s=1767225600.0" in asked("--since-time=2026-01-01T00:00:00Z")
    assert asked("--all-containers", "--prefix").startswith("[pod/p/c] log of p")
    kubectl("label", "pod", "p", "app=x")
    assert "log of p" in kubectl("logs", "-l", "app=x")
    assert "not valid for pod p" in kubectl.refused("logs", "p", "-c", "x")


def test_events(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(pod()))
    uid = kubectl.get("pod", "p")["metadata"]["uid"]
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "p.1", "namespace": "default"},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": "p",
            "namespace": "default",
            "uid": uid,
        },
        "type": "Warning",
        "reason": "BackOff",
        "message": "it ended",
        "source": {"component": "kubelet"},
        "firstTimestamp": "2026-11-22T21:00:00Z",
        "lastTimestamp": "2026-11-22T21:00:00Z",
        "count": 1,
    }
    kubectl("create", "-f", kubectl.write(event))
    assert "pod/p" in kubectl("get", "events")
    assert "BackOff" in kubectl("describe", "pod", "p")
    assert "BackOff" in kubectl("events", "--for", "pod/p")


def test_what_is_wrong_is_told(kubectl: Kubectl) -> None:
    bad = service(containerConcurrency=-1)
    assert (
        'admission webhook "validation.webhook.serving.knative.dev" denied the request: '
        "validation failed: expected 0 <= -1 <= 1000: spec.template.spec.containerConcurrency"
    ) in kubectl.refused("apply", "-f", kubectl.write(bad))
    slipped = pod() | {"speck": {}}
    assert 'unknown field "speck"' in kubectl.refused("apply", "-f", kubectl.write(slipped))
    assert 'unknown field "speck"' in kubectl.refused("create", "-f", kubectl.write(slipped))
    lost = pod(namespace="nowhere")
    assert 'namespaces "nowhere" not found' in kubectl.refused("create", "-f", kubectl.write(lost))
    assert "Invalid value" in kubectl.refused("create", "-f", kubectl.write(pod("Not_A_Name")))
    assert kubectl("apply", "--dry-run=server", "-f", kubectl.write(pod())).count("dry run") == 1
    assert kubectl("get", "pods", "-o", "name") == ""
