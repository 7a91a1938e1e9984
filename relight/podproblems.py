"""Why a Pod does not run, in one sentence.

For: whoever waits for Pods or looks into what is wrong with them.
Must not know: what the Pod is for.
"""

from collections.abc import Mapping
from typing import Any

_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_HARMLESS = ("ContainerCreating", "PodInitializing", "Completed")
_MESSAGE_LENGTH_MAX = 300


def problem_of(pod: Mapping[str, Any]) -> str:
    """ "" for a Pod that runs, ended well, or is on its way."""
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    for each in status.get("conditions") or ():
        if each.get("type") == "PodScheduled" and each.get("reason") == "Unschedulable":
            return _said(name, "fits on no node", each.get("message"))
    for each in (*_containers(status, "initContainerStatuses"), *_containers(status, "")):
        found = _of_container(name, each)
        if found:
            return found
    if status.get("phase") == "Failed":
        return _said(name, status.get("reason") or "failed", status.get("message"))
    return ""


def _containers(status: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return list(status.get(name or "containerStatuses") or ())


def _of_container(pod: str, status: Mapping[str, Any]) -> str:
    waiting = (status.get("state") or {}).get("waiting") or {}
    reason = waiting.get("reason", "")
    if reason in _IMAGE:
        image = status.get("image", "")
        return _said(pod, f"the image {image} can not be pulled ({reason})", waiting.get("message"))
    last = (status.get("lastState") or {}).get("terminated") or {}
    if reason == "CrashLoopBackOff":
        return _ended(pod, f"{status['name']} ends again and again", last)
    # Between two such ends it waits for nothing, or runs again for a moment.
    now = (status.get("state") or {}).get("terminated") or {}
    if now.get("exitCode"):
        return _ended(pod, f"{status['name']} ended", now)
    if last.get("exitCode") and status.get("ready") is False:
        return _ended(pod, f"{status['name']} is not ready again since it ended", last)
    if reason and reason not in _HARMLESS:
        return _said(pod, reason, waiting.get("message"))
    return ""


def _ended(pod: str, what: str, ended: Mapping[str, Any]) -> str:
    how = ended.get("reason") or "an error"
    # Where it is the end of a log, the last line says why.
    last = str(ended.get("message") or "").strip().rpartition("\n")[2]
    return _said(pod, f"{what}: {how}, exit code {ended.get('exitCode')}", last)


def _said(pod: str, what: str, message: str | None) -> str:
    return f"pod {pod}: {what}" + (f": {message.strip()[:_MESSAGE_LENGTH_MAX]}" if message else "")
