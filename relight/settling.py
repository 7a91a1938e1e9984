"""Wait until what was applied runs, and say what it waits for.

For: `relight install --wait`.
Must not know: how anything was applied.
"""

from typing import Any

from api import kinds
from relight.applying import Object
from relight.connection import Connection
from relight.errors import FailedError
from relight.podproblems import problem_of
from relight.progress import Progress
from relight.waiting import until
from relight.watching import View

_NAMESPACE = "relight-system"


async def settled(
    connection: Connection, objects: list[Object], *, timeout_s: float, progress: Progress
) -> None:
    """Return when each Deployment runs what is wanted and the webhook is trusted; FailedError."""
    wanted = [each["metadata"]["name"] for each in objects if each["kind"] == "Deployment"]
    deployments = View(connection.client, kinds.DEPLOYMENTS, _NAMESPACE)
    pods = View(connection.client, kinds.PODS, _NAMESPACE)
    hooks = View(connection.client, kinds.MUTATINGWEBHOOKCONFIGURATIONS, None)
    hook = next(
        (e["metadata"]["name"] for e in objects if e["kind"] == "MutatingWebhookConfiguration"), ""
    )

    def missing() -> str:
        for name in wanted:
            found = deployments.objects.get((_NAMESPACE, name))
            if found is None or not is_rolled_out(found):
                told = (problem_of(each) for each in pods.objects.values() if _is_of(each, name))
                return f"{name} is not ready" + next((f": {each}" for each in told if each), "")
        if hook and not is_trusted(hooks.objects.get(("", hook), {})):
            return "the controller has not said which certificate its webhook has"
        return ""

    def answer() -> bool | None:
        reason = missing()
        if reason:
            progress.show(reason)
        return None if reason else True

    views = (deployments, pods, hooks)
    if not await until(views, answer, timeout_s=timeout_s, repaint_s=progress.repaint_s):
        raise FailedError(f"applied, but after {timeout_s:g} s {missing()}; see: relight doctor")


def _is_of(pod: dict[str, Any], component: str) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return bool(labels.get("app.kubernetes.io/name") == component)


def is_rolled_out(deployment: dict[str, Any]) -> bool:
    """Whether every replica is of the present template and available."""
    metadata, status = deployment["metadata"], deployment.get("status") or {}
    wanted = deployment["spec"].get("replicas", 1)
    return bool(
        status.get("observedGeneration", 0) >= metadata.get("generation", 0)
        and status.get("updatedReplicas", 0) >= wanted
        and status.get("availableReplicas", 0) >= wanted
        and status.get("replicas", 0) <= wanted
    )


def is_trusted(configuration: dict[str, Any]) -> bool:
    """Whether every webhook of it has an authority."""
    hooks = configuration.get("webhooks") or ()
    return bool(hooks) and all(each["clientConfig"].get("caBundle") for each in hooks)
