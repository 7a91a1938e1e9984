"""What Kubernetes fills in and refuses on ConfigMaps, Secrets, ServiceAccounts and Leases.

For: configuration and accounts that behave as on a cluster.
Must not know: how objects are stored, or who reads them.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from api.kinds import CONFIGMAPS, LEASES, SECRETS, Resource
from api.objects import Raw

_Causes = Iterator[tuple[str, str]]
_KEY: Final = re.compile(r"[-._a-zA-Z0-9]+")
_KEY_LENGTH_MAX: Final = 253
_BYTES_MAX: Final = 1024 * 1024
_OPAQUE: Final = "Opaque"
_ACCOUNT: Final = "kubernetes.io/service-account.name"
# The keys without which a Secret is not of its type.
_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_JSON_OF: Final = frozenset({".dockercfg", ".dockerconfigjson"})


def defaulted(resource: Resource, new: dict[str, Any]) -> dict[str, Any]:
    """The object with Kubernetes' defaults; a Secret's stringData goes into its data."""
    if resource != SECRETS:
        return new
    result = {key: value for key, value in new.items() if key != "stringData"}
    texts = new.get("stringData")
    if isinstance(texts, Mapping) and texts:
        data = {
            key: base64.b64encode(value.encode()).decode() if isinstance(value, str) else value
            for key, value in texts.items()
        }
        result["data"] = {**(new.get("data") or {}), **data}
    result["type"] = new.get("type") or _OPAQUE
    return result


def causes(resource: Resource, new: Raw, old: Raw | None) -> _Causes:
    """Everything that is wrong with one of these kinds."""
    check = _CHECKS.get(resource)
    if check is not None:
        yield from check(new, old)


def _config_map(new: Raw, old: Raw | None) -> _Causes:
    data, binary = new.get("data") or {}, new.get("binaryData") or {}
    for field, values in (("data", data), ("binaryData", binary)):
        yield from _keys(values, field)
    for key in data.keys() & binary.keys():
        yield f"data[{key}]", 'Invalid value: "' + key + '": duplicate of key present in binaryData'
    yield from _base64(binary, "binaryData")
    size = sum(len(str(each).encode()) for each in data.values())
    size += sum(len(str(each)) * 3 // 4 for each in binary.values())
    if size > _BYTES_MAX:
        yield "", f"Too long: may not be more than {_BYTES_MAX} bytes"
    yield from _unchanged(new, old, ("data", "binaryData"))


def _secret(new: Raw, old: Raw | None) -> _Causes:
    data = new.get("data") or {}
    yield from _keys(data, "data")
    yield from _base64(data, "data")
    if sum(len(str(each)) * 3 // 4 for each in data.values()) > _BYTES_MAX:
        yield "data", f"Too long: may not be more than {_BYTES_MAX} bytes"
    type_ = new.get("type")
    for key in _REQUIRED.get(str(type_), ()):
        if key not in data:
            yield f"data[{key}]", "Required value"
        elif key in _JSON_OF and not _is_json(data[key]):
            yield f"data[{key}]", 'Invalid value: "<secret contents redacted>": invalid json'
    if type_ == "kubernetes.io/basic-auth" and not data.keys() & {"username", "password"}:
        yield "data[username]", "Required value"
        yield "data[password]", "Required value"
    annotations = new["metadata"].get("annotations") or {}
    if type_ == "kubernetes.io/service-account-token" and not annotations.get(_ACCOUNT):
        yield f"metadata.annotations[{_ACCOUNT}]", "Required value"
    if old is not None and old.get("type") != type_:
        yield "type", f'Invalid value: "{type_}": field is immutable'
    yield from _unchanged(new, old, ("data",))


def _lease(new: Raw, _old: Raw | None) -> _Causes:
    spec = new.get("spec") or {}
    for field, least in (("leaseDurationSeconds", 1), ("leaseTransitions", 0)):
        value = spec.get(field)
        if isinstance(value, int) and value < least:
            told = "greater than 0" if least else "greater than or equal to 0"
            yield f"spec.{field}", f"Invalid value: {value}: must be {told}"


def _keys(values: Mapping[str, Any], field: str) -> _Causes:
    for key in values:
        if len(key) > _KEY_LENGTH_MAX:
            yield f"{field}[{key}]", f'Invalid value: "{key}": must be no more than 253 characters'
        elif not _KEY.fullmatch(key) or key in (".", ".."):
            yield (
                f"{field}[{key}]",
                f'Invalid value: "{key}": a valid config key must consist of alphanumeric '
                "characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', "
                "regex used for validation is '[-._a-zA-Z0-9]+')",
            )


def _base64(values: Mapping[str, Any], field: str) -> _Causes:
    for key, value in values.items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError, TypeError):
            yield f"{field}[{key}]", 'Invalid value: "<redacted>": must be base64'


def _is_json(value: str) -> bool:
    try:
        json.loads(base64.b64decode(value))
    except (ValueError, binascii.Error):
        return False
    return True


def _unchanged(new: Raw, old: Raw | None, fields: tuple[str, ...]) -> _Causes:
    if old is None or not old.get("immutable"):
        return
    why = "Forbidden: field is immutable when `immutable` is set"
    if not new.get("immutable"):
        yield "immutable", why
    for field in fields:
        if (new.get(field) or {}) != (old.get(field) or {}):
            yield field, why


KINDS: Final = frozenset({CONFIGMAPS, SECRETS, LEASES})
_CHECKS: Final[Mapping[Resource, Callable[[Raw, Raw | None], _Causes]]] = {
    CONFIGMAPS: _config_map,
    SECRETS: _secret,
    LEASES: _lease,
}
