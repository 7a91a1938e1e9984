"""What to start for a Pod, and what to say of it: pure.

For: turning a Pod into a process's arguments, and a process's fate into a Pod's status.
Must not know: processes, sockets, files, clocks, or how objects are written.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.conditions import Condition, merge
from api.images import is_predictor_image
from api.keys import ENV_PORT, MODEL_DIGEST, PREDICTOR_IMAGE
from api.modelfiles import FLAGS
from api.objects import Raw

_UNSERVED_OF_PODS = ("initContainers", "volumes", "nodeSelector", "affinity")
_UNSERVED_OF_CONTAINERS = (
    "envFrom",
    "lifecycle",
    "livenessProbe",
    "startupProbe",
    "volumeMounts",
    "workingDir",
)
# Kubernetes: 10 s doubling to 300 s. On a laptop the person who mends the model is waiting.
BACKOFF_FIRST_S = 1.0
BACKOFF_MAX_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorLaunch:
    """Fork our predictor from the zygote."""

    args: tuple[str, ...]
    env: Mapping[str, str]
    model: str  # path or URI of the --model flag, or ""
    code: str  # FILE.py:CLASS of the --python flag, or ""
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLaunch:
    """Run a command of the user's that listens on $PORT."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """This machine can not run the Pod; the words are Kubernetes' waiting reason and message."""

    reason: str
    message: str


Launch = PredictorLaunch | CommandLaunch | Refusal


def launch_of(pod: Raw) -> Launch:
    """What to start for a Pod."""
    containers: Sequence[Raw] = pod["spec"].get("containers") or ()
    if len(containers) != 1:
        return Refusal(
            reason="InvalidPod",
            message=f"spec.containers: {len(containers)} containers; one machine runs exactly one",
        )
    container = containers[0]
    unserved = _unserved(pod["spec"], container)
    if unserved:
        return Refusal(
            reason="InvalidPod", message=f"{', '.join(unserved)}: not served on one machine"
        )
    env = {entry["name"]: str(entry.get("value", "")) for entry in container.get("env") or ()}
    args = tuple(container.get("args") or ())
    command = tuple(container.get("command") or ())
    if command:
        return CommandLaunch(argv=command + args, env=env)
    image = container.get("image", "")
    if not is_predictor_image(image):
        return Refusal(
            reason="ErrImageNeverPull",
            message=f'image "{image}" can not be pulled on one machine: set command to run a '
            f"local process that listens on $PORT, or use {PREDICTOR_IMAGE}",
        )
    digest = (pod["metadata"].get("annotations") or {}).get(MODEL_DIGEST, "")
    model = next(filter(None, (_flag(args, flag) for flag in FLAGS)), "")
    code = _flag(args, "--python")
    return PredictorLaunch(args=args, env=env, model=model, code=code, digest=digest)


def _unserved(spec: Raw, container: Raw) -> list[str]:
    """Paths of fields that would change what runs, and that this machine can not honour.

    Admission refuses them on a Revision; a Pod or Deployment of the user's own may have them.
    """
    found = [f"spec.{name}" for name in _UNSERVED_OF_PODS if spec.get(name)]
    if spec.get("restartPolicy", "Always") != "Always":
        found.append("spec.restartPolicy")
    path = "spec.containers[0]"
    found += [f"{path}.{name}" for name in _UNSERVED_OF_CONTAINERS if container.get(name)]
    env = enumerate(container.get("env") or ())
    return found + [f"{path}.env[{at}].valueFrom" for at, entry in env if entry.get("valueFrom")]


def _flag(args: Sequence[str], flag: str) -> str:
    """The value of a flag in either spelling, `--flag value` or `--flag=value`; else ""."""
    for index, arg in enumerate(args):
        if arg == flag and index + 1 < len(args):
            return args[index + 1]
        if arg.startswith(f"{flag}="):
            return arg.removeprefix(f"{flag}=")
    return ""


def with_model(args: Sequence[str], path: str) -> tuple[str, ...]:
    """The same arguments with another model path."""
    replaced = list(args)
    for index, arg in enumerate(args):
        name, equals, _ = arg.partition("=")
        if name in FLAGS and equals:
            replaced[index] = f"{name}={path}"
        elif name in FLAGS and index + 1 < len(replaced):
            replaced[index + 1] = path
    return tuple(replaced)


def with_port(launch: CommandLaunch, port: int) -> CommandLaunch:
    """The same command on another port, since replicas share one machine's ports.

    `$(NAME)` in it becomes the variable's value and `$$(NAME)` stays as `$(NAME)`, as Kubernetes
    expands `command` and `args`.
    """
    env = {**launch.env, ENV_PORT: str(port)}
    return CommandLaunch(argv=tuple(_expand(word, env) for word in launch.argv), env=env)


def _expand(word: str, env: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        if found[0].startswith("$$"):
            return found[0][1:]
        return env.get(found[1], found[0])  # an unknown name stays as it is written

    return re.sub(r"\$?\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)", value, word)


def backoff_s(restarts: int) -> float:
    """Seconds to wait before the next start of a container that ended `restarts` times."""
    return min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2.0 ** max(0, min(restarts, 10) - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerFate:
    """What is known of a Pod's one container. Times are RFC 3339."""

    state: Mapping[str, Any]  # {"running": …} | {"waiting": …} | {"terminated": …}
    last_state: Mapping[str, Any]
    restarts: int = 0
    is_ready: bool = False


