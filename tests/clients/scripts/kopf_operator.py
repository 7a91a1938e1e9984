"""An operator for `kopf run`: notes in a file what its handlers are told.

It watches Knative Services and InferenceServices, and a kind of its own whose status it writes.
"""

import json
import os
from pathlib import Path
from typing import Any

import kopf

NOTES = Path(os.environ["OPERATOR_NOTES"])
WATCHED = (
    ("serving.knative.dev", "v1", "services"),
    ("serving.kserve.io", "v1beta1", "inferenceservices"),
    ("clients.example.com", "v1", "gadgets"),
)


def note(handler: str, name: str, **facts: Any) -> None:
    with NOTES.open("a") as file:
        file.write(json.dumps({"handler": handler, "name": name, **facts}, default=list) + "\n")


@kopf.on.startup()
def started(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.persistence.finalizer = "clients.example.com/finalizer"


def created(name: str, meta: kopf.Meta, patch: kopf.Patch, **_: Any) -> None:
    note("create", name, finalizers=list(meta.get("finalizers", ())))
    patch.metadata.annotations["clients.example.com/seen"] = "created"


def updated(name: str, diff: kopf.Diff, **_: Any) -> None:
    note("update", name, diff=[[item.operation, list(item.field), item.new] for item in diff])


def deleted(name: str, meta: kopf.Meta, **_: Any) -> None:
    note("delete", name, is_going=bool(meta.get("deletionTimestamp")))


def ticked(name: str, **_: Any) -> None:
    note("timer", name)


for _resource in WATCHED:
    _selected = {"labels": {"operated": "yes"}}
    kopf.on.create(*_resource, id="created", **_selected)(created)
    kopf.on.update(*_resource, id="updated", field="spec", **_selected)(updated)
    kopf.on.delete(*_resource, id="deleted", **_selected)(deleted)
    kopf.timer(*_resource, id="ticked", interval=1, **_selected)(ticked)


# Not on InferenceServices: their annotations go on to what they are made of, as in KServe, and
# kopf keeps what it has handled in one: it would make a revision, and with it new conditions.
@kopf.on.field(*WATCHED[0], id="ready", field="status.conditions", labels={"client": "kopf"})
def became_ready(name: str, old: Any, new: Any, **_: Any) -> None:
    note("field", name, old=bool(old), new=bool(new))


@kopf.on.create("clients.example.com", "v1", "gadgets", id="sized")
def sized(spec: kopf.Spec, patch: kopf.Patch, **_: Any) -> dict[str, Any]:
    patch.status["doubled"] = 2 * spec["size"]
    return {"size": spec["size"]}
