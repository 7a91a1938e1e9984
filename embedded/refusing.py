"""Admission on one machine: what api says, and then what a process can not do.

For: telling `kubectl apply` at once, by path, what of a template this machine does not serve,
and what of Knative's ConfigMaps can not be read; admitting by the settings of now.
Must not know: what that is, or how an object is stored.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from api.admission import scaling_annotations
from api.autoscaler_config import NAME as AUTOSCALER
from api.autoscaler_config import Defaults
from api.errors import FieldError, InvalidObjectError
from api.keys import CLASS_HPA, SCALING_CLASS
from api.kinds import (
    CONFIGMAPS,
    CONFIGURATIONS,
    INFERENCESERVICES,
    PODAUTOSCALERS,
    REVISIONS,
    SERVICES,
    Resource,
)
from api.objects import Raw
from cluster.errors import BadRequestError
from embedded.admitting import Admit
from embedded.capabilities import NO_HPA, Machine, refusals
from embedded.settings_maps import NAMESPACE

_WITH_TEMPLATE = (SERVICES, CONFIGURATIONS)
_SCALED = (*_WITH_TEMPLATE, REVISIONS, PODAUTOSCALERS)
_PATH = "spec.template.spec"
_COMPONENTS = ("predictor", "transformer", "explainer")
_MODEL = "spec.predictor.model"
# What users of Knative see, word for word.
_CONFIG_DENIED = (
    'admission webhook "config.webhook.serving.knative.dev" denied the request: validation failed: '
)


# Why a ConfigMap of a namespace, a name, data and annotations can not be written; "": it can.
SettingFault = Callable[[str, str, Mapping[str, str], Mapping[str, str]], str]


class AdmitBySettings(Protocol):
    """`api.admission.admit`."""

    def __call__(
        self, resource: Resource, new: Raw, old: Raw | None, *, user: str, defaults: Defaults
    ) -> dict[str, Any]:
        """The object to store."""
        ...


def refusing(
    admit: AdmitBySettings,
    machine: Callable[[], Machine],
    setting_fault: SettingFault = lambda *_: "",
    defaults: Callable[[], Defaults] = Defaults,
) -> Admit:
    """`admit`, and InvalidObjectError or BadRequestError for what is not served here.

    A template that did not change is let be: it was admitted when this machine could do more.
    """

    def admitted(resource: Resource, new: Raw, old: Raw | None, *, user: str) -> dict[str, Any]:
        result = admit(resource, new, old, user=user, defaults=defaults())
        if resource == CONFIGMAPS:
            _check_setting(result, old, setting_fault)
        before = _pods(resource, old) if old is not None else {}
        faults = [
            fault
            for path, spec in _pods(resource, result).items()
            if spec != before.get(path)
            for fault in _refusals(spec, path, machine())
        ]
        known = _scaled(resource, old) if old is not None else {}
        faults += [
            FieldError(message=f"invalid value: {CLASS_HPA}", paths=(path,), details=NO_HPA)
            for path, class_ in _scaled(resource, result).items()
            if class_ == CLASS_HPA and known.get(path) != class_
        ]
        if faults:
            raise InvalidObjectError(faults)
        return result

    return admitted


def _check_setting(new: Raw, old: Raw | None, fault_of: SettingFault) -> None:
    """As Knative's webhook does; what is stored already is left to the controller's log."""
    metadata, data = new["metadata"], new.get("data") or {}
    if old is not None and data == (old.get("data") or {}):
        return
    annotations = metadata.get("annotations") or {}
    fault = fault_of(metadata.get("namespace", ""), metadata["name"], data, annotations)
    if not fault and _is_hpa_the_default(metadata, data):
        fault = f'pod-autoscaler-class = "{CLASS_HPA}" is {NO_HPA}'
    if fault:
        raise BadRequestError(f"{_CONFIG_DENIED}{fault}")


def _is_hpa_the_default(metadata: Raw, data: Mapping[str, str]) -> bool:
    is_ours = (metadata.get("namespace"), metadata["name"]) == (NAMESPACE, AUTOSCALER)
    return is_ours and data.get("pod-autoscaler-class", "").strip() == CLASS_HPA


def _scaled(resource: Resource, obj: Raw) -> dict[str, str]:
    """The autoscaler classes that are named, by path; lenient about form."""
    if resource in _SCALED:
        place = "spec.template.metadata" if resource in _WITH_TEMPLATE else "metadata"
        found = {f"{place}.annotations": scaling_annotations(resource, obj)}
    elif resource == INFERENCESERVICES:
        spec = obj.get("spec") or {}
        found = {"metadata.annotations": obj["metadata"].get("annotations") or {}}
        for kind in _COMPONENTS:
            annotations = (spec.get(kind) or {}).get("annotations") or {}
            found[f"spec.{kind}.annotations"] = annotations
    else:
        return {}
    return {
        f"{path}.{SCALING_CLASS}": each[SCALING_CLASS]
        for path, each in found.items()
        if SCALING_CLASS in each
    }


def _pods(resource: Resource, obj: Raw) -> dict[str, Raw]:
    """What will be run, by path: Pod specs, and the container that stands in a model."""
    spec = obj.get("spec") or {}
    if resource in _WITH_TEMPLATE:
        return {_PATH: (spec.get("template") or {}).get("spec") or {}}
    if resource != INFERENCESERVICES:
        return {}
    # Only the fields of a Pod are looked at: what else a component says does not matter here.
    found = {f"spec.{kind}": spec[kind] for kind in _COMPONENTS if spec.get(kind)}
    model = (spec.get("predictor") or {}).get("model")
    return {**found, _MODEL: model} if model else found


def _refusals(spec: Raw, path: str, machine: Machine) -> list[FieldError]:
    if path != _MODEL:
        return refusals(spec, path=path, machine=machine)
    found = refusals({"containers": [spec]}, path=path, machine=machine)
    return [
        replace(each, paths=tuple(p.replace(f"{path}.containers[0]", path) for p in each.paths))
        for each in found
    ]
