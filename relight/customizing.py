"""Manifests as one cluster gets them: its images, its settings, what was set there before.

For: `relight install --image-prefix --image-tag --set`, and an upgrade that keeps what was changed.
Must not know: how manifests are rendered or applied.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from api import keys
from relight.errors import UsageError

Object = dict[str, Any]

SETTINGS = "relight-settings"
_OURS = re.compile(
    r"relight/(?P<name>activator|autoscaler|controller|predictor):(?P<tag>[0-9.]+)(?P<variant>-.*)?"
)

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_FOLDER = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PREFIX = re.compile(rf"(?:[A-Za-z0-9.-]+(?::[0-9]+)?|\[[0-9a-f:]+\](?::[0-9]+)?)(?:/{_FOLDER})*/?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What was typed. Empty: as the manifests have it."""

    image_prefix: str = ""
    image_tag: str = ""
    settings: Mapping[str, str]


def parse_images(prefix: str, tag: str) -> tuple[str, str]:
    """What was typed of images, where it can be part of an image's name; UsageError."""
    if prefix and not _PREFIX.fullmatch(prefix):
        raise UsageError(
            f"--image-prefix {prefix}: expected a registry and folders, in small letters and "
            "without a scheme, as registry.example.org/team"
        )
    if tag and not _TAG.fullmatch(tag):
        raise UsageError(f"--image-tag {tag}: a tag is of letters, digits and _ . -, 128 at most")
    return prefix, tag


def parse_settings(said: Sequence[str]) -> dict[str, str]:
    """`domain=example.org` as the key and value of the ConfigMap; UsageError."""
    found = {}
    for each in said:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise UsageError(f"--set {each}: expected KEY=VALUE")
        found[name.strip().upper().replace("-", "_")] = value
    return found


def customized(objects: Iterable[Object], wishes: Wishes, stored: Object | None) -> list[Object]:
    """The objects to apply. `stored` is the cluster's ConfigMap of settings, where there is one."""
    found = [_with_images(each, wishes) for each in objects]
    settings = next((each for each in found if _is_settings(each)), None)
    if settings is None:
        if wishes.settings:
            raise UsageError(f"--set: this overlay has no ConfigMap {SETTINGS}")
        return found
    settings = merged(settings, wishes, stored)
    checksum = hashlib.sha256(
        orjson.dumps(settings["data"], option=orjson.OPT_SORT_KEYS)
    ).hexdigest()[:16]
    return [settings if _is_settings(each) else _with_checksum(each, checksum) for each in found]


def merged(settings: Object, wishes: Wishes, stored: Object | None) -> Object:
    """The ConfigMap: what is shipped, what was changed on the cluster since, what is typed now."""
    shipped = {name: str(value) for name, value in (settings.get("data") or {}).items()}
    unknown = [name for name in wishes.settings if name not in shipped]
    if unknown:
        shown = ", ".join(each.lower().replace("_", "-") for each in sorted(shipped))
        asked = unknown[0].lower().replace("_", "-")
        raise UsageError(f"--set {asked}: no such setting; there are {shown}")
    data = shipped | _changed(stored, shipped) | dict(wishes.settings)
    metadata = dict(settings["metadata"])
    told = orjson.dumps(shipped, option=orjson.OPT_SORT_KEYS).decode()
    metadata["annotations"] = {
        **(metadata.get("annotations") or {}),
        keys.SHIPPED_SETTINGS: told,
    }
    return {**settings, "metadata": metadata, "data": data}


def _changed(stored: Object | None, shipped: Mapping[str, str]) -> dict[str, str]:
    """What somebody made differ from what was shipped when it was stored."""
    if stored is None:
        return {}
    annotations = stored["metadata"].get("annotations") or {}
    before = _parsed(annotations.get(keys.SHIPPED_SETTINGS))
    if before is None:  # made by `kubectl apply -k`
        applied = _parsed(annotations.get("kubectl.kubernetes.io/last-applied-configuration"))
        before = (applied or {}).get("data") or {}
    data = stored.get("data") or {}
    return {
        name: value
        for name, value in data.items()
        if name in shipped and before.get(name, shipped[name]) != value
    }


def _parsed(text: str | None) -> dict[str, Any] | None:
    try:
        raw = orjson.loads(text or "")
    except orjson.JSONDecodeError:
        return None
    return raw if isinstance(raw, dict) else None


def _is_settings(obj: Object) -> bool:
    return (obj["kind"], obj["metadata"]["name"]) == ("ConfigMap", SETTINGS)


def image(name: str, wishes: Wishes) -> str:
    """One of our images by prefix and tag; any other as it is."""
    found = _OURS.fullmatch(name)
    if found is None:
        return name
    tag = (wishes.image_tag or found["tag"]) + (found["variant"] or "")
    prefix = f"{wishes.image_prefix.rstrip('/')}/" if wishes.image_prefix else ""
    return f"{prefix}relight/{found['name']}:{tag}"


def _with_images(raw: Any, wishes: Wishes) -> Any:
    """Wherever an image of ours is named: in containers, and in settings."""
    if isinstance(raw, str):
        return image(raw, wishes)
    if isinstance(raw, dict):
        return {name: _with_images(value, wishes) for name, value in raw.items()}
    if isinstance(raw, list):
        return [_with_images(each, wishes) for each in raw]
    return raw


def _with_checksum(obj: Object, checksum: str) -> Object:
    """A Deployment whose Pods start anew when the settings become others."""
    if obj["kind"] != "Deployment":
        return obj
    template = obj["spec"]["template"]
    metadata = template.get("metadata") or {}
    annotations = {**(metadata.get("annotations") or {}), keys.SETTINGS_CHECKSUM: checksum}
    changed = {**template, "metadata": {**metadata, "annotations": annotations}}
    return {**obj, "spec": {**obj["spec"], "template": changed}}
