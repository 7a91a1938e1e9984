"""What our predictor needs of a Pod on a cluster: an image, a cache, and a step that has the model.

For: replicas of `relight/predictor`, and the Pod that pins their Revision: one cache, one step.
Must not know: Deployments, how a model is fetched, or what became of a Pod.

The cache is a folder on the node, kept apart by namespace and by who may have written it: see
docs/decisions/0026. What a container's user wrote counts before anything that is filled in here.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api import keys, pool
from api.images import repository
from api.naming import child_name
from api.objects import Raw
from api.storage_uris import is_fetched
from controller.pinning import ModelFile, fetched_model, flag_of, model_file

STEP = "relight-model"
CACHE_VOLUME = "relight-cache"
CACHE_PATH = "/var/cache/relight"
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - of the Pod
TERMINATION_LOG = "/dev/termination-log"
_CACHE_FLAG = "--cache-dir"
_LIMIT_FLAG = "--fetched-bytes-max"
# Fetching copies in chunks; reading to compare costs memory that the kernel takes back.
_RESOURCES: Mapping[str, Any] = {
    "requests": {"cpu": "25m", "memory": "64Mi"},
    "limits": {"memory": "1Gi"},
}
_NOT_OF_STEPS = frozenset(
    {
        *("ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"),
        *("stdin", "stdinOnce", "tty", "restartPolicy", "terminationMessagePath"),
    }
)
# What our own image can do with; "restricted" of the Pod Security Standards asks for it.
_SECURE: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorPods:
    """What whoever runs a cluster says of the predictor's Pods there."""

    image: str = ""  # what `relight/predictor` without tag and digest means; "": itself
    node_cache: str = ""  # a folder of each node; "": each Pod has a cache of its own
    cache_limit: str = "50Gi"  # of a cache of a Pod's own
    linger_s: int = 0  # told to end, it serves on for so long: Services lead to it (publishing)


def is_plain(image: str) -> bool:
    """Whether an image leaves to the platform which predictor runs."""
    return image == keys.PREDICTOR_IMAGE


def resolved(spec: Raw, pods: PredictorPods) -> dict[str, Any]:
    """A Pod's spec with images that a registry has, our own with the rights they can do without."""
    result = dict(spec)
    for group in ("containers", "initContainers"):
        if group in spec:
            result[group] = [_resolved(each, spec, pods) for each in spec[group]]
    return result


def _resolved(container: Raw, spec: Raw, pods: PredictorPods) -> dict[str, Any]:
    if not is_plain(str(container.get("image", ""))):
        return dict(container)
    above = spec.get("securityContext") or {}
    given = container.get("securityContext") or {}
    secure = {name: each for name, each in _SECURE.items() if name not in above}
    if given.get("runAsUser", above.get("runAsUser")) == 0:
        secure.pop("runAsNonRoot", None)
    image = pods.image or keys.PREDICTOR_IMAGE
    return {**container, "image": image, "securityContext": {**secure, **given}}


def fitted(spec: Raw, serving: int, digest: str, namespace: str, pods: PredictorPods) -> Raw:
    """A Pod's spec whose serving container is our predictor; `digest` is its model's, or ""."""
    containers = [dict(each) for each in spec["containers"]]
    starting = list(spec.get("initContainers") or ())
    own = containers[serving]
    cached = with_cache(own, spec, namespace, pods)
    env = _with(cached.container.get("env") or (), keys.ENV_HOST, ANY_ADDRESS)
    if pods.linger_s:
        env = _with(env, keys.ENV_LINGER_S, str(pods.linger_s))
    containers[serving] = {**cached.container, "env": env}
    result = {**spec, "containers": containers, "volumes": cached.volumes}
    grace_s = spec.get("terminationGracePeriodSeconds")
    if pods.linger_s and isinstance(grace_s, int):
        result["terminationGracePeriodSeconds"] = grace_s + pods.linger_s
    asked = model_of(own)
    if digest and asked is not None:
        taken = {str(each.get("name")) for each in (*containers, *starting)}
        first = step(cached.container, asked, name=_free(STEP, taken), digest=digest)
        result["initContainers"] = [*starting, first]
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """A container that has a cache, and the volumes of its Pod."""

    container: dict[str, Any]
    volumes: list[Any]


