"""What the autoscaler keeps of the objects it watches: what it reads, and no more.

For: ten thousand Revisions in one process; a Deployment is twenty times what is read of it.
Must not know: what is read it for.

Equal parts are one object: most Revisions have the same replicas, and the same words in their
conditions. Nothing that is kept may be changed.
"""

from sys import intern
from typing import Any

from api import keys
from api.objects import Raw
from api.pods import DEFAULT_PORT, serving_index

_METADATA = ("name", "namespace", "uid", "resourceVersion")
_LABELS = (keys.REVISION, keys.REVISION_UID, keys.SERVICE, keys.SERVICE_UID)  # told in Events
_SHARED_MAX = 1024  # different parts remembered; then begun anew, and sharing goes on with those


class Trimmer:
    """One for each cache."""

    def __init__(self) -> None:
        self._shared: dict[Any, Any] = {}

    def deployment(self, raw: Raw) -> dict[str, Any]:
        """The number wanted and the number ready."""
        spec, status = raw.get("spec") or {}, raw.get("status") or {}
        return {
            "metadata": self._metadata(raw["metadata"]),
            "spec": self._numbers(spec, "replicas"),
            "status": self._numbers(status, "readyReplicas"),
        }

    def pod(self, raw: Raw) -> dict[str, Any]:
        """Whose replica it is, and where it is asked; "" while it is not ready, or is leaving."""
        source = raw["metadata"]
        metadata = self._metadata(source)
        labels = source.get("labels") or {}
        metadata["labels"] = {name: labels[name] for name in (keys.REVISION,) if name in labels}
        endpoint = "" if source.get("deletionTimestamp") else _endpoint(raw)
        return {"metadata": metadata, "status": {"endpoint": endpoint}}

    def autoscaler(self, raw: Raw) -> dict[str, Any]:
        """Everything but who owns it and who wrote it; the status whole, to compare with."""
        source = raw["metadata"]
        metadata = self._metadata(source)
        for name in ("generation", "deletionTimestamp"):
            if name in source:
                metadata[name] = source[name]
        labels = source.get("labels") or {}
        metadata["labels"] = {name: labels[name] for name in _LABELS if name in labels}
        metadata["annotations"] = source.get("annotations") or {}
        trimmed = {"metadata": metadata, "spec": raw.get("spec") or {}}
        if "status" in raw:
            trimmed["status"] = self._status(raw["status"])
        return trimmed

    def _metadata(self, raw: Raw) -> dict[str, Any]:
        kept = {name: raw[name] for name in _METADATA if name in raw}
        if "namespace" in kept:
            kept["namespace"] = intern(kept["namespace"])
        return kept

    def _numbers(self, raw: Raw, name: str) -> Any:
        """`{name: number}`."""
        return self._share((name, raw[name]), {name: raw[name]}) if name in raw else {}

    def _status(self, raw: Raw) -> Raw:
        conditions = raw.get("conditions")
        if not conditions:
            return raw
        words = tuple([tuple(each.items()) for each in conditions])
        return {**raw, "conditions": self._share(words, conditions)}

    def _share(self, key: Any, part: Any) -> Any:
        """`part`, or one equal to it that was seen before."""
        if len(self._shared) >= _SHARED_MAX:
            self._shared.clear()
        return self._shared.setdefault(key, part)


def _endpoint(raw: Raw) -> str:
    """HOST:PORT of the container that serves; "" while the Pod is not ready."""
    status = raw.get("status") or {}
    conditions = status.get("conditions") or ()
    is_ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    ip, containers = status.get("podIP"), (raw.get("spec") or {}).get("containers") or ()
    if not is_ready or not ip or not containers:
        return ""
    ports: Any = containers[serving_index(containers)].get("ports") or ({},)
    host = f"[{ip}]" if ":" in ip else ip
    return f"{host}:{ports[0].get('containerPort', DEFAULT_PORT)}"
