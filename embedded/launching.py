"""What to start for a container of a Pod: pure.

For: turning a container into a process's arguments.
Must not know: processes, sockets, files, clocks, or how objects are written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from api.images import is_predictor_image
from api.keys import ENV_PORT, MODEL_DIGEST, PREDICTOR_IMAGE
from api.modelfiles import FLAGS
from api.objects import Raw
from api.pods import serving_index
from embedded.environment import expanded

_CODE = "--python"  # a predictor's flag that names FILE.py:CLASS
_TRANSFORMER = "--transformer"  # another one

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
    transformer: str = ""  # FILE.py:CLASS of the --transformer flag


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


def launch_of(pod: Raw, container: Raw, env: Mapping[str, str]) -> Launch:
    """What to start for one container of a Pod, in that environment."""
    args = tuple(expanded(str(word), env) for word in container.get("args") or ())
    command = tuple(expanded(str(word), env) for word in container.get("command") or ())
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
    code = _flag(args, _CODE)
    around = _flag(args, _TRANSFORMER)
    return PredictorLaunch(
        args=args, env=env, model=model, code=code, digest=digest, transformer=around
    )


def is_mounted(path: str, container: Raw) -> bool:
    """Whether a file is one of a volume's, which only the process itself can see."""
    targets = (str(mount["mountPath"]) for mount in container.get("volumeMounts") or ())
    return any(PurePosixPath(path).is_relative_to(target) for target in targets)


def sidecar_ports(spec: Raw) -> dict[str, int]:
    """The ports that containers beside the serving one insist on, by their names.

    Others know them by number, so they are kept: no two such Pods run at a time.
    """
    serving = serving_index(spec.get("containers") or ())
    found: dict[str, int] = {}
    for at, container in enumerate(spec.get("containers") or ()):
        for entry in container.get("env") or ():
            if at != serving and entry.get("name") == ENV_PORT and entry.get("value"):
                text = str(entry["value"])
                found[str(container["name"])] = int(text) if text.isdigit() else 0
    return {name: port for name, port in found.items() if port}


def has_default_readiness(container: Raw, *, is_knative: bool) -> bool:
    """Whether to be ready means no more than to listen on its own port, or to say so.

    That needs no probe of ours: what `PREDICTOR_IMAGE` reports, and one connection, are as good.
    """
    probe = container.get("readinessProbe")
    if not probe:
        return True
    if not is_knative or probe.get("initialDelaySeconds"):
        return False
    ports = container.get("ports") or [{}]
    own = (None, 0, "", ports[0].get("containerPort"), ports[0].get("name"))
    if probe.get("tcpSocket") is not None:
        return probe["tcpSocket"].get("port") in own
    http = probe.get("httpGet") or {}
    is_ours = not container.get("command") and is_predictor_image(container.get("image", ""))
    return is_ours and http.get("path") == "/v2/health/ready" and http.get("port") in own


def _flag(args: Sequence[str], flag: str) -> str:
    """The value of a flag in either spelling, `--flag value` or `--flag=value`; else ""."""
    for index, arg in enumerate(args):
        if arg == flag and index + 1 < len(args):
            return args[index + 1]
        if arg.startswith(f"{flag}="):
            return arg.removeprefix(f"{flag}=")
    return ""


def with_model(args: Sequence[str], path: str) -> tuple[str, ...]:
    """The same arguments with another path of the model, or of the file with its class."""
    return _with(args, (*FLAGS, _CODE), path)


def with_transformer(args: Sequence[str], path: str) -> tuple[str, ...]:
    """The same arguments with another path of the transformer's file."""
    return _with(args, (_TRANSFORMER,), path)


def _with(args: Sequence[str], flags: Sequence[str], path: str) -> tuple[str, ...]:
    replaced = list(args)
    for index, arg in enumerate(args):
        name, equals, value = arg.partition("=")
        if name in flags and equals:
            replaced[index] = f"{name}={_repointed(name, value, path)}"
        elif name in flags and index + 1 < len(replaced):
            replaced[index + 1] = _repointed(name, args[index + 1], path)
    return tuple(replaced)


def _repointed(flag: str, value: str, path: str) -> str:
    return f"{path}:{value.rpartition(':')[2]}" if flag in (_CODE, _TRANSFORMER) else path


def backoff_s(restarts: int) -> float:
    """Seconds to wait before the next start of a container that ended `restarts` times."""
    return min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2.0 ** max(0, min(restarts, 10) - 1))
