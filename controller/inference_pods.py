"""What the Pods of a component run: its runtime's containers and its own, with the model.

For: turning a component into the PodSpec of a Service, or telling why that can not be.
Must not know: scaling, traffic, statuses, or files.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from api import keys
from api.component_pods import CONTAINER
from api.images import is_predictor_image
from api.inference import InferenceService
from api.inference_components import Component, Model
from api.modelfiles import FLAGS
from api.naming import cluster_local_host, host
from api.objects import Raw
from api.placeholders import PlaceholderError, filled
from api.runtimes import Runtime
from api.storage_uris import Location, complaint, locate, refusal
from controller import merging

MOUNT_PATH = "/mnt/models"  # where KServe's servers look
_VOLUME = "kserve-model"
INVALID_SPEC = "InvalidPredictorSpec"
LOAD_FAILED = "ModelLoadFailed"
_MODEL_FLAGS = (*FLAGS, "--python")
_NAME_FLAGS = ("--model-name", "--model_name")
_TAG = re.compile(r":[\w.-]*$")


class PodError(Exception):
    """The component can not run as it is written."""

    def __init__(self, reason: str, message: str, sentence: str = "") -> None:
        """`reason` is one of KServe's; `message` KServe's text, `sentence` all of it."""
        super().__init__(sentence or message)
        self.reason = reason
        self.message = message
        self.sentence = sentence or message


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where components find one another, and models."""

    domain: str
    port: int | None  # of the activator, from outside
    model_root: str  # an absolute path, where relative ones start; empty: nowhere

    @property
    def is_one_machine(self) -> bool:
        """Whether components run where the activator listens on the loopback."""
        return self.domain == "localhost" or self.domain.endswith(".localhost")

    def host_of(self, service: str, namespace: str) -> str:
        """A host, with its port, at which other components find a Service."""
        if not self.is_one_machine:
            return cluster_local_host(service, namespace)
        public = host(service, namespace, self.domain)
        return public if self.port in (None, 80) else f"{public}:{self.port}"


def child_name(service: InferenceService, kind: str) -> str:
    """The name of a component's Service."""
    return f"{service.metadata.name}-{kind}"


def pod_of(
    service: InferenceService, component: Component, runtime: Runtime | None, around: Surroundings
) -> dict[str, Any]:
    """The PodSpec of a component; `runtime` is what serves its model. PodError."""
    if component.model is None:
        pod = _custom(service, component, around)
    else:
        assert runtime is not None
        pod = _served(service, component, component.model, runtime, around)
    name = {"name": keys.ENV_INFERENCE_SERVICE, "value": service.metadata.name}
    pod["containers"] = [
        {**each, "env": merging.merged(each.get("env") or [], [name], "env")}
        for each in pod["containers"]
    ]
    return pod


def _served(
    service: InferenceService,
    component: Component,
    model: Model,
    runtime: Runtime,
    around: Surroundings,
) -> dict[str, Any]:
    own: Sequence[Raw] = component.pod.get("containers") or ()
    above = {str(each.get("name")): each for each in own}
    below = [dict(each) for each in runtime.containers]
    serving = next((each for each in below if each.get("name") == CONTAINER), None)
    if serving is None:
        message = f"failed to find {CONTAINER} in ServingRuntime containers"
        raise PodError(INVALID_SPEC, message)
    is_ours = is_predictor_image(str(serving.get("image", ""))) and not model.container.get("image")
    container = serving
    if is_ours:
        more = _arguments(service, component, model)
        container = {**serving, "args": [*(serving.get("args") or ()), *more]}
    elif component.extension.batcher is not None:
        message = f"batcher: runtime {runtime.metadata.name} does not run relight/predictor"
        raise PodError(INVALID_SPEC, message)
    container = merging.container(container, {**model.container, "name": CONTAINER})
    container["image"] = _tagged(str(container.get("image", "")), model.runtime_version)
    others = [
        merging.container(each, above.pop(str(each["name"])))
        if str(each.get("name")) in above
        else each
        for each in below
        if each is not serving
    ]
    pod: dict[str, Any] = dict(merging.merged(runtime.pod, _without_containers(component.pod)))
    pod["containers"] = [_filled(service, runtime, each) for each in (container, *others)] + list(
        above.values()
    )
    if model.storage_uri:
        location = (
            _reachable(model.storage_uri) if is_ours else _mountable(model.storage_uri, around)
        )
        if location.kind == "claim" or not is_ours:
            _mount(pod, pod["containers"][0], location, around)
    return pod


def _filled(service: InferenceService, runtime: Runtime, container: Raw) -> dict[str, Any]:
    try:
        return dict(filled(container, service.metadata))
    except PlaceholderError as error:
        message = (
            f"failed to replace placeholders in serving runtime {runtime.metadata.name} "
            f"Container {container.get('name', '')}"
        )
        raise PodError(INVALID_SPEC, message, f"{message}: {error}") from error


