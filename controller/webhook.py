"""Admission on clusters: what one machine's API server asks of an object, asked by a webhook.

For: the same defaults, refusals, words and warnings, whoever stores the object.
Must not know: HTTP, TLS, or how live settings are read.

A cluster serves what one machine can not, so nothing is refused for that. The webhooks are named
as Knative's and KServe's: with the API server's own words before it, a refusal reads as theirs.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from api import kinds
from api.admission import admit
from api.autoscaler_config import Defaults
from api.errors import InvalidObjectError
from api.kinds import Resource
from api.objects import Raw
from api.warnings import warnings
from controller import clusterconfig, webhook_patch
from controller.webhook_reviews import ALLOWED, TOO_DEEP, Review, Verdict

ADMITTED: Final = (
    kinds.SERVICES,
    kinds.CONFIGURATIONS,
    kinds.REVISIONS,
    kinds.ROUTES,
    kinds.DOMAINMAPPINGS,
    kinds.PODAUTOSCALERS,
    kinds.INFERENCESERVICES,
    kinds.SERVINGRUNTIMES,
    kinds.CLUSTERSERVINGRUNTIMES,
)
MESSAGE_CHARS_MAX: Final = 64 * 1024  # of one refusal, which kubectl shows whole
_BY_NAME: Final = {(each.group, each.version, each.plural): each for each in ADMITTED}
_OF_KSERVE: Final = "serving.kserve.io"
_FAILED: Final = "validation failed: "  # Knative's; KServe says nothing before its own
_WRITTEN: Final = ("CREATE", "UPDATE")


class Webhook:
    """Answers reviews. Nothing is kept, so a dry run is a run like any other."""

    def __init__(
        self, *, config_namespace: str, defaults: Callable[[], Defaults] = Defaults
    ) -> None:
        """`defaults` are the settings of now, which `config_namespace` holds the ConfigMaps of."""
        self._config_namespace = config_namespace
        self._defaults = defaults

    def default(self, review: Review) -> Verdict:
        """Fill in what is left out, and refuse at once what would be refused in the end.

        Refused here, an object is refused for every reason together; the schema, which comes
        before validation, would tell of the first, and in other words.
        """
        try:
            verdict, _ = self._admitted(review)
        except RecursionError:
            return TOO_DEEP
        return verdict

    def validate(self, review: Review) -> Verdict:
        """The last look, at what other webhooks may have changed since; with advice."""
        try:
            if self._is_setting(review):
                return self._setting(review)
            verdict, admitted = self._admitted(review)
            resource = _resource(review)
            if verdict.message or admitted is None or resource is None:
                return verdict
            return Verdict(warnings=warnings(resource, admitted, review.old))
        except RecursionError:
            return TOO_DEEP

    def _admitted(self, review: Review) -> tuple[Verdict, Raw | None]:
        """The verdict, and the object as it is to be stored; None for what is not looked at."""
        resource = _resource(review)
        if resource is None or review.new is None or _is_going(review.new, review.old):
            return ALLOWED, None
        new = _placed(review.new, review.namespace, resource)
        old = None if review.old is None else _placed(review.old, review.namespace, resource)
        try:
            made = admit(resource, new, old, user=review.user, defaults=self._defaults())
        except InvalidObjectError as error:
            return _refusal(resource, str(error)), None
        return Verdict(patch=webhook_patch.between(new, made)), made

    def _is_setting(self, review: Review) -> bool:
        is_map = (review.group, review.plural) == ("", kinds.CONFIGMAPS.plural)
        return is_map and review.operation in _WRITTEN and not review.subresource

    def _setting(self, review: Review) -> Verdict:
        """As Knative's webhook of ConfigMaps; what is stored already is told of in Events."""
        new, old = review.new or {}, review.old
        data = _texts(new.get("data"))
        if old is not None and data == _texts(old.get("data")):
            return ALLOWED
        metadata = new["metadata"]
        fault = clusterconfig.fault(
            review.namespace,
            str(metadata.get("name", "")),
            data,
            _texts(metadata.get("annotations")),
            home=self._config_namespace,
        )
        return Verdict(message=_FAILED + _bounded(fault)) if fault else ALLOWED


def _resource(review: Review) -> Resource | None:
    """The kind, if this is about an object of it and not a part."""
    if review.subresource or review.operation not in _WRITTEN:
        return None
    return _BY_NAME.get((review.group, review.version, review.plural))


def _is_going(new: Raw, old: Raw | None) -> bool:
    """Whether an object that is being deleted is let go: only its finalizers matter now."""
    if old is None or not old["metadata"].get("deletionTimestamp"):
        return False
    return bool(new.get("spec") == old.get("spec"))


def _placed(obj: Raw, namespace: str, resource: Resource) -> Raw:
    """The object with its namespace, which some servers fill in only after they asked."""
    metadata = obj["metadata"]
    if not resource.is_namespaced or metadata.get("namespace") or not namespace:
        return obj
    return {**obj, "metadata": {**metadata, "namespace": namespace}}


def _refusal(resource: Resource, text: str) -> Verdict:
    if resource.group == _OF_KSERVE:
        return Verdict(message=_bounded(text), code=403, reason="Forbidden")
    return Verdict(message=_FAILED + _bounded(text))


def _bounded(text: str) -> str:
    if len(text) <= MESSAGE_CHARS_MAX:
        return text
    kept = text[:MESSAGE_CHARS_MAX].rpartition("\n")[0] or text[:MESSAGE_CHARS_MAX]
    return f"{kept}\n... and {len(text) - len(kept)} characters more"


def _texts(raw: Any) -> Mapping[str, str]:
    return raw if isinstance(raw, Mapping) else {}
