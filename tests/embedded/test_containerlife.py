"""Containers as real processes: init containers, sidecars, probes, what they are told and say."""

from pathlib import Path
from typing import Any

from api.conditions import find
from api.kinds import CONFIGMAPS, EVENTS, PODS
from api.modelcode import pin_code
from api.modeldigests import pin
from embedded.capabilities import Machine as Abilities
from embedded.security import Owner
from tests.embedded.machine import FAHRENHEIT, IS_ROOT, Machine, running
from tests.users import IS_OPEN, another_user
from wire import folders

# Serves on $PORT: GET /fail makes every later answer 500, anything else says what it is.
SERVER = """
import http.server, os, sys
state = {"code": 200}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/fail":
            state["code"] = 500
        body = os.environ.get("SAY", "").encode()
        self.send_response(200 if self.path == "/fail" else state["code"])
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def program(name: str, script: str, **container: Any) -> dict[str, Any]:
    return {"name": name, "image": "x", "command": ["python3", "-c", script], **container}


def shell(name: str, script: str, **container: Any) -> dict[str, Any]:
    return {"name": name, "image": "x", "command": ["sh", "-c", script], **container}


async def create(machine: Machine, *containers: dict[str, Any], **spec: Any) -> None:
    labels = spec.pop("labels", {})
    made = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default", "labels": labels},
        "spec": {"containers": list(containers), **spec},
        "status": {"phase": "Pending"},
    }
    await machine.client.create(PODS, made)


async def status(machine: Machine, container: str) -> dict[str, Any]:
    found = (await machine.pod("p")).get("status") or {}
    every = [*found.get("initContainerStatuses", ()), *found.get("containerStatuses", ())]
    return next((dict(each) for each in every if each["name"] == container), {})


async def until_ready(machine: Machine) -> dict[str, Any]:
    async def is_ready() -> bool:
        fact = find(await machine.pod("p"), "Ready")
        return fact is not None and fact.status == "True"

    await machine.until(is_ready)
    return await machine.pod("p")


async def until_waiting(machine: Machine, container: str, reason: str) -> str:
    async def is_waiting() -> bool:
        state = (await status(machine, container)).get("state") or {}
        return bool(state.get("waiting", {}).get("reason") == reason)

    await machine.until(is_waiting)
    return str((await status(machine, container))["state"]["waiting"].get("message", ""))


async def log_of(machine: Machine, container: str) -> str:
    pieces = [piece async for piece in machine.kubelet.logs("default", "p", container=container)]
    return b"".join(pieces).decode()


async def until_said(machine: Machine, reason: str, words: str) -> None:
    async def is_said() -> bool:
        found = (await machine.client.list(EVENTS, "default")).items
        return any(each["reason"] == reason and words in each["message"] for each in found)

    await machine.until(is_said)


async def test_containers_share_a_directory_that_an_init_container_filled() -> None:
    mounts = [{"name": "shared", "mountPath": "/srv/handed/over"}]
    reader = "cat /srv/handed/over/words; test -e /etc/passwd && echo host; sleep 600"
    async with running() as machine:
        await create(
            machine,
            program("main", SERVER, volumeMounts=mounts),
            shell("beside", reader, volumeMounts=mounts),
            initContainers=[
                shell("first", "echo one > /srv/handed/over/words", volumeMounts=mounts),
                shell("second", "echo two >> /srv/handed/over/words", volumeMounts=mounts),
            ],
            volumes=[{"name": "shared", "emptyDir": {}}],
        )
        pod = await until_ready(machine)
        firsts = pod["status"]["initContainerStatuses"]
        assert [each["state"]["terminated"]["reason"] for each in firsts] == ["Completed"] * 2
        assert [each["ready"] for each in pod["status"]["containerStatuses"]] == [True, True]

        async def is_read() -> bool:
            return await log_of(machine, "beside") == "one\ntwo\nhost\n"

        await machine.until(is_read)
        assert (await machine.ask("p", "/")).startswith(b"HTTP/1.0 200")


async def test_an_init_container_that_fails_says_why_and_is_tried_again() -> None:
    async with running() as machine:
        first = shell("first", "echo no licence; exit 3")
        await create(machine, program("main", SERVER), initContainers=[first])
        message = await until_waiting(machine, "first", "CrashLoopBackOff")
        assert "container=first pod=p_default" in message
        pod = await machine.pod("p")
        told = pod["status"]["initContainerStatuses"][0]
        assert told["lastState"]["terminated"]["exitCode"] == 3
        assert told["lastState"]["terminated"]["message"] == "no licence"
        assert pod["status"]["phase"] == "Pending"
        initialized = find(pod, "Initialized")
        assert initialized is not None
        assert initialized.message == "containers with incomplete status: [first]"
        assert "waiting" in pod["status"]["containerStatuses"][0]["state"]


async def test_a_liveness_probe_that_fails_restarts_its_container_alone() -> None:
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1, "failureThreshold": 1}
    main = program(
        "main",
        SERVER,
        startupProbe={"tcpSocket": {"port": 80}, "periodSeconds": 1, "failureThreshold": 30},
        livenessProbe=probe,
        ports=[{"containerPort": 80}],
    )
    async with running() as machine:
        await create(machine, main, shell("beside", "sleep 600"))
        await until_ready(machine)
        await machine.ask("p", "/fail")

        async def is_restarted() -> bool:
            return (await status(machine, "main")).get("restartCount") == 1

        await machine.until(is_restarted)
        await until_said(machine, "Unhealthy", "Liveness probe failed: HTTP probe failed with")
        await until_said(machine, "Killing", "Container main failed liveness probe, will be")
        await until_ready(machine)
        assert (await status(machine, "beside"))["restartCount"] == 0


async def test_requests_are_sent_only_while_a_readiness_probe_of_ones_own_succeeds() -> None:
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1, "failureThreshold": 1}
    async with running() as machine:
        await create(
            machine, program("main", SERVER, readinessProbe=probe, ports=[{"containerPort": 80}])
        )
        ready = await until_ready(machine)
        assert "relight.dev/endpoint" in ready["metadata"]["annotations"]
        await machine.ask("p", "/fail")

        async def is_withdrawn() -> bool:
            pod = await machine.pod("p")
            return "relight.dev/endpoint" not in (pod["metadata"].get("annotations") or {})

        await machine.until(is_withdrawn)
        assert (await status(machine, "main"))["ready"] is False


async def test_exec_probes_see_what_the_container_sees() -> None:
    probe = {"exec": {"command": ["test", "-e", "/srv/mine/up"]}, "periodSeconds": 1}
    script = (
        "sleep 0.1; touch /srv/mine/up; " + "exec python3 -c '" + SERVER.replace("'", '"') + "'"
    )
    async with running() as machine:
        await create(
            machine,
            shell(
                "main",
                script,
                startupProbe=probe | {"failureThreshold": 30},
                readinessProbe=probe,
                volumeMounts=[{"name": "v", "mountPath": "/srv/mine"}],
            ),
            volumes=[{"name": "v", "emptyDir": {"medium": "Memory"}}],
        )
        await until_ready(machine)
        assert (await status(machine, "main"))["started"] is True


async def test_configuration_reaches_environment_and_files_and_follows_changes() -> None:
    script = "echo $GREETING $LOUD $WHO; cat /srv/conf/a; while ! grep -q new /srv/conf/a; do " + (
        "sleep 0.01; done; echo changed; sleep 600"
    )
    container = shell(
        "main",
        script,
        env=[
            {
                "name": "GREETING",
                "valueFrom": {"configMapKeyRef": {"name": "words", "key": "greeting"}},
            },
            {"name": "LOUD", "value": "$(GREETING)!"},
            {"name": "WHO", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        envFrom=[{"prefix": "S_", "secretRef": {"name": "hidden", "optional": True}}],
        volumeMounts=[{"name": "conf", "mountPath": "/srv/conf"}],
    )
    async with running() as machine:
        await create(
            machine,
            program("serving", SERVER, ports=[{"containerPort": 80}]),
            container,
            volumes=[{"name": "conf", "configMap": {"name": "words"}}],
        )
        message = await until_waiting(machine, "main", "ContainerCreating")
        assert message.endswith('volume "conf" : configmap "words" not found')
        words = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "words", "namespace": "default"},
            "data": {"a": "old\n"},
        }
        await machine.client.create(CONFIGMAPS, words)
        message = await until_waiting(machine, "main", "CreateContainerConfigError")
        assert message == "couldn't find key greeting in ConfigMap default/words"
        data = {"data": {"greeting": "hello"}}
        await machine.client.patch(CONFIGMAPS, "default", "words", data)
        await until_ready(machine)

        async def until_said(text: str) -> None:
            async def has_said() -> bool:
                return await log_of(machine, "main") == text

            await machine.until(has_said)

        await until_said("hello hello! p\nold\n")
        await machine.client.patch(CONFIGMAPS, "default", "words", {"data": {"a": "new\n"}})
        await until_said("hello hello! p\nold\nchanged\n")


@another_user
async def test_a_root_that_is_read_only_and_another_user() -> None:
    script = "id -u; id -g; id -G; echo again >> /dev/stdout; touch /srv/x 2>&1; "
    script += "touch /srv/data/x && echo may; sleep 600"
    async with running() as machine:
        await create(
            machine,
            shell(
                "main",
                script,
                securityContext={"readOnlyRootFilesystem": True, "runAsUser": 2020},
                volumeMounts=[{"name": "data", "mountPath": "/srv/data"}],
            ),
            shell("beside", "id -u; sleep 600"),
            securityContext={"fsGroup": 3030},
            volumes=[{"name": "data", "emptyDir": {}}],
        )

        async def is_written() -> bool:
            if not await status(machine, "main"):
                return False
            return "may" in await log_of(machine, "main")

        await machine.until(is_written)
        lines = (await log_of(machine, "main")).splitlines()
        assert lines[:4] == ["2020", "0", "0 3030", "again"]
        assert "Read-only file system" in lines[4]


async def test_a_pod_adds_names_of_hosts() -> None:
    aliases = [{"ip": "10.1.2.3", "hostnames": ["model.example", "m"]}]
    async with running() as machine:
        await create(
            machine,
            shell("main", "getent hosts m; grep -c localhost /etc/hosts; sleep 600"),
            hostAliases=aliases,
        )

        async def is_known() -> bool:
            if not await status(machine, "main"):
                return False
            first, _, rest = (await log_of(machine, "main")).partition("\n")
            return first.split() == ["10.1.2.3", "model.example", "m"] and rest.strip().isdigit()

        await machine.until(is_known)


async def test_a_predictor_mounts_too() -> None:
    async with running() as machine:
        await machine.create_pod(
            "p",
            volumeMounts=[{"name": "v", "mountPath": "/srv/v"}],
            securityContext={"runAsUser": 2020} if IS_ROOT and IS_OPEN else {},
            spec={"volumes": [{"name": "v", "emptyDir": {}}]},
        )
        await machine.until_ready("p")
        assert (await machine.ask("p")).startswith(b"HTTP/1.1 200")


async def test_last_words_are_read_from_their_file() -> None:
    script = "echo in the log; echo in the file > /srv/last/words; exit 4"
    container = shell("main", script, terminationMessagePath="/srv/last/words")
    async with running() as machine:
        await create(machine, container)
        await until_waiting(machine, "main", "CrashLoopBackOff")
        ended = (await status(machine, "main"))["lastState"]["terminated"]
        assert (ended["exitCode"], ended["message"]) == (4, "in the file\n")


async def test_a_pod_that_shall_not_be_started_again_ends() -> None:
    async with running() as machine:
        await create(machine, shell("main", "exit 0"), restartPolicy="OnFailure")

        async def has_ended() -> bool:
            found = (await machine.pod("p")).get("status") or {}
            return bool(found.get("phase") == "Succeeded")

        await machine.until(has_ended)
        assert (await status(machine, "main"))["state"]["terminated"]["reason"] == "Completed"


async def test_what_a_process_can_not_do_is_refused_by_path() -> None:
    async with running() as machine:
        await create(machine, program("main", SERVER), runtimeClassName="gvisor", hostname="x")
        message = await until_waiting(machine, "main", "InvalidPod")
        assert "spec.runtimeClassName: not served on one machine: " in message
        assert "spec.hostname" in message


async def test_a_predictor_is_probed_on_its_socket_beside_another_container() -> None:
    ready = {"httpGet": {"path": "/v2/health/ready", "port": 8080}, "periodSeconds": 1}
    predictor = {
        "name": "predictor",
        "image": "relight/predictor",
        "args": ["--model", str(FAHRENHEIT), "--model-name", "m"],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": ready,
        "livenessProbe": {"tcpSocket": {"port": 8080}},
    }
    async with running() as machine:
        await create(machine, shell("beside", "echo $RELIGHT_PORT_BESIDE; sleep 600"), predictor)
        pod = await until_ready(machine)
        assert pod["metadata"]["annotations"]["relight.dev/endpoint"].startswith("unix:")
        assert (await machine.ask("p")).startswith(b"HTTP/1.1 200")
        assert (await log_of(machine, "beside")).strip().isdigit()
        assert (await status(machine, "predictor"))["restartCount"] == 0


def predictor(*args: str) -> dict[str, Any]:
    return {"name": "predictor", "image": "relight/predictor", "args": list(args)}


async def run_pinned(machine: Machine, digest: str, *args: str) -> bytes:
    """What the model says of itself in a Pod pinned to a digest."""
    made = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "p",
            "namespace": "default",
            "annotations": {"relight.dev/model-digest": digest},
        },
        "spec": {"containers": [predictor(*args, "--model-name", "m")]},
        "status": {"phase": "Pending"},
    }
    await machine.client.create(PODS, made)
    await until_ready(machine)
    answer = await machine.ask("p", "/v2/models/m")
    await machine.client.delete(PODS, "default", "p")

    async def is_gone() -> bool:
        return not await machine.pods()

    await machine.until(is_gone)
    return answer


async def test_a_repository_is_rolled_back_with_its_settings(tmp_path: Path) -> None:
    top = tmp_path / "repository"
    (top / "1").mkdir(parents=True)
    (top / "1/model.onnx").write_bytes(FAHRENHEIT.read_bytes())
    config = top / "config.pbtxt"
    config.write_text("max_batch_size: 4 dynamic_batching { }")
    pinned = pin(*folders.of(top)).digest
    async with running() as machine:
        first = await run_pinned(machine, pinned, "--model", str(top))
        assert first.startswith(b"HTTP/1.1 200")
        assert pinned.encode() in first
        config.write_text("sequence_batching { }")  # which no replica starts with
        (top / "1/model.onnx").write_bytes(b"no model any more")
        again = await run_pinned(machine, pinned, "--model", str(top))
        assert again.startswith(b"HTTP/1.1 200")
        assert pinned.encode() in again


async def test_code_is_rolled_back_with_its_neighbours(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    code = """
from predictor.model import Model, Signature, TensorSpec
import tensors
class Mine(Model):
    def signature(self):
        return Signature(inputs=[TensorSpec(name=tensors.NAME, datatype="FP32", shape=())],
                         outputs=[])
    def predict(self, inputs):
        return inputs
