"""InferenceService: a model behind one address, as KServe has it.

For: turning the raw objects of serving.kserve.io/v1beta1 into typed ones, or naming every
field that is wrong.
Must not know: what an InferenceService becomes, or which runtimes exist.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

from api import fields, inference_refusals, keys, kinds, known_annotations, metadata
from api.inference_components import (
    ONE_OF,
    Component,
    check_labels,
    check_passed_on,
    read_component,
)
from api.inference_defaults import frameworks_in
from api.inference_names import KSERVE_DOMAINS
from api.inference_refusals import refuse
from api.objects import ObjectMeta, Raw

_NAME_FORM = "[a-z]([-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(_NAME_FORM)
_NAME_LENGTH_MAX = 63 - len("-transformer")  # children have names of their own
CLUSTER_LOCAL = "cluster-local"
KNATIVE_MODES = ("Knative", "Serverless")  # the second is the older spelling
_OTHER_MODES = {
    "ModelMesh": "ModelMesh is not served by this version",
    "RawDeployment": "everything is deployed as in Knative mode: with revisions and from zero",
    "Standard": "everything is deployed as in Knative mode: with revisions and from zero",
}
NO_AUTOSCALERS = "it is for Standard mode; Knative's autoscaler is ours"
_AUTOSCALERS = ("hpa", "external", "keda", "none")
_SWITCHES = {  # each with the only values that can be kept
    keys.ENABLE_TAG_ROUTING: ("true", "false"),
    keys.STOP: ("true", "false", "True", "False"),
    keys.DISABLE_LOCAL_MODEL: ("true",),
    keys.STORAGE_READONLY: ("true",),
    keys.TRUST_PICKLE: ("true", "false"),
}
_AGENT = "only KServe's agent reads it, to log to an object store; events go to the url"
_DEVICES = "Knative takes no resource claims"
REFUSED_ANNOTATIONS = {
    "serving.kserve.io/metrics": "only an HPA reads it",
    "serving.kserve.io/targetUtilizationPercentage": "only an HPA reads it: use scaleTarget",
    "serving.kserve.io/enable-metric-aggregation": "there is no queue-proxy to aggregate in",
    "serving.kserve.io/enable-prometheus-scraping": "put prometheus.io annotations yourself",
    "serving.kserve.io/nodegroup": "there are no local model caches here",
    "serving.kserve.io/disable-auto-update": "a runtime that changes makes a new Revision",
    "serving.kserve.io/gke-accelerator": "only KServe's webhook reads it: use nodeSelector",
    "serving.kserve.io/gpu-resource-types": "name the resource in limits: it is passed on",
    "serving.kserve.io/logger-secret-name": _AGENT,
    "serving.kserve.io/logger-secret-path": _AGENT,
    "serving.kserve.io/logger-secret-file": _AGENT,
    "serving.kserve.io/inferencepool-migrated": "it is for LLMInferenceService, not served here",
    "serving.kserve.io/exp-dra-device-class": _DEVICES,
    "serving.kserve.io/exp-dra-cel-selector": _DEVICES,
    "serving.kserve.io/exp-dra-device-count": _DEVICES,
    "serving.kserve.io/exp-dra-container-name": _DEVICES,
}
# What is read on an InferenceService, beside what goes to its Revisions.
SERVED_ANNOTATIONS = (
    *_SWITCHES,
    keys.DEPLOYMENT_MODE,
    keys.ROLLOUT_DURATION,
)
_VISIBILITY = (keys.KSERVE_VISIBILITY, keys.VISIBILITY)
_RESERVED = (*KSERVE_DOMAINS, "relight.dev/")  # none makes a new Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceService:
    """A predictor, and what may stand before and beside it."""

    metadata: ObjectMeta
    predictor: Component
    transformer: Component | None = None
    explainer: Component | None = None
    status: Raw = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: Raw) -> Self:
        """Raises InvalidObjectError naming every wrong and every unknown field."""
        faults = fields.Faults()
        source = metadata.open_object(raw, kinds.INFERENCESERVICES, faults)
        meta = ObjectMeta.read(source.child("metadata"))
        _check_metadata(meta, faults)
        spec = source.child("spec")
        given = source.raw("spec")
        refuse(spec, given, inference_refusals.SPEC)
        service = cls(
            metadata=meta,
            predictor=read_component(given.get("predictor"), "predictor", faults),
            transformer=(
                read_component(given["transformer"], "transformer", faults)
                if spec.has("transformer")
                else None
            ),
            explainer=(
                read_component(given["explainer"], "explainer", faults)
                if spec.has("explainer")
                else None
            ),
            status=source.raw("status"),
        )
        spec.skip("predictor", "transformer", "explainer")
        spec.finish()
        source.finish()
        faults.raise_any()
        return service

    def components(self) -> Iterator[Component]:
        """The predictor, then the others there are."""
        for each in (self.predictor, self.transformer, self.explainer):
            if each is not None:
                yield each

    @property
    def is_stopped(self) -> bool:
        """Whether nothing is to run."""
        return self.metadata.annotations.get(keys.STOP, "").lower() == "true"

    @property
    def is_cluster_local(self) -> bool:
        """Whether it is reached from inside the cluster alone."""
        return any(self.metadata.labels.get(key) == CLUSTER_LOCAL for key in _VISIBILITY)


def is_passed_on(key: str) -> bool:
    """Whether an annotation of the InferenceService goes to the Revisions of its components.

    KServe's own switches do not: turning one is no reason for a new Revision.
    """
    if key == keys.KEEP_ALIVE:
        return True  # a knob of scaling, as autoscaling.knative.dev's
    return not key.startswith(_RESERVED) and key not in (keys.LAST_APPLIED, keys.ROLLOUT_DURATION)


def check_written(raw: Raw) -> None:
    """What only a new object tells: two ways to write a model, of which one would be lost.

    Raises InvalidObjectError.
    """
    spec = raw.get("spec")
    predictor = spec.get("predictor") if isinstance(spec, Mapping) else None
    faults = fields.Faults()
    if isinstance(predictor, Mapping) and predictor.get("model") and frameworks_in(predictor):
        faults.add(ONE_OF["predictor"], "spec.predictor")
    faults.raise_any()


def _check_metadata(meta: ObjectMeta, faults: fields.Faults) -> None:
    name = meta.name
    if name and _NAME.fullmatch(name) is None:
        faults.add(
            f'the InferenceService "{name}" is invalid: a InferenceService name must consist of '
            "lower case alphanumeric characters or '-', and must start with alphabetical "
            'character. (e.g. "my-name" or "abc-123", regex used for validation is '
            f"'{_NAME_FORM}')"
        )
    elif len(name) > _NAME_LENGTH_MAX:
        details = "its components are Services named <name>-predictor, -transformer, -explainer"
        message = f"must be no more than {_NAME_LENGTH_MAX} characters"
        faults.add(message, "metadata.name", details=details)
    if not name and not meta.generate_name:
        faults.add("name or generateName is required", "metadata.name")
    check_labels(meta.labels, "metadata.labels", faults)
    for key in _VISIBILITY:
        if meta.labels.get(key, CLUSTER_LOCAL) != CLUSTER_LOCAL:
            details = f"the only value is {CLUSTER_LOCAL}"
            faults.invalid(meta.labels[key], f"metadata.labels.{key}", details)
    _check_annotations(meta.annotations, faults)


def _check_annotations(found: Mapping[str, str], faults: fields.Faults) -> None:
    path = "metadata.annotations"
    passed = {key: each for key, each in found.items() if is_passed_on(key)}
    check_passed_on(passed, path, faults)
    known_annotations.read_rollout_duration(found, path, faults)
    metadata.check_annotations(
        {key: each for key, each in found.items() if key not in passed}, path, faults
    )
    for key, value in found.items():
        _check_switch(key, value, f"{path}.{key}", faults)


def _check_switch(key: str, value: str, path: str, faults: fields.Faults) -> None:
    if key in _SWITCHES:
        if value not in _SWITCHES[key]:
            faults.invalid(value, path, f"must be one of: {', '.join(_SWITCHES[key])}")
    elif key in REFUSED_ANNOTATIONS:
        faults.disallowed(path, details=REFUSED_ANNOTATIONS[key])
    elif key == keys.DEPLOYMENT_MODE:
        if value not in KNATIVE_MODES:
            faults.invalid(value, path, _OTHER_MODES.get(value, "the mode served is Knative"))
    elif key == keys.AUTOSCALER_CLASS:
        if value in _AUTOSCALERS:
            faults.invalid(value, path, NO_AUTOSCALERS)
        else:
            faults.add(f"[{value}] is not a supported autoscaler class type", path)
    elif key.startswith(_RESERVED) and not is_passed_on(key):
        faults.invalid_key(key, "metadata.annotations", "not an annotation that Relight reads here")