def with_cache(container: Raw, spec: Raw, namespace: str, pods: PredictorPods) -> Cached:
    """A container with the cache mounted, unless its user has one: by a flag or a variable."""
    volumes = list(spec.get("volumes") or ())
    args = [str(arg) for arg in container.get("args") or ()]
    names = {each.get("name") for each in container.get("env") or ()}
    if flag_of(args, _CACHE_FLAG) or keys.ENV_CACHE in names:
        return Cached(container=dict(container), volumes=volumes)
    name = _free(CACHE_VOLUME, {str(each.get("name")) for each in volumes})
    mount: dict[str, Any] = {"name": name, "mountPath": CACHE_PATH}
    if pods.node_cache:
        source: dict[str, Any] = {"hostPath": {"path": pods.node_cache, "type": "Directory"}}
        mount["subPath"] = f"{namespace}/{_writer(container, spec, pods)}"
    else:
        source = {"emptyDir": {"sizeLimit": pods.cache_limit} if pods.cache_limit else {}}
    made = {
        **container,
        "env": _with(container.get("env") or (), keys.ENV_CACHE, CACHE_PATH),
        "volumeMounts": [*(container.get("volumeMounts") or ()), mount],
    }
    return Cached(container=made, volumes=[*volumes, {"name": name, **source}])


def model_of(container: Mapping[str, Any]) -> ModelFile | None:
    """The model that a step has ready; None where there is none or what is named is refused."""
    uri = fetched_model(container)
    if uri:
        return ModelFile(path=uri)
    args = [str(arg) for arg in container.get("args") or ()]
    if flag_of(args, "--repository"):
        return None
    found = model_file(container)
    return found if isinstance(found, ModelFile) else None


def step(
    container: Raw, asked: ModelFile, *, name: str, digest: str = "", form: str = "text"
) -> dict[str, Any]:
    """The container that has a serving container's model ready, with all that that one sees."""
    given = [str(arg) for arg in container.get("args") or ()]
    args = ["--python" if asked.is_code else "--model", asked.path]
    if asked.transformer:
        args += ["--transformer", asked.transformer]
    for flag, own in ((_CACHE_FLAG, "--cache"), (_LIMIT_FLAG, "--max-cache-bytes")):
        if value := flag_of(given, flag):
            args += [own, value]
    if digest:
        args += ["--digest", digest]
    args += ["--report", TERMINATION_LOG, "--form", form]
    kept = {key: each for key, each in container.items() if key not in _NOT_OF_STEPS}
    return {
        **kept,
        "name": name,
        "command": list(pool.MODEL_STEP_COMMAND),
        "args": args,
        "resources": dict(_RESOURCES),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def is_remote(asked: ModelFile) -> bool:
    """Whether the model comes from elsewhere."""
    return is_fetched(asked.path)


def _writer(container: Raw, spec: Raw, pods: PredictorPods) -> str:
    """Who writes: a user by number, or the one that an image names."""
    for given in (container.get("securityContext"), spec.get("securityContext")):
        user = (given or {}).get("runAsUser")
        if isinstance(user, int):
            return f"user-{user}"
    image = str(container.get("image", ""))
    if is_plain(image) or image == pods.image:
        return "relight"
    return f"image-{hashlib.sha256(repository(image).encode()).hexdigest()[:16]}"


def _with(env: Sequence[Any], name: str, value: str) -> list[Any]:
    if any(each.get("name") == name for each in env):
        return list(env)
    return [*env, {"name": name, "value": value}]


def _free(name: str, taken: set[str]) -> str:
    found, number = name, 0
    while found in taken:
        number += 1
        found = child_name(name, f"-{number}")
    return found