"""
    file.write_text(code)
    (tmp_path / "tensors.py").write_text("NAME = 'first'")
    pinned = pin_code(*folders.of(file)).digest
    async with running() as machine:
        assert b'"first"' in await run_pinned(machine, pinned, "--python", f"{file}:Mine")
        (tmp_path / "tensors.py").write_text("NAME = 'second'")
        assert b'"first"' in await run_pinned(machine, pinned, "--python", f"{file}:Mine")
        newer = pin_code(*folders.of(file)).digest
        assert b'"second"' in await run_pinned(machine, newer, "--python", f"{file}:Mine")


async def test_everything_of_a_pod_ends_with_it() -> None:
    stubborn = "trap '' TERM; echo up; while :; do sleep 1; done"
    async with running() as machine:
        await create(
            machine,
            program("main", SERVER),
            shell("beside", stubborn),
            terminationGracePeriodSeconds=1,
        )
        await until_ready(machine)
        await machine.client.delete(PODS, "default", "p")

        async def is_gone() -> bool:
            return not await machine.pods()

        await machine.until(is_gone)
        assert machine.released == ["p"], "the activator lets go once, before any SIGTERM"
        assert not list((machine.folder / "pods").iterdir())


async def test_a_machine_that_can_mount_nothing_says_so() -> None:
    reason = "cannot make a mount namespace: Operation not permitted"
    async with running(machine=Abilities(owner=Owner(), no_mounts=reason)) as machine:
        mounts = [{"name": "v", "mountPath": "/v"}]
        container = program("main", SERVER, volumeMounts=mounts)
        await create(machine, container, volumes=[{"name": "v", "emptyDir": {}}])
        message = await until_waiting(machine, "main", "InvalidPod")
        assert message == f"spec.containers[0].volumeMounts: not served on one machine: {reason}"
