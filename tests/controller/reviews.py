"""What an API server does with our webhooks, in short: asks, in the form it asks in, and applies.

The names before refusals are those of the shipped configurations, as an API server puts them.
"""

import base64
import copy
from pathlib import Path
from typing import Any

import orjson
import yaml

from api.kinds import Resource
from controller import webhook_reviews
from controller.webhook import Webhook
from controller.webhook_reviews import Review, Verdict
from embedded.patch import apply_operations

Raw = dict[str, Any]
ROOT = Path(__file__).parent.parent.parent
DEFAULTING, VALIDATION = (
    yaml.safe_load((ROOT / f"manifests/500-webhooks/{name}.yaml").read_text())
    for name in ("defaulting", "validation")
)
REVIEW = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}


def review(
    resource: Resource,
    new: Raw | None,
    old: Raw | None = None,
    *,
    user: str = "relight",
    **fields: Any,
) -> Raw:
    """An AdmissionReview as a server sends it."""
    given = new if new is not None else old
    assert given is not None
    named = {"group": resource.group, "version": resource.version}
    operation = "CREATE" if old is None else "DELETE" if new is None else "UPDATE"
    return {
        **REVIEW,
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {**named, "kind": resource.kind},
            "resource": {**named, "resource": resource.plural},
            "requestKind": {**named, "kind": resource.kind},
            "requestResource": {**named, "resource": resource.plural},
            "name": given["metadata"].get("name", ""),
            "namespace": given["metadata"].get("namespace", ""),
            "operation": operation,
            "userInfo": {"username": user, "groups": ["system:authenticated"]},
            "object": new,
            "oldObject": old,
            "dryRun": False,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": f"{operation.title()}Options"},
            **fields,
        },
    }


def read(raw: Raw) -> Review:
    return webhook_reviews.read(orjson.dumps(raw))


def webhook_name(configuration: Raw, resource: Resource) -> str:
    """The one webhook of a configuration that is asked about a kind."""
    [found] = [
        each["name"]
        for each in configuration["webhooks"]
        for rule in each["rules"]
        if rule["apiGroups"] == [resource.group]
        and rule["apiVersions"] == [resource.version]
        and resource.plural in rule["resources"]
    ]
    return str(found)


def words(configuration: Raw, resource: Resource, verdict: Verdict) -> str:
    """What a user reads of a refusal; "" for none."""
    if not verdict.message:
        return ""
    name = webhook_name(configuration, resource)
    return f'admission webhook "{name}" denied the request: {verdict.message}'


def patched(obj: Raw, verdict: Verdict) -> Raw:
    """The object with what the answer, as it travels, says of defaults."""
    raw = orjson.loads(webhook_reviews.answer(read_of(obj), verdict))["response"]
    if "patch" not in raw:
        return copy.deepcopy(obj)
    assert raw["patchType"] == "JSONPatch"
    return dict(apply_operations(obj, orjson.loads(base64.b64decode(raw["patch"]))))


def read_of(obj: Raw) -> Review:
    return Review(uid="1", group="g", version="v", plural="p", operation="CREATE", new=obj)


def asked(
    webhook: Webhook, resource: Resource, new: Raw, old: Raw | None = None, *, user: str = "relight"
) -> tuple[str, Verdict, Raw]:
    """As an API server does: default, then validate; a refusal in its words, the last, the object.

    What both say to one object is the same: that is asserted.
    """
    first = webhook.default(read(review(resource, new, old, user=user)))
    last = webhook.validate(read(review(resource, new, old, user=user)))
    found = words(DEFAULTING, resource, first)
    assert words(VALIDATION, resource, last) == found
    if first.message:
        return found, first, new
    made = patched(new, first)
    again = webhook.default(read(review(resource, made, old, user=user)))
    assert not again.message
    assert not again.patch, "asked again, it has nothing to add"
    last = webhook.validate(read(review(resource, made, old, user=user)))
    return words(VALIDATION, resource, last), last, made
