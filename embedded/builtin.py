"""What Kubernetes itself would fill in and refuse on Namespaces, Nodes, Pods, Deployments, Events.

For: the few defaults and rules of built-in kinds that our own stand-ins rely on.
Must not know: how objects are stored, or what runs a Pod.
"""

from collections.abc import Mapping
from typing import Any

from api.kinds import DEPLOYMENTS, EVENTS, NAMESPACES, NODES, PODS, Resource
from api.objects import Raw
from embedded import core, resources
from embedded.selection import labels_match

_Causes = list[tuple[str, str]]
_NAME_LABEL = "kubernetes.io/metadata.name"
_NODE = "localhost"  # the one there is
_POD_CHOICES = {"restartPolicy": ("Always", "OnFailure", "Never")}
_TEMPLATE_CHOICES = {"restartPolicy": ("Always",)}
_CONTAINER_CHOICES = {
    "imagePullPolicy": ("Always", "IfNotPresent", "Never"),
    "terminationMessagePolicy": ("File", "FallbackToLogsOnError"),
}


def defaulted(resource: Resource, new: dict[str, Any]) -> dict[str, Any]:
    """The object with Kubernetes' defaults, where one of ours reads them."""
    if resource == NAMESPACES:
        metadata = new["metadata"]
        labels = {**(metadata.get("labels") or {}), _NAME_LABEL: metadata["name"]}
        status = new.get("status") or {"phase": "Active"}
        return {**new, "metadata": {**metadata, "labels": labels}, "status": status}
    if resource in core.KINDS:
        return core.defaulted(resource, new)
    if resource == PODS:
        # Typed clients read these of what they have just created; kubectl debug needs the first.
        told, spec = {**new, "status": new.get("status") or {"phase": "Pending"}}, new.get("spec")
        if isinstance(spec, Mapping) and spec.get("securityContext") is None:
            told["spec"] = {**spec, "securityContext": {}}
        return told
    if resource == DEPLOYMENTS:
        return _defaulted_deployment(new)
    return new


def _defaulted_deployment(new: dict[str, Any]) -> dict[str, Any]:
    spec, told = new.get("spec"), {**new, "status": new.get("status") or {}}
    if isinstance(spec, Mapping) and spec.get("replicas") is None:
        told["spec"] = {**spec, "replicas": 1}
    return told


def with_status(resource: Resource, old: Raw, changed: Raw) -> dict[str, Any]:
    """What a write to /status changes: the status; on Pods also labels, annotations, the node."""
    new = {**old, "status": changed.get("status")}
    if new["status"] is None:
        del new["status"]
    if resource == PODS:
        # As in Kubernetes, and a kubelet saves a second write by it.
        metadata = dict(old["metadata"])
        for field in ("labels", "annotations"):
            value = changed["metadata"].get(field)
            if value:
                metadata[field] = value
            else:
                metadata.pop(field, None)
        new["metadata"] = metadata
        spec = old["spec"]
        if "nodeName" not in spec and (new.get("status") or {}).get("hostIP"):
            new["spec"] = {**spec, "nodeName": _NODE}  # instead of a scheduler's binding
    return new


def check(resource: Resource, new: Raw, old: Raw | None) -> None:
    """Raise InvalidError for what a built-in kind may not be."""
    causes: _Causes = []
    if resource == DEPLOYMENTS:
        causes = _deployment(new, old)
    elif resource == PODS:
        causes = _pod(new, old)
    elif resource == EVENTS:
        causes = _event(new)
    elif resource == NODES and old is not None:
        causes = _node(new, old)
    elif resource in core.KINDS:
        causes = list(core.causes(resource, new, old))
    if causes:
        raise resources.invalid(resource, new["metadata"]["name"], causes)


