"""What the planner of an InferenceService looks at, and whose changes concern it.

For: finding an InferenceService from its children and its children from it.
Must not know: how the views are kept up to date, or what is planned.
"""

from collections.abc import Iterator

from api import keys
from api.conditions import is_ready
from api.inference_components import Kind
from api.kinds import (
    CLUSTERSERVINGRUNTIMES,
    INFERENCESERVICES,
    PODS,
    REVISIONS,
    SERVICES,
    SERVINGRUNTIMES,
    Resource,
)
from api.objects import Raw
from controller import inference
from controller.children import is_controlled_by, labels_of
from controller.failures import is_troubled
from controller.inference_models import Replicas
from controller.plan import status_of
from controller.view import Key, View, key_of

_RUNTIMES = (SERVINGRUNTIMES, CLUSTERSERVINGRUNTIMES)


def observe(view: View, key: Key) -> inference.Observed | None:
    """The InferenceService with all that its plan depends on; None if there is none."""
    raw = view.get(INFERENCESERVICES, key)
    if raw is None:
        return None
    namespace, name = key
    children: dict[Kind, Raw] = {}
    for kind in inference.KINDS:
        child = view.get(SERVICES, (namespace, f"{name}-{kind}"))
        if child is not None:
            children[kind] = child
    runtimes = [each for each in view.keys(SERVINGRUNTIMES) if each[0] == namespace]
    predictor = children.get("predictor")
    is_own = predictor is not None and is_controlled_by(predictor, raw)
    status = status_of(predictor) if predictor is not None and is_own else {}
    return inference.Observed(
        service=raw,
        children=children,
        runtimes=[
            *view.all(SERVINGRUNTIMES, runtimes),
            *view.all(CLUSTERSERVINGRUNTIMES, view.keys(CLUSTERSERVINGRUNTIMES)),
        ],
        latest=_replicas(view, namespace, status.get("latestCreatedRevisionName")),
        active=_replicas(view, namespace, status.get("latestReadyRevisionName")),
    )


def _replicas(view: View, namespace: str, revision: str | None) -> Replicas:
    if not revision:
        return Replicas()
    key = (namespace, revision)
    raw = view.get(REVISIONS, key)
    if raw is None:
        return Replicas()
    # By identity, not by name: of another Revision of that name some Pods may still be going.
    uid = raw["metadata"]["uid"]
    pods = view.all(PODS, view.pods_by_revision.get(key))
    return Replicas(
        revision=raw, pods=[each for each in pods if labels_of(each).get(keys.REVISION_UID) == uid]
    )


def concerned(view: View, resource: Resource, old: Raw | None, new: Raw | None) -> Iterator[Key]:
    """The InferenceServices that one change concerns."""
    raw = new if new is not None else old
    assert raw is not None
    key = key_of(raw)
    if resource == INFERENCESERVICES:
        yield key
    elif resource in _RUNTIMES:
        for each in view.keys(INFERENCESERVICES):
            if resource == CLUSTERSERVINGRUNTIMES or each[0] == key[0]:
                yield each
    elif resource in (SERVICES, REVISIONS) or (resource == PODS and _is_news_of_pod(old, new)):
        yield from _owners(view, resource, raw)


def _owners(view: View, resource: Resource, raw: Raw) -> Iterator[Key]:
    namespace, name = key_of(raw)
    names = {labels_of(raw).get(keys.INFERENCE_SERVICE, "")}
    if resource == SERVICES:
        # Somebody else's Service under a child's name matters too, and so does its end.
        names |= {name.removesuffix(f"-{kind}") for kind in inference.KINDS}
    for each in sorted(names):
        if view.get(INFERENCESERVICES, (namespace, each)) is not None:
            yield namespace, each


def _is_news_of_pod(old: Raw | None, new: Raw | None) -> bool:
    if old is None or new is None:
        return True
    return is_ready(old) != is_ready(new) or is_troubled(old) or is_troubled(new)