def running(started_at: str) -> dict[str, Any]:
    """The state of a container whose process exists."""
    return {"running": {"startedAt": started_at}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    """The state of a container whose process does not exist yet."""
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def terminated(code: int | None, signal: int | None, message: str, at: str) -> dict[str, Any]:
    """The state of a container whose process ended. A signal reads as 128 + its number."""
    exit_code = code if code is not None else 128 + (signal or 0)
    fact: dict[str, Any] = {
        "exitCode": exit_code,
        "reason": "Completed" if exit_code == 0 else "Error",
        "finishedAt": at,
    }
    if signal:
        fact["signal"] = signal
    if message:
        fact["message"] = message
    return {"terminated": fact}


def pod_status(pod: Raw, fate: ContainerFate, *, now: str) -> dict[str, Any]:
    """The whole `status` of a Pod with that container."""
    container: Raw = next(iter(pod["spec"].get("containers") or ()), {"name": "", "image": ""})
    previous = pod.get("status") or {}
    is_started = "running" in fate.state
    conditions = merge(previous.get("conditions") or (), _conditions(fate), now=now)
    return {
        "phase": "Running" if is_started or fate.restarts else "Pending",
        "startTime": previous.get("startTime") or now,
        "podIP": "127.0.0.1",
        "hostIP": "127.0.0.1",
        "qosClass": "BestEffort",
        "conditions": conditions,
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container.get("image", ""),
                "imageID": "",
                "ready": fate.is_ready,
                "started": is_started,
                "restartCount": fate.restarts,
                "state": dict(fate.state),
                "lastState": dict(fate.last_state),
            }
        ],
    }


def _conditions(fate: ContainerFate) -> list[Condition]:
    serving = "True" if fate.is_ready else "False"
    reason = "" if fate.is_ready else "ContainersNotReady"
    return [
        Condition(type="PodScheduled", status="True"),
        Condition(type="Initialized", status="True"),
        Condition(type="ContainersReady", status=serving, reason=reason),
        Condition(type="Ready", status=serving, reason=reason),
    ]


def unschedulable_status(pod: Raw, message: str, *, now: str) -> dict[str, Any]:
    """The status of a Pod for which this machine has no room."""
    previous = (pod.get("status") or {}).get("conditions") or ()
    fact = Condition(type="PodScheduled", status="False", reason="Unschedulable", message=message)
    return {"phase": "Pending", "conditions": merge(previous, (fact,), now=now)}