def _arguments(service: InferenceService, component: Component, model: Model) -> list[str]:
    """The flags of our predictor; the user's own follow, and what they say is not said here."""
    given = model.container.get("args") or ()
    found: list[str] = []
    if model.storage_uri and not _has_any(given, _MODEL_FLAGS):
        location = _reachable(model.storage_uri)
        path = MOUNT_PATH if location.kind == "claim" else location.path  # or its URI
        found += ["--model", path]
    if not _has_any(given, _NAME_FLAGS):
        found += ["--model-name", service.metadata.name]
    if service.metadata.annotations.get(keys.TRUST_PICKLE) == "true":
        found.append("--trust-pickle")
    batcher = component.extension.batcher
    if batcher is not None:
        found += ["--max-batch-size", str(batcher.max_batch_size)]
        if batcher.max_latency_ms is not None:
            found += ["--max-batch-delay-ms", str(batcher.max_latency_ms)]
    return found


def _has_any(args: Sequence[str], flags: Sequence[str]) -> bool:
    return any(str(arg).partition("=")[0] in flags for arg in args)


def _custom(
    service: InferenceService, component: Component, around: Surroundings
) -> dict[str, Any]:
    pod = dict(component.pod)
    containers = [dict(each) for each in pod["containers"]]
    at = 0
    if component.kind == "predictor":
        names = [each.get("name") for each in containers]
        at = names.index(CONTAINER) if CONTAINER in names else 0
    else:
        containers[0]["args"] = _with_predictor(service, component, containers[0], around)
    pod["containers"] = containers
    uri = _variable(containers[at], keys.ENV_STORAGE_URI)
    if uri:
        wrong = complaint(uri)
        if wrong:
            raise PodError(INVALID_SPEC, wrong)
        _mount(pod, containers[at], _mountable(uri, around), around)
    return pod


def _with_predictor(
    service: InferenceService, component: Component, container: Raw, around: Surroundings
) -> list[str]:
    """The arguments with those that KServe gives a transformer or explainer of one's own."""
    meta = service.metadata
    concurrency = component.extension.container_concurrency
    added = {
        "--model_name": meta.name,
        "--predictor_host": around.host_of(child_name(service, "predictor"), meta.namespace),
        # KServe says 8080; a process on one machine is given a port, and so is a container.
        "--http_port": f"$({keys.ENV_PORT})",
        "--workers": None if concurrency is None else str(concurrency),
    }
    args = [str(each) for each in container.get("args") or ()]
    for flag, value in added.items():
        if value is not None and not _has_any(args, (flag,)):
            args += [flag, value]
    return args


def _reachable(uri: str) -> Location:
    location = locate(uri)
    if location.kind == "elsewhere":
        raise PodError(
            LOAD_FAILED,
            f'storageUri "{uri}" is not fetched by this version of Relight: {refusal(uri)}',
        )
    return location


def _mountable(uri: str, around: Surroundings) -> Location:
    """For a container that is not our predictor, which fetches by itself."""
    location = _reachable(uri)
    if location.kind == "fetched":
        raise PodError(
            LOAD_FAILED,
            f'storageUri "{uri}" is fetched for relight/predictor only, not for another image: '
            "give a path, file:// or, on a cluster, pvc://",
        )
    is_relative = location.kind != "claim" and not PurePosixPath(location.path).is_absolute()
    if is_relative and not around.model_root:
        raise PodError(
            LOAD_FAILED,
            f'storageUri "{uri}" is a relative path, and on a cluster there is no folder where it '
            "would start: give pvc://, or an absolute path of the nodes",
        )
    return location


def _mount(
    pod: dict[str, Any], container: dict[str, Any], location: Location, around: Surroundings
) -> None:
    """The model, readable below /mnt/models of one container."""
    mount: dict[str, Any] = {"name": _VOLUME, "mountPath": MOUNT_PATH, "readOnly": True}
    if location.kind == "claim":
        claim = {"claimName": location.claim, "readOnly": True}
        volume: dict[str, Any] = {"name": _VOLUME, "persistentVolumeClaim": claim}
        if location.path:
            mount["subPath"] = location.path
    else:
        path = PurePosixPath(around.model_root) / location.path
        volume = {"name": _VOLUME, "hostPath": {"path": str(path)}}
        if location.is_file:
            mount["mountPath"] = f"{MOUNT_PATH}/{path.name}"
    pod["volumes"] = merging.merged(pod.get("volumes") or [], [volume], "volumes")
    container["volumeMounts"] = merging.merged(
        container.get("volumeMounts") or [], [mount], "volumeMounts"
    )


def _tagged(image: str, version: str) -> str:
    if not version or "@sha256:" in image:
        return image
    return f"{_TAG.sub('', image)}:{version}"


def _variable(container: Mapping[str, Any], name: str) -> str:
    values = (each.get("value") for each in container.get("env") or () if each.get("name") == name)
    return str(next(values, None) or "")


def _without_containers(pod: Raw) -> dict[str, Any]:
    return {name: each for name, each in pod.items() if name != "containers"}
