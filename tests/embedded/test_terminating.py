from typing import Any

from api.kinds import PODS, SERVICES
from embedded.terminating import conditions


def obj(*finalizers: str) -> dict[str, Any]:
    return {"metadata": {"name": "x", "finalizers": list(finalizers)}}


def test_what_is_left_is_told_by_kind_and_by_finalizer() -> None:
    first = conditions([(PODS, obj()), (SERVICES, obj("a/b")), (PODS, obj("a/b"))], (), now="1")
    told = {each["type"]: (each["status"], each["message"]) for each in first}
    assert told["NamespaceContentRemaining"] == (
        "True",
        "Some resources are remaining: pods. has 2 resource instances, "
        "services.serving.knative.dev has 1 resource instances",
    )
    assert told["NamespaceFinalizersRemaining"] == (
        "True",
        "Some content in the namespace has finalizers remaining: a/b in 2 resource instances",
    )
    assert told["NamespaceDeletionContentFailure"][0] == "False"
    later = {each["type"]: each for each in conditions([(PODS, obj())], first, now="2")}
    assert later["NamespaceContentRemaining"]["lastTransitionTime"] == "1"
    assert later["NamespaceFinalizersRemaining"]["lastTransitionTime"] == "2"
    assert later["NamespaceFinalizersRemaining"]["reason"] == "ContentHasNoFinalizers"
