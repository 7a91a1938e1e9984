"""Whether a Revision's Pods may be reached past the activators, and if not, why.

For: saying on the PodAutoscaler of whom a mode is acted on; telling people.
Must not know: modes, Services, or who acts.

Past the activators nobody but the replica itself counts its requests and keeps its limits. Our
predictor does both. Another container does neither, as nothing stands before it in its Pod.
"""

from api import keys
from api.objects import Raw
from api.pods import speaks_h2c
from controller.children import annotations_of
from controller.pinning import flag_of, is_predictor, serving_container

_BOUNDS = ("responseStartTimeoutSeconds", "idleTimeoutSeconds")


def obstacle(revision: Raw) -> str:
    """What keeps the activators in the path of a Revision's requests; "" for nothing."""
    container = serving_container(revision)
    if not is_predictor(container):
        return f"its container is not {keys.PREDICTOR_IMAGE}: activators count and limit for it"
    if flag_of([str(arg) for arg in container.get("args") or ()], "--repository"):
        return "a repository of models counts each of them apart"
    if speaks_h2c([container]):
        return "its port is named h2c"
    if annotations_of(revision).get(keys.LOGGER):
        return f"activators tell the sink of {keys.LOGGER}"
    spec = revision["spec"]
    timeout_s = spec.get("timeoutSeconds") or 0
    for name in _BOUNDS:
        if 0 < (spec.get(name) or 0) < timeout_s:
            return f"activators keep {name}"
    return ""


def is_direct(revision: Raw) -> bool:
    """Whether nothing keeps them there."""
    return not obstacle(revision)
