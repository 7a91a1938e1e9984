"""Ownership of fields for every kind that is served: the shapes of kinds, found once and kept.

For: giving what the server writes its managedFields.
Must not know: the rules of ownership, or how objects are stored.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from api.defaulting import defaulted
from api.kinds import Resource
from api.objects import Raw, rfc3339
from api.openapi import Schema
from cluster.options import WriteOptions
from embedded import applying, resources
from embedded.applying import Form
from embedded.registry import Registry
from embedded.structure import shape_of


class Ownership:
    """Asks `applying`, with the form of the kind and the present time."""

    def __init__(self, registry: Registry, *, clock: Callable[[], float]) -> None:
        self._registry = registry
        self._clock = clock
        self._forms: dict[Resource, tuple[Schema | None, Form]] = {}

    def form_of(self, resource: Resource) -> Form:
        """The form of a kind, as its schema is now."""
        schema = self._registry.schema_of(resource)
        known = self._forms.get(resource)
        if known is not None and known[0] is schema:
            return known[1]
        shape = shape_of(schema, is_built_in=resource in resources.BUILT_IN)
        form = Form(
            shape=shape,
            has_status=self._registry.has_status(resource),
            filled=partial(defaulted, resource),
        )
        self._forms[resource] = (schema, form)
        return form

    def note_created(self, resource: Resource, new: dict[str, Any], options: WriteOptions) -> None:
        """Write into a new object's own metadata who made it."""
        if options.field_manager:
            form = self.form_of(resource)
            _set(new["metadata"], applying.created(form, new, options, now=self._now()))

    def note_updated(
        self,
        resource: Resource,
        states: tuple[Raw, dict[str, Any]],
        options: WriteOptions,
        *,
        given: Any,
        owners: applying.Entries | None,
    ) -> None:
        """Give the new of two states, whose outer dict is the caller's, the owners it has now.

        `given` is the managedFields that was written, `owners` that of an apply.
        """
        old, new = states
        if owners is None:
            if applying.is_untracked(old, options, given):
                return
            form = self.form_of(resource)
            owners = applying.updated(form, old, new, options, given=given, now=self._now())
        new["metadata"] = dict(new["metadata"])
        _set(new["metadata"], owners)

    def apply(
        self, resource: Resource, live: Raw, options: WriteOptions
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The object after an apply, and its managedFields; ConflictError, BadRequestError."""
        return applying.apply(self.form_of(resource), live, options, now=self._now())

    def shown(self, resource: Resource, obj: dict[str, Any]) -> dict[str, Any]:
        """The object with all its owners written out."""
        return applying.shown(self.form_of(resource), obj)

    def _now(self) -> str:
        return rfc3339(self._clock())


def _set(metadata: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    if entries:
        metadata["managedFields"] = entries
    else:
        metadata.pop("managedFields", None)