def _deployment(new: Raw, old: Raw | None) -> _Causes:
    spec = new.get("spec")
    if not isinstance(spec, Mapping):
        return [("spec", "Required value")]
    causes: _Causes = []
    replicas = spec.get("replicas")
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        causes.append(("spec.replicas", f"Invalid value: {replicas}: must be 0 or greater"))
    selector = spec.get("selector")
    wanted = selector.get("matchLabels") if isinstance(selector, Mapping) else None
    if not isinstance(wanted, Mapping) or not wanted:
        causes.append(("spec.selector.matchLabels", "Required value: this server needs one"))
    elif isinstance(selector, Mapping) and "matchExpressions" in selector:
        causes.append(("spec.selector.matchExpressions", "Forbidden: not supported here"))
    elif old is not None and (old.get("spec") or {}).get("selector") != selector:
        causes.append(("spec.selector", "Invalid value: field is immutable"))
    template = spec.get("template")
    if not isinstance(template, Mapping):
        return [*causes, ("spec.template", "Required value")]
    labels = (template.get("metadata") or {}).get("labels") or {}
    if isinstance(wanted, Mapping) and wanted and not labels_match(wanted, labels):
        causes.append(
            (
                "spec.template.metadata.labels",
                f"Invalid value: {dict(labels)}: `selector` does not match template `labels`",
            )
        )
    causes += _choices(template.get("spec"), "spec.template.spec", _TEMPLATE_CHOICES)
    return causes + _containers(template.get("spec"), "spec.template.spec")


def _pod(new: Raw, old: Raw | None) -> _Causes:
    if old is None:
        return _choices(new.get("spec"), "spec", _POD_CHOICES) + _containers(
            new.get("spec"), "spec"
        )
    if _fixed(new) != _fixed(old):
        return [
            (
                "spec",
                "Forbidden: pod updates may not change the spec here; delete the Pod and create "
                "another",
            )
        ]
    return []


def _fixed(pod: Raw) -> dict[str, Any]:
    """A Pod's spec without what may still be set: on which node it runs, how it ends."""
    free = ("nodeName", "terminationGracePeriodSeconds")
    spec = pod.get("spec") or {}
    return {key: value for key, value in spec.items() if key not in free and value != {}}


def _choices(spec: Any, path: str, allowed: Mapping[str, tuple[str, ...]]) -> _Causes:
    """A word that is none of Kubernetes', and a negative grace period."""
    if not isinstance(spec, Mapping):
        return []
    causes = []
    for field, words in allowed.items():
        if spec.get(field) and spec[field] not in words:
            listed = ", ".join(f'"{word}"' for word in words)
            why = f'Unsupported value: "{spec[field]}": supported values: {listed}'
            causes.append((f"{path}.{field}", why))
    grace_s = spec.get("terminationGracePeriodSeconds")
    if isinstance(grace_s, int) and grace_s < 0:
        why = f"Invalid value: {grace_s}: must be greater than or equal to 0"
        causes.append((f"{path}.terminationGracePeriodSeconds", why))
    return causes


def _containers(spec: Any, path: str) -> _Causes:
    if not isinstance(spec, Mapping):
        return [(path, "Required value")]
    containers = spec.get("containers")
    if not isinstance(containers, list) or not containers:
        return [(f"{path}.containers", "Required value")]
    causes: _Causes = []
    seen: set[str] = set()
    for at, container in enumerate(containers):
        here = f"{path}.containers[{at}]"
        if not isinstance(container, Mapping):
            causes.append((here, "Invalid value: must be an object"))
            continue
        causes += [
            (f"{here}.{field}", "Required value")
            for field in ("name", "image")
            if not container.get(field)
        ]
        causes += _choices(container, here, _CONTAINER_CHOICES)
        name = str(container.get("name"))
        if name in seen:
            causes.append((f"{here}.name", f'Duplicate value: "{name}"'))
        seen.add(name)
    return causes


def _node(new: Raw, old: Raw) -> _Causes:
    """Nothing to cordon, taint or drain to: what nobody would heed is not taken."""
    before, now = old.get("spec") or {}, new.get("spec") or {}
    why = "Forbidden: every Pod here runs on this one machine, so its Node can be neither cordoned "
    return [
        (f"spec.{field}", f"{why}nor tainted")
        for field in sorted(now)
        if now[field] and now[field] != before.get(field)
    ]


def _event(new: Raw) -> _Causes:
    involved = new.get("involvedObject")
    if not isinstance(involved, Mapping):
        return [("involvedObject", "Required value")]
    home = involved.get("namespace") or "default"
    if home != new["metadata"]["namespace"]:
        return [
            ("involvedObject.namespace", f'Invalid value: "{home}": does not match event.namespace')
        ]
    return []
