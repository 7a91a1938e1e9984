"""The Knative Service of each component of an InferenceService.

For: what KServe's controller writes: labels, annotations, scaling, timeouts and traffic.
Must not know: what the Pods run, or how the Services fare.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api import keys
from api.defaulting import defaulted
from api.inference import CLUSTER_LOCAL, InferenceService, is_passed_on
from api.inference_components import Component, Extension, to_annotation
from api.kinds import SERVICES
from api.objects import Raw
from api.runtimes import Runtime
from api.traffic import WHOLE
from controller.children import make_child
from controller.inference_pods import Surroundings, child_name

PREVIOUS = "prev"  # tags, as in KServe
LATEST = "latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A component, what serves its model, and what its Pods run."""

    component: Component
    runtime: Runtime | None  # None: containers of the user's own
    pod: Mapping[str, Any]


def make_service(
    raw: Raw,
    service: InferenceService,
    wanted: Wanted,
    around: Surroundings,
    *,
    rolled_out: str,
) -> dict[str, Any]:
    """The Service, with Knative's defaults; `rolled_out` had all requests last, or is empty."""
    component, runtime, pod = wanted.component, wanted.runtime, wanted.pod
    labels = _labels(service, component, runtime)
    child = make_child(
        SERVICES,
        raw,
        child_name(service, component.kind),
        {
            "labels": {**labels, keys.VISIBILITY: CLUSTER_LOCAL}
            if service.is_cluster_local
            else labels,
            "annotations": _of_service(service),
        },
        {
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {
                        **_of_template(service, component, runtime),
                        **_hosts(service, component, around),
                    },
                },
                "spec": {**pod, **_limits(component.extension)},
            },
            "traffic": traffic(
                component.extension,
                rolled_out,
                is_tagged=service.metadata.annotations.get(keys.ENABLE_TAG_ROUTING) == "true",
            ),
        },
    )
    return defaulted(SERVICES, child)


def traffic(extension: Extension, rolled_out: str, *, is_tagged: bool) -> list[dict[str, Any]]:
    """Who gets what share. The first rollout ignores the percentage: there is nobody else."""
    percent = extension.canary_percent
    if percent is None or not rolled_out:
        percent = WHOLE
    latest: dict[str, Any] = {"latestRevision": True, "percent": percent}
    if is_tagged:
        latest["tag"] = LATEST
    if percent == WHOLE:
        return [latest]
    before = {
        "revisionName": rolled_out,
        "latestRevision": False,
        "percent": WHOLE - percent,
        "tag": PREVIOUS,
    }
    return [latest, before]


def _labels(
    service: InferenceService, component: Component, runtime: Runtime | None
) -> dict[str, str]:
    found = {
        **(runtime.labels if runtime is not None else {}),
        **service.metadata.labels,
        **component.extension.labels,
        keys.INFERENCE_SERVICE: service.metadata.name,
        keys.COMPONENT: component.kind,
    }
    hidden = (keys.VISIBILITY, keys.KSERVE_VISIBILITY)
    return {key: each for key, each in found.items() if key not in hidden}


def _of_service(service: InferenceService) -> dict[str, str]:
    """Of the InferenceService's annotations, the one that Knative reads on a Service."""
    found = service.metadata.annotations
    return {key: found[key] for key in (keys.ROLLOUT_DURATION,) if key in found}


def _of_template(
    service: InferenceService, component: Component, runtime: Runtime | None
) -> dict[str, str]:
    extension = component.extension
    given = service.metadata.annotations
    found = {
        **(runtime.annotations if runtime is not None else {}),
        **{key: each for key, each in given.items() if is_passed_on(key)},
        **extension.annotations,
        keys.MIN_SCALE: str(extension.min_replicas),
    }
    if extension.max_replicas:
        found[keys.MAX_SCALE] = str(extension.max_replicas)
    if extension.scale_target is not None:
        found[keys.SCALING_TARGET] = str(extension.scale_target)
    if extension.scale_metric:
        found[keys.SCALING_METRIC] = extension.scale_metric
    if extension.logger is not None:
        found[keys.LOGGER] = to_annotation(extension.logger)
    if component.kind == "predictor":
        found[keys.MODEL_NAME] = service.metadata.name
    return found


def _hosts(service: InferenceService, component: Component, around: Surroundings) -> dict[str, str]:
    """The predictor's name, which the resolver of one machine may not know."""
    if component.kind == "predictor" or not around.is_one_machine:
        return {}
    found = around.host_of(child_name(service, "predictor"), service.metadata.namespace)
    return {keys.HOSTS: found.partition(":")[0]}


def _limits(extension: Extension) -> dict[str, int]:
    found: dict[str, int] = {}
    if extension.container_concurrency is not None:
        found["containerConcurrency"] = extension.container_concurrency
    if extension.timeout_s is not None:
        found["timeoutSeconds"] = extension.timeout_s
        found["responseStartTimeoutSeconds"] = extension.timeout_s
    return found
